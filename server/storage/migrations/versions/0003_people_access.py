"""people: confirmations by a second person, and wards opened with break-glass."""

import sqlalchemy as sa
from alembic import op

from server.storage.columns import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "confirmations",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("practitioner_id", sa.String(96), nullable=False),
        sa.Column("operator", sa.String(96), nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("question", sa.String(64), nullable=False),
        sa.Column("codes", sa.Text, nullable=False),
        sa.Column("value", sa.String(40), nullable=False),
        sa.Column("created", Instant, nullable=False),
        sa.Column("expires", Instant, nullable=False),
        sa.Column("used_by", sa.String(96)),
        sa.PrimaryKeyConstraint("token_hash", name="pk_confirmations"),
    )
    op.create_index("ix_confirmations_expires", "confirmations", ["expires"])
    op.create_table(
        "ward_grants",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("practitioner_id", sa.String(96), nullable=False),
        sa.Column("ward", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("opened", Instant, nullable=False),
        sa.Column("expires", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ward_grants"),
    )
    op.create_index("ix_ward_grants_practitioner", "ward_grants", ["practitioner_id", "expires"])
    op.create_index("ix_ward_grants_ward", "ward_grants", ["ward", "opened"])


def downgrade() -> None:
    op.drop_table("ward_grants")
    op.drop_table("confirmations")
