"""Makes what the hospital says true on the ward: implements :class:`server.his.port.HospitalFacts`.

The hospital's codes become ours through the ward's mapping tables. What has no mapping is refused with a
code and waits on the worklist of messages; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from clinical.errors import NotFoundError, WardlinkError
from clinical.records import LEAVING, CareLevel, Encounter, Generation, Order, Patient
from server import hospital_alerts, hospital_blood, hospital_people, hospital_reports, hospital_times
from server.his.port import (
    AdmitPatient,
    AllergyFact,
    Applied,
    CancelAdmit,
    CancelDischarge,
    ChangeOrder,
    Demographics,
    DischargePatient,
    GatewayAlive,
    HoldOrder,
    HospitalFact,
    IssueBlood,
    MergePatients,
    MovePatient,
    Place,
    PlaceOrder,
    ReleaseOrder,
    ReportAlert,
    ReportMeasurements,
    ReportResults,
    StopOrder,
    SwapPatients,
    UpdatePatient,
)
from server.hospital_alerts import GatewayWatch
from server.hospital_codes import CodeTables, UnmappedError
from server.hospital_orders import changed_order, new_order, order_id
from server.orders import service as orders
from server.patients import allergies
from server.patients import service as patients
from server.sites import Site
from server.storage.store import Store, UnitOfWork

_StayOrOrder = (
    AdmitPatient
    | UpdatePatient
    | MovePatient
    | SwapPatients
    | DischargePatient
    | CancelDischarge
    | CancelAdmit
    | MergePatients
    | PlaceOrder
    | ChangeOrder
    | HoldOrder
    | ReleaseOrder
    | StopOrder
)


class HospitalFactsService:
    """Applies hospital facts, one message in one transaction."""

    def __init__(self, store: Store, site: Site) -> None:
        self._store, self._site = store, site
        self.gateways = GatewayWatch(store)

    def apply(self, fact: HospitalFact) -> Applied:
        """Apply one fact in its own transaction."""
        return self.apply_all([fact])

    def apply_all(self, facts: Sequence[HospitalFact]) -> Applied:
        """Apply the facts of one message in one transaction: all of them, or none and the first error."""

        def run(unit: UnitOfWork) -> str:
            return self.apply_in(unit, facts)

        try:
            detail = self._store.write(run)
        except UnmappedError as error:
            return Applied(ok=False, code=error.code, detail=error.message)
        except WardlinkError as error:
            code = "busy" if error.code == "storage" else error.code
            return Applied(ok=False, code=code, detail=error.message)
        return Applied(ok=True, detail=detail)

    def apply_in(self, unit: UnitOfWork, facts: Sequence[HospitalFact]) -> str:
        """Apply the facts of one message in a unit of work; returns what a person may want to know.

        Raises:
            WardlinkError: One of them cannot hold; the unit has to be given up as a whole.
        """
        one = _Application(unit, self._site, self.gateways)
        past = [hospital_times.past(fact, unit.now) for fact in facts]
        for fact in past:
            one.apply(fact)
        if past != list(facts):
            one.notes.append(hospital_times.NOTE)
        return " ".join(note for note in dict.fromkeys(one.notes) if note)


class _Application:
    """The facts of one message, applied in one unit of work."""

    def __init__(self, unit: UnitOfWork, site: Site, gateways: GatewayWatch) -> None:
        self._unit, self._site, self._gateways = unit, site, gateways
        self._codes = CodeTables(unit, site)
        self.notes: list[str] = []

    def apply(self, fact: HospitalFact) -> None:
        """Apply one fact."""
        match fact:
            case ReportResults():
                self.notes.append(hospital_reports.resulted(self._unit, self._codes, fact))
            case ReportMeasurements():
                self.notes.append(hospital_reports.measured(self._unit, self._codes, fact))
            case ReportAlert():
                self.notes.append(hospital_alerts.alerted(self._unit, self._codes, fact))
            case GatewayAlive():
                self.notes.append(self._gateways.alive(self._unit, fact))
            case IssueBlood():
                hospital_blood.issued(self._unit, self._codes, fact)
            case _:
                self._apply_stay_or_order(fact)

    def _apply_stay_or_order(self, fact: _StayOrOrder) -> None:  # noqa: C901 - one line per kind of fact
        match fact:
            case AdmitPatient():
                self._admit(fact)
            case UpdatePatient():
                self._update(fact)
            case MovePatient():
                self._move(fact)
            case DischargePatient():
                self._end_stay(fact.mrn, fact.at, "finished")
            case CancelDischarge():
                self._reopen(fact)
            case CancelAdmit():
                self._end_stay(fact.mrn, fact.at, "cancelled")
            case MergePatients():
                self.notes.append(hospital_people.merged(self._unit, fact))
            case SwapPatients():
                hospital_people.swapped(self._unit, self._codes, fact)
            case PlaceOrder():
                self._place(fact)
            case ChangeOrder():
                self._change(fact)
            case HoldOrder():
                self._set_status(fact.placer_id, "on-hold", fact.at)
            case ReleaseOrder():
                self._set_status(fact.placer_id, "active", fact.at)
            case StopOrder():
                self._set_status(fact.placer_id, "cancelled" if fact.cancelled else "stopped", fact.at)
            case _:
                assert_never(fact)

    def _admit(self, fact: AdmitPatient) -> None:
        if fact.place is None:
            raise UnmappedError("unmapped-bed", "the admission names no bed")
        ward, bed = self._codes.place(fact.place)
        known = patients.by_mrn(self._unit, fact.mrn)
        demo = fact.demo or self._site.generations.get(ward) is Generation.DEMO
        blank = Patient(
            id=patients.patient_id(fact.mrn),
            mrn=fact.mrn,
            name="",
            generation=Generation.DEMO if demo else Generation.REAL,
        )
        patient = _with(known or blank, fact.who)
        present = patients.stay_of(self._unit, patient) if known else None
        stay_id = f"E-{fact.visit_number or fact.mrn}"
        if present is not None and present.id != stay_id:
            raise UnmappedError("already-admitted", "the patient has another open stay; discharge it first")
        leaves = self._unit.get(Encounter, stay_id)
        back = leaves is not None and leaves.status == LEAVING and present is None
        if back and leaves is not None:  # sent home, not gone yet, and admitted again: the same stay goes on
            present = replace(
                leaves, status="in-progress", leaves_as="", ward=ward, bed=bed, room=fact.place.room
            )
        stay = present or Encounter(
            id=stay_id,
            patient_id=patient.id,
            status="in-progress",
            ward=ward,
            bed=bed,
            room=fact.place.room,
            visit_number=fact.visit_number,
            admitted_at=fact.at or self._unit.now,
        )
        stay = patients.admit(self._unit, patient, _with_stay(stay, fact.who), fact.at or self._unit.now)
        # Admitted again with another bed: the time of admission says nothing of when the bed changed.
        patients.move(self._unit, stay, ward=ward, bed=bed, room=fact.place.room, at=self._unit.now)
        if back:
            self._orders_go_on(stay.id)
        self._allergies(patient, fact.who.allergies)

    def _update(self, fact: UpdatePatient) -> None:
        patient = _with(patients.known(self._unit, fact.mrn), fact.who)
        self._unit.put(patient)
        stay = patients.stay_of(self._unit, patient)
        if stay is not None:
            self._follow_place(_with_stay(stay, fact.who), fact)
        elif fact.place is not None and self._is_new_here(patient, fact, fact.place):
            raise NotFoundError("unknown-patient", "the patient lies here, but was never admitted: send A01")
        self._allergies(patient, fact.who.allergies)
        self._unit.audit("patient-update", actor="his", entity=f"patient:{patient.id}", patient=patient.id)

    def _follow_place(self, stay: Encounter, fact: UpdatePatient) -> None:
        """Take the update and the bed it names: an A08 with another PV1-3 is a move nobody sent as one."""
        self._unit.put(stay)
        place = fact.place
        if place is None or (not place.bed and self._codes.ward(place) in {stay.ward, ""}):
            return
        ward, bed = self._codes.place(place)
        at = fact.at or self._unit.now
        patients.move(self._unit, stay, ward=ward, bed=bed, room=place.room, at=at)

    def _is_new_here(self, patient: Patient, fact: UpdatePatient, place: Place) -> bool:
        """Whether an update speaks of a stay on this ward that has not begun; one that ended is only told."""
        ended = [one for one in self._unit.all(Encounter) if one.patient_id == patient.id]
        told = any(not fact.visit_number or one.visit_number == fact.visit_number for one in ended)
        return self._codes.ward(place) in self._site.wards and not told

    def _allergies(self, patient: Patient, facts: tuple[AllergyFact, ...] | None) -> None:
        if facts is not None:
            allergies.replace_all(self._unit, patient, [self._codes.allergy(patient, fact) for fact in facts])

    def _move(self, fact: MovePatient) -> None:
        ward, bed = self._codes.place(fact.place)
        stay = patients.known_stay(self._unit, fact.mrn)
        at = fact.at or self._unit.now
        patients.move(self._unit, stay, ward=ward, bed=bed, room=fact.place.room, at=at)

    def _end_stay(self, mrn: str, at: datetime | None, status: str) -> None:
        stay = patients.stay_of(self._unit, patients.known(self._unit, mrn))
        if stay is not None:
            patients.discharge(self._unit, stay, at or self._unit.now, self._site.policy, status)

    def _reopen(self, fact: CancelDischarge) -> None:
        patient = patients.known(self._unit, fact.mrn)
        stays = [
            one
            for one in self._unit.all(Encounter)
            if one.patient_id == patient.id and one.status in {"finished", LEAVING}
        ]
        if patients.stay_of(self._unit, patient) is not None or not stays:
            return
        named = [one for one in stays if one.visit_number == fact.visit_number]
        last = max(named or stays, key=lambda one: one.moved_at or one.admitted_at or self._unit.now)
        ward, bed = self._codes.place(fact.place) if fact.place else (last.ward, last.bed)
        if not bed:
            raise UnmappedError(
                "unmapped-bed", "the bed was given to the next patient; name the bed in PV1-3"
            )
        stay = replace(last, status="in-progress", ward=ward, bed=bed)
        patients.admit(self._unit, patient, stay, fact.at or self._unit.now)
        self._orders_go_on(last.id)

    def _orders_go_on(self, encounter_id: str) -> None:
        """Let what a discharge has ended go on, and nothing else: only a discharge completes an order."""
        for order in list(self._unit.all(Order)):
            if order.encounter_id == encounter_id and order.status == "completed":
                orders.reopen(self._unit, order, self._site.policy)

    def _place(self, fact: PlaceOrder) -> None:
        patient = patients.known(self._unit, fact.mrn)
        stay = patients.known_stay(self._unit, fact.mrn)
        orders.place(
            self._unit,
            new_order(self._unit, self._codes, fact, patient, stay, self._site.policy),
            self._site.policy,
        )

    def _change(self, fact: ChangeOrder) -> None:
        before = orders.get(self._unit, order_id(fact.order.placer_id))
        changed = changed_order(self._unit, self._codes, fact, before)
        orders.change(self._unit, changed, self._site.policy)

    def _set_status(self, placer_id: str, status: str, at: datetime | None) -> None:
        orders.set_status(self._unit, order_id(placer_id), status, at or self._unit.now, self._site.policy)


def _with(patient: Patient, who: Demographics) -> Patient:
    """Write what was said over what is known; what was not said stays."""
    said = {
        name: value
        for name in ("name", "name_latin", "sex", "birth_date", "weight_kg", "weight_at")
        if (value := getattr(who, name)) is not None
    }
    blank = Patient(id=patient.id, mrn=patient.mrn, name=patient.name)
    said |= {name: getattr(blank, name) for name in who.cleared if name in Patient.__dataclass_fields__}
    return replace(patient, **said)


def _with_stay(stay: Encounter, who: Demographics) -> Encounter:
    said: dict[str, object] = {}
    if who.care_level is not None and who.care_level in set(CareLevel):
        said["care_level"] = CareLevel(who.care_level)
    if who.diagnosis is not None:
        said["diagnosis"] = who.diagnosis
    said |= {name: None if name == "care_level" else "" for name in who.cleared & {"care_level", "diagnosis"}}
    return replace(stay, **said)  # type: ignore[arg-type]  # the names are checked above
