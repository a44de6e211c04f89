"""whether a project trains one model on all groups' data or one for each group"""

import sqlalchemy as sa
from alembic import op

revision = "0086"
down_revision = "0085"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("model", sa.String(length=20), nullable=False, server_default="separate"))
    with op.batch_alter_table("projects") as batch:
        batch.alter_column("model", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("projects") as batch:
        batch.drop_column("model")
