"""sources as they are sold, several groups per source, bounds and limits"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from app.store.models.base import Money

revision = "0030"
down_revision = "0002"
branch_labels = None
depends_on = None

Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SOURCE_DEFAULTS: dict[str, tuple[sa.types.TypeEngine[Any], str]] = {
    "billed": (sa.String(length=20), "'delivered'"),
    "price_tiers": (sa.JSON(none_as_null=True), "'[]'"),
    "tier_scope": (sa.String(length=20), "'order'"),
    "fixed_cost": (Money(), "0"),
    "acceptance_rate": (sa.Double(), "1.0"),
    "quality": (sa.Double(), "1.0"),
}


def upgrade() -> None:
    op.create_table(
        "source_yields",
        sa.Column("source_id", Serial, nullable=False),
        sa.Column("group_id", Serial, nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_source_yields_group_id")),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_source_yields_source_id")),
        sa.PrimaryKeyConstraint("source_id", "group_id", name=op.f("pk_source_yields")),
    )
    op.create_index("ix_source_yields_group_id", "source_yields", ["group_id"], unique=False)
    op.execute("INSERT INTO source_yields (source_id, group_id, share) SELECT id, group_id, 1.0 FROM sources")
    op.drop_index("ix_sources_group_id", table_name="sources")
    with op.batch_alter_table("sources") as batch:
        batch.drop_constraint("fk_sources_group_id", type_="foreignkey")
        batch.drop_column("group_id")
        batch.add_column(sa.Column("max_total", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("lead_time_days", sa.BigInteger(), nullable=True))
    add_required("sources", SOURCE_DEFAULTS)
    add_required("projects", {"set_limits": (sa.JSON(none_as_null=True), "'[]'")})
    op.add_column("projects", sa.Column("value_per_utility", Money(), nullable=True))
    op.add_column("projects", sa.Column("smallest_gain", sa.Double(), nullable=True))
    op.add_column("groups", sa.Column("min_count", sa.BigInteger(), nullable=True))
    op.add_column("groups", sa.Column("max_count", sa.BigInteger(), nullable=True))


def add_required(table: str, columns: dict[str, tuple[sa.types.TypeEngine[Any], str]]) -> None:
    """Columns that no row may lack: rows there already take the given value, new ones must name theirs."""
    with op.batch_alter_table(table) as batch:
        for name, (kind, default) in columns.items():
            batch.add_column(sa.Column(name, kind, nullable=False, server_default=sa.text(default)))
    with op.batch_alter_table(table) as batch:
        for name in columns:
            batch.alter_column(name, server_default=None)


def downgrade() -> None:
    """A source that delivers several groups keeps the one with the largest share."""
    with op.batch_alter_table("groups") as batch:
        batch.drop_column("max_count")
        batch.drop_column("min_count")
    with op.batch_alter_table("projects") as batch:
        for name in ("smallest_gain", "value_per_utility", "set_limits"):
            batch.drop_column(name)
    with op.batch_alter_table("sources") as batch:
        for name in (*SOURCE_DEFAULTS, "max_total", "lead_time_days"):
            batch.drop_column(name)
        batch.add_column(sa.Column("group_id", Serial, nullable=True))
    op.execute(
        "UPDATE sources SET group_id = (SELECT group_id FROM source_yields WHERE source_id = sources.id"
        " ORDER BY share DESC, group_id LIMIT 1)"
    )
    with op.batch_alter_table("sources") as batch:
        batch.alter_column("group_id", existing_type=Serial, nullable=False)
        batch.create_foreign_key("fk_sources_group_id", "groups", ["group_id"], ["id"])
    op.create_index("ix_sources_group_id", "sources", ["group_id"], unique=False)
    op.drop_table("source_yields")
