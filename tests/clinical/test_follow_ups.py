"""What follows on a dose: a patch comes off by a task of its own, the effect of an as-needed drug is seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from clinical import follow_ups
from clinical.bedside_check.model import Action, Entered, Word
from clinical.policy import SitePolicy
from clinical.records import EFFECT, REMOVAL, TaskStatus
from tests.support.bedside import (
    FACTS,
    NOON,
    POLICY,
    TABLET,
    TABLET_ORDER,
    TABLET_SCAN,
    ack,
    ask,
    codes,
    given,
    merged,
    request,
    task,
)

pytestmark = [pytest.mark.requirement("R-CLIN-61"), pytest.mark.hazard("H-CLIN-03")]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PATCH_ORDER = replace(TABLET_ORDER, route="TD", frequency="q72h", start=NOON - 72 * HOUR)
OLD = task(PATCH_ORDER, NOON - 72 * HOUR, status=TaskStatus.GIVEN)
NEW = task(PATCH_ORDER, NOON)
ON = given(OLD, NOON - 71 * HOUR)


def after(order=PATCH_ORDER, done=OLD, record=ON, policy=POLICY):
    return follow_ups.after(order, done, record, policy)


def off(**changes):
    return replace(after()[0], **({"status": TaskStatus.DUE} | changes))


def test_a_patch_comes_off_when_the_next_one_is_due_however_late_it_was_put_on():
    (found,) = after()
    assert (found.kind, found.planned_at, found.follows, found.status) == (
        REMOVAL, NOON, OLD.id, TaskStatus.PENDING,
    )  # fmt: skip
    assert (found.earliest, found.latest) == (NOON - 2 * HOUR, NOON + 2 * HOUR)
    assert after() == after(replace(PATCH_ORDER, version=1))
    assert found.id != after(record=replace(ON, id="other"))[0].id


def test_a_patch_worn_for_a_part_of_the_day_has_a_window_of_that_part():
    nicotine = replace(PATCH_ORDER, frequency="qd", wear_min=16 * 60)
    (found,) = after(nicotine)
    assert (found.planned_at, found.latest) == (NOON - 56 * HOUR, NOON - 55 * HOUR)
    by_clock = after(replace(PATCH_ORDER, frequency="bid", start=NOON - 100 * HOUR))[0]
    assert by_clock.planned_at == OLD.planned_at + 4 * HOUR  # 12:00 in Shanghai: the next clock time is 16:00


def test_a_patch_without_a_next_one_and_without_a_wearing_time_comes_off_when_somebody_says_so():
    once = replace(PATCH_ORDER, frequency="once", category="once")
    (found,) = after(once)
    assert (found.planned_at, found.latest, found.status) == (None, None, TaskStatus.DUE)
    assert after(replace(PATCH_ORDER, frequency="??"))[0].planned_at is None
    needed = after(replace(PATCH_ORDER, frequency="prn"), replace(OLD, planned_at=None))
    assert [one.kind for one in needed] == [REMOVAL, EFFECT]
    lidocaine = replace(once, wear_min=12 * 60)
    assert after(lidocaine, replace(OLD, planned_at=None))[0].planned_at == ON.at + 12 * HOUR


def test_what_does_not_stay_on_and_what_was_not_given_asks_for_nothing():
    assert after(TABLET_ORDER) == ()
    assert after(record=replace(ON, outcome="refused")) == ()
    assert after(policy=SitePolicy(worn_routes=())) == ()
    assert len(after(record=replace(ON, outcome="partial"))) == 1


@pytest.mark.parametrize(("route", "minutes"), [("PO", 60), ("IV", 30), ("IVPB", 30)])
def test_the_effect_of_an_as_needed_drug_is_seen_after_an_hour_or_half_of_one_into_a_vein(route, minutes):
    prn = replace(TABLET_ORDER, frequency="prn", route=route)
    slot = task(prn, None)
    record = given(slot, NOON)
    (found,) = after(prn, slot, record)
    assert (found.kind, found.planned_at - NOON) == (EFFECT, minutes * MINUTE)
    assert (found.earliest, found.latest) == (found.planned_at, NOON + 120 * MINUTE)
    assert after(prn, slot, replace(record, route="IV"))[0].planned_at == NOON + 30 * MINUTE


# --- at the bed --------------------------------------------------------------------------------------


def ward(*tasks, order=PATCH_ORDER, **extra):
    patch = replace(TABLET, form="patch")
    return merged(FACTS, products=(patch,), orders=(order,), tasks=(OLD, NEW, *tasks), **extra)


def remove(found, **more):
    asked = request(Action.REMOVE, task_id=found.id, **more)
    return ask(asked, ward(found, administrations=(ON,)))


def test_the_old_patch_comes_off_in_its_window_then_the_new_one_goes_on():
    assert (remove(off()).word, codes(remove(off())), remove(off()).variance_min) == (Word.GIVE, [], 0)
    put_on = request(Action.GIVE, TABLET_SCAN, entered=Entered(site="back"))
    assert codes(ask(put_on, ward(off(), administrations=(ON,)))) == ["ROUTE-NOT-REMOVED"]
    gone = replace(ON, id="r", task_id=off().id, at=NOON - MINUTE, outcome="removed")
    done = off(status=TaskStatus.COMPLETED)
    result = ask(put_on, ward(done, administrations=(ON, gone)))
    assert (result.word, result.task_id) == (Word.GIVE, NEW.id)


def test_a_patch_taken_off_too_early_or_too_late_is_told():
    assert codes(remove(off(), now=NOON + 2 * HOUR)) == []
    late = remove(off(), now=NOON + 2 * HOUR + MINUTE)
    assert (codes(late), late.word) == (["TIME-LATE"], Word.CHECK)
    assert codes(remove(off(), now=NOON - 2 * HOUR)) == []
    early = remove(off(), now=NOON - 2 * HOUR - MINUTE)
    assert (codes(early), early.variance_min) == (["TIME-EARLY"], -121)
    assert remove(off(), now=NOON + 3 * HOUR, overrides=ack("TIME-LATE")).word is Word.GIVE


def test_a_patch_is_taken_off_once_and_one_without_a_plan_at_any_time():
    again = remove(off(status=TaskStatus.COMPLETED))
    assert (codes(again), dict(again.findings[0].params)["reason"]) == (["TIME-DUP"], "followed")
    unplanned = off(planned_at=None, earliest=None, latest=None)
    assert codes(remove(unplanned, now=NOON + 30 * HOUR)) == []


def test_nothing_is_given_for_a_task_that_follows():
    put_on = request(Action.GIVE, TABLET_SCAN, task_id=off().id, entered=Entered(site="back"))
    assert codes(ask(put_on, ward(off()))) == ["MED-WRONG-DRUG"]
    result = ask(replace(put_on, task_id=""), ward(off()))
    assert result.task_id == NEW.id


def test_a_patch_that_came_off_later_is_no_later_dose():
    later = off(status=TaskStatus.COMPLETED, planned_at=NOON + HOUR)
    gone = replace(ON, id="r", task_id=later.id, at=NOON - MINUTE, outcome="removed")
    put_on = request(Action.GIVE, TABLET_SCAN, entered=Entered(site="back"))
    assert codes(ask(put_on, ward(later, administrations=(ON, gone)))) == []


PRN = replace(TABLET_ORDER, frequency="prn", category="prn")
SLOT = task(PRN, None)
EFFECT_TASK = replace(
    follow_ups.after(PRN, SLOT, given(SLOT, NOON - HOUR), POLICY)[0], status=TaskStatus.DUE
)  # fmt: skip


def effect(found=EFFECT_TASK, code="relieved", action=Action.PRN_EFFECT, **more):
    facts = merged(FACTS, orders=(PRN,), tasks=(SLOT, found))
    return ask(request(action, task_id=found.id, entered=Entered(reason_code=code), **more), facts)


def test_the_effect_of_an_as_needed_drug_is_written_down_once_with_a_code():
    assert (effect().word, codes(effect()), effect(band=None).word) == (Word.GIVE, [], Word.GIVE)
    assert effect(code="").needs == ("effect",)
    done = replace(EFFECT_TASK, status=TaskStatus.COMPLETED)
    assert codes(effect(done)) == ["TIME-DUP"]
    assert ask(request(Action.PRN_EFFECT)).needs == ("task",)


def test_an_open_effect_is_told_when_the_next_dose_is_asked_for():
    facts = merged(FACTS, orders=(PRN,), tasks=(SLOT, EFFECT_TASK))
    asked = request(Action.GIVE, TABLET_SCAN, task_id=SLOT.id, entered=Entered(prn_reason="pain"))
    assert codes(ask(asked, facts)) == ["PRN-EFFECT"]
    closed = merged(facts, tasks=(replace(EFFECT_TASK, status=TaskStatus.COMPLETED),))
    assert codes(ask(asked, closed)) == []


def test_a_patch_is_not_an_effect_and_an_effect_is_no_patch():
    assert codes(effect(action=Action.REMOVE)) == ["MED-WRONG-DRUG"]
    assert codes(effect(off())) == ["MED-WRONG-DRUG"]
    assert codes(effect(replace(EFFECT_TASK, kind="medication"))) == ["MED-WRONG-DRUG"]
