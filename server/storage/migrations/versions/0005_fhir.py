"""fhir: tokens of other systems, subscriptions, and the order in which audit and checks are read."""

import sqlalchemy as sa
from alembic import op

from server.storage.columns import Counter, Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fhir_tokens",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created", Instant, nullable=False),
        sa.Column("created_by", sa.String(96), nullable=False),
        sa.Column("expires", Instant, nullable=False),
        sa.Column("revoked", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_fhir_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_fhir_tokens_token_hash"),
    )
    op.create_table(
        "fhir_subscriptions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("token_id", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("criteria", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("payload", sa.String(64), nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("ends", Instant),
        sa.Column("created", Instant, nullable=False),
        sa.Column("changed", Instant, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("seen", Counter, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("next_attempt", Instant),
        sa.Column("error", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_fhir_subscriptions"),
    )
    op.create_index("ix_fhir_subscriptions_status", "fhir_subscriptions", ["status"])
    op.create_index("ix_evaluations_patient_at", "evaluations", ["patient_id", "at"])
    op.create_index("ix_audit_at", "audit", ["at"])


def downgrade() -> None:
    op.drop_index("ix_audit_at", "audit")
    op.drop_index("ix_evaluations_patient_at", "evaluations")
    op.drop_table("fhir_subscriptions")
    op.drop_table("fhir_tokens")
