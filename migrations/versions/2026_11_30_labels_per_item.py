"""how many labels an item of a source carries"""

import sqlalchemy as sa
from alembic import op

revision = "0092"
down_revision = "0091"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sources", sa.Column("labels_per_item", sa.BigInteger(), nullable=False, server_default="1"))
    with op.batch_alter_table("sources") as batch:
        batch.alter_column("labels_per_item", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("sources") as batch:
        batch.drop_column("labels_per_item")
