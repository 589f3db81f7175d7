"""SPC: is this the right tube, of the right patient, for an order that still wants it?

The wristband is scanned first, then the tube's label is printed or scanned: a label that was printed before
may stick on anybody's tube.

Source: bc-1 §5.10.
"""

from __future__ import annotations

from datetime import timedelta

from clinical.bedside_check import order, patient, timing, witness
from clinical.bedside_check.case import CARRIER, Case
from clinical.bedside_check.model import Right, ScanMethod
from clinical.bedside_check.order import is_discontinued, is_ended
from clinical.bedside_check.safety import measured
from clinical.care_records import Specimen
from clinical.identifiers import Kind, resolve

_TAKEN = frozenset({"collected", "received"})


def judge(case: Case) -> None:
    """Judge the taking of one sample."""
    found = _find(case)
    if found is None:
        return
    if case.patient is None or found.patient_id != case.patient.id:
        case.add("SPC-PATIENT")
        return
    case.specimen = found
    case.order = case.snapshot.orders.get(found.order_id)
    case.task = case.snapshot.tasks.get(found.task_id)
    case.judged |= {Right.DRUG, Right.TIME}
    order.judge(case)
    timing.judge(case)
    _state(case, found)
    _tube(case, found)
    _timing(case, found)
    _arm(case)
    _second(case, found)
    patient.judge_bed(case)
    case.complete = True


def _find(case: Case) -> Specimen | None:
    scans = [scan for scan in case.request.items if scan.reason != "dialog-open"]
    if not scans:
        case.need("item-scan")
        return None
    scan = scans[-1]
    found = resolve(scan.raw, symbology=scan.symbology, prefixes=case.policy.prefixes)
    number = found.value if found.kind == Kind.TUBE and found.valid else ""
    if scan.method in {ScanMethod.KEY, ScanMethod.NONE} and found.kind == Kind.UNKNOWN:
        number = scan.raw.strip()
    specimen = case.snapshot.specimens.get(number)
    if specimen is None:
        case.add("SPC-TUBE", reason="unknown")
    return specimen


def _state(case: Case, specimen: Specimen) -> None:
    ordered = case.order
    stopped = ordered is not None and (is_discontinued(case, ordered) or is_ended(case, ordered))
    if specimen.state == "cancelled" or stopped:
        case.add("SPC-ORDER")
    elif specimen.state in _TAKEN or specimen.collected_at is not None:
        case.add("SPC-DONE", at=specimen.collected_at, by=specimen.collected_by)
    elif specimen.state == "rejected":
        case.add("SPC-TUBE", reason="rejected")


def _tube(case: Case, specimen: Specimen) -> None:
    taken = case.request.entered.container
    if specimen.container and not taken:
        case.need("container")
    elif specimen.container and taken != specimen.container:
        case.add("SPC-TUBE", needed=specimen.container, taken=taken)
    band = case.request.patient_scan
    if specimen.printed_at is not None and band is not None and specimen.printed_at < band.at:
        case.add("SPC-PREPRINT", at=specimen.printed_at)


def _timing(case: Case, specimen: Specimen) -> None:
    """A trough is taken before the dose, a fasting sample before the meal."""
    if specimen.trough_of and _given_since_its_slot(case, specimen.trough_of):
        case.add("SPC-TIMING", reason="after-dose")
    if not specimen.fasting:
        return
    meal = measured(case, "MDCX_MEAL")
    limit = timedelta(minutes=case.policy.care.specimen.fasting_min)
    if meal is not None and case.at - meal.effective < limit:
        case.add("SPC-TIMING", reason="not-fasting", at=meal.effective)


def _given_since_its_slot(case: Case, code: str) -> bool:
    """Tell whether the drug was given after the time the trough was planned for, or in the last hour."""
    planned = case.task.planned_at if case.task is not None else None
    since = min(planned or case.at, case.at) - timedelta(hours=1)
    return any(
        past.at > since and code != CARRIER and code in {name for name, _ in past.ingredients}
        for past in case.given()
    )


def _arm(case: Case) -> None:
    """Blood from the arm an infusion runs into is the infusion."""
    lines = case.policy.care.lines
    mine = case.request.entered.site
    limb = lines.get(mine, mine)
    running = case.snapshot.running_of(case.patient_id)
    if limb and any(lines.get(infusion.site, infusion.site) == limb for infusion in running):
        case.add("SPC-ARM", site=mine)
    case.judged.add(Right.ROUTE)


def _second(case: Case, specimen: Specimen) -> None:
    """A sample for a cross-match decides which blood a person gets: two persons see whose it is."""
    second = case.request.witness
    if second is not None:
        witness.judge_person(case, second)
    elif specimen.second_person:
        case.add("SPC-CROSSMATCH")
    if second is not None or specimen.second_person:
        case.judged.add(Right.WITNESS)
