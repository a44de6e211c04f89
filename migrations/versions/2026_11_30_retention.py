"""how long rows are kept, what vendors' bodies are reduced to, and what is left of what was erased"""

import sqlalchemy as sa
from alembic import op

revision = "0096"
down_revision = "0094"
branch_labels = None
depends_on = None

INDEXES = (
    ("audit_entries", ("created_at",)),
    ("forecasts", ("group_id",)),
    ("ledger_entries", ("group_id",)),
    ("manifests", ("delivery_id",)),
    ("vendor_deliveries", ("outcome", "applied_at")),
    ("vendor_deliveries", ("reduced_at", "applied_at")),
    ("vendor_items", ("group_id",)),
    ("vendor_orders", ("group_id",)),
    ("vendor_reconciliations", ("created_at",)),
    ("vendor_rows", ("reduced_at", "order_id")),
    ("webhook_attempts", ("attempted_at",)),
    ("webhook_deliveries", ("created_at",)),
    ("webhook_deliveries", ("endpoint_id", "sequence")),
)


def upgrade() -> None:
    op.add_column("projects", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("vendor_deliveries", sa.Column("reduced_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("vendor_rows", sa.Column("reduced_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("workspaces", sa.Column("pruned_sequence", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "erasures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("asked_by", sa.String(length=32), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rows", sa.JSON(), nullable=False),
        sa.Column("money", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    op.create_index(op.f("ix_erasures_workspace_id"), "erasures", ["workspace_id"])
    for table, columns in INDEXES:
        op.create_index(op.f(name_of(table, columns)), table, list(columns))


def name_of(table: str, columns: tuple[str, ...]) -> str:
    return "_".join(("ix", table, *columns))


def downgrade() -> None:
    for table, columns in INDEXES:
        op.drop_index(op.f(name_of(table, columns)), table)
    op.drop_table("erasures")
    op.drop_column("workspaces", "pruned_sequence")
    op.drop_column("vendor_rows", "reduced_at")
    op.drop_column("vendor_deliveries", "reduced_at")
    op.drop_column("projects", "erased_at")
