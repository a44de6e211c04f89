"""jobs, workers and what is watched of each plan"""

import sqlalchemy as sa
from alembic import op

from app.store.models.base import Instant

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("cancel_requested_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_jobs_project_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_jobs_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_ended_at", "jobs", ["ended_at"], unique=False)
    op.create_index("ix_jobs_project_id", "jobs", ["project_id"], unique=False)
    op.create_index("ix_jobs_workspace_id_id", "jobs", ["workspace_id", "id"], unique=False)
    op.create_table(
        "plan_watches",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("waiting_job_id", sa.Uuid(), nullable=True),
        sa.Column("data_version", sa.BigInteger(), nullable=False),
        sa.Column("announced", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("reached", sa.JSON(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_plan_watches_project_id")),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_plan_watches")),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=150), nullable=False),
        sa.Column("life", sa.Uuid(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_table(
        "recoveries",
        sa.Column("workflow_id", sa.String(length=200), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("recovered_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("workflow_id", name=op.f("pk_recoveries")),
    )


def downgrade() -> None:
    for table in ("recoveries", "workers", "plan_watches", "jobs"):
        op.drop_table(table)
