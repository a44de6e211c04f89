"""sessions of browsers"""

import sqlalchemy as sa
from alembic import op

from app.store.models.base import Instant

revision = "0070"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "page_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_page_sessions_key_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_page_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_page_sessions_token_hash")),
    )
    op.create_index("ix_page_sessions_key_id", "page_sessions", ["key_id"], unique=False)
    op.create_index("ix_page_sessions_expires_at", "page_sessions", ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("page_sessions")
