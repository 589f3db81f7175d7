"""BLD: group, RhD, cross-match, expiry, product and consent: does this unit fit this patient?

Source: bc-1 §5.9.
"""

from __future__ import annotations

from clinical import transfusion
from clinical.bedside_check.case import Case, older_than
from clinical.bedside_check.model import Action, OverrideClass, Right, Severity
from clinical.care_records import BloodUnit
from clinical.identifiers.isbt128 import BLOOD_GROUPS, NEVER_TRANSFUSE, TUBE_FLAGS, donation_check
from clinical.transfusion import Match

_BEDSIDE = frozenset({Action.BLOOD_CHECK, Action.BLOOD_START})


def judge(case: Case, unit: BloodUnit) -> None:
    """Judge everything that is known of the unit against everything that is known of the patient."""
    if case.order is not None and unit.product_id not in {line.product_id for line in case.order.items}:
        case.add("BLD-PRODUCT", reason="ordered", issued=unit.product_id)
    if unit.expires_at <= case.at:
        case.add("BLD-EXPIRED", at=unit.expires_at)
    _groups(case, unit)
    _crossmatch(case, unit)
    if case.action in _BEDSIDE:
        if case.encounter is None or case.encounter.transfusion_consent_at is None:
            case.add("BLD-CONSENT")
        _issued(case, unit)
    case.judged.add(Right.SAFETY)


def _groups(case: Case, unit: BloodUnit) -> None:
    patient = case.patient.blood_group if case.patient is not None else ""
    match transfusion.abo_match(unit.component, unit.group, patient):
        case Match.FITS:
            pass
        case Match.NOT_IDENTICAL:
            case.add("BLD-ABO", override=OverrideClass.PRESCRIBER, unit=unit.group, patient=patient)
        case Match.UNKNOWN:
            case.add("BLD-ABO", reason="unknown")
        case _:
            case.add("BLD-ABO", unit=unit.group, patient=patient)
    if transfusion.rhesus_match(unit.component, unit.group, patient) is not Match.FITS:
        case.add("BLD-RH", unit=unit.group, patient=patient)


def _crossmatch(case: Case, unit: BloodUnit) -> None:
    policy = case.policy.care.blood
    if unit.component not in policy.crossmatch_components:
        return
    if unit.crossmatch != "compatible" or unit.crossmatched_at is None:
        case.add("BLD-XM", reason=unit.crossmatch or "missing")
    elif older_than(unit.crossmatched_at, case.at, policy.crossmatch_max_h * 60):
        case.add("BLD-XM", reason="old", at=unit.crossmatched_at)


def _issued(case: Case, unit: BloodUnit) -> None:
    """Blood starts within 30 minutes of leaving the blood bank; a unit of unknown issue time is not known."""
    policy, issued = case.policy.care.blood, unit.issued_at
    if issued is None:
        case.add("BLD-OUT", reason="unknown")
    elif older_than(issued, case.at, policy.issue_stop):
        case.add("BLD-OUT", at=issued, limit=policy.issue_stop)
    elif older_than(issued, case.at, policy.issue_warn):
        case.add(
            "BLD-OUT", severity=Severity.WARN, override=OverrideClass.ACK, at=issued, limit=policy.issue_warn
        )
    case.judged.add(Right.TIME)


def judge_label(case: Case, unit: BloodUnit) -> None:
    """Compare group and expiry on the bag's own label, where they were scanned, with what was issued."""
    for item in case.items:
        group = item.found.element("002")[:2]
        if item.found.serial in TUBE_FLAGS:
            case.add("BLD-UNIT", reason="tube")
        if group in NEVER_TRANSFUSE:
            case.add("BLD-UNIT", reason="never-transfuse")
        elif group and BLOOD_GROUPS.get(group, "") != unit.group:
            case.add("BLD-UNIT", reason="group")
        expiry = transfusion.label_expiry(item.found, case.policy.zone)
        if expiry is not None and expiry <= case.at and unit.expires_at > case.at:
            case.add("BLD-EXPIRED", at=expiry, reason="label")


def is_checked(text: str) -> bool:
    """Tell whether a typed donation number of 13 characters ends in its right check character."""
    number = text[:13].upper()
    return number.isascii() and number.isalnum() and donation_check(number) == text[13:].upper()
