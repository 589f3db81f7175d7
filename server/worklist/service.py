"""The ward's list of timed care, and the alarms of what on it must not wait."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clinical import worklist
from clinical.care_records import BloodUnit
from clinical.records import (
    FLOWING,
    Alarm,
    AlarmPriority,
    Association,
    Bag,
    Encounter,
    Facts,
    Flow,
    Infusion,
    Order,
)
from server.alarms import service as alarms
from server.sites import Site
from server.storage.codec import R
from server.storage.store import UnitOfWork
from server.worklist.judge import present_stay


def tick(unit: UnitOfWork, site: Site) -> None:
    """Begin and end the alarms of timed care as the list says."""
    standing = [
        alarm for alarm in unit.all(Alarm) if alarm.condition in worklist.CONDITIONS and alarm.present
    ]
    hanging = [one for one in unit.all(Infusion) if one.state in FLOWING]
    asked = [one for one in unit.all(Association) if one.end is None and one.release_asked_at is not None]
    if not (standing or hanging or asked) and not any(unit.entries(kind) for kind in _KINDS):
        return
    held: set[tuple[str, str]] = set()
    about, policy = _about(unit, hanging, asked), site.policy
    of_all = (*worklist.bags(about, unit.now, policy), *worklist.releases(about, unit.now, policy))
    for item in (*_of_wards(unit, site), *of_all):
        if item.priority is not AlarmPriority.NONE and (item.name, item.subject_id) not in held:
            held.add((item.name, item.subject_id))
            _begin(unit, item)
    for alarm in standing:
        if (alarm.condition, str(alarm.params.get("subject", ""))) not in held:
            alarms.end(unit, alarm, unit.now)


def _of_wards(unit: UnitOfWork, site: Site) -> Iterator[worklist.CareItem]:
    """The whole list of each ward, made only where something of it can be there: it reads every fact."""
    if any(unit.entries(kind) for kind in _KINDS):
        for ward in site.wards:
            yield from worklist.items(unit.view.facts(ward), unit.now, site.policy)


def _about(unit: UnitOfWork, hanging: list[Infusion], asked: list[Association]) -> Facts:
    """What there is to know about bags that hang open, and devices to release, of every ward."""

    def known(kind: type[R], ids: Iterable[str]) -> tuple[R, ...]:
        return tuple(one for id_ in dict.fromkeys(ids) if (one := unit.get(kind, id_)) is not None)

    labels = [one.bag_id for one in hanging]
    return Facts(
        infusions=tuple(hanging),
        orders=known(Order, (one.order_id for one in hanging)),
        bags=known(Bag, labels),
        blood_units=known(BloodUnit, labels),
        flows=known(Flow, (one.id for one in hanging)),
        associations=tuple(asked),
        encounters=known(Encounter, (one.encounter_id for one in asked)),
    )


_KINDS = ("blood_units", "running_skin_tests", "specimens")
_IN_THE_PATIENT = frozenset({
    "blood-fast", "infusion-order-ended", "infusion-order-on-hold", "infusion-order-changed",
    "infusion-rate-changed",
})  # fmt: skip
"""Conditions of the patient's own, not of the ward's work."""


def _begin(unit: UnitOfWork, item: worklist.CareItem) -> None:
    stay = present_stay(unit, item.patient_id)
    alarms.begin(
        unit,
        alarms.Condition(
            condition=item.name,
            kind="physiological" if item.name in _IN_THE_PATIENT else "technical",
            priority=item.priority,
            at=unit.now,
            encounter_id=stay.id if stay is not None else "",
            infusion_id=item.infusion_id,
            params=dict(item.params),
            generation=alarms.generation_of(unit, item.patient_id),
            subject=item.subject_id,
        ),
    )
