"""what vendors said that could not be read, and which items are deltas"""

import sqlalchemy as sa
from alembic import op

revision = "0093"
down_revision = "0092"
branch_labels = None
depends_on = None

COUNTING = ("vendor_deliveries", "vendor_orders", "vendor_reconciliations")


def upgrade() -> None:
    for table in COUNTING:
        op.add_column(table, sa.Column("unread", sa.BigInteger(), nullable=False, server_default="0"))
        with op.batch_alter_table(table) as batch:
            batch.alter_column("unread", server_default=None)
    op.add_column("vendor_items", sa.Column("is_delta", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("vendor_items") as batch:
        batch.alter_column("is_delta", server_default=None)
    op.execute("UPDATE vendor_items SET is_delta = true WHERE external_item_id LIKE 'delta:%'")


def downgrade() -> None:
    with op.batch_alter_table("vendor_items") as batch:
        batch.drop_column("is_delta")
    for table in COUNTING:
        with op.batch_alter_table(table) as batch:
            batch.drop_column("unread")
