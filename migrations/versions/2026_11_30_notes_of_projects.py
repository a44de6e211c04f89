"""Projects have notes, which their reports show."""

import sqlalchemy as sa
from alembic import op

revision = "0100"
down_revision = "0099"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("notes", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("projects", "notes")
