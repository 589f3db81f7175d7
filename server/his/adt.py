"""Patient messages (ADT): admissions, moves, discharges, updates, merges."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from clinical.records import Sex
from server.his.message import Message, Segment
from server.his.port import (
    AdmitPatient,
    AllergyFact,
    CancelAdmit,
    CancelDischarge,
    Demographics,
    DischargePatient,
    HospitalFact,
    MergePatients,
    MovePatient,
    SwapPatients,
    UpdatePatient,
)
from server.his.reading import (
    Site,
    event_time,
    merged_number,
    must_have_place,
    number,
    patient_number,
    person_names,
    place,
    visit_number,
)
from server.his.refusal import RefusedMessageError, missing
from server.his.times import parse_day, parse_stamp

# PV1-2 classes that never lie in a ward's bed.
_NO_BED_CLASSES = {"O", "E", "P", "OUTPATIENT", "EMERGENCY", "OP"}
_WEIGHT_CODES = {"29463-7", "3141-9", "68063", "WEIGHT"}
# Events that would move or change a patient in a way this system does not follow: saying "accepted" would
# leave two different wards in two systems, so they are rejected and a person sees it.
UNSAFE_TO_IGNORE = frozenset({"A06", "A07", "A24", "A37", "A47", "A49", "A50", "A51"})


def facts_of(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    """Return what a patient message says; empty when it says nothing for a ward.

    Raises:
        RefusedMessageError: A field that is needed is missing or wrong, or the event is not supported.
    """
    event = message.type[1] or (evn.value(1).upper() if (evn := message.first("EVN")) else "")
    maker = _MAKERS.get(event)
    if maker is not None:
        return maker(message, site)
    if event in UNSAFE_TO_IGNORE or not event:
        raise RefusedMessageError(
            "event-unsupported",
            f"ADT event {event[:3] or '(none)'} is not supported; send the change as A01, A02, A03 or A08.",
            hl7_code=201,
            where="MSH-9",
            reject=True,
        )
    return ()


def _common(message: Message, site: Site) -> dict[str, Any]:
    return {
        "mrn": patient_number(message.first("PID"), site),
        "visit_number": visit_number(message),
        "at": event_time(message, site),
    }


def _visit_time(message: Message, field: int, site: Site) -> datetime | None:
    pv1 = message.first("PV1")
    return parse_stamp(pv1.value(field) if pv1 else "", site.zone, where=f"PV1-{field}")


def _admit(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    common = _common(message, site)
    pv1 = message.first("PV1")
    where = place(pv1, 3)
    if where is None or not where.ward or (pv1 is not None and pv1.value(2).upper() in _NO_BED_CLASSES):
        return ()  # no ward yet, or never one: the move that brings the patient to a bed will say so
    common["at"] = _visit_time(message, 44, site) or common["at"]
    return (AdmitPatient(**common, place=where, who=demographics(message, site), demo=message.is_demo),)


def _move(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    pv1 = message.first("PV1")
    return (MovePatient(**_common(message, site), place=must_have_place(place(pv1, 3)), prior=place(pv1, 6)),)


def _cancel_move(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    pv1 = message.first("PV1")
    back = place(pv1, 3) or place(pv1, 6)
    return (MovePatient(**_common(message, site), place=must_have_place(back), cancels=True),)


def _swap(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    """Read the two patients of a swap, each with the bed of the PV1 that follows."""
    pids, pv1s = list(message.all("PID")), list(message.all("PV1"))
    if len(pids) != 2 or len(pv1s) != 2:
        raise RefusedMessageError(
            "swap-needs-two",
            "A17 needs two PID segments, each followed by its PV1.",
            hl7_code=100,
            where="PID",
        )
    numbers = [patient_number(pid, site) for pid in pids]
    places = [must_have_place(place(pv1, 3)) for pv1 in pv1s]
    swapped = SwapPatients(
        mrn=numbers[0],
        place=places[0],
        other_mrn=numbers[1],
        other_place=places[1],
        at=event_time(message, site),
    )
    return (swapped,)


def _discharge(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    common = _common(message, site)
    common["at"] = _visit_time(message, 45, site) or common["at"]
    return (DischargePatient(**common),)


def _update(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    where = place(message.first("PV1"), 3)
    return (UpdatePatient(**_common(message, site), who=demographics(message, site), place=where),)


def _cancel_admit(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    return (CancelAdmit(**_common(message, site)),)


def _cancel_discharge(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    return (CancelDischarge(**_common(message, site), place=place(message.first("PV1"), 3)),)


def _merge(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    common = _common(message, site)
    common.pop("visit_number")
    old = merged_number(message.first("MRG"), site)
    if old == common["mrn"]:
        raise RefusedMessageError(
            "merge-with-itself", "PID-3 and MRG-1 are the same number.", hl7_code=103, where="MRG-1"
        )
    return (MergePatients(**common, old_mrn=old),)


_MAKERS: dict[str, Callable[[Message, Site], tuple[HospitalFact, ...]]] = {
    "A01": _admit,
    "A02": _move,
    "A03": _discharge,
    "A04": _admit,
    "A08": _update,
    "A11": _cancel_admit,
    "A12": _cancel_move,
    "A13": _cancel_discharge,
    "A17": _swap,
    "A18": _merge,
    "A40": _merge,
}
EVENTS = frozenset(_MAKERS)


def demographics(message: Message, site: Site) -> Demographics:
    """Read who the patient is; what the message does not say stays ``None``."""
    pid = message.first("PID")
    if pid is None:
        raise missing("PID", "patient identification")
    written, latin = person_names(pid)
    weight, weighed = _weight(message, site)
    return Demographics(
        name=written or None,
        name_latin=latin or None,
        sex=_sex(pid, site),
        birth_date=_birth(pid),
        weight_kg=weight,
        weight_at=weighed,
        care_level=_care_level(message, site),
        diagnosis=_diagnosis(message),
        allergies=_allergies(message, site),
        cleared=_cleared(message, pid),
    )


def _sex(pid: Segment, site: Site) -> Sex | None:
    text = pid.value(8)
    if not text:
        return None
    word = site.tables.find("sex", text)
    if not word:
        raise RefusedMessageError(
            "sex-unknown", "PID-8 is not a code of table HL70001.", hl7_code=103, where="PID-8"
        )
    return Sex(word)


def _birth(pid: Segment) -> date | None:
    return parse_day(pid.value(7), where="PID-7")


def _weight(message: Message, site: Site) -> tuple[Decimal | None, datetime | None]:
    for obx in message.all("OBX"):
        if obx.value(3).upper() in _WEIGHT_CODES and obx.value(5):
            kilograms = number(obx.value(5), "OBX-5")
            factor = {"kg": Decimal(1), "g": Decimal("0.001")}.get(site.tables.find("unit", obx.value(6)))
            if kilograms is None or factor is None:
                raise RefusedMessageError(
                    "weight-unit", "A body weight must be in kg or g.", hl7_code=103, where="OBX-6"
                )
            at = parse_stamp(obx.value(14), site.zone, where="OBX-14") or event_time(message, site)
            return kilograms * factor, at
    return None, None


def _care_level(message: Message, site: Site) -> str | None:
    pv2 = message.first("PV2")
    texts = (pv2.value(40), pv2.value(40, 2)) if pv2 else ()
    return next((word for text in texts if (word := site.tables.find("care_level", text))), None)


def _diagnosis(message: Message) -> str | None:
    dg1 = message.first("DG1")
    return (dg1.value(4) or dg1.value(3, 2) or dg1.value(3)) or None if dg1 else None


def _allergies(message: Message, site: Site) -> tuple[AllergyFact, ...] | None:
    lines = [line for line in message.all("AL1") if line.value(3) or line.value(3, 2)]
    if not lines:
        return None
    known = [line for line in lines if not _says_none(line, site)]
    return tuple(_allergy(line, site) for line in known)


def _says_none(line: Segment, site: Site) -> bool:
    return any(site.tables.find("no_allergy", line.value(3, part)) for part in (1, 2))


def _allergy(line: Segment, site: Site) -> AllergyFact:
    reactions = [part.component(1) for part in line.repetitions(5)]
    return AllergyFact(
        code=line.value(3),
        text=line.value(3, 2) or line.value(3),
        kind=line.value(2),
        severity=site.tables.find("severity", line.value(4)),
        reaction="; ".join(text for text in reactions if text),
    )


def _cleared(message: Message, pid: Segment) -> frozenset[str]:
    names = {5: "name", 7: "birth_date", 8: "sex"}
    cleared = {name for field, name in names.items() if pid.is_deleted(field)}
    pv2, dg1, al1 = message.first("PV2"), message.first("DG1"), message.first("AL1")
    if pv2 is not None and pv2.is_deleted(40):
        cleared.add("care_level")
    if dg1 is not None and (dg1.is_deleted(3) or dg1.is_deleted(4)):
        cleared.add("diagnosis")
    if al1 is not None and al1.is_deleted(3):
        cleared.add("allergies")
    return frozenset(cleared)
