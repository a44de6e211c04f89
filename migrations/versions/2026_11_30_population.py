"""Projects say whom their samples are to be like."""

import sqlalchemy as sa
from alembic import op

revision = "0105"
down_revision = "0104"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("population", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("projects") as batch:
        batch.alter_column("population", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("projects") as batch:
        batch.drop_column("population")
