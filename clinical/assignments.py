"""Who looks after which beds in a shift, and whom an alarm of a bed reaches, step by step.

Source: division of beds by the charge nurse (responsibility nursing); who is told after whom is a setting of
the site policy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from clinical.records import Assignment, Practitioner

BED_NURSE, NEXT_NURSE, CHARGE_NURSE = "bed-nurse", "next-nurse", "charge-nurse"
"""Words for whom a step tells: the bed's own, the others of the shift, who leads it; any other is a role."""
NURSING = frozenset({"nurse", "charge-nurse", "student", "instructor"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A bed of a ward at one time."""

    ward: str
    bed: str
    at: datetime


def on_duty(assignments: Iterable[Assignment], ward: str, at: datetime) -> list[Assignment]:
    """Return a ward's assignments that hold at a time."""
    return [one for one in assignments if one.ward == ward and one.since <= at < one.until]


def persons(
    to: str, place: Place, assignments: Iterable[Assignment], people: Iterable[Practitioner]
) -> tuple[str, ...]:
    """Return the ids of those a step tells, in order; nobody where nothing is known of the shift.

    Args:
        to: A word of the escalation policy: ``bed-nurse``, ``next-nurse``, or a role.
        place: Where and when.
        assignments: The ward's, of any time.
        people: Everybody on record.
    """
    shift = on_duty(assignments, place.ward, place.at)
    active = {one.id: one for one in people if one.active}
    own = {one.practitioner_id for one in shift if place.bed in one.beds}
    if to == BED_NURSE:
        found = own
    elif to == NEXT_NURSE:
        found = {one.practitioner_id for one in shift if _is_nurse(active, one)} - own
    else:
        found = _of_role(to, place.ward, shift, active)
    return tuple(sorted(found & active.keys()))


def _is_nurse(active: dict[str, Practitioner], one: Assignment) -> bool:
    person = active.get(one.practitioner_id)
    return person is not None and bool(NURSING & set(person.roles))


def _of_role(role: str, ward: str, shift: list[Assignment], active: dict[str, Practitioner]) -> set[str]:
    """Those of a role who are on duty; where none is, everybody of the role who works on the ward."""
    holders = {one.id for one in active.values() if role in one.roles}
    here = {one.practitioner_id for one in shift} & holders
    return here or {one for one in holders if ward in active[one].wards}
