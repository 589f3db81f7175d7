"""A patient the hospital has sent home or elsewhere stays watched until a person says that everything is off.

The hospital's word comes when somebody types it, not when the sensor leaves the arm. A discharge therefore
ends nothing that is attached: the stay is *leaving*, its devices are listed to be released, and the stay is
over once the last of them, and the last bag, is off. Times are those of the confirmation.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from clinical.errors import ConflictError, NotFoundError
from clinical.records import FLOWING, LEAVING, PRESENT, Association, Encounter, Infusion
from server.alarms import service as alarms
from server.storage.store import UnitOfWork


def open_associations(unit: UnitOfWork, encounter_id: str) -> list[Association]:
    """Devices that are on a stay now."""
    return [one for one in unit.all(Association) if one.encounter_id == encounter_id and one.end is None]


def bags(unit: UnitOfWork, encounter_id: str) -> list[Infusion]:
    """Bags of a stay that hang open."""
    return [one for one in unit.all(Infusion) if one.encounter_id == encounter_id and one.state in FLOWING]


def is_attached(unit: UnitOfWork, encounter_id: str) -> bool:
    """Whether a device or an open bag is still on a stay."""
    return bool(open_associations(unit, encounter_id) or bags(unit, encounter_id))


def ask(unit: UnitOfWork, association: Association, at: datetime) -> None:
    """Let a device wait for somebody to say that it is off."""
    if association.end is None and association.release_asked_at is None:
        asked = max(min(at, unit.now), association.start)
        unit.put(replace(association, release_asked_at=asked))


def withdraw(unit: UnitOfWork, association: Association) -> None:
    """Let a device stay on after all."""
    if association.end is None and association.release_asked_at is not None:
        unit.put(replace(association, release_asked_at=None))


def ended(stay: Encounter, status: str, at: datetime) -> Encounter:
    """Return a stay as it is once it is over."""
    return replace(stay, status=status, leaves_as="", moved_at=at)


def settle(unit: UnitOfWork, encounter_id: str, at: datetime) -> None:
    """End a stay that is leaving when the last device and the last bag are off; any other stays as it is."""
    stay = unit.get(Encounter, encounter_id)
    if stay is None or stay.status != LEAVING or is_attached(unit, encounter_id):
        return
    over = max(min(at, unit.now), stay.moved_at or at)  # never before the hospital's own word
    unit.put(ended(stay, stay.leaves_as or "finished", over))
    alarms.end_for_encounter(unit, encounter_id, unit.now)
    unit.audit("leave-settled", actor="server", entity=f"encounter:{stay.id}", patient=stay.patient_id)


def watch_again(unit: UnitOfWork, encounter_id: str) -> None:
    """Let a stay that was over be leaving once more: what was put on before it ended is told only now."""
    stay = unit.get(Encounter, encounter_id)
    if stay is not None and stay.status == LEAVING:  # put on after the discharge: asked for like the others
        for association in open_associations(unit, encounter_id):
            ask(unit, association, unit.now)
        return
    if stay is None or stay.status in PRESENT or not is_attached(unit, encounter_id):
        return
    lies = any(
        one.id != stay.id and (one.ward, one.bed) == (stay.ward, stay.bed) and one.status in PRESENT
        for one in unit.all(Encounter)
    )
    bed, room = ("", "") if lies else (stay.bed, stay.room)
    unit.put(replace(stay, status=LEAVING, leaves_as=stay.status, bed=bed, room=room))
    for association in open_associations(unit, encounter_id):
        ask(unit, association, unit.now)
    unit.audit("leave-watched", actor="server", entity=f"encounter:{stay.id}", patient=stay.patient_id)


def still_in(unit: UnitOfWork, ward: str, bed: str) -> Encounter | None:
    """Return who is leaving a bed that nobody else has yet."""
    place = (ward, bed, LEAVING)
    return next((one for one in unit.all(Encounter) if (one.ward, one.bed, one.status) == place), None)


def vacate(unit: UnitOfWork, comes: Encounter) -> list[Encounter]:
    """Take the bed from those who are leaving it, for the one who comes; they stay watched without a bed."""
    place = (comes.ward, comes.bed, LEAVING)
    found = [
        one for one in unit.all(Encounter) if one.id != comes.id and (one.ward, one.bed, one.status) == place
    ]
    for stay in found:
        without = replace(stay, bed="", room="")
        unit.put(without)
        alarms.rebed(unit, without)
    return found


def confirm(unit: UnitOfWork, encounter_id: str, at: datetime, by: str) -> Encounter:
    """Take a person's word that everything which was to come off a patient is off, since ``at``.

    Raises:
        NotFoundError: The stay is not known here.
        ConflictError: Nothing waits for it, or a bag of a patient who is leaving still hangs open.
    """
    stay = unit.get(Encounter, encounter_id)
    if stay is None:
        raise NotFoundError("unknown-encounter", "this stay is not known here")
    hanging = {one.id for one in bags(unit, encounter_id)}
    waiting = [
        one
        for one in open_associations(unit, encounter_id)
        if (one.release_asked_at is not None or stay.status == LEAVING) and one.infusion_id not in hanging
    ]
    if stay.status == LEAVING and bags(unit, encounter_id):
        raise ConflictError("bag-hangs-open", "a bag still hangs open; record how it ended, then confirm")
    if not waiting and stay.status != LEAVING:
        raise ConflictError("nothing-to-release", "no device waits to be taken off this patient")
    for association in waiting:
        unit.put(replace(association, end=max(min(at, unit.now), association.start)))
    unit.audit(
        "leave-confirm", actor=by, entity=f"encounter:{stay.id}", patient=stay.patient_id,
        detail=f"{len(waiting)} devices",
    )  # fmt: skip
    settle(unit, encounter_id, at)
    return unit.get(Encounter, encounter_id) or stay
