"""Projects say from where on a plan is not to be signed as it is."""

import sqlalchemy as sa
from alembic import op

revision = "0098"
down_revision = "0097"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("verdict_thresholds", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("projects", "verdict_thresholds")
