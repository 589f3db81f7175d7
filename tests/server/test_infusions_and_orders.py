"""A bag that runs while its order is stopped, held or changed; a change of a bag judged by the rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from clinical.bedside_check.model import Action, Override
from clinical.identifiers import hospital
from clinical.records import Alarm, AlarmPriority, InfusionState, Wristband
from server.his.port import ChangeOrder, HoldOrder, ItemFact, PlaceOrder, ReleaseOrder, StopOrder
from server.storage import schema
from server.worklist import service as worklist
from tests.server.test_infusions import change, open_alarms, start

pytestmark = pytest.mark.hazard("H-INF-01")
RUNNING = {
    "infusion-order-ended",
    "infusion-order-on-hold",
    "infusion-order-changed",
    "infusion-rate-changed",
}


def tell(ward: Any, *facts: Any) -> None:
    for fact in facts:
        applied = ward.hospital.apply(fact)
        assert applied.ok, applied


def sounding(ward: Any) -> dict[str, AlarmPriority]:
    """Alarms of a bag against its order, as of the next second."""
    ward.clock.move(seconds=1)
    ward.store.write(lambda unit: worklist.tick(unit, ward.site))
    return {name: alarm.priority for name, alarm in open_alarms(ward).items() if name in RUNNING}


def new_rate(rate: int) -> ChangeOrder:
    return ChangeOrder(order=PlaceOrder(mrn="1001", placer_id="B1", rate_ml_h=Decimal(rate)))


@pytest.fixture
def running(ward: Any) -> Any:
    ward.admit("1001", "01")
    ward.admit("1002", "02", "李秀兰")
    ward.order_bag("1001", "B1")
    assert start(ward).status == "accepted"
    ward.clock.move(minutes=5)
    assert sounding(ward) == {}
    return ward


@pytest.mark.requirement("R-INF-01")
def test_a_bag_whose_order_is_stopped_sounds_until_it_is_down(running: Any) -> None:
    tell(running, StopOrder(mrn="1001", placer_id="B1"))
    assert sounding(running) == {"infusion-order-ended": AlarmPriority.HIGH}
    alarm = open_alarms(running)["infusion-order-ended"]
    assert (alarm.infusion_id, alarm.bed, alarm.kind) == ("I-s1", "01", "physiological")
    assert change(running, "c1", "stop-early", residual_ml=Decimal(60), reason="order").status == "accepted"
    assert sounding(running) == {}


@pytest.mark.requirement("R-INF-01")
def test_a_bag_whose_order_is_held_sounds_until_it_is_paused_or_the_order_goes_on(running: Any) -> None:
    tell(running, HoldOrder(mrn="1001", placer_id="B1"))
    assert sounding(running) == {"infusion-order-on-hold": AlarmPriority.MEDIUM}
    assert change(running, "c1", "pause").status == "accepted"
    assert sounding(running) == {}
    assert change(running, "c2", "resume").code == "INF-TRANSITION"
    assert running.infusion("I-s1").state is InfusionState.RUNNING
    assert "given-against-order" in open_alarms(running)
    assert sounding(running) == {"infusion-order-on-hold": AlarmPriority.MEDIUM}
    tell(running, ReleaseOrder(mrn="1001", placer_id="B1"))
    assert sounding(running) == {}


@pytest.mark.requirement("R-INF-01")
def test_an_ordered_new_rate_sounds_until_the_bag_is_set_to_it(running: Any) -> None:
    tell(running, new_rate(90))
    assert sounding(running) == {"infusion-rate-changed": AlarmPriority.MEDIUM}
    assert open_alarms(running)["infusion-rate-changed"].params["ordered"] == 90
    assert change(running, "c1", "rate", rate_ml_h=Decimal(90), order_version=2).status == "accepted"
    assert running.infusion("I-s1").rate_ml_h == Decimal(90)
    assert sounding(running) == {}


@pytest.mark.requirement("R-INF-01")
def test_who_sets_a_rate_without_having_seen_the_new_order_ends_nothing(running: Any) -> None:
    tell(running, new_rate(90))
    late = running.clock() - timedelta(minutes=2)
    for number, seen in enumerate((0, 1)):
        said = {"rate_ml_h": Decimal(62), "order_version": seen, "at": late}
        assert change(running, f"c{number}", "rate", **said).status == "accepted"
        assert sounding(running) == {"infusion-rate-changed": AlarmPriority.MEDIUM}


@pytest.mark.requirement("R-INF-01")
def test_another_drug_ordered_while_the_bag_runs_sounds_and_a_new_end_does_not(running: Any) -> None:
    end = running.clock() + timedelta(hours=9)
    tell(running, ChangeOrder(order=PlaceOrder(mrn="1001", placer_id="B1", end=end)))
    assert sounding(running) == {}
    items = (ItemFact(code="NS100", text="氯化钠", amount=Decimal(50), unit="mL"),)
    tell(running, ChangeOrder(order=PlaceOrder(mrn="1001", placer_id="B1", items=items)))
    assert sounding(running) == {"infusion-order-changed": AlarmPriority.MEDIUM}


@pytest.mark.requirement("R-INF-02")
def test_a_rate_nobody_ordered_is_kept_flagged_and_alarmed(running: Any) -> None:
    assert change(running, "c1", "rate", rate_ml_h=Decimal(90)).code == "INF-RATE-SET"
    assert running.infusion("I-s1").rate_ml_h == Decimal(90)
    assert open_alarms(running)["given-against-order"].params["code"] == "INF-RATE-SET"
    change(running, "c2", "pause")
    assert change(running, "c3", "resume", rate_ml_h=Decimal(120)).code == "INF-RATE-SET"


@pytest.mark.requirement("R-INF-02")
def test_a_change_is_judged_by_its_order_as_it_was_at_the_bedside(running: Any) -> None:
    tell(running, new_rate(90))
    before = running.clock() - timedelta(minutes=1)
    assert change(running, "c1", "rate", rate_ml_h=Decimal(90), at=before).code == "INF-RATE-SET"
    assert change(running, "c2", "rate", rate_ml_h=Decimal(90)).status == "accepted"


@pytest.mark.requirement("R-INF-02")
def test_a_check_that_came_with_the_change_is_asked_again_with_its_own_scans(running: Any) -> None:
    def asked(mrn: str, action: Action = Action.RATE) -> Any:
        request = running.request("q1", action, mrn=mrn, rate_ml_h=Decimal(60))
        return replace(request, infusion_id="I-s1")

    def rate(event_id: str, request: Any) -> str:
        said = {"rate_ml_h": Decimal(60), "request": request}
        return change(running, event_id, "rate", **said).code

    assert rate("c1", asked("1001")) == ""
    assert rate("c2", asked("1002")) == "PT-MISMATCH"
    assert rate("c3", asked("1001", Action.RESUME)) == "check-incomplete"
    label = hospital.encode("bag", "B-other")
    assert rate("c4", replace(asked("1001"), items=(running.scan(label),))) != ""
    overridden = replace(
        asked("1001"), overrides=(Override(code="INF-RATE-SET", reason="clinical-judgement", by="D30012"),)
    )
    said = {"rate_ml_h": Decimal(90), "request": overridden}
    assert change(running, "c5", "rate", **said).code == "second-unproven"
    assert change(running, "c6", "pause", request=asked("1001", Action.PAUSE)).status == "accepted"


@pytest.mark.requirement("R-INF-02")
def test_a_change_that_cannot_be_or_of_a_bag_nobody_started_is_alarmed_and_audited(running: Any) -> None:
    assert change(running, "c1", "resume").code == "INF-TRANSITION"
    assert change(running, "c2", "pause", infusion_id="none").code == "unknown-infusion"
    alarms = running.store.picture.all(Alarm)
    found = [one.params["code"] for one in alarms if one.condition == "given-against-order"]
    assert sorted(found) == ["INF-TRANSITION", "unknown-infusion"]
    audit = schema.audit
    with running.store.reading() as connection:
        rows = connection.execute(
            select(audit.c.entity, audit.c.detail).where(audit.c.action == "infusion-change")
        ).all()
    assert ("infusion:none", "unknown-infusion") in {tuple(row) for row in rows}


@pytest.mark.requirement("R-INF-02")
def test_without_any_wristband_nobody_can_say_that_a_new_rate_was_right(running: Any) -> None:
    bands = [one for one in running.store.picture.all(Wristband) if one.patient_id == "P-1001"]
    running.store.write(lambda unit: [unit.put(replace(one, active=False)) for one in bands])
    assert change(running, "c1", "rate", rate_ml_h=Decimal(60)).code == "check-incomplete"
