"""Which findings a person has accepted, and whether that person may.

Source: bc-1 §5.2: ``ack`` the operator with a reason; ``second`` another nurse; ``prescriber`` a doctor;
``emerg`` a doctor, in resuscitation. Nobody can accept a finding of class ``none``. A person who is not on
record as what the class asks for accepts nothing: the finding stays.
"""

from __future__ import annotations

from dataclasses import replace

from clinical.bedside_check.case import Case
from clinical.bedside_check.model import Finding, Override, OverrideClass, Severity

_ASKED = frozenset({Severity.WARN, Severity.STOP})


def apply(case: Case) -> list[Finding]:
    """Return the findings with those marked that a person has rightly accepted."""
    given = {override.code: override for override in case.request.overrides}
    return [
        replace(finding, overridden=True)
        if finding.severity in _ASKED
        and finding.code in given
        and _accepts(case, finding.override, given[finding.code])
        else finding
        for finding in case.findings
    ]


def _accepts(case: Case, kind: OverrideClass, override: Override) -> bool:
    if not override.reason:
        return False
    match kind:
        case OverrideClass.ACK:
            return True
        case OverrideClass.SECOND:
            return _is_second(case, override.by)
        case OverrideClass.PRESCRIBER | OverrideClass.EMERGENCY:
            return _has_role(case, override.by, case.policy.prescriber_roles)
        case _:
            return False


def _is_second(case: Case, person: str) -> bool:
    if person == case.request.operator.id:
        return False
    return _has_role(case, person, case.policy.second_roles) and not _has_role(
        case, person, case.policy.no_witness_roles
    )


def _has_role(case: Case, person: str, roles: tuple[str, ...]) -> bool:
    known = case.snapshot.practitioners.get(person)
    return known is not None and known.active and bool(set(known.roles) & set(roles))
