"""vendor connections, their inbox, orders and items"""

import sqlalchemy as sa
from alembic import op

from app.store.models.base import Instant, Money

revision = "0045"
down_revision = "0050"
branch_labels = None
depends_on = None

Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "vendor_connections",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("preset", sa.String(length=50), nullable=True),
        sa.Column("config", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("group_map", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("old_secret_until", Instant(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name=op.f("fk_vendor_connections_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vendor_connections")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_vendor_connections_token_hash")),
    )
    op.create_index("ix_vendor_connections_workspace_id", "vendor_connections", ["workspace_id"], unique=False)
    op.create_table(
        "vendor_deleted_parents",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["vendor_connections.id"], name=op.f("fk_vendor_deleted_parents_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", "parent_id", name=op.f("pk_vendor_deleted_parents")),
    )
    op.create_table(
        "vendor_deliveries",
        sa.Column("id", Serial, nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.String(length=200), nullable=False),
        sa.Column("headers", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.String(length=500), nullable=True),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("applied_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["vendor_connections.id"], name=op.f("fk_vendor_deliveries_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vendor_deliveries")),
    )
    op.create_index(
        "ix_vendor_deliveries_connection_id_outcome_id",
        "vendor_deliveries",
        ["connection_id", "outcome", "id"],
        unique=False,
    )
    op.create_index("ix_vendor_deliveries_received_at", "vendor_deliveries", ["received_at"], unique=False)
    op.create_index(
        "uq_vendor_deliveries_connection_id_delivery_id",
        "vendor_deliveries",
        ["connection_id", "delivery_id"],
        unique=True,
    )
    op.create_table(
        "vendor_reconciliations",
        sa.Column("id", Serial, nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("differences", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("problem", sa.String(length=500), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["vendor_connections.id"], name=op.f("fk_vendor_reconciliations_connection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vendor_reconciliations")),
    )
    op.create_index(
        "ix_vendor_reconciliations_connection_id_id", "vendor_reconciliations", ["connection_id", "id"], unique=False
    )
    op.create_table(
        "vendor_wakeups",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("asked_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["vendor_connections.id"], name=op.f("fk_vendor_wakeups_connection_id")
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_vendor_wakeups")),
    )
    op.create_table(
        "vendor_items",
        sa.Column("id", Serial, nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("external_item_id", sa.String(length=250), nullable=False),
        sa.Column("facts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.String(length=200), nullable=True),
        sa.Column("external_order_id", sa.String(length=200), nullable=True),
        sa.Column("group_word", sa.String(length=200), nullable=True),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("group_id", Serial, nullable=True),
        sa.Column("cost", Money(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["vendor_connections.id"], name=op.f("fk_vendor_items_connection_id")
        ),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_vendor_items_group_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_vendor_items_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vendor_items")),
    )
    op.create_index(
        "ix_vendor_items_connection_id_external_order_id",
        "vendor_items",
        ["connection_id", "external_order_id"],
        unique=False,
    )
    op.create_index(
        "ix_vendor_items_connection_id_parent_id", "vendor_items", ["connection_id", "parent_id"], unique=False
    )
    op.create_index("ix_vendor_items_order_id", "vendor_items", ["order_id"], unique=False)
    op.create_index(
        "uq_vendor_items_connection_id_external_item_id",
        "vendor_items",
        ["connection_id", "external_item_id"],
        unique=True,
    )
    op.create_table(
        "vendor_orders",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("external_order_id", sa.String(length=200), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("group_id", Serial, nullable=True),
        sa.Column("url", sa.String(length=1000), nullable=True),
        sa.Column("counts", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("cost", Money(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["vendor_connections.id"], name=op.f("fk_vendor_orders_connection_id")
        ),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_vendor_orders_group_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_vendor_orders_order_id")),
        sa.PrimaryKeyConstraint("connection_id", "external_order_id", name=op.f("pk_vendor_orders")),
    )
    op.create_index("ix_vendor_orders_order_id", "vendor_orders", ["order_id"], unique=False)
    op.create_table(
        "vendor_placements",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("problem", sa.String(length=1000), nullable=True),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["vendor_connections.id"], name=op.f("fk_vendor_placements_connection_id")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_vendor_placements_order_id")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_vendor_placements")),
    )
    op.create_index("ix_vendor_placements_connection_id", "vendor_placements", ["connection_id"], unique=False)
    op.create_table(
        "vendor_rows",
        sa.Column("id", Serial, nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=False),
        sa.Column("group_key", sa.String(length=100), nullable=False),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["vendor_connections.id"], name=op.f("fk_vendor_rows_connection_id")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_vendor_rows_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vendor_rows")),
    )
    op.create_index(
        "ix_vendor_rows_connection_id_group_key_id", "vendor_rows", ["connection_id", "group_key", "id"], unique=False
    )
    op.create_index("ix_vendor_rows_order_id", "vendor_rows", ["order_id"], unique=False)
    op.create_index(
        "uq_vendor_rows_connection_id_external_id", "vendor_rows", ["connection_id", "external_id"], unique=True
    )
    with op.batch_alter_table("sources") as batch:
        batch.add_column(sa.Column("connection_id", sa.Uuid(), nullable=True))
        batch.create_foreign_key(op.f("fk_sources_connection_id"), "vendor_connections", ["connection_id"], ["id"])
    op.create_index("ix_sources_connection_id", "sources", ["connection_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_sources_connection_id", table_name="sources")
    with op.batch_alter_table("sources") as batch:
        batch.drop_constraint(op.f("fk_sources_connection_id"), type_="foreignkey")
        batch.drop_column("connection_id")

    op.drop_table("vendor_rows")
    op.drop_table("vendor_placements")
    op.drop_table("vendor_orders")
    op.drop_table("vendor_items")
    op.drop_table("vendor_wakeups")
    op.drop_table("vendor_reconciliations")
    op.drop_table("vendor_deliveries")
    op.drop_table("vendor_deleted_parents")
    op.drop_table("vendor_connections")
