"""A shift of forty patients, played in minutes, and a ledger that accounts for every event of it.

One hour of it has everything in it and runs here on SQLite; ``wardlink test --full`` plays twelve on both
stores. What is played stands in ``tests/support/shift_scenario.py``, who judges in ``shift_ledger.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text

from server.storage import care
from tests.server.conftest import postgres_url  # noqa: F401 - a fixture
from tests.support.shift_ledger import Ledger, reconcile
from tests.support.shift_play import Raw, play_shift
from tests.support.shift_scenario import ScenarioWriter

BUILD = Path(__file__).resolve().parents[2] / "build"
SEED = 20260504

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@dataclass
class Shift:
    """A shift that was played: what went in, and where the store is."""

    raw: Raw
    url: str

    @contextmanager
    def store(self) -> Iterator[Connection]:
        """The final store; whatever is done to it here is undone."""
        engine = create_engine(self.url)
        try:
            with engine.connect() as connection, connection.begin() as work:
                yield connection
                work.rollback()
        finally:
            engine.dispose()

    def ledger(self, *sabotage: str) -> Ledger:
        """Reconcile, after somebody has tampered with the store."""
        with self.store() as connection:
            for statement in sabotage:
                assert connection.execute(text(statement)).rowcount == 1, statement
            return reconcile(self.raw, connection)

    def one(self, query: str) -> Any:
        """One value of the store."""
        with self.store() as connection:
            return connection.execute(text(query)).scalars().first()


def play(directory: Path, url: str, hours: int) -> Shift:
    url = url or f"sqlite:///{directory / 'ward.db'}"
    return Shift(asyncio.run(play_shift(directory, url, seed=SEED, hours=hours)), url)


def add_up(shift: Shift, name: str) -> None:
    """Print the ledger, keep it, and insist that it adds up and the store is whole."""
    ledger = shift.ledger()
    BUILD.mkdir(exist_ok=True)
    (BUILD / f"shift_ledger_{name}.txt").write_text(ledger.text() + "\n")
    print(ledger.text())
    assert ledger.problems == []
    assert care.verify(shift.url)["problems"] == []


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Shift:
    return play(tmp_path_factory.mktemp("shift"), "", 1)


@pytest.mark.requirement("R-SYS-17")
@pytest.mark.hazard("H-SYS-04")
def test_every_order_dose_drop_and_alarm_of_an_hour_is_accounted_for(hour: Shift) -> None:
    add_up(hour, "hour")


@pytest.mark.full
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.requirement("R-SYS-17")
@pytest.mark.hazard("H-SYS-04")
def test_every_order_dose_drop_and_alarm_of_twelve_hours_is_accounted_for(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    url = f"{request.getfixturevalue('postgres_url')}/postgres" if kind == "postgresql" else ""
    add_up(play(tmp_path, url, 12), f"{kind}_12h")


def test_a_seed_always_makes_the_same_shift() -> None:
    one, again, other = (ScenarioWriter(seed, 12).write() for seed in (1, 1, 2))
    assert one == again
    assert one != other
    assert len(one) > 800


def swapped(old: str, new: str) -> str:
    """A statement that writes one word of a fact over another."""
    statement = "UPDATE facts SET body = replace(body, '{old}', '{new}') WHERE id = '{id}'"
    return statement.replace("{old}", old).replace("{new}", new)


TWICE = (
    "INSERT INTO facts (kind, id, seq, ward, patient_id, active, changed, body) SELECT kind, 'again', seq, "
    "ward, patient_id, active, changed, replace(body, '{id}', 'again') FROM facts WHERE id = '{id}'"
)
FACT = "SELECT id FROM facts WHERE kind = '{kind}' AND body LIKE '{like}' ORDER BY id"
DEFECTS = {
    "a reading is gone": (
        "SELECT id FROM samples WHERE encounter_id <> '' ORDER BY id",
        ("DELETE FROM samples WHERE id = '{id}'",),
        "readings: missing 1x {id}",
    ),
    "a reading is another patient's": (
        "SELECT id FROM samples WHERE encounter_id = 'E-VM00001' ORDER BY id",
        ("UPDATE samples SET encounter_id = 'E-VM00002' WHERE id = '{id}'",),
        "reading {id}: on the wrong patient, E-VM00002 for E-VM00001",
    ),
    "a reading is nobody's": (
        "SELECT id FROM samples WHERE encounter_id = 'E-VM00001' ORDER BY id",
        ("UPDATE samples SET encounter_id = '', unassigned = 'lost' WHERE id = '{id}'",),
        "reading {id}: nobody's (lost), but it was E-VM00001's",
    ),
    "drops went to another bag": (
        "SELECT id FROM samples WHERE infusion_id <> '' ORDER BY id",
        ("UPDATE samples SET infusion_id = 'I-other' WHERE id = '{id}'",),
        "drops of infusion I-other: not those that were counted",
    ),
    "a dose is gone": (
        FACT.format(kind="administrations", like='%"outcome":"given"%'),
        ("DELETE FROM facts WHERE kind = 'administrations' AND id = '{id}'",),
        "administrations: missing 1x",
    ),
    "a dose is another patient's": (
        FACT.format(kind="administrations", like='%"patient_id":"P-M000%"outcome":"given"%'),
        (swapped('"P-M000', '"P-M999'),),
        "administrations: too many, 1x ('P-M999",
    ),
    "a dose is there twice": (
        FACT.format(kind="administrations", like='%"outcome":"given"%'),
        (TWICE,),
        "administrations: too many, 1x",
    ),
    "an order is gone": (
        FACT.format(kind="orders", like='%"status":"active"%'),
        ("DELETE FROM facts WHERE kind = 'orders' AND id = '{id}'",),
        "orders: missing 1x",
    ),
    "a stop was not taken": (
        FACT.format(kind="orders", like='%"status":"stopped"%'),
        (swapped('"stopped"', '"active"'),),
        "orders: too many, 1x",
    ),
    "a task is gone": (
        FACT.format(kind="tasks", like='%"status":"given"%'),
        ("DELETE FROM facts WHERE kind = 'tasks' AND id = '{id}'",),
        "missing",
    ),
    "a task has another fate": (
        FACT.format(kind="tasks", like='%"status":"refused"%'),
        (swapped('"refused"', '"given"'),),
        "given, expected refused",
    ),
    "a task is there twice": (
        FACT.format(kind="tasks", like='%"status":"refused"%'),
        (TWICE,),
        "twice, or never ordered",
    ),
    "a missed dose is silent": (
        FACT.format(kind="alarms", like='%"condition":"dose-missed"%'),
        ("DELETE FROM facts WHERE kind = 'alarms' AND id = '{id}'",),
        "alarms for missed doses: missing 1x",
    ),
    "an alarm never ended": (
        FACT.format(kind="alarms", like='%"condition":"near-end"%'),
        (swapped('"signal":"off"', '"signal":"on"'),),
        "alarm near-end {id}: neither seen nor over",
    ),
    "a bag whose order was stopped is silent": (
        FACT.format(kind="alarms", like='%"condition":"infusion-order-ended"%'),
        ("DELETE FROM facts WHERE kind = 'alarms' AND id = '{id}'",),
        "alarms for bags against their orders: missing 1x ('infusion-order-ended'",
    ),
    "a new rate was not taken": (
        FACT.format(kind="infusions", like='%"rate_ml_h":"150"%'),
        (swapped('"rate_ml_h":"150"', '"rate_ml_h":"151"') + " AND kind = 'infusions'",),
        "rates set at the bedside: missing 1x ('{id}', 150.0)",
    ),
    "a node's alarm is nowhere": (
        "SELECT source_alarm_id FROM alarm_sources WHERE source_alarm_id LIKE 'alarm-%'",
        ("DELETE FROM alarm_sources WHERE source_alarm_id = '{id}'",),
        "alarm {id} of",
    ),
    "an event is gone": (
        "SELECT id FROM events WHERE type = 'patrol'",
        ("DELETE FROM events WHERE id = '{id}'",),
        "handheld events: missing 1x {id}",
    ),
    "an outbox has a hole": (
        "SELECT outbox FROM ingest_intervals ORDER BY outbox",
        ("UPDATE ingest_intervals SET last = last - 1 WHERE outbox = '{id}'",),
        "outboxes without a gap: missing 1x ('{id}'",
    ),
    "a hospital message is gone": (
        "SELECT id FROM hl7_messages WHERE direction = 'in' ORDER BY id",
        ("DELETE FROM hl7_messages WHERE id = '{id}'",),
        "hospital messages: missing 1x",
    ),
    "the hospital was not told": (
        "SELECT event_id FROM administrations_to_tell ORDER BY event_id",
        ("UPDATE administrations_to_tell SET told = NULL WHERE event_id = '{id}'",),
        "acts for the hospital: missing 1x {id}",
    ),
    "a patient lies in another bed": (
        FACT.format(kind="encounters", like='%"bed":"02"%'),
        (swapped('"bed":"02"', '"bed":"03"'),),
        "stays: missing 1x",
    ),
}


@pytest.mark.requirement("R-SYS-17")
@pytest.mark.parametrize("defect", DEFECTS)
def test_the_ledger_finds_what_somebody_did_to_the_store(hour: Shift, defect: str) -> None:
    query, sabotage, said = DEFECTS[defect]
    id_ = hour.one(query)
    assert id_, f"the shift has nothing to spoil: {query}"
    ledger = hour.ledger(*(statement.replace("{id}", id_) for statement in sabotage))
    assert any(said.replace("{id}", id_) in problem for problem in ledger.problems), ledger.problems
