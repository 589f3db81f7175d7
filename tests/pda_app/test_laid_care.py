"""Steps of care and lines of the chart recorded here are seen here at once, also without network."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from clinical.bedside_check.model import Action, CheckRequest, Entered, HandheldState, Operator, Witness
from clinical.care_records import BloodUnit, RunningSkinTest, Specimen, TransfusionEntry
from clinical.chart_records import Assessment, CriticalValue, FluidRecord, Observed, ObservedSet, Round
from clinical.exchange import AdministrationCorrected, CareRecorded, Changes, Charted, Event, Ward
from clinical.records import (
    Administration,
    Dose,
    Facts,
    Infusion,
    InfusionState,
    Ingredient,
    Label,
    Observation,
    Order,
    OrderItem,
    Product,
    Task,
    TaskStatus,
)
from pda_app.book import Book

pytestmark = pytest.mark.requirement("R-CARE-05")
AT = datetime(2026, 5, 4, 1, tzinfo=UTC)
NAME = Label(zh="项目", en="item")
UNIT = Dose(value=Decimal(1), unit="{unit}")
ORDER = Order(
    id="o", version=1, status="active", encounter_id="e", patient_id="p", kind="skin-test", category="once",
    items=(OrderItem(product_id="CEF1", display=NAME, dose=UNIT),), route="ID", frequency="once", start=AT,
)  # fmt: skip
FACTS = Facts(
    orders=(ORDER,),
    tasks=(
        Task(id="t", order_id="o", order_version=1, encounter_id="e", patient_id="p", kind="skin-test",
             status=TaskStatus.DUE, planned_at=AT),
    ),
    products=(
        Product(id="CEF1", display=NAME, unit="{vial}", form="injection",
                ingredients=(Ingredient(code="ceftriaxone", display=NAME, strength=UNIT),)),
    ),
    specimens=(Specimen(id="s", order_id="o", patient_id="p", encounter_id="e", task_id="t"),),
    blood_units=(
        BloodUnit(id="u", donation="d", product_id="RBC", product_code="E", component="red-cells", group="A+",
                  patient_id="p", order_id="o", expires_at=AT),
    ),
    infusions=(
        Infusion(id="i", order_id="o", task_id="t", encounter_id="e", patient_id="p",
                 state=InfusionState.RUNNING, rate_ml_h=Decimal(90), drops_per_ml=20, volume_ml=Decimal(200),
                 started_at=AT, bag_id="u"),
    ),
)  # fmt: skip


@pytest.fixture
def book() -> Book:
    ward = Ward(id="W1", display=NAME, zone="Asia/Shanghai", beds=("01",))
    made = Book()
    made.merge(
        Changes(epoch="e", since=0, cursor=1, at=AT, complete=True, ward=ward, facts=FACTS), fetched_at=AT
    )
    return made


def step(action: Action, subject: str, **said: Any) -> CareRecorded:
    request = CheckRequest(
        id="r", action=action, now=AT, handheld=HandheldState(id="pda"), operator=Operator(id="n1", roles=()),
        witness=Witness(id="n2", roles=(), badge_at=AT), entered=Entered(symptoms=("chill",)),
    )  # fmt: skip
    fields = {
        "id": f"e-{action}", "at": AT, "sent": AT, "operator": "n1", "handheld": "pda", "request": request,
        "subject_id": subject, "task_id": "t", "order_id": "o",
    }  # fmt: skip
    return CareRecorded(**(fields | said))


@pytest.mark.requirement("R-GIVE-05")
def test_a_record_that_was_corrected_here_says_so_at_once(book: Book) -> None:
    given = Administration(
        id="e1", task_id="t", order_id="o", patient_id="p", outcome="given", at=AT, operator="n1", dose=UNIT
    )
    ward = Ward(id="W1", display=NAME, zone="Asia/Shanghai", beds=("01",))
    facts = Facts(administrations=(given,))
    book.merge(
        Changes(epoch="e", since=1, cursor=2, at=AT, complete=False, ward=ward, facts=facts), fetched_at=AT
    )
    book.add(
        AdministrationCorrected(
            id="e2", at=AT, sent=AT, operator="n1", handheld="pda", administration_id="e1",
            outcome="not-given", reason="wrong button",
        )
    )  # fmt: skip
    kept = book.get(Administration, "e1")
    assert kept is not None
    assert (kept.outcome, kept.dose) == ("not-given", None)


def test_a_sample_that_was_taken_is_taken(book: Book) -> None:
    book.add(step(Action.COLLECT, "s"))
    taken, task = book.get(Specimen, "s"), book.get(Task, "t")
    assert taken is not None
    assert (taken.state, taken.collected_by) == ("collected", "n1")
    assert task is not None
    assert task.status is TaskStatus.COMPLETED


def test_blood_goes_on_by_its_two_checks_and_its_values(book: Book) -> None:
    book.add(step(Action.BLOOD_RECEIVE, "u"))
    book.add(step(Action.BLOOD_CHECK, "u"))
    book.add(step(Action.BLOOD_OBS, "u", infusion_id="i"))
    unit = book.get(BloodUnit, "u")
    assert unit is not None
    assert (unit.state, unit.received_by, unit.checked_by) == ("checked", ("n1", "n2"), ("n1", "n2"))
    assert [one.symptoms for one in book.all(TransfusionEntry)] == [("chill",)]


def test_a_skin_test_runs_and_its_reading_waits_for_the_server(book: Book) -> None:
    book.add(step(Action.SKINTEST_START, "k"))
    book.add(step(Action.SKINTEST_READ, "k"))
    running = book.get(RunningSkinTest, "k")
    assert running is not None
    assert (running.substance, running.started_by) == ("ceftriaxone", "n1")


@pytest.mark.parametrize(
    "event",
    [
        step(Action.COLLECT, "none", task_id="none"),
        step(Action.BLOOD_OBS, "u", infusion_id="none"),
        step(Action.SKINTEST_START, "k", order_id="none"),
    ],
)
def test_a_step_of_what_is_not_known_here_changes_nothing(book: Book, event: Event) -> None:
    before = book.facts
    book.add(event)
    assert book.facts == before


def test_a_line_of_the_chart_is_kept_under_its_event(book: Book) -> None:
    line = {"id": "", "patient_id": "p", "at": AT, "by": ""}
    base = {"at": AT, "sent": AT, "operator": "n1", "handheld": "pda"}
    book.add(Charted(id="f", fluid=FluidRecord(direction="in", kind="oral", ml=Decimal(10), **line), **base))
    book.add(Charted(id="a", assessment=Assessment(scale="pain", answers={"nrs": 3}, **line), **base))
    book.add(Charted(id="r", round=Round(**line), **base))
    kept = [book.get(FluidRecord, "f"), book.get(Assessment, "a"), book.get(Round, "r")]
    assert [(one.id, one.by) for one in kept if one is not None] == [("f", "n1"), ("a", "n1"), ("r", "n1")]


def test_values_and_critical_values_are_kept_under_their_event_where_the_stay_is_known(book: Book) -> None:
    base = {"at": AT, "sent": AT, "operator": "n1", "handheld": "pda"}
    pulse = (Observed(code="MDC_PULS_RATE", value=Decimal(80), unit="/min"),)
    book.add(Charted(id="o", observed=ObservedSet(encounter_id="none", values=pulse), **base))
    assert book.all(Observation) == ()
    said = CriticalValue(
        id="", patient_id="p", test="potassium", value="6.8", unit="mmol/L", reported_by="lab",
        received_by="", received_at=AT,
    )  # fmt: skip
    book.add(Charted(id="c", critical=said, **base))
    kept = book.get(CriticalValue, "c")
    assert kept is not None
    assert (kept.id, kept.received_by) == ("c", "n1")


def test_what_the_server_knows_already_is_not_doubled(book: Book) -> None:
    entry = TransfusionEntry(
        id="e-BLOOD_OBS", infusion_id="i", patient_id="p", at=AT, by="n9", kind="quarter"
    )
    ward = book.ward
    known = replace(FACTS, transfusion_entries=(entry,))
    book.merge(
        Changes(epoch="e", since=0, cursor=2, at=AT, complete=True, ward=ward, facts=known), fetched_at=AT
    )
    book.add(step(Action.BLOOD_OBS, "u", id="e-BLOOD_OBS", infusion_id="i"))
    assert list(book.all(TransfusionEntry)) == [entry]
