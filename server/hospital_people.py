"""Two patients who change beds, and two numbers that are one person."""

from __future__ import annotations

from dataclasses import replace

from clinical.errors import ConflictError
from clinical.records import Patient, Wristband
from server.alarms import service as alarms
from server.devices.service import follow_bed
from server.his.port import MergePatients, SwapPatients
from server.hospital_codes import CodeTables, UnmappedError
from server.patients import service as patients
from server.storage.store import UnitOfWork


def swapped(unit: UnitOfWork, codes: CodeTables, fact: SwapPatients) -> None:
    """Let two patients change beds; the same message again changes nothing.

    Raises:
        NotFoundError: One of them is not in.
        ConflictError: Either bed is a third patient's.
        UnmappedError: A bed is not known, or both are the same.
    """
    stays = [patients.known_stay(unit, mrn) for mrn in (fact.mrn, fact.other_mrn)]
    wanted = [codes.place(place) for place in (fact.place, fact.other_place)]
    if wanted[0] == wanted[1] or stays[0].id == stays[1].id:
        raise UnmappedError("swap-same-bed", "the two patients of a swap, and their beds, have to differ")
    mine = {stay.id for stay in stays}
    for ward, bed in wanted:
        other = patients.lying_in(unit, ward, bed)
        if other is not None and other.id not in mine:
            raise ConflictError("bed-taken", "another patient lies in this bed; move or discharge them first")
    at = fact.at or unit.now
    moved = [
        replace(stay, ward=ward, bed=bed, room=place.room, moved_at=at)
        for stay, (ward, bed), place in zip(stays, wanted, (fact.place, fact.other_place), strict=True)
        if (stay.ward, stay.bed) != (ward, bed)
    ]
    for stay in moved:  # both first: neither bed is empty, or has two, for anybody who looks
        unit.put(stay)
    for stay in moved:
        unit.audit("transfer", actor="his", entity=f"encounter:{stay.id}", patient=stay.patient_id)
        follow_bed(unit, stay, at)
        alarms.rebed(unit, stay)


def merged(unit: UnitOfWork, fact: MergePatients) -> str:
    """Let a number live on under another; returns what a person may want to know.

    A number that is not known here, or whose stays are over, has nothing that could go wrong: what was
    recorded under it stays its own and can be found. Two open records are joined by a person.

    Raises:
        UnmappedError: The old number has an open stay.
    """
    old = patients.by_mrn(unit, fact.old_mrn)
    if old is None:
        return "The number that is given up is not known here; nothing had to be joined."
    if patients.stay_of(unit, old) is not None:
        raise UnmappedError(
            "merge-needs-person",
            "the number that is given up has an open stay here; discharge it and admit the new number",
        )
    for band in [one for one in unit.all(Wristband) if one.patient_id == old.id and one.active]:
        unit.put(replace(band, active=False))
    unit.audit("merge", actor="his", entity=f"patient:{old.id}", patient=old.id, detail=f"into {fact.mrn}")
    new = unit.get(Patient, patients.patient_id(fact.mrn))
    return "" if new is not None else "The number that lives on is not known here yet."
