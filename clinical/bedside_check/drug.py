"""MED: what was scanned, is it fit to be given, and does it belong to this patient?"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from clinical import quantities
from clinical.bedside_check.case import GIVING, Case, Item, is_stale
from clinical.bedside_check.model import Scan, ScanMethod, Severity
from clinical.identifiers import Identified, Kind, resolve
from clinical.identifiers.gs1_checks import last_usable_day
from clinical.records import FLOWING, Bag, InfusionState, Product

ITEM_MAX_MIN = 10
_BUD_WARN_MIN = 30
_ITEM_KINDS = frozenset({Kind.BAG, Kind.GS1, Kind.EAN, Kind.TRACEABILITY, Kind.UNKNOWN})
_OVER = FLOWING | {InfusionState.COMPLETED, InfusionState.STOPPED_EARLY}


def judge(case: Case) -> bool:
    """Decode every item; False when one belongs to another patient or cannot be used at all."""
    for scan in case.request.items:
        if scan.reason == "dialog-open":
            continue
        _stale(case, scan)
        item = decode(case, scan)
        case.items.append(item)
        _fit(case, item)
    bags = [item.bag for item in case.items if item.bag is not None]
    if case.patient is None and bags:
        case.patient = case.snapshot.patients.get(bags[0].patient_id)
        case.encounter = case.snapshot.encounter_of.get(bags[0].patient_id)
    if case.patient is not None and any(bag.patient_id != case.patient.id for bag in bags):
        case.add("MED-WRONG-PATIENT")
        return False
    case.bag = bags[0] if bags else None
    case.product = next((item.product for item in case.items if item.product is not None), None)
    if case.action in GIVING:
        for bag in bags:
            _bag(case, bag)
    return True


def _stale(case: Case, scan: Scan) -> None:
    """Items are scanned at the bed, after the wristband: no pre-scanned trays."""
    patient_scan = case.request.patient_scan
    before = patient_scan is not None and scan.at < patient_scan.at
    if case.action in GIVING and (before or is_stale(scan.at, case.request.now, ITEM_MAX_MIN)):
        case.add("SYS-TRAY-STALE", minutes=ITEM_MAX_MIN)


def decode(case: Case, scan: Scan) -> Item:
    """Say what an item is and find its product or its bag."""
    found = resolve(scan.raw, symbology=scan.symbology, prefixes=case.policy.prefixes)
    snapshot, item = case.snapshot, Item(scan=scan, found=found)
    if found.kind == Kind.BAG and found.valid:
        item.bag = snapshot.bags.get(found.value)
    elif found.kind == Kind.TRACEABILITY:
        item.product = snapshot.products_by_trace.get(found.value[:7])
    elif found.kind in {Kind.GS1, Kind.EAN} and found.valid:
        item.product = snapshot.products_by_gtin.get(found.value)
    elif found.kind == Kind.UNKNOWN:
        item.product = snapshot.products.get(scan.raw.strip())
        if scan.method in {ScanMethod.KEY, ScanMethod.NONE}:
            item.bag = snapshot.bags.get(scan.raw.strip())
    return item


def _fit(case: Case, item: Item) -> None:
    found, known = item.found, item.product is not None or item.bag is not None
    if item.scan.method is ScanMethod.NONE:
        case.add("MED-UNKNOWN", reason=item.scan.reason or "not-scanned")
        return
    if (not found.valid and not known and found.kind != Kind.UNKNOWN) or found.kind not in _ITEM_KINDS:
        case.add("MED-UNREADABLE", kind=str(found.kind))
        return
    if "separator-missing" in found.warnings:
        case.add("MED-UNREADABLE", kind=str(found.kind), reason="separator-missing")
        return
    if not known:
        case.add("MED-UNKNOWN", kind=str(found.kind))
        return
    _package(case, item)


def _package(case: Case, item: Item) -> None:
    """Judge expiry, recall and repeated use from what the package itself says."""
    found, today = item.found, case.at.astimezone(ZoneInfo(case.policy.zone)).date()
    expiry = _expiry(found, today)
    if expiry is not None and expiry < today:
        case.add("MED-EXPIRED", expiry=expiry.isoformat())
    lot = found.element("10")
    product = item.product.id if item.product is not None else ""
    for recall in case.policy.recalls:
        if product and recall.product == product and recall.lot in {"", lot}:
            case.add("MED-RECALLED", lot=lot)
    if item.product is not None and _is_used_up(case, item.product, pack_code(found)):
        case.add("MED-USED")


def pack_code(found: Identified) -> str:
    """Return what names one pack among all of its kind; empty when the code does not tell them apart."""
    if not found.serial:
        return ""
    return found.value if found.kind == Kind.TRACEABILITY else f"{found.value}:{found.serial}"


def _is_used_up(case: Case, product: Product, code: str) -> bool:
    """Tell whether nothing is left in a pack: a box of many doses is opened again and again.

    The formulary says how many units one code stands for; where it does not, the form decides. A use whose
    amount cannot be told took the whole pack.
    """
    uses = case.snapshot.used_packs.get(code, ()) if code else ()
    if not uses:
        return False
    if product.pack_units is None:
        return product.form not in case.policy.multi_dose_forms
    taken = Fraction(0)
    for use in uses:
        units = quantities.in_product_units(use.dose, product) if use.dose is not None else None
        taken += Fraction(product.pack_units) if units is None else units
    return taken >= Fraction(product.pack_units) * (1 - quantities.TOLERANCE)


def _expiry(found: Identified, today: date) -> date | None:
    """Return the last day of use; AI 7003 also has a time, of which the day is enough to stop."""
    text = found.element("17") or found.element("7003")[:6]
    return last_usable_day(text, today) if text else None


def _bag(case: Case, bag: Bag) -> None:
    infusion = case.snapshot.infusion_by_bag.get(bag.id)
    if bag.state in {"used", "running"} or (infusion is not None and infusion.state in _OVER):
        case.add("MED-USED", bag=bag.id)
    if bag.beyond_use is not None:
        _beyond_use(case, bag.beyond_use)
    if not bag.prepared_by or not bag.checked_by or bag.prepared_by == bag.checked_by:
        same = bool(bag.checked_by) and bag.prepared_by == bag.checked_by
        case.add("MED-NOT-VERIFIED", reason="same-person" if same else "incomplete")


def _beyond_use(case: Case, until: datetime) -> None:
    left = until - case.at
    if left < timedelta(0):
        case.add("MED-BUD", at=until)
    elif left <= timedelta(minutes=_BUD_WARN_MIN):
        case.add("MED-BUD", severity=Severity.WARN, at=until)
