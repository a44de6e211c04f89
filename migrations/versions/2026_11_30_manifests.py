"""rules that manifests are held against, and what is kept of each manifest"""

import sqlalchemy as sa
from alembic import op

revision = "0089"
down_revision = "0088"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("intake_rules", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("projects") as batch:
        batch.alter_column("intake_rules", server_default=None)
    op.create_table(
        "manifests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("api_key_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"], name=op.f("fk_manifests_api_key_id")),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name=op.f("fk_manifests_delivery_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_manifests_order_id")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_manifests_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_manifests")),
    )
    op.create_index(op.f("ix_manifests_project_id"), "manifests", ["project_id"])
    op.create_index("uq_manifests_order_id_digest", "manifests", ["order_id", "digest"], unique=True)


def downgrade() -> None:
    op.drop_table("manifests")
    with op.batch_alter_table("projects") as batch:
        batch.drop_column("intake_rules")
