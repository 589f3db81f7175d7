"""PT: is this the right patient? A stop here ends the check and shows no data of anybody."""

from __future__ import annotations

from datetime import timedelta

from clinical.bedside_check.case import WRISTBAND, Case, is_stale
from clinical.bedside_check.model import OverrideClass, Right, Scan, ScanMethod, Severity
from clinical.identifiers import Identified, Kind, resolve
from clinical.records import LEAVING, PRESENT, Encounter, Patient

PATIENT_SCAN_MAX_MIN = 10
"""A wristband read longer ago, or in the future, must be read again: the nurse may have walked on."""
_IMPLAUSIBLE = timedelta(minutes=5)
_TRANSFER_HOURS = 72
_BY_HAND = frozenset({ScanMethod.KEY, ScanMethod.NONE})


def judge(case: Case) -> bool:
    """Find the patient; False when the check cannot go on."""
    scan = case.request.patient_scan
    if scan is None or scan.reason == "dialog-open":
        return _without_scan(case)
    if case.action in WRISTBAND and is_stale(scan.at, case.request.now, PATIENT_SCAN_MAX_MIN):
        case.need("patient-scan")
        return False
    patient = _find(case, scan)
    if patient is None or case.has_stop(Right.PATIENT):
        return False
    _belongs(case, patient)
    if case.has_stop(Right.PATIENT):
        return False
    case.patient = patient
    return _admitted(case, patient)


def _without_scan(case: Case) -> bool:
    """Actions that only stop or skip something take the patient from the infusion or the task."""
    if case.action in WRISTBAND:
        case.need("patient-scan")
        return False
    owner = _owner(case)
    if not owner:
        return True
    case.patient = case.snapshot.patients.get(owner)
    if case.patient is None:
        case.add("PT-NOT-ADMITTED", reason="unknown")
        return False
    case.encounter = case.snapshot.encounter_of.get(owner)
    case.judged.add(Right.PATIENT)
    return True


def _owner(case: Case) -> str:
    infusion = case.snapshot.infusions.get(case.request.infusion_id)
    if infusion is not None:
        return infusion.patient_id
    task = case.snapshot.tasks.get(case.request.task_id)
    return task.patient_id if task is not None else ""


def _find(case: Case, scan: Scan) -> Patient | None:
    found = resolve(scan.raw, symbology=scan.symbology, prefixes=case.policy.prefixes)
    if scan.method is ScanMethod.NONE:
        if not scan.reason:
            case.need("unable-to-scan-reason")
        case.add("PT-NOT-SCANNED", reason=scan.reason)
    number = found.value
    if found.kind != Kind.WRISTBAND or not found.valid:
        number = scan.raw.strip() if scan.method in _BY_HAND and found.kind == Kind.UNKNOWN else ""
        if not number:
            case.add("PT-NOT-SCANNED", override=OverrideClass.NONE, kind=str(found.kind))
            return None
    patient = case.snapshot.patients_by_mrn.get(number)
    if patient is None:
        case.add("PT-NOT-ADMITTED", reason="unknown")
        return None
    _serial(case, found, patient)
    return patient


def _serial(case: Case, found: Identified, patient: Patient) -> None:
    """Only the active wristband counts; older forms without a serial cannot be told apart."""
    if not found.serial:
        return
    band = case.snapshot.wristbands.get(f"{found.value}/{found.serial}")
    if band is None or not band.active or band.patient_id != patient.id:
        case.add("PT-LABEL-REVOKED")


def _belongs(case: Case, patient: Patient) -> None:
    infusion = case.snapshot.infusions.get(case.request.infusion_id)
    task = case.snapshot.tasks.get(case.request.task_id)
    owners = {found.patient_id for found in (infusion, task) if found is not None}
    if owners - {patient.id}:
        case.add("PT-MISMATCH")


def _admitted(case: Case, patient: Patient) -> bool:
    encounter = case.snapshot.encounter_of.get(patient.id)
    if encounter is None or encounter.status not in PRESENT:
        case.add("PT-NOT-ADMITTED", reason=encounter.status if encounter else "no-encounter")
        return False
    case.encounter = encounter
    if encounter.status in {"onleave", LEAVING}:
        case.add(
            "PT-NOT-ADMITTED", severity=Severity.WARN, override=OverrideClass.ACK, reason=encounter.status
        )
    _notes(case, patient, encounter)
    case.judged.add(Right.PATIENT)
    return True


def _notes(case: Case, patient: Patient, encounter: Encounter) -> None:
    if case.snapshot.namesakes.get(patient.id):
        case.add("PT-NAME-ALIKE")
    now = case.request.now
    moved = encounter.moved_at
    if (
        moved is not None
        and now - moved <= timedelta(hours=_TRANSFER_HOURS)
        and moved != encounter.admitted_at
    ):
        case.add("PT-TRANSFERRED", at=moved)
    place = case.request.handheld.bed_seen or encounter.bed
    for seen in case.snapshot.sightings_of.get(patient.id, ()):
        elsewhere = seen.handheld != case.request.handheld.id and seen.bed != place
        if elsewhere and abs(now - seen.at) <= _IMPLAUSIBLE:
            case.add("PT-SCAN-IMPLAUSIBLE")
            return


def judge_bed(case: Case) -> None:
    """Compare the bed of the node at hand with the patient's; a stop for high-alert drugs and blood."""
    seen, encounter = case.request.handheld.bed_seen, case.encounter
    if not seen or encounter is None or seen == encounter.bed:
        return
    blood = case.order is not None and case.order.kind == "transfusion"
    severe = blood or case.high_alert() >= 1
    case.add("PT-BED-MISMATCH", severity=Severity.STOP if severe else Severity.WARN)
