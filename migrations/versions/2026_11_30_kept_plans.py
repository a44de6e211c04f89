"""The default plan of a project as a job made it, for whoever looks next."""

import sqlalchemy as sa
from alembic import op

revision = "0103"
down_revision = "0100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_plans",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_kept_plans_project_id_projects")),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_kept_plans")),
    )


def downgrade() -> None:
    op.drop_table("kept_plans")
