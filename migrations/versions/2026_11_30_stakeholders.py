"""who else judges a project's plans"""

import sqlalchemy as sa
from alembic import op

revision = "0091"
down_revision = "0090"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("stakeholders", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("projects") as batch:
        batch.alter_column("stakeholders", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("projects") as batch:
        batch.drop_column("stakeholders")
