"""How a service hands on work that outlives its transaction."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from sqlalchemy.orm import Session

QueueName = Literal["webhooks", "rounds", "refits", "cpu"]


class Enqueue(Protocol):
    """Enqueues the job `name` with JSON `args` in the caller's own transaction: committed with it, or not at all.

    id: names this piece of work for ever; enqueueing it again changes nothing. delay_s: seconds before it may start.
    queue: `webhooks` and `rounds` for work that waits on others, `refits` for those alone, and `cpu` for all else that
    computes: so that no simulation holds up what is told of a plan.
    """

    def __call__(
        self,
        session: Session,
        name: str,
        args: Mapping[str, Any],
        id: str,
        *,
        delay_s: float = 0.0,
        queue: QueueName = "rounds",
    ) -> None: ...
