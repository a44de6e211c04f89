"""forecasts made by jobs: what is due, and what a job has fitted"""

import sqlalchemy as sa
from alembic import op

revision = "0085"
down_revision = "0084"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("forecasts_due", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("observations", sa.Column("data_version", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("observations", sa.Column("voided_version", sa.BigInteger(), nullable=True))
    op.execute("UPDATE observations SET voided_version = 1 WHERE voided_at IS NOT NULL")
    op.create_index("ix_observations_project_id_data_version", "observations", ["project_id", "data_version"])
    op.create_index("ix_observations_project_id_voided_version", "observations", ["project_id", "voided_version"])
    op.create_table(
        "forecast_tasks",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("data_version", sa.BigInteger(), nullable=False),
        sa.Column("basis", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_forecast_tasks_project_id_projects"),
        sa.PrimaryKeyConstraint("project_id", "data_version", name="pk_forecast_tasks"),
    )
    op.create_table(
        "kept_records",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("recipe", sa.String(length=100), nullable=False),
        sa.Column("last_forecast_id", sa.BigInteger(), nullable=False),
        sa.Column("voided_version", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_kept_records_project_id_projects"),
        sa.PrimaryKeyConstraint("project_id", name="pk_kept_records"),
    )
    op.create_table(
        "kept_fits",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("data_version", sa.BigInteger(), nullable=False),
        sa.Column("stamp", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_kept_fits_project_id_projects"),
        sa.PrimaryKeyConstraint("project_id", name="pk_kept_fits"),
    )


def downgrade() -> None:
    op.drop_table("kept_fits")
    op.drop_table("kept_records")
    op.drop_table("forecast_tasks")
    op.drop_index("ix_observations_project_id_voided_version", "observations")
    op.drop_index("ix_observations_project_id_data_version", "observations")
    with op.batch_alter_table("observations") as batch:
        batch.drop_column("voided_version")
        batch.drop_column("data_version")
    with op.batch_alter_table("projects") as batch:
        batch.drop_column("forecasts_due")
