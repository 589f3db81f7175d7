"""BLD: is this the right blood for this patient, seen by two persons, and where does it stand?

Receive check (two persons) → bedside check (two persons, both scan wristband, unit and slip) → start → 15
minutes → end → bag return. A unit for another patient ends the check and shows nothing of anybody.

Source: bc-1 §5.9.
"""

from __future__ import annotations

from clinical.bedside_check import blood_fit, blood_watch, order, patient, timing, witness
from clinical.bedside_check.case import Case, Item, older_than
from clinical.bedside_check.model import Action, Right, Scan, ScanMethod
from clinical.care_records import BloodUnit
from clinical.identifiers import Identified, Kind, resolve
from clinical.records import TaskStatus
from clinical.windows import FINAL

_STATE = {
    Action.BLOOD_RECEIVE: "issued", Action.BLOOD_CHECK: "received", Action.BLOOD_START: "checked",
    Action.BLOOD_OBS: "running", Action.BLOOD_END: "running",
}  # fmt: skip
"""State a unit must be in for each action."""
_BEFORE = frozenset({Action.BLOOD_RECEIVE, Action.BLOOD_CHECK, Action.BLOOD_START})
_SLIP = "slip"


def judge(case: Case) -> None:
    """Judge one action on one unit of blood."""
    units = _units(case)
    if units is None:
        return
    mine = [unit for unit in units if case.patient is None or unit.patient_id == case.patient.id]
    if not mine:
        case.add("BLD-PATIENT")
        return
    if len(mine) > 1:
        case.need("product-scan")
        return
    _take(case, mine[0])
    _judge(case, mine[0])
    patient.judge_bed(case)
    case.complete = True


def _take(case: Case, unit: BloodUnit) -> None:
    """Note what belongs to the unit: its patient where no wristband was asked for, order, task, infusion."""
    snapshot = case.snapshot
    case.unit = unit
    if case.patient is None:
        case.patient = snapshot.patients.get(unit.patient_id)
        case.encounter = snapshot.encounter_of.get(unit.patient_id)
    case.order = snapshot.orders.get(unit.order_id)
    case.infusion = snapshot.infusion_by_bag.get(unit.id)
    tasks = [
        task for task in snapshot.tasks_of.get(unit.order_id, ()) if _is_open(case, task.id, task.status)
    ]
    case.task = min(tasks, key=lambda task: (task.planned_at is None, task.planned_at), default=None)
    case.judged.add(Right.DRUG)


def _is_open(case: Case, task_id: str, status: TaskStatus) -> bool:
    if case.request.task_id:
        return task_id == case.request.task_id
    return status not in FINAL and status is not TaskStatus.ERROR


def _judge(case: Case, unit: BloodUnit) -> None:
    order.judge(case)
    timing.judge(case)
    _state(case, unit)
    if case.action in _BEFORE:
        _before(case, unit)
    elif case.infusion is not None:
        blood_watch.judge(case, case.infusion)


def _before(case: Case, unit: BloodUnit) -> None:
    if case.order is not None:
        order.judge_active(case, case.order)
    _label(case, unit)
    blood_fit.judge(case, unit)
    if case.action is Action.BLOOD_START:
        _checked(case, unit)
        blood_watch.judge_start(case)
    else:
        _looked_at(case)
        _second(case, unit)


# --- which unit ---------------------------------------------------------------------------------------------


def _units(case: Case) -> list[BloodUnit] | None:
    """Return the units the scans can mean; None when the check cannot go on."""
    for scan in case.request.items:
        if scan.source != _SLIP and scan.reason != "dialog-open":
            case.items.append(Item(scan=scan, found=_resolve(case, scan)))
    if not case.items:
        return _by_infusion(case)
    donation = _donation(case)
    if donation is None:
        return None
    units = case.snapshot.blood_units_by_donation.get(donation, [])
    if not units:
        case.add("BLD-UNIT", reason="not-issued")
        return None
    code = next((item.found.element("003") for item in case.items if item.found.element("003")), "")
    fitting = [unit for unit in units if not code or unit.product_code == code]
    if not fitting:
        case.add("BLD-PRODUCT", reason="label", scanned=code)
        return None
    return fitting


def _by_infusion(case: Case) -> list[BloodUnit] | None:
    """Return the unit of the named transfusion; before it runs the bag itself must be scanned."""
    infusion = case.snapshot.infusions.get(case.request.infusion_id)
    unit = case.snapshot.blood_units.get(infusion.bag_id) if infusion is not None else None
    if unit is None or case.action in _BEFORE:
        case.need("item-scan")
        return None
    return [unit]


def _resolve(case: Case, scan: Scan) -> Identified:
    return resolve(scan.raw, symbology=scan.symbology, prefixes=case.policy.prefixes)


def _donation(case: Case) -> str | None:
    """Return the donation number of the bag's scans; two different ones are two bags."""
    numbers = {number for item in case.items if (number := donation(case, item.scan))}
    if len(numbers) == 1:
        return numbers.pop()
    if numbers:
        case.add("BLD-UNIT", reason="two-bags")
    elif any(item.found.kind == Kind.ISBT128 and item.found.valid for item in case.items):
        case.need("item-scan")
    else:
        case.add("BLD-UNIT", reason="unreadable")
    return None


def donation(case: Case, scan: Scan) -> str:
    """Return the donation number a scan carries; regional numbers count when such a unit was issued.

    A number that was typed must carry its check character when it has the form of ISBT 128.
    """
    found = _resolve(case, scan)
    if found.kind == Kind.ISBT128:
        return found.value if found.valid else ""
    text = scan.raw.strip()
    if scan.method is ScanMethod.KEY and len(text) == 14 and blood_fit.is_checked(text):
        text = text[:13]
    return text if text in case.snapshot.blood_units_by_donation else ""


# --- state, label, persons ----------------------------------------------------------------------------------


def _state(case: Case, unit: BloodUnit) -> None:
    running = case.infusion is not None
    if unit.state != _STATE[case.action] or (running is (case.action in _BEFORE)):
        case.add("INF-TRANSITION", state=unit.state, reason="unit")


def _label(case: Case, unit: BloodUnit) -> None:
    """Compare the slip's number, and what else was read from the bag, with what was issued."""
    slips = [scan for scan in case.request.items if scan.source == _SLIP]
    if any(donation(case, scan) != unit.donation for scan in slips):
        case.add("BLD-UNIT", reason="slip")
    if not slips and case.action is not Action.BLOOD_START:
        case.need("slip-scan")
    blood_fit.judge_label(case, unit)


def _looked_at(case: Case) -> None:
    """Bag, colour and clots are looked at by eye (三查); what is wrong with one stops it."""
    entered = case.request.entered
    if set(entered.symptoms):
        case.add("BLD-LEAK-CLOT", found=" ".join(sorted(entered.symptoms)))
    elif set(case.policy.care.blood.unit_checks) - set(entered.checks):
        case.need("blood-checks")


def _second(case: Case, unit: BloodUnit) -> None:
    """Two persons; at the bed the second one scans wristband, unit and slip on their own."""
    second = case.request.witness
    case.judged.add(Right.WITNESS)
    if second is None:
        case.add("BLD-SECOND", reason="missing")
        return
    witness.judge_person(case, second)
    if case.action is not Action.BLOOD_CHECK:
        return
    by_source = {scan.source: scan for scan in second.scans}
    band, bag, slip = (by_source.get(source) for source in ("wristband", "unit", _SLIP))
    if band is None or bag is None or slip is None:
        case.add("BLD-SECOND", reason="own-scans-missing")
        return
    found = _resolve(case, band)
    whose = case.snapshot.patients_by_mrn.get(found.value) if found.kind == Kind.WRISTBAND else None
    same = {donation(case, bag), donation(case, slip)} == {unit.donation}
    if not found.valid or whose is None or whose is not case.patient or not same:
        case.add("BLD-SECOND", reason="own-scans-differ")


def _checked(case: Case, unit: BloodUnit) -> None:
    """A start follows the check of two persons at the bed, soon."""
    case.judged.add(Right.WITNESS)
    limit = case.policy.care.blood.check_max
    if len(set(unit.checked_by)) < 2 or unit.checked_at is None:
        case.add("BLD-SECOND", reason="not-checked")
    elif older_than(unit.checked_at, case.at, limit):
        case.add("BLD-SECOND", reason="check-too-old", minutes=limit)
