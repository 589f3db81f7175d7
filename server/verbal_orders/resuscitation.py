"""Calling and ending a resuscitation, at once or late from a handheld that had no network."""

from __future__ import annotations

from datetime import datetime

from clinical import resuscitation
from clinical.errors import ConflictError, NotFoundError
from clinical.exchange import Outcome, ResuscitationChanged
from clinical.policy import SitePolicy
from clinical.records import PRESENT, Encounter
from server.sites import Site
from server.storage.store import UnitOfWork

_NEXT = {resuscitation.BEGIN: resuscitation.begun, resuscitation.END: resuscitation.ended}


def roles(policy: SitePolicy) -> tuple[str, ...]:
    """Roles that may call and end one: whoever may be a second person, and whoever prescribes."""
    return (*policy.second_roles, *policy.prescriber_roles)


def record(unit: UnitOfWork, site: Site, event: ResuscitationChanged) -> Outcome:
    """Take in what a handheld reports; of a patient who has left meanwhile it stays in the audit chain."""
    if event.action not in _NEXT:
        return Outcome(event_id=event.id, status="refused", code="unknown-action")
    stay = unit.get(Encounter, event.encounter_id)
    if stay is None:
        return Outcome(event_id=event.id, status="refused", code="unknown-patient")
    _change(unit, site, stay, event.action, event.operator, min(event.at, unit.now))
    return Outcome(event_id=event.id, status="accepted")


def change(unit: UnitOfWork, site: Site, encounter_id: str, action: str, by: str) -> Encounter:
    """Call or end a resuscitation now; asked again, ending changes nothing and calling prolongs it.

    Raises:
        NotFoundError: This stay is not known here.
        ConflictError: The patient has left.
    """
    stay = unit.get(Encounter, encounter_id)
    if stay is None:
        raise NotFoundError("unknown-patient", "this patient is not on the ward")
    if stay.status not in PRESENT:
        raise ConflictError("patient-left", "this patient has left; nothing can be called for them here")
    return _change(unit, site, stay, action, by, unit.now)


def _change(unit: UnitOfWork, site: Site, stay: Encounter, action: str, by: str, at: datetime) -> Encounter:
    after = _NEXT[action](stay, at, site.policy)
    unit.put(after)
    unit.audit(
        f"resuscitation-{action}",
        actor=by,
        entity=f"encounter:{stay.id}",
        patient=stay.patient_id,
        outcome="ok" if after != stay else "no-change",
        detail=at.isoformat(),
    )
    return after
