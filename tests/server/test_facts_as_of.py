"""A late upload is judged by what was known and had happened when the act was done (bc-1 §5.7)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinical.bedside_check.model import Action, Severity
from clinical.drug_policy import DrugCondition
from clinical.exchange import AdministrationRecorded, Outcome
from clinical.identifiers import hospital
from clinical.records import Allergy, Dose, Label, Patient, Practitioner
from server.observations import charted
from server.preparations import service as preparations
from server.storage.engine import open_engine, upgrade
from server.storage.store import Store
from server.sync.events import apply
from tests.server.conftest import FakeClock, WardBench, plant

pytestmark = [pytest.mark.requirement("R-GIVE-01"), pytest.mark.hazard("H-GIVE-01")]
_numbers = itertools.count(1)
TABLET = "]d2010690123450006617281231"
PCT = "paracetamol"


def send(ward: WardBench, event: AdministrationRecorded, person: str = "N20713") -> Outcome:
    return ward.store.write(lambda unit: apply(unit, ward.site, ward.session(person), event))


@pytest.fixture
def dose(any_ward: WardBench) -> tuple[WardBench, AdministrationRecorded]:
    """A dose that was given at nine, and that nobody has heard of yet."""
    any_ward.admit("1001", "01")
    task = any_ward.task_of(any_ward.order("1001", "M1"))
    any_ward.clock.move(minutes=1)
    return any_ward, any_ward.given("late", task, any_ward.request("r1", items=(TABLET,)))


def learn_allergy(ward: WardBench, mrn: str = "1001") -> None:
    found = Allergy(id=f"A-{mrn}", patient_id=f"P-{mrn}", substance=PCT, display=Label(zh="甲", en="A"))
    ward.store.write(lambda unit: unit.put(found))


def give_more(ward: WardBench, mrn: str = "1001") -> None:
    """Eight doses of another order, enough for the day's limit."""
    placer = f"X{next(_numbers)}"
    task = ward.task_of(ward.order(mrn, placer, frequency="prn"))
    for number in range(8):
        ward.clock.move(seconds=10)
        request = ward.request(f"{placer}-{number}", mrn=mrn, items=(TABLET,))
        dose = Dose(value=Decimal(1), unit="{tablet}")
        send(ward, ward.given(f"{placer}-{number}", task, request, dose=dose))


def take_role(ward: WardBench, mrn: str = "1001") -> None:
    known = ward.store.picture.get(Practitioner, "N20488")
    assert known is not None
    ward.store.write(lambda unit: unit.put(replace(known, roles=("student",))))


def forget_allergy_answer(ward: WardBench, mrn: str = "1001") -> None:
    known = ward.store.picture.get(Patient, f"P-{mrn}")
    assert known is not None
    ward.store.write(lambda unit: unit.put(replace(known, allergy_status="not-recorded")))


@pytest.mark.parametrize("later", [learn_allergy, give_more, forget_allergy_answer])
def test_what_became_known_or_happened_only_afterwards_does_not_stand_against_a_dose(
    dose: tuple[WardBench, AdministrationRecorded], later: Callable[[WardBench], None]
) -> None:
    ward, event = dose
    ward.clock.move(minutes=30)
    later(ward)
    ward.clock.move(minutes=30)
    assert send(ward, event) == Outcome(event_id="late", status="accepted")


def test_what_was_known_before_stands_against_it_though_it_is_forgotten_since(
    dose: tuple[WardBench, AdministrationRecorded],
) -> None:
    ward, event = dose
    learn_allergy(ward)
    ward.clock.move(minutes=1)
    at = ward.clock()
    ward.clock.move(minutes=30)
    ward.store.write(lambda unit: unit.retire(Allergy, "A-1001"))
    ward.clock.move(minutes=30)
    outcome = send(ward, replace(event, at=at))
    assert (outcome.status, outcome.code) == ("accepted-exception", "SAFE-ALLERGY")


def test_a_fact_the_handheld_had_read_counts_though_its_clock_is_behind(
    dose: tuple[WardBench, AdministrationRecorded],
) -> None:
    ward, event = dose
    ward.clock.move(seconds=30)
    learn_allergy(ward)
    request = replace(event.request, snapshot_version=ward.store.picture.version)
    ward.clock.move(minutes=5)
    outcome = send(ward, replace(event, request=request))
    assert (outcome.status, outcome.code) == ("accepted-exception", "SAFE-ALLERGY")


def test_a_bag_that_was_checked_only_after_it_was_opened_is_told(any_ward: WardBench) -> None:
    ward = any_ward
    ward.admit("1001", "01")
    task = ward.task_of(ward.order_bag("1001", "B1"))
    bag = ward.store.write(lambda unit: preparations.label(unit, task.id, "N20488", ward.site.policy))
    ward.store.write(lambda unit: preparations.lay(unit, bag.id, "N20488"))
    ward.store.write(lambda unit: preparations.prepare(unit, bag.id, "N20488"))
    label, device = hospital.encode("bag", bag.id), "ble:c0-00-00-00-01-01"
    ward.clock.move(minutes=1)
    asked = ward.request("r1", Action.START, items=(label,), device_id=device)
    begun = ward.started("s1", task, asked, bag_id=bag.id)
    ward.clock.move(minutes=30)
    ward.store.write(lambda unit: preparations.check(unit, bag.id, "N10001", ward.site.policy, "no-code"))
    outcome = ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), begun))
    assert (outcome.status, outcome.code) == ("accepted-exception", "MED-NOT-VERIFIED")


def test_a_measured_value_of_then_is_the_one_a_condition_is_held_against(ward: WardBench) -> None:
    condition = DrugCondition(
        drug=PCT, kind="vital", measure="MDC_PULS_RATE", op="<", limit=Decimal(60), max_age_min=60,
        severity=Severity.STOP, required=True,
    )  # fmt: skip
    ward.site = replace(ward.site, policy=replace(ward.site.policy, conditions=(condition,)))
    ward.admit("1001", "01")
    task = ward.task_of(ward.order("1001", "M1"))
    stay = ward.store.picture.stays_of("P-1001")[0].id

    def pulse(value: int) -> None:
        one = charted.Charted(code="MDC_PULS_RATE", value=Decimal(value), unit="/min")
        made = charted.ChartedSet(id=f"set-{value}", at=ward.clock(), values=(one,))
        ward.store.write(lambda unit: charted.chart(unit, ward.session(), stay, made))

    pulse(72)
    ward.clock.move(minutes=1)
    high = ward.given("high", task, ward.request("r1", items=(TABLET,)))
    ward.clock.move(minutes=10)
    pulse(48)
    ward.clock.move(minutes=1)
    other = ward.task_of(ward.order("1001", "M2"))
    low = ward.given("low", other, ward.request("r2", items=(TABLET,)))
    ward.clock.move(minutes=10)
    pulse(80)
    ward.clock.move(minutes=1)
    assert send(ward, high).status == "accepted"
    outcome = send(ward, low)
    assert (outcome.status, outcome.code) == ("accepted-exception", "SAFE-VITAL-OUT")


CHANGES = (learn_allergy, give_more, forget_allergy_answer, take_role)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.sets(st.sampled_from(CHANGES), max_size=2), after=st.sets(st.sampled_from(CHANGES), max_size=2)
)
def test_one_act_is_judged_alike_whether_it_is_sent_at_once_or_an_hour_later(
    tmp_path_factory: pytest.TempPathFactory,
    before: set[Callable[[WardBench, str], None]], after: set[Callable[[WardBench, str], None]],
) -> None:  # fmt: skip
    clock = FakeClock()
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('as-of') / 'w.db'}")
    upgrade(engine)
    store = Store(engine, clock)
    try:
        ward = plant(store, clock)
        at_once, late = _both(ward, before, after)
    finally:
        store.close()
    assert at_once == late


def _both(
    ward: WardBench,
    before: set[Callable[[WardBench, str], None]],
    after: set[Callable[[WardBench, str], None]],
) -> tuple[tuple[str, str], tuple[str, str]]:
    """The same dose to two patients of the same history; the second is sent when more has happened."""
    events = []
    for number, mrn in enumerate(("1001", "1002"), 1):
        ward.admit(mrn, f"0{number}", f"病人{number}")
        task = ward.task_of(ward.order(mrn, f"M{mrn}"))
        events.append((mrn, task))
    ward.clock.move(minutes=1)
    for change in before:
        for mrn, _ in events:
            change(ward, mrn)
    ward.clock.move(minutes=1)
    first, second = (
        ward.given(f"e-{mrn}", task, ward.request(f"r-{mrn}", mrn=mrn, person="N20488", items=(TABLET,)))
        for mrn, task in events
    )
    at_once = send(ward, first, "N20488")
    ward.clock.move(minutes=1)
    for change in after:
        for mrn, _ in events:
            change(ward, mrn)
    ward.clock.move(hours=1)
    late = send(ward, second, "N20488")
    return (at_once.status, at_once.code), (late.status, late.code)
