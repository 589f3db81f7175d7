"""Facts at rest on both stores: whole commits, a picture that can be rebuilt, wards, history, audit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, func, inspect, select, update

from clinical.errors import BadInputError, UnavailableError
from clinical.records import Encounter, Patient
from server.audit.chain import verify
from server.storage import schema
from server.storage.codec import TYPE_OF, from_text, to_text
from server.storage.columns import EPOCH, micros
from server.storage.engine import downgrade, open_engine, upgrade
from server.storage.partitions import is_partition
from server.storage.store import Committed, Store, UnitOfWork

STAY = Encounter(id="E1", patient_id="P1", status="in-progress", ward="W1", bed="01")
WITHOUT_PARTITIONS = {"include_name": lambda name, kind, _parents: kind != "table" or not is_partition(name)}
HARD_NAMES = [
    "<b>O'Brien</b>",
    "Robert'); DROP TABLE facts;--",
    "𠮷野家𩸽",
    "刘䶮",
    'a"b\\c',
    "\u202eabc",
    "🙂",
]


@pytest.mark.requirement("R-SRV-01")
@pytest.mark.hazard("H-SRV-01")
@pytest.mark.parametrize("name", HARD_NAMES)
def test_any_name_comes_back_exactly_as_it_went_in(any_store: Store, name: str) -> None:
    any_store.write(lambda unit: unit.put(Patient(id="P1", mrn="1", name=name)))
    with any_store.reading() as connection:
        body = connection.scalar(select(schema.facts.c.body))
    assert from_text("patients", str(body)).name == name  # type: ignore[union-attr]


@pytest.mark.requirement("R-SRV-01")
@pytest.mark.hazard("H-SRV-01")
def test_a_use_case_that_fails_leaves_nothing_behind(any_store: Store) -> None:
    before = any_store.picture

    def half(unit: UnitOfWork) -> None:
        unit.put(STAY)
        unit.audit("x", actor="a", entity="e")
        raise BadInputError("no", "no")

    with pytest.raises(BadInputError):
        any_store.write(half)
    assert any_store.picture is before
    with any_store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.audit)) == 0


@pytest.mark.requirement("R-SRV-01")
@pytest.mark.hazard("H-SRV-01")
def test_the_picture_is_the_same_after_a_restart(any_url: str, open_store_at: Any) -> None:
    first = open_store_at(any_url)
    first.write(lambda unit: [unit.put(Patient(id="P1", mrn="1", name="王")), unit.put(STAY)])
    first.write(lambda unit: unit.put(replace(STAY, ward="W2")))
    first.write(lambda unit: unit.retire(Patient, "P1"))
    first.close()
    second = open_store_at(any_url)
    for one in ("W1", "W2"):
        assert second.picture.facts(one) == first.picture.facts(one)
    assert second.picture.version == first.picture.version
    assert second.picture.gone == first.picture.gone


def test_a_patient_is_seen_where_they_are_and_gone_from_where_they_were(any_store: Store) -> None:
    any_store.write(lambda unit: [unit.put(Patient(id="P1", mrn="1", name="王")), unit.put(STAY)])
    assert [one.id for one in any_store.picture.facts("W1").patients] == ["P1"]
    seen = any_store.picture.cursor
    any_store.write(lambda unit: unit.put(replace(STAY, ward="W2")))
    assert any_store.picture.facts("W1").patients == ()
    assert any_store.picture.removed("W1", seen) == {"encounters": ("E1",), "patients": ("P1",)}
    assert [one.id for one in any_store.picture.facts("W2", seen).patients] == ["P1"]
    any_store.write(lambda unit: unit.put(STAY))
    assert any_store.picture.removed("W1", seen) == {}


def test_writing_what_is_already_there_moves_no_cursor_and_tells_nobody(any_store: Store) -> None:
    told: list[Committed] = []

    class Listener:
        def committed(self, commit: Committed) -> None:
            told.append(commit)

    any_store.listen(Listener())
    any_store.write(lambda unit: unit.put(STAY))
    any_store.write(lambda unit: unit.put(STAY))
    assert len(told) == 1
    assert told[0].wakes


def test_every_version_of_a_fact_is_kept(any_store: Store) -> None:
    for bed in ("01", "02", "03"):
        any_store.write(lambda unit, bed=bed: unit.put(replace(STAY, bed=bed)))
    with any_store.reading() as connection:
        bodies = connection.scalars(
            select(schema.fact_history.c.body).order_by(schema.fact_history.c.n)
        ).all()
    assert [from_text("encounters", body).bed for body in bodies] == ["01", "02", "03"]  # type: ignore[union-attr]


@pytest.mark.requirement("R-SRV-01")
@pytest.mark.hazard("H-SRV-01")
def test_migrations_make_exactly_the_schema_and_go_down_again(any_url: str) -> None:
    engine = open_engine(any_url)
    upgrade(engine)
    upgrade(engine)
    with engine.connect() as connection:
        assert (
            compare_metadata(MigrationContext.configure(connection, opts=WITHOUT_PARTITIONS), schema.metadata)
            == []
        )
    downgrade(engine, "base")
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    upgrade(engine)
    engine.dispose()


@pytest.mark.requirement("R-SRV-14")
@pytest.mark.hazard("H-SRV-03")
@pytest.mark.parametrize("harm", ["change", "remove", "insert"])
def test_the_audit_chain_shows_where_it_was_touched(any_store: Store, harm: str) -> None:
    for number in range(5):
        any_store.write(lambda unit, number=number: unit.audit("act", actor=f"N{number}", entity="e"))
    table = schema.audit
    with any_store.engine.connect().execution_options(writer=True) as connection, connection.begin():
        assert verify(connection).intact
        if harm == "change":
            connection.execute(update(table).where(table.c.n == 3).values(actor="someone else"))
        elif harm == "remove":
            connection.execute(delete(table).where(table.c.n == 3))
        else:
            row = dict(connection.execute(select(table).where(table.c.n == 5)).one()._mapping)
            connection.execute(table.insert().values(row | {"n": 6}))
        report = verify(connection)
    assert not report.intact
    assert report.broken_at == {"change": 3, "remove": 4, "insert": 6}[harm]


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "sqlite+nothing:///x"])
def test_another_kind_of_store_is_refused(url: str) -> None:
    with pytest.raises(BadInputError):
        open_engine(url)


def test_a_store_that_does_not_answer_says_so() -> None:
    engine = open_engine("postgresql+psycopg://ward@127.0.0.1:1/none")
    with pytest.raises(UnavailableError):
        upgrade(engine)


def test_a_unit_of_work_cannot_open_another_one(store: Store) -> None:
    with pytest.raises(RuntimeError, match="cannot open"):
        store.write(lambda _unit: store.write(lambda inner: inner.now))


@given(st.datetimes(EPOCH.replace(tzinfo=None), timezones=st.just(UTC)))
def test_an_instant_is_stored_to_the_microsecond(at: datetime) -> None:
    from datetime import timedelta

    assert EPOCH + timedelta(microseconds=micros(at)) == at


def test_a_time_without_zone_is_never_stored() -> None:
    with pytest.raises(ValueError, match="zone"):
        micros(datetime(2026, 1, 1))  # noqa: DTZ001


def test_every_kind_of_fact_can_be_stored() -> None:
    assert "encounters" in TYPE_OF
    assert from_text("encounters", to_text(STAY)) == STAY
