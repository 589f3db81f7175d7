"""What transfusions, skin tests, samples, rounds, scales and a doctor's word ask for: one list for everybody.

Pure. An item that has a priority sounds as an alarm at the server; one without is only listed: a round
that is due would sound at every bed.

Source: bc-1 §5.2 (signatures), §5.5 (PRN-EFFECT), §5.8 (rounds by grade, INF-PATROL-DUE), §5.9 and §5.10.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clinical import rounds, skin_tests, specimens, transfusion
from clinical.alarms import RANK
from clinical.chart_records import SCALES, Assessment
from clinical.infusion import ordered
from clinical.infusion.rounds import patrol_due, standing
from clinical.records import EFFECT, FLOWING, USABLE, AlarmPriority, Facts, Flow, Infusion
from clinical.windows import WAITING

if TYPE_CHECKING:
    from clinical.policy import SitePolicy

CONDITIONS = frozenset({
    "blood-quarter", "blood-further", "blood-fast", "blood-four-hours", "blood-bag-return", "skin-test-due",
    "skin-test-late", "specimen-transport", "device-to-release", *ordered.CONDITIONS,
})  # fmt: skip
"""Every name an item can have; the alarms of these names begin and end with the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CareItem:
    """One thing to do; ``code`` is the rule of bc-1, ``name`` its condition, ``due`` since when."""

    code: str
    name: str
    priority: AlarmPriority
    patient_id: str
    subject_id: str  # blood unit, running skin test, specimen, stay, infusion, order or administration
    due: datetime
    infusion_id: str = ""
    params: tuple[tuple[str, float], ...] = ()


def items(facts: Facts, now: datetime, policy: SitePolicy) -> tuple[CareItem, ...]:
    """Return what is to be done now, most pressing first.

    Args:
        facts: Everything known of the ward.
        now: The present.
        policy: Limits of the site.
    """
    found = [
        *_transfusions(facts, now, policy),
        *_empty_bags(facts, now, policy),
        *_skin_tests(facts, now, policy),
        *_samples(facts, now, policy),
        *_rounds(facts, now, policy),
        *_patrols(facts, now, policy),
        *bags(facts, now, policy),
        *releases(facts, now, policy),
        *_words(facts, policy),
        *_supplies(facts),
        *_effects(facts, now),
        *_assessments(facts, now, policy),
    ]
    return tuple(sorted(found, key=lambda item: (-RANK[item.priority], item.due, item.subject_id)))


def _transfusions(facts: Facts, now: datetime, policy: SitePolicy) -> Iterator[CareItem]:
    units, flows = {unit.id for unit in facts.blood_units}, {flow.id: flow for flow in facts.flows}
    for infusion in facts.infusions:
        if infusion.bag_id not in units or infusion.state not in FLOWING:
            continue
        entries = sorted(
            (one for one in facts.transfusion_entries if one.infusion_id == infusion.id),
            key=lambda one: one.at,
        )
        measured = _measured(flows.get(infusion.id), now, policy)
        for held in transfusion.conditions(infusion, entries, now, policy.care.blood, measured):
            yield CareItem(
                code=held.code, name=held.name, priority=held.priority, params=held.params,
                patient_id=infusion.patient_id, subject_id=infusion.bag_id, infusion_id=infusion.id,
                due=_due(infusion, held.name, entries[-1].at if entries else now, now, policy),
            )  # fmt: skip


def _due(infusion: Infusion, name: str, last: datetime, now: datetime, policy: SitePolicy) -> datetime:
    blood = policy.care.blood
    match name:
        case "blood-quarter":
            return infusion.started_at + timedelta(minutes=blood.quarter)
        case "blood-four-hours":
            return infusion.started_at + timedelta(minutes=blood.end_alarm)
        case "blood-further":
            return last + timedelta(minutes=blood.further_every)
        case _:
            return now


def _measured(flow: Flow | None, now: datetime, policy: SitePolicy) -> float | None:
    """Return the measured rate in mL/h, unless it is stale or nobody could tell."""
    if flow is None or flow.validity not in USABLE:
        return None
    return flow.rate_ml_h if (now - flow.effective).total_seconds() <= policy.flow.stale_s else None


def _empty_bags(facts: Facts, now: datetime, policy: SitePolicy) -> Iterator[CareItem]:
    for unit in facts.blood_units:
        kept = transfusion.bag_return(unit, now, policy.care.blood)
        if kept and unit.ended_at is not None:
            yield CareItem(
                code="BLD-BAG", name="blood-bag-return", patient_id=unit.patient_id, subject_id=unit.id,
                priority=AlarmPriority.LOW if kept == "over" else AlarmPriority.NONE,
                due=unit.ended_at + timedelta(hours=policy.care.blood.keep_bag_h),
            )  # fmt: skip


def _skin_tests(facts: Facts, now: datetime, policy: SitePolicy) -> Iterator[CareItem]:
    for test in facts.running_skin_tests:
        state = skin_tests.due(test, now, policy)
        if state != "waiting":
            late = state == "late"
            yield CareItem(
                code="SKT-LATE" if late else "SKT-DUE", name=f"skin-test-{state}",
                priority=AlarmPriority.MEDIUM if late else AlarmPriority.LOW,
                patient_id=test.patient_id, subject_id=test.id,
                due=test.started_at + timedelta(minutes=policy.care.skin_test.read_after_min),
            )  # fmt: skip


def _samples(facts: Facts, now: datetime, policy: SitePolicy) -> Iterator[CareItem]:
    for specimen in facts.specimens:
        if specimen.collected_at is not None and specimens.transport_is_late(
            specimen, now, policy.care.specimen
        ):
            yield CareItem(
                code="SPC-TRANSPORT", name="specimen-transport", priority=AlarmPriority.LOW,
                patient_id=specimen.patient_id, subject_id=specimen.id,
                due=specimen.collected_at + timedelta(minutes=policy.care.specimen.transport_min),
            )  # fmt: skip


def _rounds(facts: Facts, now: datetime, policy: SitePolicy) -> Iterator[CareItem]:
    """Rounds by nursing grade: from the last look, or from when the patient came to the bed."""
    looked: dict[str, datetime] = {}
    for look in facts.rounds:
        looked[look.patient_id] = max(look.at, looked.get(look.patient_id, look.at))
    for stay in facts.encounters:
        last = looked.get(stay.patient_id, stay.moved_at or stay.admitted_at)
        if stay.status != "in-progress" or last is None:
            continue
        due = rounds.due(last, stay.care_level, policy)
        state = rounds.state(last, stay.care_level, now, policy)
        if due is not None and state != "ok":
            yield CareItem(
                code="ROUND", name=f"round-{state}", priority=AlarmPriority.NONE,
                patient_id=stay.patient_id, subject_id=stay.id, due=due,
            )  # fmt: skip


def _patrols(facts: Facts, now: datetime, policy: SitePolicy) -> Iterator[CareItem]:
    """Rounds of bags that hang open; blood has its own watch."""
    blood = {unit.id for unit in facts.blood_units}
    grades = {stay.id: stay.care_level for stay in facts.encounters}
    for bag in facts.infusions:
        if bag.state not in FLOWING or bag.bag_id in blood:
            continue
        grade = grades.get(bag.encounter_id)
        state = standing(bag, grade, now, policy)
        if state != "ok":
            yield CareItem(
                code="INF-PATROL-DUE", name=f"patrol-{state}", priority=AlarmPriority.NONE,
                patient_id=bag.patient_id, subject_id=bag.id, infusion_id=bag.id,
                due=patrol_due(bag, bag.looked_at, grade, policy),
            )  # fmt: skip


def bags(facts: Facts, now: datetime, policy: SitePolicy) -> Iterator[CareItem]:
    """What bags that hang open ask for, against their orders and their time."""
    blood = {unit.id for unit in facts.blood_units}
    orders, labels = {one.id: one for one in facts.orders}, {one.id: one for one in facts.bags}
    flows = {one.id: one for one in facts.flows}
    for bag in facts.infusions:
        hanging = ordered.Hanging(
            bag=bag, order=orders.get(bag.order_id), label=labels.get(bag.bag_id), flow=flows.get(bag.id),
            blood=bag.bag_id in blood,
        )  # fmt: skip
        for ask in ordered.asks(hanging, now, policy):
            yield CareItem(
                code=ask.code, name=ask.name, priority=ask.priority, due=ask.due, params=ask.params,
                patient_id=bag.patient_id, subject_id=bag.id, infusion_id=bag.id,
            )  # fmt: skip


def releases(facts: Facts, now: datetime, policy: SitePolicy) -> Iterator[CareItem]:
    """Devices of patients who were moved or sent home, until a person says that they are off."""
    stays = {one.id: one for one in facts.encounters}
    limit = timedelta(minutes=policy.release_confirm_min)
    for one in facts.associations:
        stay = stays.get(one.encounter_id)
        if one.end is not None or one.release_asked_at is None or stay is None:
            continue
        late = now - one.release_asked_at >= limit
        yield CareItem(
            code="DEV-RELEASE", name="device-to-release",
            priority=AlarmPriority.LOW if late else AlarmPriority.NONE,
            patient_id=stay.patient_id, subject_id=one.id, infusion_id=one.infusion_id,
            due=one.release_asked_at,
        )  # fmt: skip


def _words(facts: Facts, policy: SitePolicy) -> Iterator[CareItem]:
    """What rests on a doctor's word: orders to sign, acts to acknowledge; ``due`` is the site's limit."""
    limit = timedelta(hours=policy.verbal_sign_h)
    for order in facts.orders:
        if order.verbal is not None and order.verbal.signed_at is None:
            yield CareItem(
                code="ORD-SIGN", name="verbal-order-unsigned", priority=AlarmPriority.NONE,
                patient_id=order.patient_id, subject_id=order.id, due=order.verbal.taken_at + limit,
            )  # fmt: skip
    for given in facts.administrations:
        if given.spoken_by and given.acknowledged_at is None:
            yield CareItem(
                code="ORD-WORD", name="word-unacknowledged", priority=AlarmPriority.NONE,
                patient_id=given.patient_id, subject_id=given.id, due=given.at + limit,
            )  # fmt: skip


def _supplies(facts: Facts) -> Iterator[CareItem]:
    """Doses not given for want of the drug, until somebody has answered for it: the pharmacist's list."""
    given = {one.id: one for one in facts.administrations}
    for alarm in facts.alarms:
        dose = given.get(str(alarm.params.get("subject", "")))
        if alarm.condition == "supply-failure" and alarm.present and dose is not None:
            yield CareItem(
                code="SUPPLY", name="supply-failure", priority=AlarmPriority.NONE,
                patient_id=dose.patient_id, subject_id=dose.id, due=alarm.started_at,
            )  # fmt: skip


def _effects(facts: Facts, now: datetime) -> Iterator[CareItem]:
    """Effects of as-needed drugs that nobody has looked at in time."""
    for task in facts.tasks:
        late = task.latest is not None and now > task.latest
        if task.kind == EFFECT and task.status in WAITING and late and task.planned_at is not None:
            yield CareItem(
                code="PRN-EFFECT", name="prn-effect-overdue", priority=AlarmPriority.NONE,
                patient_id=task.patient_id, subject_id=task.id, due=task.planned_at,
            )  # fmt: skip


def _assessments(facts: Facts, now: datetime, policy: SitePolicy) -> Iterator[CareItem]:
    """Scales to be filled in: the first time after admission, then again by the tier they last gave."""
    limits, newest = policy.care.assessments, dict[tuple[str, str], Assessment]()
    for one in facts.assessments:
        known = newest.get((one.patient_id, one.scale))
        if known is None or one.at > known.at:
            newest[one.patient_id, one.scale] = one
    for stay in facts.encounters:
        came = stay.moved_at or stay.admitted_at
        for scale in SCALES if stay.status == "in-progress" else ():
            last = newest.get((stay.patient_id, scale))
            hours = limits.again_h.get(f"{scale}-{last.tier}") if last else limits.first_h.get(scale)
            since = last.at if last else came
            if hours is not None and since is not None and now >= since + timedelta(hours=hours):
                yield CareItem(
                    code="SCALE", name=f"{scale}-due", priority=AlarmPriority.NONE,
                    patient_id=stay.patient_id, subject_id=stay.id, due=since + timedelta(hours=hours),
                )  # fmt: skip
