"""Which findings a person has accepted, and whether that person may.

``ack`` is the operator's own, with a reason; ``second`` another nurse's, and the head nurse's for a record of
more than a day ago; ``prescriber`` a doctor's, who confirms in the app, or by telephone and read back while a
resuscitation lasts; ``emerg`` a doctor's while a resuscitation lasts, and nobody's otherwise. Nobody can
accept a finding of class ``none``. A person who is not on record as what the class asks for accepts nothing:
the finding stays.

Source: bc-1 §5.2, §5.5 (TIME-BACKDATED).
"""

from __future__ import annotations

from dataclasses import replace

from clinical import resuscitation
from clinical.bedside_check.case import Case
from clinical.bedside_check.model import Finding, Override, OverrideClass, Severity

IN_APP, READ_BACK = "app", "read-back"
_BY_HEAD_NURSE = frozenset({"TIME-BACKDATED"})
_ASKED = frozenset({Severity.WARN, Severity.STOP})


def apply(case: Case) -> list[Finding]:
    """Return the findings with those marked that a person has rightly accepted."""
    given = {override.code: override for override in case.request.overrides}
    return [
        replace(finding, overridden=True)
        if finding.severity in _ASKED
        and finding.code in given
        and _accepts(case, finding, given[finding.code])
        else finding
        for finding in case.findings
    ]


def _accepts(case: Case, finding: Finding, override: Override) -> bool:
    if not override.reason:
        return False
    match finding.override:
        case OverrideClass.ACK:
            return True
        case OverrideClass.SECOND:
            by_head = finding.code not in _BY_HEAD_NURSE or _has_role(
                case, override.by, case.policy.head_nurse_roles
            )
            return by_head and _is_second(case, override.by)
        case OverrideClass.PRESCRIBER:
            heard = override.via == IN_APP or (override.via == READ_BACK and is_resuscitation(case))
            return heard and _has_role(case, override.by, case.policy.prescriber_roles)
        case OverrideClass.EMERGENCY:
            return is_resuscitation(case) and _has_role(case, override.by, case.policy.prescriber_roles)
        case _:
            return False


def is_resuscitation(case: Case) -> bool:
    """Tell whether this patient is being resuscitated at the charted time."""
    return case.encounter is not None and resuscitation.lasts(case.encounter, case.at, case.policy)


def _is_second(case: Case, person: str) -> bool:
    if person == case.request.operator.id:
        return False
    return _has_role(case, person, case.policy.second_roles) and not _has_role(
        case, person, case.policy.no_witness_roles
    )


def _has_role(case: Case, person: str, roles: tuple[str, ...]) -> bool:
    known = case.snapshot.practitioners.get(person)
    return known is not None and known.active and bool(set(known.roles) & set(roles))
