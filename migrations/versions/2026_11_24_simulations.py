"""simulations"""

import sqlalchemy as sa
from alembic import op

from app.store.models.base import Instant

revision = "0060"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "simulations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("question", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("data_version", sa.BigInteger(), nullable=True),
        sa.Column("frozen", sa.LargeBinary(), nullable=True),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_simulations_job_id")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_simulations_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_simulations")),
        sa.UniqueConstraint("job_id", name=op.f("uq_simulations_job_id")),
    )
    op.create_index("ix_simulations_project_id_id", "simulations", ["project_id", "id"], unique=False)
    op.create_table(
        "simulation_parts",
        sa.Column("simulation_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["simulation_id"], ["simulations.id"], name=op.f("fk_simulation_parts_simulation_id")),
        sa.PrimaryKeyConstraint("simulation_id", "number", name=op.f("pk_simulation_parts")),
    )


def downgrade() -> None:
    op.drop_table("simulation_parts")
    op.drop_table("simulations")
