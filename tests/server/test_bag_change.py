"""A bag is changed: the old one is down with the act that hangs the next, under the same sensor."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from clinical.bedside_check.model import Action
from clinical.exchange import Outcome
from clinical.identifiers import hospital
from clinical.records import Administration, Association, InfusionState, TaskStatus
from server.infusions.targets import targets_of
from server.preparations import service as preparations
from tests.server.test_infusions import DRIP, send, start

pytestmark = [pytest.mark.requirement("R-INF-05"), pytest.mark.hazard("H-INF-03")]


def hang_next(ward: Any, event_id: str = "s2", old: str = "I-s1", mrn: str = "1001", **said: Any) -> Outcome:
    task = ward.task_of(ward.order_bag(mrn, event_id.upper()))
    ward.store.write(lambda unit: preparations.label(unit, task.id, "N20488", ward.site.policy))
    bag = ward.bag(task.id)
    request = ward.request(
        f"r-{event_id}", Action.BAG_CHANGE, mrn=mrn, items=(hospital.encode("bag", bag.id),),
        residual_ml=Decimal(8), site="left-hand", rate_ml_h=Decimal(60),
    )  # fmt: skip
    request = replace(request, infusion_id=old)
    return send(ward, ward.started(event_id, task, request, bag_id=bag.id, **({"device_id": ""} | said)))


@pytest.fixture
def dripping(any_ward: Any) -> Any:
    any_ward.admit("1001", "01")
    any_ward.admit("1002", "02", "李秀兰")
    any_ward.order_bag("1001", "B1")
    assert start(any_ward).status == "accepted"
    any_ward.clock.move(minutes=90)
    return any_ward


@pytest.mark.parametrize("named", ["I-s1", ""])
def test_the_old_bag_is_completed_with_its_rest_and_the_sensor_watches_the_next(
    dripping: Any, named: str
) -> None:
    outcome = hang_next(dripping, old=named)
    assert (outcome.status, outcome.code) == ("accepted", "")
    old, new = dripping.infusion("I-s1"), dripping.infusion("I-s2")
    assert (old.state, old.residual_ml, old.ended_at) == (
        InfusionState.COMPLETED, Decimal(8), dripping.clock(),
    )  # fmt: skip
    assert (new.state, new.device_id) == (InfusionState.RUNNING, DRIP)
    assert dripping.task_of("O-B1").status is TaskStatus.COMPLETED
    given = dripping.store.picture.get(Administration, "s2/down")
    assert given is not None
    assert (given.outcome, given.dose.value) == ("completed", Decimal(92))
    on = [one for one in dripping.store.picture.all(Association) if one.device_id == DRIP and one.end is None]
    assert [(one.infusion_id, one.start) for one in on] == [("I-s2", dripping.clock())]
    assert [one.infusion for one in targets_of(dripping.store.picture, "W1")] == ["I-s2"]


def test_a_bag_of_another_patient_is_never_taken_down(dripping: Any) -> None:
    outcome = hang_next(dripping, mrn="1002")
    assert outcome.status == "accepted-exception"
    assert dripping.infusion("I-s1").state is InfusionState.RUNNING
    assert dripping.infusion("I-s2").device_id == ""


def test_of_two_bags_the_one_that_is_not_named_stays(dripping: Any) -> None:
    task = dripping.task_of(dripping.order_bag("1001", "B3"))
    other = dripping.started("s3", task, dripping.request("r3", Action.START), device_id="")
    send(dripping, other)
    hang_next(dripping, old="")
    assert [dripping.infusion(one).state for one in ("I-s1", "I-s3")] == [InfusionState.RUNNING] * 2
    hang_next(dripping, "s4", old="I-s3")
    assert [dripping.infusion(one).state.value for one in ("I-s1", "I-s3")] == ["running", "completed"]
