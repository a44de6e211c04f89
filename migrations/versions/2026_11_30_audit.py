"""the audit tells of keys, settings and sign-ins too, and what changed from what to what"""

import sqlalchemy as sa
from alembic import op

revision = "0094"
down_revision = "0093"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("audit_entries") as batch:
        batch.alter_column("project_id", existing_type=sa.Uuid(), nullable=True)
        batch.alter_column("api_key_id", existing_type=sa.String(32), nullable=True)
        batch.add_column(sa.Column("changes", sa.JSON(none_as_null=True), nullable=False, server_default="{}"))
    with op.batch_alter_table("audit_entries") as batch:
        batch.alter_column("changes", server_default=None)
    op.create_index("ix_audit_entries_workspace_id_id", "audit_entries", ["workspace_id", "id"])


def downgrade() -> None:
    """What has no project or no key cannot be told by the version before."""
    op.drop_index("ix_audit_entries_workspace_id_id", "audit_entries")
    op.execute("DELETE FROM audit_entries WHERE project_id IS NULL OR api_key_id IS NULL")
    with op.batch_alter_table("audit_entries") as batch:
        batch.drop_column("changes")
        batch.alter_column("api_key_id", existing_type=sa.String(32), nullable=False)
        batch.alter_column("project_id", existing_type=sa.Uuid(), nullable=False)
