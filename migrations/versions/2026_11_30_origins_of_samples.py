"""where the samples that a run was trained on came from, and qualities that are not known for sure"""

import sqlalchemy as sa
from alembic import op

revision = "0090"
down_revision = "0089"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("observations", sa.Column("origin", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table("sources") as batch:
        batch.alter_column("quality", existing_type=sa.Double(), nullable=True)
        batch.add_column(sa.Column("quality_p05", sa.Double(), nullable=True))
        batch.add_column(sa.Column("quality_p95", sa.Double(), nullable=True))


def downgrade() -> None:
    op.execute("UPDATE sources SET quality = 1 WHERE quality IS NULL")
    with op.batch_alter_table("sources") as batch:
        batch.drop_column("quality_p95")
        batch.drop_column("quality_p05")
        batch.alter_column("quality", existing_type=sa.Double(), nullable=False)
    with op.batch_alter_table("observations") as batch:
        batch.drop_column("origin")
