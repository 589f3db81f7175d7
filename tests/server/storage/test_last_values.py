"""Newest values at rest: one row per patient and device, and always exactly what the picture says."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from clinical.errors import BadInputError
from clinical.records import Encounter, Generation, Observation, Validity
from server.storage import care, last_values, schema
from server.storage.engine import open_engine, upgrade
from server.storage.last_values import observation_id
from server.storage.store import Store, UnitOfWork
from tests.server.conftest import START

pytestmark = [pytest.mark.requirement("R-SRV-68"), pytest.mark.hazard("H-SRV-19")]
STAY = Encounter(id="E1", patient_id="P1", status="in-progress", ward="W1", bed="01")
PULSE, SPO2, TEMP = "MDC_PULS_RATE", "MDC_PULS_OXIM_SAT_O2", "MDC_TEMP_BODY"


def value(code: str, number: str | None = "72", *, patient: str = "P1", **said: Any) -> Observation:
    return Observation(
        id=observation_id(patient, code), patient_id=patient, code=code,
        value=None if number is None else Decimal(number),
        **({"unit": "/min", "effective": START, "device_id": "monitor"} | said),
    )  # fmt: skip


def put(store: Store, *observations: Observation) -> None:
    store.write(lambda unit: [unit.put(one, quiet=True) for one in observations])


def rows(store: Store) -> dict[tuple[str, str], list[list[str]]]:
    """Codes of each sample of each row."""
    with store.reading() as connection:
        return {
            (row.patient_id, row.device_id): [[one.code for one in sample.values] for sample in row.samples]
            for row in last_values.read(connection)
        }


def is_as_the_picture_says(store: Store) -> bool:
    with store.reading() as connection:
        found = last_values.entries(last_values.read(connection))
    return found == dict(store.picture.kinds.get("observations", {}))


def test_what_one_device_measured_at_one_time_stands_side_by_side_in_one_row(any_store: Store) -> None:
    put(any_store, value(PULSE), value(SPO2, "97"), value(TEMP, "36.70"))
    later = START + timedelta(seconds=5)
    put(any_store, value(PULSE, "73", effective=later), value(SPO2, None, effective=later))
    put(any_store, value(PULSE, patient="P2"))
    assert rows(any_store) == {("P1", "monitor"): [[PULSE, SPO2], [TEMP]], ("P2", "monitor"): [[PULSE]]}
    assert is_as_the_picture_says(any_store)


def test_a_value_stands_in_the_row_of_the_device_that_measured_it_last(any_store: Store) -> None:
    put(any_store, value(PULSE), value(SPO2))
    put(any_store, value(SPO2, device_id="oximeter"))
    assert rows(any_store) == {("P1", "monitor"): [[PULSE]], ("P1", "oximeter"): [[SPO2]]}
    put(any_store, value(PULSE, device_id="oximeter"))
    assert rows(any_store) == {("P1", "oximeter"): [[SPO2], [PULSE]]}
    put(any_store, value(PULSE, "80"))
    assert is_as_the_picture_says(any_store)


def test_every_word_of_a_value_comes_back_after_a_restart(
    any_url: str, open_store_at: Callable[[str], Store]
) -> None:
    first = open_store_at(any_url)
    first.write(lambda unit: unit.put(STAY))
    put(
        first,
        value(TEMP, "36.70", unit="Cel", validity=Validity.QUESTIONABLE, generation=Generation.DEMO),
        value(SPO2, None, unit="%", validity=Validity.INVALID, device_id="氧\"'\\"),
    )
    put(first, value(PULSE))
    first.write(lambda unit: unit.put(replace(STAY, ward="W2")))
    first.close()
    second = open_store_at(any_url)
    assert second.picture == first.picture
    assert str(second.picture.get(Observation, f"P1/{TEMP}").value) == "36.70"  # type: ignore[union-attr]


def test_a_row_goes_with_its_last_value(any_store: Store) -> None:
    put(any_store, value(PULSE), value(SPO2), value(PULSE, patient="P2"))
    any_store.write(lambda unit: unit.retire(Observation, observation_id("P1", PULSE)))
    assert rows(any_store)["P1", "monitor"] == [[SPO2]]
    any_store.write(lambda unit: unit.retire(Observation, observation_id("P1", SPO2)))
    assert rows(any_store) == {("P2", "monitor"): [[PULSE]]}
    put(any_store, value(PULSE))
    assert is_as_the_picture_says(any_store)


def test_a_commit_that_fails_takes_nothing_out_of_a_row(any_store: Store) -> None:
    put(any_store, value(PULSE), value(SPO2))

    def half(unit: UnitOfWork) -> None:
        unit.put(value(SPO2, device_id="oximeter"), quiet=True)
        unit.after_commit(lambda: pytest.fail("it was committed"))
        any_store._persist(unit)
        raise BadInputError("no", "no")

    with pytest.raises(BadInputError):
        any_store.write(half)
    put(any_store, value(PULSE, "80"))
    assert rows(any_store) == {("P1", "monitor"): [[PULSE], [SPO2]]}
    assert is_as_the_picture_says(any_store)


def test_a_value_under_another_name_is_a_programming_error(store: Store) -> None:
    with pytest.raises(ValueError, match="named after its patient and code"):
        put(store, replace(value(PULSE), id="P1"))
    assert rows(store) == {}


@pytest.mark.parametrize(
    ("body", "problem"),
    [("[", "newest values cannot be read"), ("twice", "newest values of one code stand twice")],
)
def test_verify_finds_newest_values_that_cannot_be(
    any_url: str, open_store_at: Callable[[str], Store], body: str, problem: str
) -> None:
    store, table = open_store_at(any_url), schema.last_values
    put(store, value(PULSE), value(SPO2, device_id="oximeter"))
    assert care.verify(any_url)["ok"]

    def harm(unit: UnitOfWork) -> None:
        other = unit.connection.scalar(select(table.c.body).where(table.c.device_id == "monitor"))
        changed = other if body == "twice" else body
        unit.connection.execute(update(table).where(table.c.device_id == "oximeter").values(body=changed))

    store.write(harm)
    assert care.verify(any_url)["problems"] == [problem]


_PATIENTS, _CODES, _DEVICES = st.integers(1, 2), st.sampled_from((PULSE, SPO2, TEMP)), st.integers(1, 2)
_MEASURED = st.tuples(
    st.just("measured"), _PATIENTS, st.lists(_CODES, min_size=1), _DEVICES, st.integers(0, 2)
)
_RETIRED = st.tuples(st.just("retired"), _PATIENTS, _CODES)
_MOVED = st.tuples(st.just("moved"), _PATIENTS, st.sampled_from(("W1", "W2")))
_STEPS = st.lists(st.one_of(_MEASURED, _MEASURED, _RETIRED, _MOVED), min_size=1, max_size=6)


def _do(unit: UnitOfWork, name: str, step: tuple[Any, ...]) -> None:
    word, number, *said = step
    patient = f"{name}-{number}"
    if word == "measured":
        codes, device, seconds = said
        for code in codes:
            at = START + timedelta(seconds=seconds)
            unit.put(value(code, patient=patient, device_id=f"d{device}", effective=at), quiet=True)
    elif word == "retired":
        unit.retire(Observation, observation_id(patient, said[0]))
    else:
        stay = replace(STAY, id=f"E-{patient}", patient_id=patient, ward=said[0])
        unit.put(stay)


def test_the_rows_say_what_the_picture_says_whatever_happens() -> None:
    """Commits of several steps, one store for all examples: they leave each other's rows alone."""
    with tempfile.TemporaryDirectory() as home:
        engine = open_engine(f"sqlite:///{Path(home) / 'ward.db'}")
        upgrade(engine)
        store = Store(engine, lambda: datetime.now(UTC))
        names = iter(range(10_000))

        @settings(max_examples=60, deadline=None)
        @given(st.lists(_STEPS, min_size=1, max_size=4))
        def holds(commits: list[list[tuple[Any, ...]]]) -> None:
            name = f"P{next(names)}"
            for steps in commits:
                store.write(lambda unit, steps=steps: [_do(unit, name, step) for step in steps])
            assert is_as_the_picture_says(store)

        try:
            holds()
            with store.reading() as connection:
                assert connection.scalar(select(func.count()).select_from(schema.last_values))
        finally:
            store.close()
