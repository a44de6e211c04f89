"""first tables"""

import sqlalchemy as sa
from alembic import op

from app.store.models.base import Instant, Money

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workspaces",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspaces")),
        sa.UniqueConstraint("name", name=op.f("uq_workspaces_name")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("project_ids", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_api_keys_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_index("ix_api_keys_workspace_id", "api_keys", ["workspace_id"], unique=False)

    op.create_table(
        "projects",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("metric_name", sa.String(length=100), nullable=False),
        sa.Column("metric_kind", sa.String(length=20), nullable=False),
        sa.Column("metric_goal", sa.String(length=20), nullable=False),
        sa.Column("metric_lower", sa.Double(), nullable=True),
        sa.Column("metric_upper", sa.Double(), nullable=True),
        sa.Column("objective", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("budget_total", Money(), nullable=False),
        sa.Column("budget_rounds", sa.BigInteger(), nullable=False),
        sa.Column("recipe", sa.String(length=100), nullable=False),
        sa.Column("reference_loss", sa.Double(), nullable=True),
        sa.Column("data_version", sa.BigInteger(), nullable=False),
        sa.Column("data_at", Instant(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("archived_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_projects_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
    )
    op.create_index("ix_projects_workspace_id", "projects", ["workspace_id"], unique=False)

    op.create_table(
        "groups",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("target", sa.Double(), nullable=True),
        sa.Column("initial_count", sa.BigInteger(), nullable=False),
        sa.Column("reference_loss", sa.Double(), nullable=True),
        sa.Column("assumed_curve", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("archived_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_groups_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
    )
    op.create_index("uq_groups_project_id_key", "groups", ["project_id", "key"], unique=True)

    op.create_table(
        "idempotent_calls",
        sa.Column("api_key_id", sa.String(length=32), nullable=False),
        sa.Column("method", sa.String(length=10), nullable=False),
        sa.Column("path", sa.String(length=500), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("headers", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"], name=op.f("fk_idempotent_calls_api_key_id")),
        sa.PrimaryKeyConstraint("api_key_id", "method", "path", "key", name=op.f("pk_idempotent_calls")),
    )
    op.create_index("ix_idempotent_calls_created_at", "idempotent_calls", ["created_at"], unique=False)

    op.create_table(
        "observations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("counts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("metrics", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("holdout", sa.String(length=100), nullable=False),
        sa.Column("recipe", sa.String(length=100), nullable=False),
        sa.Column("observed_at", Instant(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("voided_at", Instant(), nullable=True),
        sa.Column("void_reason", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_observations_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observations")),
    )
    op.create_index("ix_observations_project_id_recipe", "observations", ["project_id", "recipe"], unique=False)
    op.create_index(
        "uq_observations_project_id_external_id", "observations", ["project_id", "external_id"], unique=True
    )

    op.create_table(
        "sources",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("group_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("unit_cost", Money(), nullable=False),
        sa.Column("min_order", sa.BigInteger(), nullable=False),
        sa.Column("max_order", sa.BigInteger(), nullable=True),
        sa.Column("lot_size", sa.BigInteger(), nullable=False),
        sa.Column("license", sa.String(length=200), nullable=True),
        sa.Column("provenance", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("archived_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_sources_group_id")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_sources_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
    )
    op.create_index("ix_sources_group_id", "sources", ["group_id"], unique=False)
    op.create_index("uq_sources_project_id_key", "sources", ["project_id", "key"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_sources_project_id_key", table_name="sources")
    op.drop_index("ix_sources_group_id", table_name="sources")

    op.drop_table("sources")
    op.drop_index("uq_observations_project_id_external_id", table_name="observations")
    op.drop_index("ix_observations_project_id_recipe", table_name="observations")

    op.drop_table("observations")
    op.drop_index("ix_idempotent_calls_created_at", table_name="idempotent_calls")

    op.drop_table("idempotent_calls")
    op.drop_index("uq_groups_project_id_key", table_name="groups")

    op.drop_table("groups")
    op.drop_index("ix_projects_workspace_id", table_name="projects")

    op.drop_table("projects")
    op.drop_index("ix_api_keys_workspace_id", table_name="api_keys")

    op.drop_table("api_keys")
    op.drop_table("workspaces")
