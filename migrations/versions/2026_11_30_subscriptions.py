"""Vendor connections say what became of subscribing by the vendor's API."""

import sqlalchemy as sa
from alembic import op

revision = "0101"
down_revision = "0098"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("vendor_connections", sa.Column("subscription", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("vendor_connections", "subscription")
