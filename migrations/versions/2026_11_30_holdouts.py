"""Runs say out of how many candidates they were chosen, and holdouts are retired."""

import sqlalchemy as sa
from alembic import op

revision = "0104"
down_revision = "0103"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("observations", sa.Column("chosen_from", sa.BigInteger(), nullable=False, server_default="1"))
    op.add_column("projects", sa.Column("retired_holdouts", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("projects", "retired_holdouts")
    op.drop_column("observations", "chosen_from")
