"""Endpoints are receivers of webhooks, channels of Slack, or addresses of e-mail."""

import sqlalchemy as sa
from alembic import op

revision = "0102"
down_revision = "0101"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("webhook_endpoints") as batch:
        batch.add_column(sa.Column("kind", sa.String(20), nullable=False, server_default="webhook"))
        batch.alter_column("secret", existing_type=sa.Text(), nullable=True)
    with op.batch_alter_table("webhook_endpoints") as batch:
        batch.alter_column("kind", server_default=None)


def downgrade() -> None:
    """Channels and addresses cannot be called by the version before: they go, with what was sent to them."""
    others = "SELECT id FROM webhook_endpoints WHERE kind <> 'webhook'"
    for table in ("webhook_attempts", "webhook_deliveries", "webhook_wakeups"):
        op.execute(f"DELETE FROM {table} WHERE endpoint_id IN ({others})")  # noqa: S608 -- nothing from outside
    op.execute("DELETE FROM webhook_endpoints WHERE kind <> 'webhook'")
    with op.batch_alter_table("webhook_endpoints") as batch:
        batch.alter_column("secret", existing_type=sa.Text(), nullable=False)
        batch.drop_column("kind")
