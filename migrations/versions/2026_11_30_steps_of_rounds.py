"""rounds say who did what, when and with what words; proposals are declined and expire"""

from datetime import UTC
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0099"
down_revision = "0102"
branch_labels = None
depends_on = None

WORDS = ("reason", "note")
SHORT = 500
"""Characters that they could have before."""
STEPS = {f"round.{step}": step for step in ("proposed", "edited", "approved", "closed", "cancelled")}

ROUNDS = sa.table(
    "rounds",
    sa.column("id", sa.BigInteger()),
    sa.column("project_id", sa.Uuid()),
    sa.column("number", sa.BigInteger()),
    sa.column("note", sa.String()),
    sa.column("reason", sa.String()),
    sa.column("state", sa.String()),
    sa.column("cancelled_at", sa.DateTime(timezone=True)),
    sa.column("declined_at", sa.DateTime(timezone=True)),
    sa.column("expires_at", sa.DateTime(timezone=True)),
    sa.column("steps", sa.JSON()),
)
ENTRIES = sa.table(
    "audit_entries",
    sa.column("id", sa.BigInteger()),
    sa.column("project_id", sa.Uuid()),
    sa.column("api_key_id", sa.String()),
    sa.column("action", sa.String()),
    sa.column("resource", sa.String()),
    sa.column("created_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    op.add_column("projects", sa.Column("proposal_expires_days", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("rounds") as batch:
        for name in WORDS:
            batch.alter_column(name, existing_type=sa.String(SHORT), type_=sa.String(2000))
        batch.add_column(sa.Column("steps", sa.JSON(none_as_null=True), nullable=False, server_default="[]"))
        batch.add_column(sa.Column("reference", sa.String(200), nullable=True))
        batch.add_column(sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("declined_at", sa.DateTime(timezone=True), nullable=True))
    tell_steps(op.get_bind())
    with op.batch_alter_table("rounds") as batch:
        batch.alter_column("steps", server_default=None)


def tell_steps(connection: sa.Connection) -> None:
    """What the audit still knows of each round: by whom and when. Words were kept of the proposal and the end alone."""
    query = sa.select(ROUNDS.c.id, ROUNDS.c.project_id, ROUNDS.c.number, ROUNDS.c.note, ROUNDS.c.reason)
    for row in connection.execute(query).all():
        mine = (ENTRIES.c.project_id == row.project_id) & (ENTRIES.c.resource == f"round:{row.number}")
        entries = sa.select(ENTRIES).where(mine, ENTRIES.c.action.in_(STEPS)).order_by(ENTRIES.c.id)
        words = {"round.proposed": row.note, "round.cancelled": row.reason}
        steps = [step(one, words.get(one.action)) for one in connection.execute(entries)]
        connection.execute(sa.update(ROUNDS).where(ROUNDS.c.id == row.id).values(steps=steps))


def step(entry: Any, note: str | None) -> dict[str, Any]:
    at = entry.created_at.replace(tzinfo=UTC) if entry.created_at.tzinfo is None else entry.created_at.astimezone(UTC)
    return {"step": STEPS[entry.action], "key": entry.api_key_id, "at": at.isoformat(), "note": note}


def downgrade() -> None:
    """Declined and expired proposals are cancelled ones to the version before; longer words are cut."""
    connection = op.get_bind()
    over = ROUNDS.c.state.in_(("declined", "expired"))
    ended = sa.func.coalesce(ROUNDS.c.declined_at, ROUNDS.c.expires_at)
    connection.execute(sa.update(ROUNDS).where(over).values(state="cancelled", cancelled_at=ended))
    for name in WORDS:
        column = ROUNDS.c[name]
        cut = sa.update(ROUNDS).where(sa.func.length(column) > SHORT).values({name: sa.func.substr(column, 1, SHORT)})
        connection.execute(cut)
    with op.batch_alter_table("rounds") as batch:
        for name in ("declined_at", "expires_at", "reference", "steps"):
            batch.drop_column(name)
        for name in WORDS:
            batch.alter_column(name, existing_type=sa.String(2000), type_=sa.String(SHORT))
    with op.batch_alter_table("projects") as batch:
        batch.drop_column("proposal_expires_days")
