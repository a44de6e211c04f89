"""names of API keys, and by which keys they were made and revoked"""

import sqlalchemy as sa
from alembic import op

revision = "0083"
down_revision = "0081"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("name", sa.String(length=100), nullable=True))
    op.add_column("api_keys", sa.Column("made_by", sa.String(length=32), nullable=True))
    op.add_column("api_keys", sa.Column("revoked_by", sa.String(length=32), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("api_keys") as batch:
        batch.drop_column("revoked_by")
        batch.drop_column("made_by")
        batch.drop_column("name")
