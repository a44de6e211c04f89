"""what a source's licence permits and how its samples came to be; the rule that a project buys by; a lot's licence"""

import sqlalchemy as sa
from alembic import op

revision = "0088"
down_revision = "0086"
branch_labels = None
depends_on = None

TEXTS = {"license_url": 2000, "method": 20, "collected_from": 10, "collected_to": 10, "consent": 2000}


def upgrade() -> None:
    op.add_column("projects", sa.Column("licence_rule", sa.JSON(), nullable=True))
    op.add_column("deliveries", sa.Column("license", sa.String(length=200), nullable=True))
    for name, empty in (("terms", "{}"), ("derived_from", "[]")):
        op.add_column("sources", sa.Column(name, sa.JSON(), nullable=False, server_default=empty))
    for name, length in TEXTS.items():
        op.add_column("sources", sa.Column(name, sa.String(length=length), nullable=True))
    with op.batch_alter_table("sources") as batch:
        batch.alter_column("terms", server_default=None)
        batch.alter_column("derived_from", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("sources") as batch:
        for name in ("terms", "derived_from", *TEXTS):
            batch.drop_column(name)
    with op.batch_alter_table("deliveries") as batch:
        batch.drop_column("license")
    with op.batch_alter_table("projects") as batch:
        batch.drop_column("licence_rule")
