"""purchases: notes of rounds, names of projects in their owners' records, what was held at a group's first run"""

import sqlalchemy as sa
from alembic import op

revision = "0081"
down_revision = "0080"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rounds", sa.Column("note", sa.String(length=500), nullable=True))
    op.add_column("groups", sa.Column("first_run_count", sa.BigInteger(), nullable=True))
    op.add_column("projects", sa.Column("external_id", sa.String(length=200), nullable=True))
    op.add_column("projects", sa.Column("content_hash", sa.String(length=64), nullable=True))
    op.create_index("uq_projects_workspace_id_external_id", "projects", ["workspace_id", "external_id"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_projects_workspace_id_external_id", "projects")
    for table, columns in (("projects", ("content_hash", "external_id")), ("groups", ("first_run_count",)),
                           ("rounds", ("note",))):  # fmt: skip
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column)
