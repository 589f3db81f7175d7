"""time series: values side by side, layouts, rollups, last values, alarm clips, day partitions."""

import json
import math
import struct

from alembic import op
import sqlalchemy as sa

from server.storage.columns import Counter, Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# As in server.storage.values at this revision; a migration never follows later changes.
_WORDS = ["Vld", "Vldated", "Qst", "Calib", "Inv", "Oflw", "Uflw", "NA", "Ong"]
_BATCH = 1_000


def upgrade() -> None:
    _make_small_tables()
    op.drop_index("ix_samples_encounter", "samples")
    op.drop_index("ix_samples_unassigned", "samples")
    op.rename_table("samples", "samples_before")
    _make_samples()
    _copy_samples_up()
    op.drop_table("samples_before")
    op.drop_index("ix_waves_encounter", "waves")
    op.drop_index("ix_waves_effective", "waves")
    op.rename_table("waves", "waves_before")
    _make_waves()
    op.execute(f"INSERT INTO waves ({_WAVE_COLUMNS}) SELECT {_WAVE_COLUMNS} FROM waves_before ORDER BY n")
    op.drop_table("waves_before")
    op.execute(
        "INSERT INTO last_values (id, patient_id, code, seq, ward, active, effective, body) "
        "SELECT id, patient_id, '', seq, ward, active, changed, body FROM facts WHERE kind = 'observations'"
    )
    _fill_last_values()
    op.execute("DELETE FROM facts WHERE kind = 'observations'")


def downgrade() -> None:
    op.execute(
        "INSERT INTO facts (kind, id, seq, ward, patient_id, active, changed, body) "
        "SELECT 'observations', id, seq, ward, patient_id, active, effective, body FROM last_values"
    )
    op.drop_index("ix_waves_encounter", "waves")
    op.rename_table("waves", "waves_after")
    _make_waves_before()
    op.execute(
        f"INSERT INTO waves ({_WAVE_COLUMNS}) SELECT {_WAVE_COLUMNS} FROM waves_after AS one WHERE NOT EXISTS "
        "(SELECT 1 FROM waves_after AS other WHERE other.id = one.id AND other.effective < one.effective)"
    )
    op.drop_table("waves_after")
    op.drop_index("ix_samples_encounter", "samples")
    op.drop_index("ix_samples_unassigned", "samples")
    op.rename_table("samples", "samples_after")
    _make_samples_before()
    _copy_samples_down()
    op.drop_table("samples_after")
    for table in ("alarm_clips", "device_hearers", "last_values", "rollups_due", "rollups", "sample_layouts"):
        op.drop_table(table)


_WAVE_COLUMNS = (
    "id, device_id, node, effective, encounter_id, unassigned, code, unit, rate_hz, gain, base, generation, samples"
)
_SAMPLE_COLUMNS = (
    "id, device_id, node, outbox, seq, effective, recorded, encounter_id, unassigned, infusion_id, generation, "
    "clock, uncertainty_ms"
)


def _make_small_tables() -> None:
    op.create_table(
        "sample_layouts",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("codes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sample_layouts"),
        sa.UniqueConstraint("codes", name="uq_sample_layouts_codes"),
    )
    op.create_table(
        "rollups",
        sa.Column("encounter_id", sa.String(200), nullable=False),
        sa.Column("minute", Instant(), nullable=False),
        sa.Column("device_id", sa.String(96), nullable=False),
        sa.Column("layout", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stats", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("encounter_id", "minute", "device_id", "layout", name="pk_rollups"),
    )
    op.create_index("ix_rollups_minute", "rollups", ["minute"])
    op.create_table(
        "rollups_due",
        sa.Column("encounter_id", sa.String(200), nullable=False),
        sa.Column("minute", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("encounter_id", "minute", name="pk_rollups_due"),
    )
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
    op.create_table(
        "device_hearers",
        sa.Column("device_id", sa.String(96), nullable=False),
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("outbox", sa.String(96), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "node", "outbox", name="pk_device_hearers"),
    )
    op.create_table(
        "alarm_clips",
        sa.Column("alarm_id", sa.String(96), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("effective", Instant(), nullable=False),
        sa.Column("device_id", sa.String(96), nullable=False),
        sa.Column("unit", sa.String(24), nullable=False),
        sa.Column("rate_hz", sa.Float(), nullable=False),
        sa.Column("gain", sa.Float(), nullable=False),
        sa.Column("base", sa.Float(), nullable=False),
        sa.Column("samples", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("alarm_id", "code", "effective", name="pk_alarm_clips"),
    )


def _shared_sample_columns() -> list[sa.Column]:
    return [
        sa.Column("id", sa.String(96), nullable=False),
        sa.Column("device_id", sa.String(96), nullable=False),
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("outbox", sa.String(96), nullable=False),
        sa.Column("seq", Counter, nullable=False),
        sa.Column("effective", Instant(), nullable=False),
        sa.Column("recorded", Instant(), nullable=False),
        sa.Column("encounter_id", sa.String(200), nullable=False),
        sa.Column("unassigned", sa.String(40), nullable=False),
        sa.Column("infusion_id", sa.String(96), nullable=False),
        sa.Column("generation", sa.String(8), nullable=False),
        sa.Column("clock", sa.String(16), nullable=False),
        sa.Column("uncertainty_ms", sa.Integer(), nullable=False),
    ]


def _make_samples() -> None:
    op.create_table(
        "samples",
        *_shared_sample_columns(),
        sa.Column("layout", sa.Integer(), nullable=False),
        sa.Column("vals", sa.LargeBinary(), nullable=False),
        sa.Column("validity", sa.LargeBinary(), nullable=False),
        postgresql_partition_by="RANGE (effective)",
    )
    _make_default_partition("samples")
    op.create_index("ix_samples_encounter", "samples", ["encounter_id", "effective"])
    waiting = sa.text("unassigned <> ''")
    op.create_index(
        "ix_samples_unassigned", "samples", ["unassigned", "device_id"],
        postgresql_where=waiting, sqlite_where=waiting,
    )  # fmt: skip


def _make_samples_before() -> None:
    op.create_table(
        "samples",
        sa.Column("n", Counter, autoincrement=True, nullable=False),
        *_shared_sample_columns(),
        sa.Column("codes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("n", name="pk_samples"),
        sa.UniqueConstraint("id", name="uq_samples_id"),
    )
    op.create_index("ix_samples_encounter", "samples", ["encounter_id", "effective"])
    op.create_index("ix_samples_unassigned", "samples", ["unassigned", "device_id"])


def _shared_wave_columns() -> list[sa.Column]:
    return [
        sa.Column("id", sa.String(96), nullable=False),
        sa.Column("device_id", sa.String(96), nullable=False),
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("effective", Instant(), nullable=False),
        sa.Column("encounter_id", sa.String(200), nullable=False),
        sa.Column("unassigned", sa.String(40), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("unit", sa.String(24), nullable=False),
        sa.Column("rate_hz", sa.Float(), nullable=False),
        sa.Column("gain", sa.Float(), nullable=False),
        sa.Column("base", sa.Float(), nullable=False),
        sa.Column("generation", sa.String(8), nullable=False),
        sa.Column("samples", sa.LargeBinary(), nullable=False),
    ]


def _make_waves() -> None:
    op.create_table("waves", *_shared_wave_columns(), postgresql_partition_by="RANGE (effective)")
    _make_default_partition("waves")
    op.create_index("ix_waves_encounter", "waves", ["encounter_id", "effective"])


def _make_waves_before() -> None:
    op.create_table(
        "waves",
        sa.Column("n", Counter, autoincrement=True, nullable=False),
        *_shared_wave_columns(),
        sa.PrimaryKeyConstraint("n", name="pk_waves"),
        sa.UniqueConstraint("id", name="uq_waves_id"),
    )
    op.create_index("ix_waves_effective", "waves", ["effective"])
    op.create_index("ix_waves_encounter", "waves", ["encounter_id", "code", "effective"])


def _make_default_partition(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


def _table(name: str, columns: str) -> sa.Table:
    return sa.table(name, *(sa.column(one.strip()) for one in columns.split(",")))


def _copy_samples_up() -> None:
    bind = op.get_bind()
    layouts: dict[str, int] = {}
    after = _table("samples", _SAMPLE_COLUMNS + ", layout, vals, validity")
    place = 0
    while True:
        rows = bind.execute(
            sa.text(f"SELECT n, {_SAMPLE_COLUMNS}, codes FROM samples_before WHERE n > :n ORDER BY n LIMIT {_BATCH}"),
            {"n": place},
        ).mappings().all()  # fmt: skip
        if not rows:
            break
        place = rows[-1]["n"]
        bind.execute(sa.insert(after), [_row_up(row, layouts) for row in rows])
    if layouts:
        table = _table("sample_layouts", "id, codes")
        bind.execute(sa.insert(table), [{"id": number, "codes": codes} for codes, number in layouts.items()])
    op.execute(
        "INSERT INTO device_hearers (device_id, node, outbox) SELECT DISTINCT device_id, node, outbox FROM samples"
    )


def _row_up(row, layouts: dict[str, int]) -> dict:
    values = json.loads(row["codes"])
    codes = json.dumps([[code, unit] for code, (_, unit, _) in values.items()], separators=(",", ":"))
    layout = layouts.setdefault(codes, len(layouts) + 1)
    numbers = [math.nan if number is None else float(number) for number, _, _ in values.values()]
    words = [word for _, _, word in values.values()]
    valid = all(word == "Vld" for word in words)
    kept = {name: row[name] for name in row if name not in {"n", "codes"}}
    return kept | {
        "layout": layout,
        "vals": struct.pack(f"<{len(numbers)}d", *numbers),
        "validity": b"" if valid else bytes(_WORDS.index(word) for word in words),
    }


def _copy_samples_down() -> None:
    bind = op.get_bind()
    layouts = {row.id: json.loads(row.codes) for row in bind.execute(sa.text("SELECT id, codes FROM sample_layouts"))}
    before = _table("samples", _SAMPLE_COLUMNS + ", codes")
    seen: set[str] = set()
    found = bind.execute(
        sa.text(f"SELECT {_SAMPLE_COLUMNS}, layout, vals, validity FROM samples_after ORDER BY recorded, node, seq")
    ).mappings().all()  # fmt: skip
    rows = []
    for row in found:
        if row["id"] not in seen:
            seen.add(row["id"])
            rows.append(_row_down(row, layouts[row["layout"]]))
    for start in range(0, len(rows), _BATCH):
        bind.execute(sa.insert(before), rows[start : start + _BATCH])


def _row_down(row, codes: list) -> dict:
    numbers = struct.unpack(f"<{len(codes)}d", row["vals"])
    words = [_WORDS[byte] for byte in row["validity"]] or ["Vld"] * len(codes)
    values = {
        code: [None if math.isnan(number) else repr(number).removesuffix(".0"), unit, word]
        for (code, unit), number, word in zip(codes, numbers, words, strict=True)
    }
    kept = {name: row[name] for name in row if name not in {"layout", "vals", "validity"}}
    return kept | {"codes": json.dumps(values)}


def _fill_last_values() -> None:
    """Take code and time out of the record."""
    bind = op.get_bind()
    for row in bind.execute(sa.text("SELECT id, body FROM last_values")).all():
        said = json.loads(row.body)
        bind.execute(
            sa.text("UPDATE last_values SET code = :code, effective = :at WHERE id = :id"),
            {"code": said["code"], "at": _micros(said["effective"]), "id": row.id},
        )


def _micros(said: str) -> int:
    from datetime import datetime

    from server.storage.columns import micros

    return micros(datetime.fromisoformat(said))
