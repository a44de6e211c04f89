"""what runs were trained on and what they measured, hashed, so that those that say the same are found by an index"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0084"
down_revision = "0083"
branch_labels = None
depends_on = None

INDEX = "ix_observations_project_id_trained_hash_said_hash"
AT_ONCE = 1_000
RUNS = sa.table(
    "observations",
    sa.column("id", sa.Uuid()),
    sa.column("holdout", sa.String()),
    sa.column("counts", sa.JSON()),
    sa.column("metrics", sa.JSON()),
    sa.column("trained_hash", sa.String()),
    sa.column("said_hash", sa.String()),
)


def upgrade() -> None:
    for name in ("trained_hash", "said_hash"):
        op.add_column("observations", sa.Column(name, sa.String(length=32), nullable=False, server_default=""))
    hash_runs(op.get_bind())
    op.create_index(INDEX, "observations", ["project_id", "trained_hash", "said_hash"])
    with op.batch_alter_table("observations") as batch:
        for name in ("trained_hash", "said_hash"):
            batch.alter_column(name, server_default=None)


def hash_runs(connection: sa.Connection) -> None:
    """Part by part: a project may have many runs of thousands of groups."""
    columns = (RUNS.c.id, RUNS.c.holdout, RUNS.c.counts, RUNS.c.metrics)
    query = sa.select(*columns).order_by(RUNS.c.id).limit(AT_ONCE)
    write = sa.update(RUNS).where(RUNS.c.id == sa.bindparam("run"))
    rows = connection.execute(query).all()
    while rows:
        hashed = [
            {"run": one.id, "trained_hash": trained(one.holdout, one.counts), "said_hash": said(one.metrics)}
            for one in rows
        ]
        connection.execute(write, hashed)
        rows = connection.execute(query.where(RUNS.c.id > rows[-1].id)).all()


# As the service makes them.


def trained(holdout: str, counts: Mapping[str, int]) -> str:
    return digest([holdout, {key: count for key, count in counts.items() if count}])


def said(metrics: Mapping[str, Mapping[str, float]]) -> str:
    return digest({key: {name: float(part) + 0.0 for name, part in one.items()} for key, one in metrics.items()})


def digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def downgrade() -> None:
    op.drop_index(INDEX, "observations")
    with op.batch_alter_table("observations") as batch:
        batch.drop_column("said_hash")
        batch.drop_column("trained_hash")
