"""What a bag that hangs open asks for when its order, its time or its contents say so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from clinical import worklist
from clinical.bedside_check import labels
from clinical.infusion.ordered import Hanging, asks, rate_has_changed
from clinical.policy import SitePolicy
from clinical.records import (
    AlarmPriority,
    Association,
    Bag,
    Encounter,
    Facts,
    Flow,
    InfusionState,
    Order,
    Validity,
)
from tests.support.bedside import DRIP_ORDER, NOON, infusion, task

pytestmark = [pytest.mark.requirement("R-INF-01"), pytest.mark.hazard("H-INF-01")]
POLICY = SitePolicy.default()
ORDER = replace(DRIP_ORDER, changed_at=NOON - timedelta(hours=1))
RUNNING = infusion(
    ORDER, task(ORDER, NOON), "B0", order_version=1, ordered_rate_ml_h=Decimal(60), volume_ml=Decimal(250)
)
PAUSED = replace(RUNNING, state=InfusionState.PAUSED, paused_at=NOON)
HIGH, MEDIUM, LOW = AlarmPriority.HIGH, AlarmPriority.MEDIUM, AlarmPriority.LOW


def told(
    bag: Any = RUNNING, order: Order | None = ORDER, hours: float = 0, **said: Any
) -> dict[str, AlarmPriority]:
    now = NOON + timedelta(hours=hours)
    return {one.name: one.priority for one in asks(Hanging(bag=bag, order=order, **said), now, POLICY)}


def test_a_bag_that_runs_as_ordered_asks_for_nothing() -> None:
    assert told() == {}
    assert told(order=None) == {}
    assert told(order=replace(ORDER, end=NOON - timedelta(minutes=1))) == {}  # the last bag runs out


@pytest.mark.parametrize(
    ("status", "running", "paused"),
    [("stopped", HIGH, MEDIUM), ("cancelled", HIGH, MEDIUM), ("completed", MEDIUM, MEDIUM)],
)
def test_an_order_that_somebody_ended_is_loudest_while_the_bag_still_runs(
    status: str, running: AlarmPriority, paused: AlarmPriority
) -> None:
    ended = replace(ORDER, status=status, rate_ml_h=Decimal(90), version=2)
    assert told(order=ended) == {"infusion-order-ended": running}
    assert told(PAUSED, order=replace(ended, stopped_at=NOON)) == {"infusion-order-ended": paused}
    assert told(replace(RUNNING, state=InfusionState.COMPLETED), order=ended) == {}


def test_a_held_order_asks_for_a_pause_and_nothing_of_a_paused_bag() -> None:
    held = replace(ORDER, status="on-hold", version=2)
    assert told(order=held) == {"infusion-order-on-hold": MEDIUM}
    assert told(PAUSED, order=held) == {}


def test_another_rate_is_asked_for_until_the_bag_was_set_with_it_in_view() -> None:
    faster = replace(ORDER, rate_ml_h=Decimal(90), changed_at=None)
    assert told(order=faster) == {"infusion-rate-changed": MEDIUM}
    assert told(PAUSED, order=faster) == {"infusion-rate-changed": LOW}
    excepted = replace(RUNNING, rate_ml_h=Decimal(40), ordered_rate_ml_h=Decimal(90))
    assert told(excepted, order=faster) == {}  # a prescriber let it be slower
    before = replace(RUNNING, ordered_rate_ml_h=None)
    assert rate_has_changed(before, faster)
    assert not rate_has_changed(before, replace(ORDER, rate_ml_h=None))


def test_another_drug_or_route_is_told_and_another_end_or_instruction_is_not() -> None:
    first = replace(ORDER, version=1)
    for change, name in (
        ({"route": "IV"}, {"infusion-order-changed": MEDIUM}),
        ({"items": ()}, {"infusion-order-changed": MEDIUM}),
        ({"end": NOON + timedelta(days=1), "instruction": "slowly"}, {}),
    ):
        assert told(order=labels.carry(first, replace(first, version=2, **change))) == name
    unknown = replace(RUNNING, order_version=0)
    assert told(unknown, order=labels.carry(first, replace(first, version=2, items=()))) == {}


@pytest.mark.requirement("R-INF-06")
@pytest.mark.hazard("H-INF-03")
def test_a_bag_that_runs_too_long_or_past_its_use_is_told_even_without_a_sensor() -> None:
    assert told(hours=4.6) == {}  # 250 mL at 60 mL/h and a quarter more
    assert told(hours=4.8) == {"infusion-overrun": LOW}
    label = Bag(
        id="B0", order_id="oD", order_version=1, patient_id="pA", beyond_use=NOON + timedelta(hours=1)
    )
    assert told(hours=2, label=label) == {"infusion-overrun": LOW}
    assert told(hours=4.8, blood=True) == {}


@pytest.mark.requirement("R-INF-06")
@pytest.mark.hazard("H-INF-03")
def test_an_empty_bag_proposes_its_end_with_what_went_in() -> None:
    flow = Flow(id="i-B0", effective=NOON, validity=Validity.VALID, state="empty", infused_ml=249.5)
    (ask,) = asks(Hanging(bag=RUNNING, order=ORDER, flow=flow), NOON, POLICY)
    assert (ask.name, ask.priority, ask.params) == (
        "infusion-complete", AlarmPriority.NONE, (("infused_ml", 249.5),),
    )  # fmt: skip
    bare = replace(flow, infused_ml=None)
    assert next(asks(Hanging(bag=RUNNING, flow=bare), NOON, POLICY)).params == ()
    assert told(flow=replace(flow, state="flowing")) == {}


def test_the_list_of_the_ward_names_bag_and_patient() -> None:
    stopped = replace(ORDER, status="stopped", stopped_at=NOON)
    facts = Facts(infusions=(RUNNING,), orders=(stopped,))
    (item,) = (one for one in worklist.items(facts, NOON, POLICY) if one.code == "INF-ORDER-ENDED")
    assert (item.patient_id, item.subject_id, item.infusion_id, item.due) == ("pA", "i-B0", "i-B0", NOON)
    assert item.name in worklist.CONDITIONS


@pytest.mark.requirement("R-INF-03")
@pytest.mark.hazard("H-INF-02")
def test_a_device_to_be_released_is_listed_and_sounds_after_the_sites_minutes() -> None:
    stay = Encounter(id="eA", patient_id="pA", status="leaving", ward="W1", bed="01")
    asked = Association(id="a1", device_id="d", encounter_id="eA", start=NOON, release_asked_at=NOON)
    others = (
        replace(asked, id="a2", release_asked_at=None), replace(asked, id="a3", end=NOON),
        replace(asked, id="a4", encounter_id="nobody"),
    )  # fmt: skip
    facts = Facts(encounters=(stay,), associations=(asked, *others))
    for minutes, priority in ((0, AlarmPriority.NONE), (29, AlarmPriority.NONE), (30, LOW)):
        (item,) = worklist.items(facts, NOON + timedelta(minutes=minutes), POLICY)
        assert (item.name, item.priority, item.subject_id) == ("device-to-release", priority, "a1")
