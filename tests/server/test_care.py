"""Blood, samples and skin tests as they are reported from the bedside: every loop, and what breaks it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from clinical.bedside_check.model import (
    Action,
    CheckRequest,
    Confirmation,
    Entered,
    Reading,
    Scan,
    Witness,
)
from clinical.care_records import (
    BloodUnit,
    RunningSkinTest,
    SampleNeed,
    Specimen,
    TransfusionEntry,
)
from clinical.confirmation import Purpose
from clinical.errors import ConflictError, NotFoundError, RefusedError
from clinical.exchange import CareRecorded, InfusionChanged, Outcome
from clinical.identifiers import hospital
from clinical.records import (
    Administration,
    Alarm,
    AlarmPriority,
    Allergy,
    Dose,
    Encounter,
    Infusion,
    Ingredient,
    Label,
    Order,
    OrderItem,
    Patient,
    Practitioner,
    Product,
    SkinTest,
    Task,
    TaskStatus,
)
from server.his.port import AdministrationFact
from server.orders import service as orders
from server.people.confirmations import Wish, issue
from server.specimens import service as specimens
from server.storage.codec import to_bytes
from server.storage.schema import administrations_to_tell
from server.sync import events
from server.ticker import Ticker
from server.transfusions import service as transfusions
from server.worklist import service as worklist
from tests.server.conftest import WardBench

DONATION = "A123426012345"
BAG = f"={DONATION}00"
LOOKED = ("bag-intact", "no-clots", "colour-normal")
MINUTE = timedelta(minutes=1)


def order(ward: WardBench, kind: str, product: str, **said: Any) -> Order:
    stay = next(one for one in ward.store.picture.all(Encounter) if one.patient_id == "P-1001")
    fields: dict[str, Any] = {
        "id": f"O-{kind}", "version": 1, "status": "active", "encounter_id": stay.id, "patient_id": "P-1001",
        "kind": kind, "category": "once", "route": "IV", "frequency": "once", "start": ward.clock() - MINUTE,
        "items": (OrderItem(product_id=product, display=Label(zh="项目", en="item"), dose=dose(1)),),
        "nurse_verified": True, "pharmacist_verified": True,
    }  # fmt: skip
    made = Order(**(fields | said))
    return ward.store.write(lambda unit: orders.place(unit, made, ward.site.policy))


def dose(value: int, unit: str = "{unit}") -> Dose:
    return Dose(value=Decimal(value), unit=unit)


def vitals(ward: WardBench, temperature: str = "36.6", systolic: str = "120") -> tuple[Reading, ...]:
    values = {
        "MDC_TEMP_AXILLA": temperature, "MDC_PULS_RATE": "80", "MDC_RESP_RATE": "16",
        "MDC_PRESS_BLD_NONINV_SYS": systolic, "MDC_PULS_OXIM_SAT_O2": "97",
    }  # fmt: skip
    return tuple(Reading(code=code, value=Decimal(value), at=ward.clock()) for code, value in values.items())


def second(ward: WardBench, *, result: str = "", person: str = "N20488") -> Witness:
    scans = (("wristband", hospital.encode("wristband", "1001", "1")), ("unit", BAG), ("slip", BAG))
    return Witness(
        id=person, roles=("nurse",), badge_at=ward.clock(), result=result,
        scans=tuple(replace(ward.scan(raw), source=source) for source, raw in scans),
    )  # fmt: skip


def care(ward: WardBench, event_id: str, action: Action, subject: str, **said: Any) -> CareRecorded:
    """An event as a handheld would send it; ``entered``, ``witness`` and ``scans`` go into its request."""
    asked = ward.request(f"r-{event_id}", action)
    asked = replace(
        asked,
        entered=said.pop("entered", Entered()),
        witness=said.pop("witness", None),
        items=said.pop("scans", ()),
        infusion_id=said.get("infusion_id", ""),
    )
    proof = said.pop("proof", "pin")
    if asked.witness is not None:
        asked = replace(asked, confirmations=confirmed(ward, asked, said.get("task_id", ""), proof))
    fields: dict[str, Any] = {
        "id": event_id, "at": ward.clock(), "sent": ward.clock(), "operator": "N20713", "handheld": "pda-1",
        "request": asked, "subject_id": subject,
    }  # fmt: skip
    return CareRecorded(**(fields | said))


def confirmed(ward: WardBench, asked: CheckRequest, task_id: str, proof: str) -> tuple[Confirmation, ...]:
    """What the second person leaves: the server's proof of a PIN, the handheld's own word, or nothing."""
    assert asked.witness is not None
    person = ward.store.picture.get(Practitioner, asked.witness.id)
    if proof == "none" or person is None:
        return ()
    if proof == "offline":
        return (Confirmation(by=person.id, purpose="witness"),)
    wish = Wish(purpose=Purpose.WITNESS, request=asked, task_id=task_id)
    try:
        made = ward.store.write(lambda unit: issue(unit, ward.session(), person, wish, ward.site.policy))
    except RefusedError:
        return ()  # the same person, or one without the role
    return (Confirmation(by=made.by, purpose="witness", token=made.token),)


def send(ward: WardBench, event: Any, person: str = "N20713") -> Outcome:
    import msgspec

    item = msgspec.json.decode(to_bytes(event))
    return events.receive(ward.store, ward.site, ward.session(person), [item])[0]


def tick(ward: WardBench) -> None:
    ward.store.write(lambda unit: worklist.tick(unit, ward.site))


def sounding(ward: WardBench) -> dict[str, AlarmPriority]:
    return {alarm.condition: alarm.priority for alarm in ward.store.picture.all(Alarm) if alarm.present}


def flags(ward: WardBench) -> list[str]:
    return [
        str(alarm.params["code"])
        for alarm in ward.store.picture.all(Alarm)
        if alarm.condition == "given-against-order"
    ]


# ---- blood


@pytest.fixture
def blood(ward: WardBench) -> BloodUnit:
    """One issued unit of blood for a patient of its group who has agreed."""
    ward.admit("1001", "01")

    def prepare(unit: Any) -> None:
        patient = unit.get(Patient, "P-1001")
        stay = next(iter(unit.stays_of("P-1001")))
        unit.put(replace(patient, blood_group="A+"))
        unit.put(replace(stay, transfusion_consent_at=ward.clock() - timedelta(hours=20)))
        ingredient = Ingredient(
            code="red-cells", display=Label(zh="红细胞", en="red cells"), strength=dose(1)
        )
        unit.put(
            Product(
                id="RBC", display=Label(zh="悬浮红细胞", en="Red cells"), unit="{unit}", form="blood",
                ingredients=(ingredient,),
            )
        )  # fmt: skip

    ward.store.write(prepare)
    ordered = order(ward, "transfusion", "RBC", rate_ml_h=Decimal(90), volume_ml=Decimal(200))
    issued = BloodUnit(
        id="u1", donation=DONATION, product_id="RBC", product_code="E0382V00", component="red-cells",
        group="A+", patient_id="P-1001", order_id=ordered.id,
        expires_at=ward.clock() + timedelta(hours=48), volume_ml=Decimal(200), crossmatch="compatible",
        crossmatched_at=ward.clock() - timedelta(hours=10), issued_at=ward.clock() - 5 * MINUTE,
    )  # fmt: skip
    return ward.store.write(lambda unit: transfusions.issue(unit, issued, "N10001"))


def slip(ward: WardBench) -> tuple[Scan, ...]:
    return (ward.scan(BAG), replace(ward.scan(BAG), source="slip"))


def receive(ward: WardBench, **said: Any) -> Outcome:
    fields = {"scans": slip(ward), "entered": Entered(checks=LOOKED), "witness": second(ward)}
    return send(ward, care(ward, "e-receive", Action.BLOOD_RECEIVE, "u1", **(fields | said)))


def check_at_bed(ward: WardBench, event_id: str = "e-check", **said: Any) -> Outcome:
    fields = {"scans": slip(ward), "entered": Entered(checks=LOOKED), "witness": second(ward)}
    return send(ward, care(ward, event_id, Action.BLOOD_CHECK, "u1", **(fields | said)))


def start(ward: WardBench) -> Outcome:
    task = ward.task_of("O-transfusion")
    asked = replace(
        ward.request("r-start", Action.BLOOD_START, items=(BAG,)),
        entered=Entered(vitals=vitals(ward), site="left-forearm", rate_ml_h=Decimal(90)),
    )
    begun = ward.started(
        "e-start", task, asked, infusion_id="I1", bag_id="u1", rate_ml_h=Decimal(90), volume_ml=Decimal(200),
        device_id="", site="left-forearm",
    )  # fmt: skip
    return send(ward, begun)


def observe(ward: WardBench, event_id: str, **values: str) -> Outcome:
    seen = Entered(vitals=vitals(ward, **values))
    return send(ward, care(ward, event_id, Action.BLOOD_OBS, "u1", entered=seen, infusion_id="I1"))


def stored(ward: WardBench) -> BloodUnit:
    found = ward.store.picture.get(BloodUnit, "u1")
    assert found is not None
    return found


def running(ward: WardBench) -> None:
    assert [receive(ward).status, check_at_bed(ward).status, start(ward).status] == ["accepted"] * 3


@pytest.mark.requirement("R-CARE-01")
@pytest.mark.hazard("H-CARE-01")
def test_a_unit_goes_from_the_blood_bank_through_two_checks_and_its_watch_back_to_it(
    ward: WardBench, blood: BloodUnit
) -> None:
    assert blood.state == "issued"
    running(ward)
    unit = stored(ward)
    assert (unit.state, unit.received_by, unit.checked_by) == (
        "running", ("N20713", "N20488"), ("N20713", "N20488"),
    )  # fmt: skip
    baseline = next(iter(ward.store.picture.all(TransfusionEntry)))
    assert (baseline.kind, baseline.temperature, baseline.systolic) == ("baseline", Decimal("36.6"), 120)
    ward.clock.move(minutes=14)
    tick(ward)
    assert sounding(ward) == {}
    ward.clock.move(minutes=7)
    tick(ward)
    assert sounding(ward) == {"blood-quarter": AlarmPriority.MEDIUM}
    assert observe(ward, "e-15").status == "accepted"  # late: the alarm has said so
    assert {one.kind for one in ward.store.picture.all(TransfusionEntry)} == {"baseline", "quarter"}
    tick(ward)
    assert "blood-quarter" not in sounding(ward)
    ward.clock.move(minutes=60)
    tick(ward)
    assert sounding(ward)["blood-further"] is AlarmPriority.LOW
    end = InfusionChanged(
        id="e-end", at=ward.clock(), sent=ward.clock(), operator="N20713", handheld="pda-1",
        infusion_id="I1", action="complete",
    )  # fmt: skip
    assert send(ward, end).status == "accepted"
    tick(ward)
    assert (stored(ward).state, "blood-further" in sounding(ward)) == ("ended", False)
    ward.clock.move(hours=25)
    tick(ward)
    assert sounding(ward)["blood-bag-return"] is AlarmPriority.LOW
    ward.store.write(lambda unit: transfusions.give_back(unit, "u1", "N20713"))
    tick(ward)
    assert (stored(ward).state, "blood-bag-return" in sounding(ward)) == ("returned", False)


@pytest.mark.requirement("R-CARE-01")
@pytest.mark.hazard("H-CARE-01")
def test_a_reaction_alarms_nurse_and_doctor_at_once_and_stays_until_seen(
    ward: WardBench, blood: BloodUnit
) -> None:
    running(ward)
    ward.clock.move(minutes=12)
    assert observe(ward, "e-hot", temperature="37.9").status == "accepted"
    assert sounding(ward)["blood-reaction"] is AlarmPriority.HIGH
    assert flags(ward) == []


@pytest.mark.requirement("R-CARE-01")
@pytest.mark.hazard("H-CARE-01")
def test_a_transfusion_past_four_hours_sounds(ward: WardBench, blood: BloodUnit) -> None:
    running(ward)
    ward.clock.move(minutes=15)
    observe(ward, "e-15")
    ward.clock.move(minutes=226)
    tick(ward)
    assert sounding(ward)["blood-four-hours"] is AlarmPriority.HIGH


@pytest.mark.requirement("R-CARE-01")
@pytest.mark.hazard("H-CARE-01")
@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"witness": None}, "BLD-SECOND"),
        ({"entered": Entered(checks=LOOKED, symptoms=("clot",))}, "BLD-LEAK-CLOT"),
        ({"entered": Entered()}, "check-incomplete"),
    ],
)
def test_a_check_with_something_against_it_is_kept_and_leaves_the_unit_where_it_was(
    ward: WardBench, blood: BloodUnit, said: dict[str, Any], code: str
) -> None:
    receive(ward)
    told = check_at_bed(ward, **said)
    assert (told.status, told.code, stored(ward).state) == ("accepted-exception", code, "received")
    assert flags(ward) == [code]
    assert check_at_bed(ward, "e-again").status == "accepted"
    assert stored(ward).state == "checked"


@pytest.mark.requirement("R-CARE-01")
@pytest.mark.hazard("H-CARE-01")
def test_a_check_in_the_name_of_somebody_who_was_not_there_checks_nothing(
    ward: WardBench, blood: BloodUnit
) -> None:
    receive(ward)
    told = send(
        ward,
        care(ward, "e-x", Action.BLOOD_CHECK, "u1", scans=slip(ward), entered=Entered(checks=LOOKED),
             witness=second(ward), operator="N10001"),
    )  # fmt: skip
    assert (told.status, told.code) == ("accepted-exception", "operator-unproven")
    assert stored(ward).state == "received"


@pytest.mark.requirement("R-CARE-01")
@pytest.mark.hazard("H-CARE-01")
def test_the_same_event_again_changes_nothing(ward: WardBench, blood: BloodUnit) -> None:
    receive(ward)
    assert receive(ward).status == "replayed"


@pytest.mark.requirement("R-CARE-01")
@pytest.mark.hazard("H-CARE-01")
def test_an_observation_of_a_unit_that_does_not_run_is_kept_and_told(
    ward: WardBench, blood: BloodUnit
) -> None:
    assert observe(ward, "e-early").status == "accepted-exception"
    assert not list(ward.store.picture.all(TransfusionEntry))


@pytest.mark.requirement("R-CARE-01")
@pytest.mark.hazard("H-CARE-01")
@pytest.mark.parametrize(
    "action", [Action.BLOOD_CHECK, Action.COLLECT, Action.SKINTEST_READ, Action.SKINTEST_START]
)
def test_a_step_of_something_nobody_knows_is_kept_and_told(ward: WardBench, action: Action) -> None:
    ward.admit("1001", "01")
    told = send(ward, care(ward, "e-lost", action, "nothing"))
    assert told.status == "accepted-exception"
    assert told.code.startswith("unknown-")
    assert len(flags(ward)) == 1


@pytest.mark.requirement("R-CARE-01")
@pytest.mark.hazard("H-CARE-01")
def test_an_action_that_is_no_step_of_care_is_refused(ward: WardBench) -> None:
    assert send(ward, care(ward, "e-odd", Action.GIVE, "u1")).code == "unknown-action"


@pytest.mark.requirement("R-CARE-01")
@pytest.mark.hazard("H-CARE-01")
def test_a_unit_is_issued_once_and_for_its_own_order(ward: WardBench, blood: BloodUnit) -> None:
    def issue(**changes: Any) -> BloodUnit:
        made = replace(blood, **changes)
        return ward.store.write(lambda unit: transfusions.issue(unit, made, "N10001"))

    assert issue(state="checked", checked_by=("x", "y")) == blood
    with pytest.raises(ConflictError, match="other numbers"):
        issue(donation="A123426099999")
    with pytest.raises(NotFoundError):
        issue(id="u2", order_id="O-none")
    with pytest.raises(ConflictError, match="not one of blood"):
        issue(id="u2", order_id=order(ward, "specimen", "CBC").id)


@pytest.mark.requirement("R-CARE-01")
@pytest.mark.hazard("H-CARE-01")
def test_a_running_unit_is_not_given_back_and_an_unknown_one_neither(
    ward: WardBench, blood: BloodUnit
) -> None:
    running(ward)
    with pytest.raises(ConflictError, match="end the transfusion"):
        ward.store.write(lambda unit: transfusions.give_back(unit, "u1", "N20713"))
    with pytest.raises(NotFoundError):
        ward.store.write(lambda unit: transfusions.give_back(unit, "u9", "N20713"))


# ---- samples


@pytest.fixture
def tube(ward: WardBench) -> Specimen:
    ward.admit("1001", "01")
    order(ward, "specimen", "CBC", sample=SampleNeed(container="purple"))
    task = ward.task_of("O-specimen")
    ward.clock.move(minutes=1)
    return ward.store.write(lambda unit: specimens.label(unit, task.id, "N20713"))


def collect(ward: WardBench, tube: Specimen, event_id: str = "e-take", **said: Any) -> Outcome:
    scans = (ward.scan(hospital.encode("tube", tube.id)),)
    fields = {"scans": scans, "entered": Entered(container="purple", site="left-elbow")}
    return send(ward, care(ward, event_id, Action.COLLECT, tube.id, task_id=tube.task_id, **(fields | said)))


@pytest.mark.requirement("R-CARE-02")
@pytest.mark.hazard("H-CARE-02")
def test_a_sample_is_planned_labelled_taken_and_handed_over_in_time(ward: WardBench, tube: Specimen) -> None:
    assert (tube.state, tube.container, tube.printed_at) == ("printed", "purple", ward.clock())
    assert collect(ward, tube).status == "accepted"
    known = ward.store.picture.get(Specimen, tube.id)
    assert known is not None
    assert (known.state, known.collected_by) == ("collected", "N20713")
    assert ward.task_of("O-specimen").status is TaskStatus.COMPLETED
    ward.clock.move(minutes=61)
    tick(ward)
    assert sounding(ward)["specimen-transport"] is AlarmPriority.LOW
    for _ in range(2):
        done = ward.store.write(lambda unit: specimens.hand_over(unit, tube.id, "N20713"))
        assert done.received_at == ward.clock()
    tick(ward)
    assert "specimen-transport" not in sounding(ward)


@pytest.mark.requirement("R-CARE-02")
@pytest.mark.hazard("H-CARE-02")
def test_a_sample_in_another_tube_is_kept_and_flagged_and_a_second_one_is_a_duplicate(
    ward: WardBench, tube: Specimen
) -> None:
    told = collect(ward, tube, entered=Entered(container="red", site="left-elbow"))
    assert (told.status, told.code) == ("accepted-exception", "SPC-TUBE")
    first = ward.store.picture.get(Specimen, tube.id)
    ward.clock.move(minutes=2)
    again = collect(ward, tube, "e-again")
    assert (again.status, again.code) == ("duplicate", "SPC-DONE")
    assert ward.store.picture.get(Specimen, tube.id) == first


@pytest.mark.requirement("R-CARE-02")
@pytest.mark.hazard("H-CARE-02")
def test_a_label_is_printed_again_for_the_same_tube_and_never_for_one_that_was_taken(
    ward: WardBench, tube: Specimen
) -> None:
    again = ward.store.write(lambda unit: specimens.label(unit, tube.task_id, "N20713"))
    assert again.id == tube.id
    collect(ward, tube)
    with pytest.raises(ConflictError):
        ward.store.write(lambda unit: specimens.label(unit, tube.task_id, "N20713"))
    with pytest.raises(NotFoundError):
        ward.store.write(lambda unit: specimens.label(unit, "T-none", "N20713"))


@pytest.mark.requirement("R-CARE-02")
@pytest.mark.hazard("H-CARE-02")
def test_only_a_sample_that_was_taken_is_handed_over(ward: WardBench, tube: Specimen) -> None:
    with pytest.raises(ConflictError, match="take it first"):
        ward.store.write(lambda unit: specimens.hand_over(unit, tube.id, "N20713"))
    with pytest.raises(NotFoundError):
        ward.store.write(lambda unit: specimens.hand_over(unit, "none", "N20713"))


@pytest.mark.requirement("R-CARE-02")
@pytest.mark.hazard("H-CARE-02")
def test_a_change_of_the_order_keeps_the_tube_that_was_printed(ward: WardBench, tube: Specimen) -> None:
    order(ward, "specimen", "CBC", sample=SampleNeed(container="purple"), instruction="晨起空腹")
    assert ward.store.picture.get(Specimen, tube.id) == tube


# ---- skin tests


@pytest.fixture
def placed(ward: WardBench) -> RunningSkinTest:
    ward.admit("1001", "01")
    drug = ward.store.picture.get(Product, "CEF1")
    assert drug is not None
    ward.store.write(lambda unit: unit.put(replace(drug, routes=(*drug.routes, "ID"))))
    order(ward, "skin-test", "CEF1", route="ID", items=(
        OrderItem(product_id="CEF1", display=Label(zh="头孢皮试", en="test"), dose=dose(1, "{vial}")),
    ))  # fmt: skip
    order(ward, "medication", "CEF1", frequency="bid", items=(
        OrderItem(product_id="CEF1", display=Label(zh="头孢曲松", en="Ceftriaxone"), dose=dose(1, "{vial}")),
    ))  # fmt: skip
    task = ward.task_of("O-skin-test")
    placing = care(
        ward, "e-place", Action.SKINTEST_START, "SKT-1", task_id=task.id, order_id=task.order_id,
        order_version=1, scans=(ward.scan("(01)06901234500011(10)L77"),),
        entered=Entered(checks=("emergency-drugs",), route="ID", site="left-forearm"),
    )  # fmt: skip
    send(ward, placing)
    test = ward.store.picture.get(RunningSkinTest, "SKT-1")
    assert test is not None
    assert flags(ward) == []
    return test


def told_of(ward: WardBench, event_id: str) -> list[tuple[str, str, Decimal | None, str]]:
    """What the hospital is told of one act."""
    table = administrations_to_tell
    with ward.store.reading() as connection:
        bodies = connection.scalars(select(table.c.body).where(table.c.event_id == event_id)).all()
    facts = [msgspec.json.decode(body, type=AdministrationFact) for body in bodies]
    return [(one.action, one.outcome, one.items[0].amount, one.route) for one in facts]


def read(ward: WardBench, result: str, other: str | None = None, event_id: str = "e-read") -> Outcome:
    reading = care(
        ward, event_id, Action.SKINTEST_READ, "SKT-1", task_id=ward.task_of("O-skin-test").id,
        entered=Entered(result=result), witness=second(ward, result=result if other is None else other),
    )  # fmt: skip
    return send(ward, reading)


@pytest.mark.requirement("R-CARE-03")
@pytest.mark.hazard("H-CARE-03")
def test_a_skin_test_runs_its_twenty_minutes_and_is_read_by_two(
    ward: WardBench, placed: RunningSkinTest
) -> None:
    assert (placed.substance, placed.lot, placed.started_by) == ("ceftriaxone", "L77", "N20713")
    assert ward.task_of("O-skin-test").status is TaskStatus.RUNNING
    given = ward.store.picture.get(Administration, "e-place")
    assert given is not None
    assert (given.dose, given.ingredients, given.site) == (dose(1, "{vial}"), (), "left-forearm")
    assert told_of(ward, "e-place") == [("A", "given", Decimal(1), "ID")]
    assert [one.outcome for one in ward.store.picture.all(Administration)] == ["given"]
    ward.clock.move(minutes=19)
    tick(ward)
    assert "skin-test-due" not in sounding(ward)
    ward.clock.move(minutes=1)
    tick(ward)
    assert sounding(ward)["skin-test-due"] is AlarmPriority.LOW
    assert read(ward, "negative").status == "accepted"
    tick(ward)
    assert "skin-test-due" not in sounding(ward)
    found = next(iter(ward.store.picture.all(SkinTest)))
    assert (found.result, found.lot, found.readers) == ("negative", "L77", ("N20713", "N20488"))
    assert ward.task_of("O-skin-test").status is TaskStatus.COMPLETED
    assert not list(ward.store.picture.all(RunningSkinTest))


@pytest.mark.requirement("R-CARE-03")
@pytest.mark.hazard("H-CARE-03")
def test_a_test_nobody_reads_gets_louder(ward: WardBench, placed: RunningSkinTest) -> None:
    ward.clock.move(minutes=31)
    tick(ward)
    assert sounding(ward)["skin-test-late"] is AlarmPriority.MEDIUM


@pytest.mark.requirement("R-CARE-03")
@pytest.mark.hazard("H-CARE-03")
@pytest.mark.parametrize(
    ("minutes", "other", "code"), [(10, None, "SKT-EARLY"), (20, "doubtful", "SKT-DISAGREE")]
)
def test_a_negative_reading_with_something_against_it_decides_nothing(
    ward: WardBench, placed: RunningSkinTest, minutes: int, other: str | None, code: str
) -> None:
    ward.clock.move(minutes=minutes)
    told = read(ward, "negative", other)
    assert (told.status, told.code) == ("accepted-exception", code)
    assert not list(ward.store.picture.all(SkinTest))
    assert ward.store.picture.get(RunningSkinTest, "SKT-1") == placed


@pytest.mark.requirement("R-CARE-03")
@pytest.mark.hazard("H-CARE-03")
@pytest.mark.parametrize(("one", "other"), [("positive", "positive"), ("negative", "positive")])
def test_a_positive_reading_by_either_becomes_an_allergy_and_stops_every_order_of_the_drug(
    ward: WardBench, placed: RunningSkinTest, one: str, other: str
) -> None:
    ward.clock.move(minutes=20)
    read(ward, one, other)
    allergy = next(found for found in ward.store.picture.all(Allergy) if found.substance == "ceftriaxone")
    assert allergy.severity == "severe"
    stopped = ward.store.picture.get(Order, "O-medication")
    assert stopped is not None
    assert stopped.status == "stopped"
    assert {task.status for task in ward.store.picture.all(Task) if task.order_id == stopped.id} == {
        TaskStatus.STOPPED
    }
    assert sounding(ward)["skin-test-positive"] is AlarmPriority.MEDIUM


@pytest.mark.requirement("R-CARE-03")
@pytest.mark.hazard("H-CARE-03")
def test_a_doubtful_reading_waits_for_its_control(ward: WardBench, placed: RunningSkinTest) -> None:
    ward.clock.move(minutes=20)
    assert read(ward, "doubtful").status == "accepted"
    assert ward.store.picture.get(RunningSkinTest, "SKT-1") == placed


@pytest.mark.requirement("R-CARE-03")
@pytest.mark.hazard("H-CARE-03")
def test_a_test_that_is_placed_twice_under_one_number_is_told(
    ward: WardBench, placed: RunningSkinTest
) -> None:
    task = ward.task_of("O-skin-test")
    again = care(ward, "e-twice", Action.SKINTEST_START, "SKT-1", task_id=task.id, order_id=task.order_id)
    assert send(ward, again).status == "duplicate"
    assert ward.store.picture.get(RunningSkinTest, "SKT-1") == placed


# ---- time and people


@pytest.mark.requirement("R-CARE-04")
@pytest.mark.hazard("H-CARE-04")
def test_the_server_s_own_second_hand_runs_the_list(ward: WardBench, placed: RunningSkinTest) -> None:
    from server.infusions.flow import FlowWatch

    ticker = Ticker(ward.store, ward.site, FlowWatch(ward.site.policy), (), timedelta(hours=1))
    ward.clock.move(minutes=21)
    ward.store.write(ticker.step)
    assert "skin-test-due" in sounding(ward)


@pytest.mark.requirement("R-CARE-04")
@pytest.mark.hazard("H-CARE-04")
def test_what_ended_stays_ended_when_its_alarm_is_acknowledged(
    ward: WardBench, placed: RunningSkinTest
) -> None:
    ward.clock.move(minutes=20)
    tick(ward)
    tick(ward)
    assert len([alarm for alarm in ward.store.picture.all(Alarm) if alarm.present]) == 1
    read(ward, "negative")
    tick(ward)
    tick(ward)
    assert not [alarm for alarm in ward.store.picture.all(Alarm) if alarm.present]


@pytest.mark.requirement("R-CARE-04")
@pytest.mark.hazard("H-CARE-04")
def test_a_running_transfusion_reaches_the_other_handhelds_of_the_ward(
    ward: WardBench, blood: BloodUnit
) -> None:
    running(ward)
    facts = ward.store.picture.facts("W1")
    assert [one.state for one in facts.blood_units] == ["running"]
    assert [one.kind for one in facts.transfusion_entries] == ["baseline"]
    assert ward.store.picture.get(Infusion, "I1") is not None
