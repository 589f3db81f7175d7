"""what is asked for often: newest values by patient and device, side by side; facts by when they happened."""

import json
from datetime import datetime

from alembic import op
import sqlalchemy as sa

from server.storage.columns import Counter, Instant, micros

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# As in server.storage.last_values at this revision: samples are [effective, generation, seq, ward, values] and
# values [code, value, unit, validity]; a migration never follows later changes.
_AFTER = sa.table("last_values", *map(sa.column, ("patient_id", "device_id", "body")))
_FACTS = sa.table("facts", *map(sa.column, ("kind", "id", "at", "body")))
_BATCH = 1_000
_BEFORE = sa.table(
    "last_values",
    *map(sa.column, ("id", "patient_id", "code", "seq", "ward", "active", "effective", "body")),
)


def upgrade() -> None:
    op.add_column("facts", sa.Column("at", Instant()))
    _fill_at()
    op.drop_index("ix_facts_patient", "facts")
    op.create_index("ix_facts_patient", "facts", ["patient_id", "kind", "at"])
    _put_side_by_side()


def _fill_at() -> None:
    """Take the time out of every record that tells one."""
    bind, place = op.get_bind(), ("", "")
    key = sa.tuple_(_FACTS.c.kind, _FACTS.c.id)
    fill = (
        sa.update(_FACTS)
        .where(_FACTS.c.kind == sa.bindparam("of_kind"), _FACTS.c.id == sa.bindparam("of_id"))
        .values(at=sa.bindparam("when"))
    )
    while True:
        found = bind.execute(
            sa.select(_FACTS).where(key > place).order_by(_FACTS.c.kind, _FACTS.c.id).limit(_BATCH)
        )
        rows = found.all()
        if not rows:
            return
        place = (rows[-1].kind, rows[-1].id)
        when = [(row, json.loads(row.body).get("at")) for row in rows if '"at":' in row.body]
        filled = [
            {"of_kind": row.kind, "of_id": row.id, "when": micros(datetime.fromisoformat(at))}
            for row, at in when
            if at
        ]
        if filled:
            bind.execute(fill, filled)


def _put_side_by_side() -> None:
    found = op.get_bind().execute(
        sa.select(_BEFORE.c.seq, _BEFORE.c.ward, _BEFORE.c.body)
        .where(_BEFORE.c.active)
        .order_by(_BEFORE.c.id)
    )
    devices: dict[tuple[str, str], dict[tuple, list]] = {}
    for seq, ward, body in found.all():
        one = json.loads(body)
        samples = devices.setdefault((one["patient_id"], one["device_id"]), {})
        sample = samples.setdefault((one["effective"], one["generation"], seq, ward), [])
        sample.append([one["code"], one["value"], one["unit"], one["validity"]])
    op.drop_table("last_values")
    op.create_table(
        "last_values",
        sa.Column("patient_id", sa.String(200), nullable=False),
        sa.Column("device_id", sa.String(96), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("patient_id", "device_id", name="pk_last_values"),
    )
    rows = [
        {
            "patient_id": patient,
            "device_id": device,
            "body": _text([[*key, values] for key, values in samples.items()]),
        }
        for (patient, device), samples in devices.items()
    ]
    if rows:
        op.get_bind().execute(sa.insert(_AFTER), rows)


def downgrade() -> None:
    rows = [
        _row_down(row.patient_id, row.device_id, sample, value)
        for row in op.get_bind().execute(sa.select(_AFTER)).all()
        for sample in json.loads(row.body)
        for value in sample[-1]
    ]
    op.drop_table("last_values")
    op.create_table(
        "last_values",
        sa.Column("id", sa.String(300), nullable=False),
        sa.Column("patient_id", sa.String(200), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("seq", Counter, nullable=False),
        sa.Column("ward", sa.String(64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("effective", Instant(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_last_values"),
    )
    if rows:
        op.get_bind().execute(sa.insert(_BEFORE), rows)
    op.drop_index("ix_facts_patient", "facts")
    op.create_index("ix_facts_patient", "facts", ["patient_id", "kind"])
    op.drop_column("facts", "at")


def _row_down(patient: str, device: str, sample: list, value: list) -> dict:
    effective, generation, seq, ward, _ = sample
    code, number, unit, validity = value
    one = {
        "id": f"{patient}/{code}", "patient_id": patient, "code": code, "value": number, "unit": unit,
        "effective": effective, "validity": validity, "device_id": device, "generation": generation,
    }  # fmt: skip
    return {
        "id": one["id"], "patient_id": patient, "code": code, "seq": seq, "ward": ward, "active": True,
        "effective": micros(datetime.fromisoformat(effective)), "body": _text(one),
    }  # fmt: skip


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
