"""What transfusions, skin tests, samples and rounds ask for now: the same list on handheld and server.

Pure. An item that has a priority sounds as an alarm at the server; one without is only listed: a round
that is due would sound at every bed.

Source: bc-1 §5.8 (rounds by grade), §5.9 and §5.10.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clinical import rounds, skin_tests, specimens, transfusion
from clinical.alarms import RANK
from clinical.records import FLOWING, USABLE, AlarmPriority, Facts, Flow, Infusion

if TYPE_CHECKING:
    from clinical.policy import SitePolicy

CONDITIONS = frozenset({
    "blood-quarter", "blood-further", "blood-fast", "blood-four-hours", "blood-bag-return", "skin-test-due",
    "skin-test-late", "specimen-transport",
})  # fmt: skip
"""Every name an item can have; the alarms of these names begin and end with the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CareItem:
    """One thing to do; ``code`` is the rule of bc-1, ``name`` its condition, ``due`` since when."""

    code: str
    name: str
    priority: AlarmPriority
    patient_id: str
    subject_id: str  # blood unit, running skin test, specimen or stay
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
