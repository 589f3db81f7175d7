"""What a nurse is told of running infusions and of the time: every word, and every limit on its very edge."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clinical.bedside_check import labels
from clinical.bedside_check.model import (
    Action,
    Entered,
    Word,
)
from clinical.policy import SitePolicy
from clinical.records import (
    Association,
    Flow,
    InfusionState,
    TaskStatus,
    Validity,
)
from tests.clinical.told import flow, give, ordered, running, told
from tests.support.bedside import (
    BAG,
    DRIP,
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    NOON,
    TABLET_ORDER,
    TABLET_SCAN,
    TABLET_TASK,
    ask,
    codes,
    dose,
    given,
    infusion,
    marks,
    merged,
    request,
    start,
    task,
)

pytestmark = [
    pytest.mark.requirement("R-CLIN-14"),
    pytest.mark.requirement("R-CLIN-20"),
    pytest.mark.hazard("H-CLIN-03"),
    pytest.mark.hazard("H-CLIN-07"),
]
MINUTE, HOUR, DAY, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)


def test_a_flow_that_may_not_change_says_why():
    assert told(flow(Action.RESUME)) == ["INF-TRANSITION STOP none | state=running, reason=state"]
    stopped = merged(running(), orders=(replace(DRIP_ORDER, status="stopped"),))
    paused_later = merged(running(), orders=(replace(DRIP_ORDER, status="stopped", stopped_at=NOON),))
    assert told(flow(Action.PAUSE, paused_later)) == [
        "INF-TRANSITION STOP none | state=running, reason=order-ended"
    ]
    just_after = merged(running(), orders=(replace(DRIP_ORDER, status="stopped", stopped_at=NOON + SECOND),))
    assert told(flow(Action.PAUSE, just_after)) == []
    assert told(flow(Action.PAUSE, stopped)) == [
        "INF-TRANSITION STOP none | state=running, reason=order-ended"
    ]
    held = merged(running(state=InfusionState.PAUSED), orders=(replace(DRIP_ORDER, status="on-hold"),))
    assert told(flow(Action.RESUME, held)) == [
        "INF-TRANSITION STOP none | state=paused, reason=order-on-hold"
    ]
    assert told(ask(request(Action.START, TABLET_SCAN))) == [
        "INF-TRANSITION STOP none | reason=not-an-infusion"
    ]
    assert told(ask(start(action=Action.BAG_CHANGE))) == [
        "INF-TRANSITION STOP none | reason=nothing-to-change"
    ]
    assert told(ask(request(Action.PAUSE, infusion_id="i-B1"), running(order_id="gone"))) == [
        "ORD-NONE STOP none | reason=unknown"
    ]


def test_a_second_bag_says_how_the_first_one_stands():
    first = infusion(DRIP_ORDER, DRIP_TASK, "B0", state=InfusionState.PAUSED)
    second = merged(FACTS, infusions=(first,))
    assert told(ask(start(), second)) == ["INF-SECOND-BAG STOP none | state=paused"]
    two = merged(second, infusions=(replace(first, id="i-B2", bag_id="B2", state=InfusionState.RUNNING),))
    assert told(ask(start(), two)) == ["INF-SECOND-BAG STOP none | state=paused"]
    assert told(ask(start(action=Action.BAG_CHANGE, infusion_id="i-B0"), two)) == [
        "INF-SECOND-BAG STOP none | state=running"
    ]
    aside = merged(FACTS, infusions=(replace(first, id="i-X", order_id="else"), first))
    assert told(ask(start(), aside)) == ["INF-SECOND-BAG STOP none | state=paused"]


def test_a_bag_change_names_the_bag_that_comes_down():
    old = infusion(DRIP_ORDER, DRIP_TASK, "B0")
    other = replace(old, id="i-X", order_id="else", bag_id="BX")
    one = ask(start(action=Action.BAG_CHANGE), merged(FACTS, infusions=(old,)))
    assert (told(one), one.word) == ([], Word.GIVE)
    two = merged(FACTS, infusions=(old, other))
    assert told(ask(start(action=Action.BAG_CHANGE), two)) == [
        "INF-TRANSITION STOP none | reason=nothing-to-change", "INF-SECOND-BAG STOP none | state=running",
    ]  # fmt: skip
    assert told(ask(start(action=Action.BAG_CHANGE, infusion_id="i-B0"), two)) == []


def test_who_looks_is_told_by_how_much_it_runs_otherwise():
    def looked(rate, ordered_rate=60):
        seen = Flow(id="i-B1", effective=NOON, validity=Validity.VALID, rate_ml_h=rate)
        return told(flow(Action.PATROL, replace(running(rate_ml_h=Decimal(ordered_rate)), flows=(seen,))))

    assert looked(90.04) == ["INF-RATE-DEV WARN ack | measured=90.0, ordered=60, percent=50"]
    assert looked(50.46) == ["INF-RATE-DEV WARN ack | measured=50.5, ordered=60, percent=-16"]
    assert [looked(66.0), looked(54.0)] == [[], []]
    assert looked(66.0, 0) == []


def test_devices_are_bound_or_told():
    assert told(ask(start(entered=Entered(device_id="none")))) == [
        "INF-DEVICE-NONE WARN ack | reason=unknown"
    ]
    assert told(ask(start(entered=Entered()))) == ["INF-DEVICE-NONE WARN ack"]
    other = Association(id="a0", device_id="oxi", encounter_id="eA", start=NOON)
    mine = replace(other, id="a1", device_id=DRIP)
    oximeter = replace(FACTS.devices[0], id="oxi", kind="pulse-oximeter")
    facts = merged(FACTS, devices=(oximeter,), associations=(other,))
    assert told(ask(start(entered=Entered()), facts)) == ["INF-DEVICE-NONE WARN ack"]
    assert told(ask(start(entered=Entered()), merged(facts, associations=(other, mine)))) == []
    lost = replace(facts, devices=())
    assert told(ask(start(entered=Entered()), lost)) == ["INF-DEVICE-NONE WARN ack"]


def test_a_bag_past_its_use_overruns_when_it_goes_on():
    facts = merged(running(state=InfusionState.PAUSED), bags=(replace(BAG, beyond_use=NOON - SECOND),))
    assert told(flow(Action.RESUME, facts)) == ["INF-OVERRUN WARN ack"]
    assert told(flow(Action.RESUME, merged(facts, bags=(replace(BAG, beyond_use=NOON),)))) == []
    assert told(flow(Action.COMPLETE, facts)) == []


def test_a_charted_time_has_exact_limits():
    def charted(back):
        return [line.split(" | ")[0] for line in told(give(entered=Entered(charted_at=NOON - back)))
                if "BACK" in line or "FUTURE" in line]  # fmt: skip

    assert [charted(one) for one in (15 * MINUTE, 15 * MINUTE + SECOND, DAY, DAY + SECOND, -MINUTE)] == [
        [], ["TIME-BACKDATED WARN ack"], ["TIME-BACKDATED WARN ack"], ["TIME-BACKDATED STOP second"], [],
    ]  # fmt: skip


def test_a_repeated_execution_says_when_by_whom_and_how_it_stands():
    at = NOON - 10 * MINUTE
    done = merged(FACTS, tasks=(replace(TABLET_TASK, status=TaskStatus.GIVEN, changed_at=at),))
    assert told(give(done)) == [f"TIME-DUP STOP none | at={at.isoformat()}, status=given"]
    recorded = give(merged(FACTS, administrations=(given(TABLET_TASK, at),)))
    assert told(recorded) == [f"TIME-DUP STOP none | by=n2, at={at.isoformat()}, status=due"]
    for changes in ({"category": "stat"}, {"category": "once"}, {"frequency": "once"}):
        once = merged(done, orders=(replace(TABLET_ORDER, **changes),))
        assert told(give(once)) == [f"TIME-ONCE-DONE STOP none | at={at.isoformat()}, status=given"]


def test_the_window_says_how_far_off_and_whose():
    def shifted(minutes, **changes):
        slot = NOON + timedelta(minutes=minutes)
        facts = merged(ordered(**changes), tasks=(replace(TABLET_TASK, planned_at=slot),))
        return [line.replace(slot.isoformat(), "SLOT") for line in told(give(facts))]

    assert shifted(61) == ["TIME-EARLY WARN ack | minutes=-61, planned=SLOT"]
    assert shifted(120) == ["TIME-EARLY WARN ack | minutes=-120, planned=SLOT"]
    assert shifted(121) == ["TIME-TOO-EARLY STOP prescriber | minutes=-121, planned=SLOT"]
    assert shifted(-61) == ["TIME-LATE WARN ack | minutes=61, planned=SLOT"]
    assert shifted(-60) == []
    missed = shifted(-180, end=NOON + SECOND, frequency="q8h")
    assert missed == ["TIME-LATE WARN ack | minutes=180, planned=SLOT"]


def test_a_missed_slot_is_named_from_the_opening_of_the_next_one():
    after = task(TABLET_ORDER, NOON + 8 * HOUR)

    def at(late, *more):
        facts = merged(FACTS, tasks=(after, *more))
        found = told(give(facts, now=NOON + late, task_id=TABLET_TASK.id))
        return [line for line in found if "MISSED" in line]

    missed = [f"TIME-MISSED-SLOT WARN prescriber | planned={NOON.isoformat()}"]
    assert [at(7 * HOUR), at(7 * HOUR - SECOND)] == [missed, []]
    assert at(7 * HOUR, task(TABLET_ORDER, NOON + 16 * HOUR)) == missed
    assert at(7 * HOUR, task(TABLET_ORDER, NOON - 8 * HOUR)) == missed


def test_the_slot_before_is_nearer_only_when_it_is():
    often = replace(TABLET_ORDER, frequency="q2h", time_critical=True)

    def early(minutes, *hours):
        before = tuple(task(often, NOON + hour * HOUR, status=TaskStatus.NOT_GIVEN) for hour in hours)
        facts = replace(FACTS, orders=(often,), tasks=(task(often, NOON), *before), bags=())
        return codes(give(facts, now=NOON - minutes * MINUTE, task_id=task(often, NOON).id))

    assert early(60, -2) == ["TIME-EARLY"]
    assert early(59, -2) == ["TIME-EARLY"]
    assert early(50, -4) == ["TIME-EARLY"]


def test_the_last_dose_of_the_same_drug_has_exact_limits():
    def took(ago, facts=FACTS, **more):
        past = given(TABLET_TASK, NOON - ago, task_id="o", ingredients=(("drug-x", dose(1, "mg")),), **more)
        return told(give(merged(facts, administrations=(past,))))

    assert took(4 * HOUR - SECOND) == ["TIME-INTERVAL STOP prescriber | minutes=239, interval=480"]
    assert took(4 * HOUR) == []
    once = merged(replace(FACTS, bags=()), orders=(replace(TABLET_ORDER, frequency="prn"),))
    assert took(2 * HOUR, once) == ["TIME-RECENT INFO none | minutes=120"]
    assert took(2 * HOUR + SECOND, once) == []


def test_a_follow_up_says_when_it_was_done_and_how_late_it_is():
    removal = task(TABLET_ORDER, NOON, id="rm", kind="removal", earliest=NOON - HOUR, latest=NOON + HOUR)

    def off(now=NOON, action=Action.REMOVE, **changes):
        facts = merged(FACTS, tasks=(replace(removal, **changes),))
        return ask(request(action, task_id="rm", now=now), facts)

    planned = f"planned={NOON.isoformat()}"
    assert told(off()) == []
    assert told(off(NOON - 61 * MINUTE)) == [f"TIME-EARLY WARN ack | minutes=-61, {planned}"]
    assert told(off(NOON + 61 * MINUTE)) == [f"TIME-LATE WARN ack | minutes=61, {planned}"]
    assert off(NOON + 61 * MINUTE).variance_min == 61
    assert (off().variance_min, marks(off())["time"]) == (0, "ok")
    for missing in ("planned_at", "earliest", "latest"):
        assert told(off(NOON + 9 * HOUR, **{missing: None})) == []
    done = off(status=TaskStatus.COMPLETED, changed_at=NOON - MINUTE)
    assert told(done) == [
        f"TIME-DUP STOP none | at={(NOON - MINUTE).isoformat()}, status=completed, reason=followed"
    ]
    assert told(off(action=Action.PRN_EFFECT)) == ["MED-WRONG-DRUG STOP none | reason=not-of-this-task"]
    effect = ask(request(Action.PRN_EFFECT, task_id="rm", entered=Entered(reason_code="relieved")),
                 merged(FACTS, tasks=(replace(removal, kind="prn-effect"),)))  # fmt: skip
    assert (told(effect), effect.word, marks(effect)["documentation"]) == ([], Word.GIVE, "ok")


def test_a_wide_window_of_the_site_does_not_reach_past_the_slot_before():
    wide = SitePolicy.from_dict({"windows": {"hourly_min": 200}})

    def early(minutes, *hours):
        before = tuple(task(TABLET_ORDER, NOON + hour * HOUR, status=TaskStatus.NOT_GIVEN) for hour in hours)
        facts = merged(FACTS, tasks=before)
        return codes(give(facts, wide, now=NOON - minutes * MINUTE, task_id=TABLET_TASK.id))

    assert [early(300, -8), early(240, -8), early(241, -8), early(300)] == [
        ["TIME-TOO-EARLY"], ["TIME-EARLY"], ["TIME-TOO-EARLY"], ["TIME-EARLY"],
    ]  # fmt: skip
    assert [early(300, -16), early(300, -8, -16), early(300, -16, -8), early(300, 8)] == [
        ["TIME-EARLY"], ["TIME-TOO-EARLY"], ["TIME-TOO-EARLY"], ["TIME-EARLY"],
    ]  # fmt: skip
    assert early(400) == ["TIME-EARLY"]
    assert early(401) == ["TIME-TOO-EARLY"]


def test_a_decided_dose_and_one_of_a_single_order_are_not_missed():
    after = task(TABLET_ORDER, NOON + 8 * HOUR)
    for status in (TaskStatus.HELD, TaskStatus.RUNNING):
        facts = merged(FACTS, tasks=(after, replace(TABLET_TASK, status=status)))
        result = give(facts, now=NOON + 7 * HOUR, task_id=TABLET_TASK.id)
        assert "TIME-MISSED-SLOT" not in codes(result)
    once = replace(TABLET_ORDER, frequency="once", category="once", end=NOON + 9 * HOUR)
    two = replace(FACTS, orders=(once,), bags=(), tasks=(task(once, NOON), task(once, NOON + 5 * HOUR)))
    assert told(give(two, now=NOON + 6 * HOUR, task_id=task(once, NOON).id)) == []
    ended = replace(FACTS, orders=(replace(TABLET_ORDER, end=NOON + 3 * HOUR),), bags=())
    over = give(ended, now=NOON + 3 * HOUR, task_id=TABLET_TASK.id)
    assert sorted(codes(over)) == ["ORD-ENDED", "TIME-LATE", "TIME-MISSED-SLOT"]
    assert codes(give(ended, now=NOON + 3 * HOUR - SECOND, task_id=TABLET_TASK.id)) == ["TIME-LATE"]
    brief = replace(FACTS, orders=(replace(once, end=NOON + HOUR),), bags=(), tasks=(task(once, NOON),))
    assert codes(give(brief, now=NOON + HOUR)) == ["ORD-ENDED"]


def test_a_label_older_than_the_order_but_newer_than_its_changes_is_true():
    order = replace(DRIP_ORDER, version=5, label_version=2, rate_version=3)
    found = [labels.state(replace(BAG, order_version=version), order) for version in (1, 2, 3, 4, 5)]
    assert found == ["void", "rate-changed", "valid", "valid", "valid"]


def test_the_execution_at_hand_is_no_dose_before_it_and_one_without_a_plan_is():
    mine = given(TABLET_TASK, NOON - MINUTE, ingredients=(("drug-x", dose(10, "mg")),))
    assert codes(give(merged(FACTS, administrations=(mine,)))) == ["TIME-DUP"]
    unplanned = replace(mine, task_id="")
    assert codes(give(merged(FACTS, administrations=(unplanned,)))) == ["TIME-INTERVAL"]
    needed = replace(TABLET_ORDER, frequency="prn", category="prn")
    facts = replace(
        FACTS, orders=(needed,), tasks=(task(needed, None),), bags=(), administrations=(unplanned,)
    )
    times = (NOON - MINUTE).isoformat()
    assert told(give(facts, entered=Entered(prn_reason="pain"))) == [
        "TIME-RECENT INFO none | minutes=1", f"PRN-HISTORY INFO none | times={times}",
    ]  # fmt: skip
    twice = merged(facts, administrations=(replace(unplanned, id="second", at=NOON - 9 * HOUR, task_id="p"),))
    history = told(give(twice, entered=Entered(prn_reason="pain")))[-1]
    assert history == f"PRN-HISTORY INFO none | times={(NOON - 9 * HOUR).isoformat()} {times}"


def test_an_answer_is_of_the_very_bag_that_comes_down():
    old = infusion(DRIP_ORDER, DRIP_TASK, "B0")
    answers = [ask(start(action=Action.BAG_CHANGE), merged(FACTS, infusions=(one,)))
               for one in (old, replace(old, started_by="n3"))]  # fmt: skip
    assert answers[0].input_hash != answers[1].input_hash
