"""Dividing a ward's beds among those on duty, and asking who has which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clinical.assignments import on_duty
from clinical.errors import BadInputError
from clinical.exchange import Ward
from clinical.records import Assignment, Practitioner
from server.people.service import CLINICAL
from server.storage.picture import Picture
from server.storage.store import UnitOfWork

LONGEST = timedelta(hours=24)
AHEAD = timedelta(days=31)
"""How far ahead beds may be divided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A time on duty in a ward, and whose beds are whose."""

    ward: Ward
    since: datetime
    until: datetime
    beds: dict[str, tuple[str, ...]]  # person → beds


def divide(unit: UnitOfWork, shift: Shift, by: str) -> list[Assignment]:
    """Put a division in the place of what was said before of the same shift.

    Whoever is left out has no beds in it any more; a shift that only overlaps has to be cleared first.

    Raises:
        BadInputError: The times cannot be, somebody does not work here, a bed is not the ward's, or another
            shift is in the way.
    """
    _check_times(shift, unit.now)
    for person_id, beds in shift.beds.items():
        _check_person(unit.get(Practitioner, person_id), shift.ward, person_id)
        unknown = next((bed for bed in beds if bed not in shift.ward.beds), None)
        if unknown is not None:
            raise BadInputError("assignment-bed", "this ward does not have the bed", bed=unknown)
    before = [one for one in unit.all(Assignment) if one.ward == shift.ward.id and _overlaps(one, shift)]
    if any((one.since, one.until) != (shift.since, shift.until) for one in before):
        raise BadInputError(
            "assignment-overlap", "the beds of an overlapping shift are divided already; clear that one first"
        )
    wanted = {one.id: one for one in _assignments(shift, by)}
    for one in before:
        if one.id not in wanted:
            unit.retire(Assignment, one.id)
    for one in wanted.values():
        unit.put(one)
    unit.audit(
        "assignments",
        actor=by,
        entity=f"ward:{shift.ward.id}",
        detail=f"{shift.since.isoformat()} {len(wanted)} persons",
    )
    return list(wanted.values())


def at(picture: Picture, ward: str, moment: datetime) -> list[Assignment]:
    """Return who has which beds at a time, by person."""
    return sorted(on_duty(picture.all(Assignment), ward, moment), key=lambda one: one.practitioner_id)


def uncovered(ward: Ward, found: Iterable[Assignment]) -> tuple[str, ...]:
    """Return the beds that nobody has."""
    covered = {bed for one in found for bed in one.beds}
    return tuple(bed for bed in ward.beds if bed not in covered)


def tidy(unit: UnitOfWork, keep: timedelta) -> None:
    """Take shifts that are long over out of the picture; the store keeps them."""
    for one in [one for one in unit.all(Assignment) if one.until < unit.now - keep]:
        unit.retire(Assignment, one.id)


def _assignments(shift: Shift, by: str) -> Sequence[Assignment]:
    began = shift.since.isoformat()
    return [
        Assignment(
            id=f"{shift.ward.id}/{began}/{person_id}",
            ward=shift.ward.id,
            practitioner_id=person_id,
            since=shift.since,
            until=shift.until,
            beds=tuple(dict.fromkeys(beds)),
            by=by,
        )
        for person_id, beds in shift.beds.items()
    ]


def _overlaps(one: Assignment, shift: Shift) -> bool:
    return one.since < shift.until and shift.since < one.until


def _check_times(shift: Shift, now: datetime) -> None:
    if not timedelta(0) < shift.until - shift.since <= LONGEST:
        raise BadInputError("period", "a shift ends after it begins and is at most 24 hours long")
    if shift.until <= now or shift.since > now + AHEAD:
        raise BadInputError("assignment-time", "beds are divided for a shift that is not over, a month ahead")


def _check_person(person: Practitioner | None, ward: Ward, person_id: str) -> None:
    works = person is not None and person.active and (not person.wards or ward.id in person.wards)
    if person is None or not works or not set(CLINICAL) & set(person.roles):
        raise BadInputError(
            "assignment-person", "this person does not care for patients of this ward", person=person_id
        )
