"""What happens because time passes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from clinical.bedside_check.model import Action
from clinical.errors import UnavailableError
from clinical.exchange import AlarmAcknowledged, InfusionChanged
from clinical.records import (
    Alarm,
    AlarmPriority,
    Association,
    Encounter,
    Flow,
    Order,
    Patient,
    Task,
    TaskStatus,
    Validity,
    Wristband,
)
from server.alarms import service as alarms
from server.his.port import AdmitPatient, Demographics, DischargePatient, Place
from server.infusions.flow import FlowWatch
from server.storage import schema
from server.sync.events import apply
from server.tasks import service as tasks
from server.ticker import Ticker, tidy


@pytest.fixture
def ticker(ward: Any) -> Ticker:
    return Ticker(ward.store, ward.site, FlowWatch(ward.site.policy), (), timedelta(hours=1))


@pytest.mark.requirement("R-SRV-05")
@pytest.mark.hazard("H-SRV-04")
def test_a_task_falls_due_is_overdue_and_missed_which_alarms(ward: Any, ticker: Ticker) -> None:
    ward.admit("1001", "01")
    ward.order("1001", "M1", frequency="q8h", start=ward.clock())
    task = min(ward.store.picture.all(Task), key=lambda one: one.planned_at)
    seen = []
    for at in (task.earliest - timedelta(minutes=2), task.planned_at, task.latest + timedelta(minutes=2)):
        ward.clock.now = at
        ward.store.write(ticker.step)
        seen.append(ward.store.picture.get(Task, task.id).status)
    assert seen == [TaskStatus.PENDING, TaskStatus.DUE, TaskStatus.OVERDUE]
    ward.clock.now = task.planned_at + timedelta(hours=8)
    ward.store.write(ticker.step)
    assert ward.store.picture.get(Task, task.id).status is TaskStatus.MISSED
    assert [alarm.condition for alarm in ward.store.picture.all(Alarm)] == ["dose-missed"]


def test_the_plan_goes_on_as_the_days_do(ward: Any, ticker: Ticker) -> None:
    ward.admit("1001", "01")
    ward.order("1001", "M1", frequency="q8h")
    for _ in range(3):
        ward.clock.move(hours=12)
        ward.store.write(ticker.step)
    newest = max(task.planned_at for task in ward.store.picture.all(Task))
    assert newest > ward.clock() + timedelta(hours=12)


def ring(ward: Any, **said: Any) -> Alarm:
    seen = alarms.Condition(
        condition="no-flow",
        priority=AlarmPriority.HIGH,
        kind="physiological",
        at=ward.clock(),
        encounter_id="E-V1001",
        device_id="d",
        **said,
    )
    return ward.store.write(lambda unit: alarms.begin(unit, seen))


@pytest.mark.requirement("R-SRV-10")
@pytest.mark.hazard("H-SRV-06")
def test_an_alarm_nobody_answers_is_escalated_once_per_step(ward: Any, ticker: Ticker) -> None:
    ward.admit("1001", "01")
    ring(ward)
    for _ in range(130):
        ward.clock.move(seconds=1)
        ward.store.write(ticker.step)
    alarm = next(ward.store.picture.all(Alarm))
    assert alarm.params["escalated"] == "next-nurse,charge-nurse,doctor"
    with ward.store.reading() as connection:
        table = schema.audit
        lines = connection.scalar(select(func.count()).where(table.c.action == "alarm-escalate"))
    assert lines == 3


def test_an_acknowledged_alarm_is_silent_visible_and_speaks_again_when_nothing_happens(
    ward: Any, ticker: Ticker
) -> None:
    ward.admit("1001", "01")
    alarm = ring(ward)
    event = AlarmAcknowledged(
        id="k1", at=ward.clock(), sent=ward.clock(), operator="N20713", handheld="pda-1", alarm_id=alarm.id
    )
    assert ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), event)).status == "accepted"
    assert ward.store.picture.get(Alarm, alarm.id).signal == "acknowledged"
    ward.clock.move(seconds=121)
    ward.store.write(ticker.step)
    assert ward.store.picture.get(Alarm, alarm.id).signal == "on"
    lost = AlarmAcknowledged(
        id="k2", at=ward.clock(), sent=ward.clock(), operator="N20713", handheld="pda-1", alarm_id="none"
    )
    assert ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), lost)).code == "unknown-alarm"


def test_a_gap_that_stays_open_alarms_and_ends_when_it_is_closed(ward: Any) -> None:
    open_gaps = {("bed-01", "o1")}
    ticker = Ticker(
        ward.store,
        ward.site,
        FlowWatch(ward.site.policy),
        (),
        timedelta(hours=1),
        lambda: frozenset(open_gaps),
    )
    ward.store.write(ticker.step)
    assert [(one.condition, one.present) for one in ward.store.picture.all(Alarm)] == [("data-gap", True)]
    open_gaps.clear()
    ward.store.write(ticker.step)
    assert [one.present for one in ward.store.picture.all(Alarm)] == [False]


def take_down(ward: Any) -> None:
    said = {"sent": ward.clock(), "operator": "N20713", "handheld": "pda-1", "infusion_id": "I-s1"}
    event = InfusionChanged(id="down", at=ward.clock(), action="complete", residual_ml=Decimal(0), **said)
    ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), event))


def test_what_is_long_over_leaves_the_picture_but_not_the_store(ward: Any) -> None:
    ward.admit("1001", "01")
    task = ward.task_of(ward.order_bag("1001", "B1"))
    event = ward.started("s1", task, ward.request("r1", Action.START))
    ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), event))
    ward.hospital.apply(DischargePatient(mrn="1001", visit_number="V1001", at=ward.clock()))
    take_down(ward)
    ward.off()
    ward.clock.move(hours=60)
    ward.store.write(lambda unit: tidy(unit, timedelta(hours=1)))
    assert list(ward.store.picture.all(Encounter)) == []
    with ward.store.reading() as connection:
        kept = connection.scalar(select(func.count()).where(schema.facts.c.kind == "administrations"))
    assert kept == 2


@pytest.mark.requirement("R-SRV-21")
@pytest.mark.hazard("H-SRV-01")
def test_a_patient_who_came_back_keeps_everything_when_the_first_stay_is_tidied_away(ward: Any) -> None:
    ward.admit("1001", "01")
    ward.order("1001", "OLD", frequency="q8h")
    ward.hospital.apply(DischargePatient(mrn="1001", visit_number="V1001", at=ward.clock()))
    ward.off()
    ward.clock.move(hours=20)
    again = AdmitPatient(
        mrn="1001", visit_number="V2", place=Place(ward="W1", bed="02"), who=Demographics(), at=ward.clock()
    )
    assert ward.hospital.apply(again).ok
    ward.order("1001", "NEW", frequency="q8h")
    ward.clock.move(hours=5)
    ward.store.write(lambda unit: tidy(unit, timedelta(hours=1)))
    picture = ward.store.picture
    assert [one.id for one in picture.all(Encounter)] == ["E-V2"]
    assert picture.get(Patient, "P-1001") is not None
    assert [one.id for one in picture.all(Order)] == ["O-NEW"]
    assert {task.order_id for task in picture.all(Task)} == {"O-NEW"}
    assert [one.encounter_id for one in picture.all(Association)] == ["E-V2"]
    assert [band.active for band in picture.all(Wristband)] == [True]


@pytest.mark.requirement("R-SRV-21")
def test_nothing_of_a_patient_stays_in_the_picture_a_day_after_they_left(ward: Any) -> None:
    before = {kind: set(entries) for kind, entries in ward.store.picture.kinds.items() if entries}
    ward.admit("1001", "01")
    task = ward.task_of(ward.order_bag("1001", "B1"))
    ward.bag(task.id)
    event = ward.started("s1", task, ward.request("r1", Action.START))
    ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), event))
    ward.store.write(lambda unit: unit.put(Flow(id="I-s1", effective=ward.clock(), validity=Validity.VALID)))
    ward.hospital.apply(DischargePatient(mrn="1001", visit_number="V1001", at=ward.clock()))
    take_down(ward)
    ward.off()
    ward.clock.move(hours=25)
    ward.store.write(lambda unit: tidy(unit, timedelta(hours=1)))
    after = {kind: set(entries) for kind, entries in ward.store.picture.kinds.items() if entries}
    assert after == before


def escalated(ward: Any) -> Any:
    return next(ward.store.picture.all(Alarm)).params.get("escalated", "")


def audited(ward: Any) -> list[str]:
    with ward.store.reading() as connection:
        table = schema.audit
        found = select(table.c.detail).where(table.c.action == "alarm-escalate").order_by(table.c.n)
        return [str(line).split()[0] for line in connection.scalars(found)]  # the word of the step


@pytest.mark.requirement("R-SRV-75")
@pytest.mark.hazard("H-SRV-06")
def test_an_alarm_that_a_server_finds_at_its_start_is_escalated_at_once(ward: Any) -> None:
    ward.admit("1001", "01")
    ring(ward)
    ward.clock.move(minutes=10)
    fresh = Ticker(ward.store, ward.site, FlowWatch(ward.site.policy), (), timedelta(hours=1))
    for _ in range(2):
        ward.clock.move(seconds=1)
        ward.store.write(fresh.step)
    assert audited(ward) == ["next-nurse", "charge-nurse", "doctor"]


@pytest.mark.requirement("R-SRV-75")
@pytest.mark.hazard("H-SRV-06")
def test_an_alarm_that_a_node_could_not_deliver_is_escalated_when_it_arrives(
    ward: Any, ticker: Ticker
) -> None:
    ward.admit("1001", "01")
    ward.store.write(ticker.step)
    began = ward.clock()
    ward.clock.move(minutes=7)
    seen = alarms.Condition(
        condition="no-flow", priority=AlarmPriority.HIGH, at=began, encounter_id="E-V1001", device_id="d"
    )
    ward.store.write(lambda unit: alarms.begin(unit, seen))
    ward.store.write(ticker.step)
    assert audited(ward) == ["next-nurse", "charge-nurse", "doctor"]


@pytest.mark.requirement("R-SRV-75")
@pytest.mark.hazard("H-SRV-06")
def test_an_alarm_that_gets_worse_after_half_an_hour_reaches_who_was_not_told_yet(
    ward: Any, ticker: Ticker
) -> None:
    ward.admit("1001", "01")
    seen = alarms.Condition(
        condition="no-flow", priority=AlarmPriority.MEDIUM, at=ward.clock(), encounter_id="E-V1001"
    )
    ward.store.write(lambda unit: alarms.begin(unit, seen))
    for _ in range(30):
        ward.clock.move(minutes=1)
        ward.store.write(ticker.step)
    assert audited(ward) == ["next-nurse"]
    worse = replace(seen, priority=AlarmPriority.HIGH, at=ward.clock())
    ward.store.write(lambda unit: alarms.begin(unit, worse))
    ward.store.write(ticker.step)
    assert audited(ward) == ["next-nurse", "charge-nurse", "doctor"]


@pytest.mark.requirement("R-SRV-75")
@pytest.mark.hazard("H-SRV-06")
def test_a_commit_that_fails_loses_no_step(ward: Any, ticker: Ticker) -> None:
    ward.admit("1001", "01")
    ring(ward)
    ward.clock.move(seconds=60)

    def fails(unit: Any) -> None:
        ticker.step(unit)
        raise UnavailableError("storage", "the disk is full")

    with pytest.raises(UnavailableError):
        ward.store.write(fails)
    assert escalated(ward) == ""
    ward.clock.move(seconds=1)
    ward.store.write(ticker.step)
    assert (escalated(ward), audited(ward)) == ("next-nurse", ["next-nurse"])


@pytest.mark.requirement("R-SRV-76")
@pytest.mark.hazard("H-SRV-07")
def test_a_rule_that_cannot_read_one_record_leaves_escalation_and_the_screens_alive(
    ward: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_unit: Any) -> None:
        raise ValueError

    seconds: list[int] = []
    monkeypatch.setattr(tasks, "advance", broken)
    ticker = Ticker(
        ward.store, ward.site, FlowWatch(ward.site.policy), (lambda: seconds.append(1),), timedelta(hours=1)
    )
    ward.admit("1001", "01")
    ring(ward)
    for _ in range(3):
        ward.clock.move(seconds=60)
        asyncio.run(ticker.tick())
    told = {one.condition: one.params.get("escalated", "") for one in ward.store.picture.all(Alarm)}
    assert told == {"no-flow": "next-nurse,charge-nurse,doctor", "timed-rule-failed": ""}
    assert (ticker.state()["failing_rules"], len(seconds)) == (["tasks"], 3)
