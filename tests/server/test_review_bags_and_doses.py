"""Bags without their sensor, drops nobody asked for, doses counted twice or never: each sounds, and once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from clinical.bedside_check.model import Action
from clinical.exchange import DeviceAssociated
from clinical.identifiers import hospital
from clinical.records import Alarm, AlarmPriority, Association, Dose, Task
from server.his.port import ChangeOrder, HoldOrder, PlaceOrder, ReleaseOrder
from server.infusions.flow import FlowWatch
from server.ticker import Ticker
from tests.server.test_administration_corrections import correct, kept
from tests.server.test_infusions import DRIP, change, open_alarms, send
from tests.server.test_late_orders import missed, slots
from tests.server.test_leaving import hang_drip, released, send_home, tell
from tests.server.test_resuscitation import lasts
from tests.server.test_resuscitation import tell as call
from tests.server.test_unexpected_flow import Drip, bind

TABLET = "]d2010690123450006617281231"
ONE = Dose(value=Decimal(1), unit="{tablet}")


def watched(ward: Any) -> None:
    """Let the server look at its bags once."""
    ward.clock.move(seconds=1)
    ward.store.write(FlowWatch(ward.site.policy).tick)


def lost(ward: Any) -> list[tuple[str, str, AlarmPriority]]:
    """Bags that sound because nobody counts their drops."""
    watched(ward)
    return [
        (one.infusion_id, str(one.params["label"]), one.priority)
        for one in ward.store.picture.all(Alarm)
        if one.condition == "device-lost" and one.present
    ]


@pytest.fixture
def dripping(ward: Any) -> Any:
    return hang_drip(ward)


def next_bag(ward: Any, action: Action = Action.START, **said: Any) -> None:
    """Hang another bag of the patient, with the sensor of the first one scanned."""
    order = ward.order_bag("1001", "B2")
    bag = ward.bag(ward.task_of(order).id)
    label = hospital.encode("bag", bag.id)
    request = ward.request("r2", action, items=(label,), device_id=DRIP)
    outcome = send(ward, ward.started("s2", ward.task_of(order), request, bag_id=bag.id, **said))
    assert outcome.status in {"accepted", "accepted-exception"}


@pytest.mark.requirement("R-SRV-08")
@pytest.mark.hazard("H-SRV-06")
def test_a_bag_whose_sensor_went_to_the_next_bag_sounds_until_it_is_down(dripping: Any) -> None:
    assert lost(dripping) == []
    next_bag(dripping)
    assert lost(dripping) == [("I-s1", DRIP, AlarmPriority.MEDIUM)]
    assert lost(dripping) == [("I-s1", DRIP, AlarmPriority.MEDIUM)]
    assert sum(one.condition == "device-lost" for one in dripping.store.picture.all(Alarm)) == 1
    change(dripping, "c1", "complete", residual_ml=Decimal(0))
    assert lost(dripping) == []


@pytest.mark.requirement("R-SRV-08")
@pytest.mark.hazard("H-SRV-06")
def test_a_bag_whose_sensor_was_taken_off_sounds_until_one_watches_it_again(dripping: Any) -> None:
    (sensor,) = (one for one in dripping.store.picture.all(Association) if one.infusion_id == "I-s1")
    assert released(dripping, "d1", sensor.id) == "accepted"
    assert lost(dripping) == [("I-s1", DRIP, AlarmPriority.MEDIUM)]
    alarm = open_alarms(dripping)["device-lost"]
    assert (alarm.encounter_id, alarm.bed, alarm.kind) == ("E-V1001", "01", "technical")
    said = {"at": dripping.clock(), "sent": dripping.clock(), "operator": "N20713", "handheld": "pda-1"}
    back = DeviceAssociated(
        id="d2", association_id="A2", device_id=DRIP, encounter_id="E-V1001", infusion_id="I-s1", **said
    )
    assert send(dripping, back).status == "accepted"
    assert lost(dripping) == []


@pytest.mark.requirement("R-SRV-08")
def test_a_bag_that_never_had_a_sensor_and_one_that_was_changed_miss_none(dripping: Any) -> None:
    next_bag(dripping, device_id="")
    assert lost(dripping) == []
    change(dripping, "c1", "complete", residual_ml=Decimal(0))
    assert lost(dripping) == []


class LostError(Exception):
    """A commit that fails after everything was done."""


@pytest.mark.requirement("R-INF-07")
@pytest.mark.hazard("H-INF-01")
def test_drops_nobody_asked_for_sound_though_the_commit_that_told_them_failed(
    ward: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.admit("1001", "01")
    drip = Drip(ward)
    bind(ward)
    drip.runs(60, 60)
    whole = drip.writer.write

    def loses(unit: Any, batch: Any) -> None:
        whole(unit, batch)
        if any(one.condition == "flow-unexpected" for one in unit.all(Alarm)):
            raise LostError

    monkeypatch.setattr(drip.writer, "write", loses)
    with pytest.raises(LostError):
        drip.runs(120, 60)
    assert drip.alarm is None
    monkeypatch.setattr(drip.writer, "write", whole)
    drip.runs(20, 60)
    assert drip.alarm is not None
    drip.runs(180, 0)
    assert drip.alarm is None


@pytest.mark.requirement("R-INF-07")
@pytest.mark.hazard("H-INF-01")
def test_drops_that_go_on_after_the_stay_has_ended_sound_again(ward: Any) -> None:
    ward.admit("1001", "01")
    drip = Drip(ward)
    bind(ward)
    drip.runs(180, 60)
    assert drip.alarm is not None
    send_home(ward)
    ward.off()
    assert drip.alarm is None
    drip.runs(20, 60)
    assert drip.alarm is not None
    drip.runs(180, 0)
    assert drip.alarm is None


@pytest.fixture
def twice(ward: Any) -> Any:
    """One task that a nurse recorded as not given, and another as given."""
    ward.admit("1001", "01")
    task = ward.task_of(ward.order("1001", "M1"))
    request = ward.request("r1", items=(TABLET,))
    assert send(ward, ward.given("e1", task, request, outcome="not-given")).status == "accepted"
    other = ward.request("r2", items=(TABLET,), person="N20488")
    assert send(ward, ward.given("e2", task, other, dose=ONE), "N20488").status == "accepted"
    assert open_alarms(ward) == {}
    ward.clock.move(minutes=5)
    return ward


@pytest.mark.requirement("R-GIVE-05")
@pytest.mark.hazard("H-GIVE-04")
def test_a_correction_that_makes_a_double_dose_is_flagged_and_sounds(twice: Any) -> None:
    assert correct(twice, "x1", "given").status == "accepted"
    assert (kept(twice, "e1").flagged, kept(twice, "e2").flagged) == ("duplicate", "")
    alarm = open_alarms(twice)["possible-double-dose"]
    assert (alarm.priority, alarm.bed, alarm.patient_id) == (AlarmPriority.HIGH, "01", "P-1001")
    assert correct(twice, "x2", "partial", dose=replace(ONE, value=Decimal("0.5"))).status == "accepted"
    sounded = [one for one in twice.store.picture.all(Alarm) if one.condition == "possible-double-dose"]
    assert len(sounded) == 1


@pytest.mark.requirement("R-GIVE-05")
@pytest.mark.hazard("H-GIVE-04")
def test_a_correction_to_given_of_the_only_dose_of_its_task_is_no_double_dose(twice: Any) -> None:
    assert correct(twice, "x1", "not-given", "N20488", administration_id="e2").status == "accepted"
    assert correct(twice, "x2", "given").status == "accepted"
    assert kept(twice, "e1").flagged == ""
    assert open_alarms(twice) == {}


@pytest.mark.requirement("R-GIVE-05")
@pytest.mark.hazard("H-GIVE-04")
def test_records_without_a_task_are_not_doses_of_one_task(ward: Any) -> None:
    ward.admit("1001", "01")
    task = ward.task_of(ward.order("1001", "M1"))
    for number, outcome in ((1, "not-given"), (2, "given")):
        request = ward.request(f"r{number}", items=(TABLET,))
        send(ward, ward.given(f"e{number}", task, request, outcome=outcome, task_id="", order_id=""))
    correct(ward, "x1", "given", dose=ONE)
    assert kept(ward, "e1").flagged != "duplicate"
    assert "possible-double-dose" not in open_alarms(ward)


def changed(ward: Any, **said: Any) -> None:
    order = PlaceOrder(mrn="1001", placer_id="M1", items=(), at=ward.clock(), **said)
    tell(ward, ChangeOrder(order=order))


def ticker(ward: Any) -> Ticker:
    return Ticker(ward.store, ward.site, FlowWatch(ward.site.policy), (), timedelta(hours=48))


def missed_slots(ward: Any) -> set[str]:
    alarms = [one for one in ward.store.picture.all(Alarm) if one.condition == "dose-missed"]
    return {str(one.params["subject"]) for one in alarms}


@pytest.mark.requirement("R-INF-09")
@pytest.mark.hazard("H-INF-04")
def test_an_order_given_more_often_invents_no_dose_in_the_past(ward: Any) -> None:
    ward.admit("1001", "01")
    order = ward.order("1001", "M1", frequency="q8h")
    ward.clock.move(hours=7)
    task = min(ward.store.picture.all(Task), key=lambda one: one.planned_at)
    assert send(ward, ward.given("e1", task, ward.request("r1", items=(TABLET,)), dose=ONE)).code == ""
    ward.clock.move(hours=4)  # noon: six slots of the new frequency lie behind
    changed(ward, frequency="q2h")
    assert not {status for _, status in slots(ward, order)} & {"missed", "overdue"}
    assert missed(ward) == 0


@pytest.mark.requirement("R-INF-09")
@pytest.mark.hazard("H-INF-04")
@pytest.mark.parametrize("looked", [False, True])
def test_a_dose_that_was_overdue_when_its_order_changed_is_missed_and_sounds_once(
    ward: Any, looked: bool
) -> None:
    ward.admit("1001", "01")
    order = ward.order("1001", "M1", frequency="q8h")
    ward.clock.move(hours=9)
    beats = ticker(ward)
    if looked:
        ward.store.write(beats.step)
        assert [status for _, status in slots(ward, order)] == ["overdue"]
    (due,) = (one.id for one in ward.store.picture.all(Task) if one.planned_at < ward.clock())
    changed(ward, frequency="q2h")
    assert missed_slots(ward) == {due}
    ward.clock.move(minutes=1)
    ward.store.write(beats.step)
    assert (missed_slots(ward), missed(ward)) == ({due}, 1)


@pytest.mark.requirement("R-INF-09")
@pytest.mark.hazard("H-INF-04")
def test_doses_of_an_order_on_hold_are_not_told_as_missed_and_those_after_it_are(ward: Any) -> None:
    ward.admit("1001", "01")
    order = ward.order("1001", "M1", frequency="q4h")
    beats = ticker(ward)
    tell(ward, HoldOrder(mrn="1001", placer_id="M1", at=ward.clock()))
    for _ in range(13):
        ward.clock.move(hours=1)
        ward.store.write(beats.step)
    assert "missed" in {status for _, status in slots(ward, order)}
    assert missed(ward) == 0
    tell(ward, ReleaseOrder(mrn="1001", placer_id="M1", at=ward.clock()))
    ward.store.write(beats.step)
    assert missed(ward) == 0
    for _ in range(9):
        ward.clock.move(hours=1)
        ward.store.write(beats.step)
    assert missed(ward) > 0


@pytest.mark.requirement("R-ORD-05")
@pytest.mark.hazard("H-ORD-03")
@pytest.mark.parametrize("late", [-1, 0, 1])
def test_a_call_told_late_does_not_open_a_resuscitation_that_was_ended_by_hand(ward: Any, late: int) -> None:
    ward.admit("1001", "01")
    first = ward.clock.move(minutes=5)
    assert call(ward, "begin").status == "accepted"
    ward.clock.move(minutes=5)
    assert call(ward, "end").status == "accepted"
    ward.clock.move(minutes=2)
    told = first + timedelta(minutes=late)
    assert call(ward, "begin", id="late", at=told, person="N20488").status == "accepted"
    assert not lasts(ward)
    assert call(ward, "begin").status == "accepted"  # another one, called now
    assert lasts(ward)
