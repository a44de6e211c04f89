"""where the samples that a run was trained on came from"""

import sqlalchemy as sa
from alembic import op

revision = "0090"
down_revision = "0086"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("observations", sa.Column("origin", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("observations") as batch:
        batch.drop_column("origin")
