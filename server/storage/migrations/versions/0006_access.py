"""access: passwords, locks, revocation, codes for a new PIN, audit anchors, what became of the put aside."""

import sqlalchemy as sa
from alembic import op

from server.storage.columns import Counter, Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("credentials", sa.Column("password_hash", sa.Text, nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("used", Instant))
    op.add_column("sessions", sa.Column("locked", Instant))
    op.add_column("sessions", sa.Column("ended_as", sa.String(16), nullable=False, server_default=""))
    op.add_column("one_time_codes", sa.Column("purpose", sa.String(8), nullable=False, server_default="web"))
    for table in ("quarantined_events", "ingest_quarantine"):
        op.add_column(table, sa.Column("settled", Instant))
        op.add_column(table, sa.Column("settled_as", sa.String(16), nullable=False, server_default=""))
    op.create_table(
        "audit_anchors",
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("n", Counter, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_audit_anchors"),
    )


def downgrade() -> None:
    op.drop_table("audit_anchors")
    for table in ("quarantined_events", "ingest_quarantine"):
        op.drop_column(table, "settled_as")
        op.drop_column(table, "settled")
    op.drop_column("one_time_codes", "purpose")
    for name in ("ended_as", "locked", "used"):
        op.drop_column("sessions", name)
    op.drop_column("credentials", "password_hash")
