"""Enqueueing: the part of the job engine that the API needs. It executes nothing."""

from collections.abc import Mapping
from typing import Any

from dbos import DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions
from sqlalchemy.orm import Session

from app.services.enqueue import QueueName
from app.store.db import Database

QUEUE = "queue"
"""Where a job's arguments say its queue, for its line in the log: who runs it is not told otherwise."""


class JobClient:
    """Writes jobs into the tables of the engine, in the transactions of others. Connects lazily."""

    def __init__(self, database: Database) -> None:
        # Arguments and results are JSON: what a database holds is never unpickled.
        self.engine = DBOSClient(
            system_database_engine=database.writes, serializer=DBOSPortableJSONSerializer(), lazy=True
        )

    def enqueue(
        self,
        session: Session,
        name: str,
        args: Mapping[str, Any],
        id: str,
        *,
        delay_s: float = 0.0,
        queue: QueueName = "rounds",
    ) -> None:
        """See `Enqueue`."""
        options: EnqueueOptions = {"workflow_name": name, "queue_name": queue, "workflow_id": id}
        if delay_s > 0:
            options["delay_seconds"] = delay_s
        self.engine.enqueue_in_transaction(session, options, {**args, QUEUE: queue})

    def close(self) -> None:
        self.engine.destroy()
