"""forecasts, and what groups have in common"""

import sqlalchemy as sa
from alembic import op

from app.store.models.base import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "forecasts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("observation_id", sa.Uuid(), nullable=False),
        sa.Column("group_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("mean", sa.Double(), nullable=False),
        sa.Column("quantiles", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("crps", sa.Double(), nullable=False),
        sa.Column("wis", sa.Double(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_forecasts_group_id")),
        sa.ForeignKeyConstraint(["observation_id"], ["observations.id"], name=op.f("fk_forecasts_observation_id")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_forecasts_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forecasts")),
    )
    op.create_index("ix_forecasts_observation_id", "forecasts", ["observation_id"], unique=False)
    op.create_index("ix_forecasts_project_id_id", "forecasts", ["project_id", "id"], unique=False)
    op.add_column("groups", sa.Column("attributes", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("groups", sa.Column("parent", sa.String(length=100), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("groups") as batch:
        batch.drop_column("parent")
        batch.drop_column("attributes")
    op.drop_table("forecasts")
