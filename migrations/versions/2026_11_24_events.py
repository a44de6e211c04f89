"""events, numbered per workspace"""

import sqlalchemy as sa
from alembic import op

from app.store.models.base import Instant

revision = "0035"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workspaces", sa.Column("last_sequence", sa.BigInteger(), server_default="0", nullable=False))
    op.create_table(
        "events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("type", sa.String(length=50), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_events_project_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_events_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index("ix_events_project_id", "events", ["project_id"], unique=False)
    op.create_index("uq_events_workspace_id_sequence", "events", ["workspace_id", "sequence"], unique=True)


def downgrade() -> None:
    op.drop_table("events")
    with op.batch_alter_table("workspaces") as batch:
        batch.drop_column("last_sequence")
