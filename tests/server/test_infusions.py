"""A bag from its start to its end: association, targets, measured flow, alarms, completion."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from clinical import worklist
from clinical.bedside_check.model import Action
from clinical.exchange import DeviceAssociated, InfusionChanged, InfusionStarted, Outcome, PatrolRecorded
from clinical.identifiers import hospital
from clinical.records import (
    Administration,
    Alarm,
    Association,
    Bag,
    Flow,
    Infusion,
    InfusionState,
    Order,
    Task,
    TaskStatus,
    Validity,
)
from server.administrations.outbound import tell_pending
from server.his.port import AdministrationFact
from server.infusions.flow import FlowWatch, Measured
from server.infusions.targets import targets_of
from server.storage import schema
from server.sync.events import apply

DRIP = "ble:c0-00-00-00-01-01"


def send(ward: Any, event: Any, person: str = "N20713") -> Outcome:
    session = ward.session(person)
    return ward.store.write(lambda unit: apply(unit, ward.site, session, event))


def change(ward: Any, event_id: str, action: str, **said: Any) -> Outcome:
    fields: dict[str, Any] = {
        "id": event_id,
        "at": ward.clock(),
        "sent": ward.clock(),
        "operator": "N20713",
        "handheld": "pda-1",
        "infusion_id": "I-s1",
        "action": action,
    }
    return send(ward, InfusionChanged(**(fields | said)))


def start(ward: Any, **said: Any) -> Outcome:
    task = ward.task_of("O-B1")
    bag = ward.bag(task.id)
    label = hospital.encode("bag", bag.id)
    request = ward.request("r1", Action.START, items=(label,), device_id=DRIP)
    event: InfusionStarted = ward.started("s1", task, request, bag_id=bag.id, **said)
    return send(ward, event)


@pytest.fixture
def bagged(any_ward: Any) -> Any:
    any_ward.admit("1001", "01")
    any_ward.admit("1002", "02", "李秀兰")
    any_ward.order_bag("1001", "B1")
    return any_ward


def open_alarms(ward: Any) -> dict[str, Alarm]:
    return {alarm.condition: alarm for alarm in ward.store.picture.all(Alarm) if alarm.signal != "off"}


def test_a_started_bag_runs_takes_its_sensor_and_becomes_a_target_of_the_ward(bagged: Any) -> None:
    assert start(bagged).status == "accepted"
    infusion = bagged.infusion("I-s1")
    assert infusion.state is InfusionState.RUNNING
    associations = [one for one in bagged.store.picture.all(Association) if one.infusion_id == "I-s1"]
    assert [(one.device_id, one.encounter_id, one.end) for one in associations] == [(DRIP, "E-V1001", None)]
    targets = targets_of(bagged.store.picture, "W1")
    assert [(one.infusion, one.device, one.state, one.rate_ml_h) for one in targets] == [
        ("I-s1", DRIP, "running", Decimal(60))
    ]
    assert bagged.task_of("O-B1").status is TaskStatus.RUNNING
    assert next(bag.state for bag in bagged.store.picture.all(Bag)) == "running"


def test_pause_resume_and_a_new_rate_reach_the_target(bagged: Any) -> None:
    start(bagged)
    bagged.clock.move(minutes=1)
    assert change(bagged, "c1", "pause").status == "accepted"
    assert targets_of(bagged.store.picture, "W1")[0].state == "paused"
    bagged.clock.move(minutes=2)
    change(bagged, "c2", "resume")
    change(bagged, "c3", "rate", rate_ml_h=Decimal(80))
    infusion = bagged.infusion("I-s1")
    assert (infusion.state, infusion.paused_s, infusion.rate_ml_h) == (
        InfusionState.RUNNING,
        120,
        Decimal(80),
    )
    assert targets_of(bagged.store.picture, "W1")[0].rate_ml_h == Decimal(80)


@pytest.mark.requirement("R-SRV-09")
@pytest.mark.hazard("H-SRV-01")
def test_a_completed_bag_frees_its_sensor_and_the_hospital_is_told_once_even_after_a_crash(
    bagged: Any,
) -> None:
    start(bagged)
    bagged.clock.move(minutes=100)
    assert change(bagged, "c1", "complete", residual_ml=Decimal(0)).status == "accepted"
    assert bagged.infusion("I-s1").state is InfusionState.COMPLETED
    assert targets_of(bagged.store.picture, "W1") == []
    assert all(one.end is not None for one in bagged.store.picture.all(Association) if one.infusion_id)
    told: list[AdministrationFact] = []

    class Sink:
        def administered(self, fact: AdministrationFact) -> None:
            told.append(fact)

    # A crash between commit and telling leaves the line untold: telling starts from what is stored.
    assert tell_pending(bagged.store, Sink()) == 1
    assert tell_pending(bagged.store, Sink()) == 0
    fact = told[0]
    assert (fact.event_id, fact.outcome, fact.mrn, fact.demo) == ("c1", "completed", "1001", True)
    assert fact.end is not None
    assert (fact.end - fact.start).total_seconds() == 6000


def told_of(ward: Any) -> AdministrationFact:
    told: list[AdministrationFact] = []

    class Sink:
        def administered(self, fact: AdministrationFact) -> None:
            told.append(fact)

    tell_pending(ward.store, Sink())
    return told[-1]


@pytest.mark.requirement("R-SRV-09")
def test_of_a_mixture_stopped_early_the_hospital_hears_no_amount_that_nobody_knows(bagged: Any) -> None:
    start(bagged)
    order = next(one for one in bagged.store.picture.all(Order) if one.id == "O-B1")
    mixed = replace(order, items=(*order.items, replace(order.items[0], role="additive")))
    bagged.store.write(lambda unit: unit.put(mixed))
    change(bagged, "c1", "stop-early", residual_ml=Decimal(70), reason="site")
    assert [item.amount for item in told_of(bagged).items] == [None, None]


@pytest.mark.requirement("R-SRV-09")
def test_a_bag_taken_over_half_empty_is_not_booked_as_the_whole_ordered_bag(bagged: Any) -> None:
    start(bagged, volume_ml=Decimal("2.4"))
    change(bagged, "c1", "complete", residual_ml=Decimal(0))
    given = bagged.store.picture.get(Administration, "c1")
    assert (given.dose.value, given.ingredients) == (Decimal("2.4"), ())


def test_an_action_that_cannot_follow_on_the_state_is_kept_and_flagged(bagged: Any) -> None:
    start(bagged)
    assert change(bagged, "c1", "resume").code == "INF-TRANSITION"
    change(bagged, "c2", "complete")
    assert change(bagged, "c3", "pause").code == "INF-TRANSITION"
    assert change(bagged, "c4", "pause", infusion_id="none").code == "unknown-infusion"


def test_a_second_bag_on_a_running_task_is_stored_as_a_duplicate_and_alarmed(bagged: Any) -> None:
    start(bagged)
    task = bagged.task_of("O-B1")
    request = bagged.request("r2", Action.START)
    outcome = send(bagged, bagged.started("s2", task, request, device_id=""))
    assert (outcome.status, outcome.code) == ("duplicate", "TIME-DUP")
    assert bagged.infusion("I-s2").state is InfusionState.RUNNING
    assert "possible-double-dose" in open_alarms(bagged)


@pytest.mark.requirement("R-SRV-08")
@pytest.mark.hazard("H-SRV-02")
def test_a_sensor_that_watches_another_patients_bag_is_never_taken_away_in_silence(bagged: Any) -> None:
    start(bagged)
    bagged.order_bag("1002", "B2")
    task = bagged.task_of("O-B2")
    request = bagged.request("r2", Action.START, mrn="1002", device_id=DRIP)
    outcome = send(bagged, bagged.started("s2", task, request))
    assert outcome.status == "accepted-exception"
    assert bagged.infusion("I-s2").device_id == ""
    open_ones = [
        one for one in bagged.store.picture.all(Association) if one.device_id == DRIP and one.end is None
    ]
    assert [one.encounter_id for one in open_ones] == ["E-V1001"]
    busy = DeviceAssociated(
        id="a1",
        at=bagged.clock(),
        sent=bagged.clock(),
        operator="N20713",
        handheld="pda-1",
        association_id="A1",
        device_id=DRIP,
        encounter_id="E-V1002",
    )
    assert (send(bagged, busy).status, send(bagged, replace(busy, id="a2")).code) == (
        "refused",
        "device-busy",
    )


def drip(ward: Any, watch: FlowWatch, *, drops: int, gtt_min: float) -> None:
    reading = Measured(effective=ward.clock(), drops=drops, gtt_min=gtt_min, rate_ml_h=gtt_min * 3)
    ward.store.write(lambda unit: watch.measured(unit, "I-s1", reading))


@pytest.mark.requirement("R-SRV-10")
@pytest.mark.hazard("H-SRV-06")
def test_a_drip_twice_as_fast_as_ordered_raises_one_alarm_and_slowing_down_ends_it(bagged: Any) -> None:
    start(bagged)
    watch = FlowWatch(bagged.site.policy)
    total = 0
    for _ in range(300):  # ordered 20 gtt/min; the clamp lets 34 through
        bagged.clock.move(seconds=1)
        total = int((bagged.clock() - bagged.infusion("I-s1").started_at).total_seconds() * 34 / 60)
        drip(bagged, watch, drops=total, gtt_min=34.0)
    alarm = open_alarms(bagged)["rate-deviation"]
    assert (alarm.priority.value, alarm.infusion_id, alarm.bed) == ("Me", "I-s1", "01")
    assert sum(one.condition == "rate-deviation" for one in bagged.store.picture.all(Alarm)) == 1
    flow = bagged.store.picture.get(Flow, "I-s1")
    assert (flow.state, flow.gtt_min) == ("fast", 34.0)


@pytest.mark.requirement("R-SRV-10")
@pytest.mark.hazard("H-SRV-06")
def test_a_rate_that_wavers_at_the_limit_is_one_alarm_and_not_many(bagged: Any) -> None:
    start(bagged)
    watch = FlowWatch(bagged.site.policy)
    total, per_min = 0.0, 34
    for second in range(420):
        bagged.clock.move(seconds=1)
        if second > 240:  # the clamp is moved to and fro across the limit
            per_min = 27 if second % 20 < 10 else 21
        total += per_min / 60
        drip(bagged, watch, drops=int(total), gtt_min=float(per_min))
    raised = [one for one in bagged.store.picture.all(Alarm) if one.condition == "rate-deviation"]
    assert len(raised) == 1


def test_the_deviation_shown_is_that_of_the_rate_shown(bagged: Any) -> None:
    start(bagged)
    watch = FlowWatch(bagged.site.policy)
    for second in range(400):
        bagged.clock.move(seconds=1)
        drip(bagged, watch, drops=second // 3, gtt_min=19.0)
    assert bagged.store.picture.get(Flow, "I-s1").deviation_percent == pytest.approx(-5.0)


def test_a_server_that_was_away_goes_on_from_the_nodes_count_and_sees_the_bag_run_empty(bagged: Any) -> None:
    start(bagged, volume_ml=Decimal("2.0"))
    drip(bagged, FlowWatch(bagged.site.policy), drops=3, gtt_min=20.0)
    restarted = FlowWatch(bagged.site.policy)
    bagged.store.write(restarted.tick)
    for second in range(100):  # 20 gtt/min as ordered; 17 drops fell while the server was away
        bagged.clock.move(seconds=1)
        drops = min(20 + second // 3, 40)
        reading = Measured(effective=bagged.clock(), drops=drops, gtt_min=20.0, infused_ml=drops / 20)
        bagged.store.write(lambda unit, said=reading: restarted.measured(unit, "I-s1", said))
    assert bagged.store.picture.get(Flow, "I-s1").state == "empty"
    assert "no-flow" not in open_alarms(bagged)


def test_a_sensor_that_falls_silent_makes_the_flow_stale_without_a_countdown(bagged: Any) -> None:
    start(bagged)
    watch = FlowWatch(bagged.site.policy)
    for second in range(30):
        bagged.clock.move(seconds=1)
        drip(bagged, watch, drops=second // 3, gtt_min=20.0)
    bagged.clock.move(seconds=11)
    bagged.store.write(watch.tick)
    flow = bagged.store.picture.get(Flow, "I-s1")
    assert (flow.state, flow.time_left_min, flow.validity) == ("stale", None, Validity.INVALID)


def test_an_abnormal_site_found_on_patrol_is_told_to_the_station_until_somebody_has_seen_it(
    bagged: Any,
) -> None:
    start(bagged)
    event = PatrolRecorded(
        id="p1",
        at=bagged.clock(),
        sent=bagged.clock(),
        operator="N20713",
        handheld="pda-1",
        infusion_id="I-s1",
        site_finding="swelling",
    )
    assert send(bagged, event).status == "accepted"
    assert open_alarms(bagged)["site-finding"].params["finding"] == "swelling"


@pytest.mark.requirement("R-CARE-06")
@pytest.mark.hazard("H-CARE-04")
def test_a_round_takes_a_running_bag_off_the_list_until_the_next_is_due(bagged: Any) -> None:
    def listed() -> list[str]:
        facts, now = bagged.store.picture.facts("W1"), bagged.clock()
        return [one.name for one in worklist.items(facts, now, bagged.site.policy)]

    def look(event_id: str, at: Any) -> Outcome:
        event = PatrolRecorded(
            id=event_id, at=at, sent=at, operator="N20713", handheld="pda-1", infusion_id="I-s1"
        )
        return send(bagged, event)

    start(bagged)
    assert listed() == []
    bagged.clock.move(minutes=15)
    assert listed() == ["patrol-due"]
    assert look("p1", bagged.clock()).status == "accepted"
    assert listed() == []
    bagged.clock.move(minutes=30)
    assert look("p2", bagged.clock()).status == "accepted"
    assert look("late", bagged.clock() - timedelta(minutes=20)).status == "accepted"
    assert bagged.store.picture.get(Infusion, "I-s1").looked_at == bagged.clock()
    bagged.clock.move(minutes=75)
    assert listed() == ["patrol-overdue"]
    change(bagged, "c1", "complete")
    assert listed() == []


def test_events_are_stored_whole(bagged: Any) -> None:
    start(bagged)
    with bagged.store.reading() as connection:
        row = connection.execute(select(schema.events)).one()
    assert msgspec.json.decode(row.body, type=InfusionStarted).infusion_id == "I-s1"
    assert isinstance(bagged.task_of("O-B1"), Task)
