"""Who may say what: an event counts by the person it names, and that person has to be proven.

Handhelds are shared, so a colleague may upload what another nurse did on the same handheld. A dose that was
reported as given by somebody on the ward is never refused: what cannot be proven is stored with a flag and
an alarm. What merely asks for something — silencing an alarm — is refused instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product

from clinical.exchange import (
    AdministrationRecorded,
    AlarmAcknowledged,
    CareRecorded,
    Charted,
    CheckEvaluated,
    Event,
    InfusionChanged,
    InfusionStarted,
    ResuscitationChanged,
    ScanRefused,
)
from clinical.policy import SitePolicy
from clinical.records import Alarm, Infusion, Order, Practitioner, Product
from server.alarms import service as alarms
from server.observations.charted import CHARTERS
from server.people import confirmations
from server.people import store as people
from server.people.access import SUBJECTS
from server.people.service import CLINICAL, Session
from server.storage.store import UnitOfWork
from server.verbal_orders import resuscitation

AHEAD = timedelta(minutes=1)
"""How far a handheld's clock may be ahead before its word on the time is doubted."""
SLACK = timedelta(minutes=2)
"""How far clocks may be apart when an event is held against the life of a session."""
HIGHEST_ALERT = 3
DOSES = (AdministrationRecorded, InfusionStarted, InfusionChanged, CareRecorded)
"""What says that something happened to a patient."""


_NAMED = (
    *SUBJECTS.items(), ("association_id", "associations"), ("subject_id", "specimens"),
    ("subject_id", "blood_units"), ("subject_id", "running_skin_tests"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An event as it may be applied: refused with a code, or flagged with one, or neither."""

    event: Event
    refused: str = ""
    flagged: str = ""


def standing(unit: UnitOfWork, session: Session, event: Event, policy: SitePolicy) -> Standing:
    """Judge who says it and when; the handheld is the session's own, whatever the event says."""
    doubt = _doubt(unit, session, event, policy)
    event = replace(event, handheld=session.handheld or event.handheld)
    if doubt and not (isinstance(event, DOSES) and _is_of_the_ward(session)):
        return Standing(event=event, refused=doubt)
    if event.at > unit.now + AHEAD:
        return Standing(event=replace(event, at=unit.now), flagged=doubt or "TIME-FUTURE")
    return Standing(event=event, flagged=doubt)


def _doubt(unit: UnitOfWork, session: Session, event: Event, policy: SitePolicy) -> str:
    """Why the event's person may not have done this; empty when nothing speaks against it."""
    if not is_proven(unit, session, event):
        return "operator-unproven"
    person = unit.get(Practitioner, event.operator)
    roles = set(person.roles) if person is not None else set()
    if _is_elsewhere(unit, session, event):
        return "other-ward"
    return _without_right(unit, roles, event, policy) or _second(unit, event)


def _without_right(unit: UnitOfWork, roles: set[str], event: Event, policy: SitePolicy) -> str:
    if isinstance(event, AlarmAcknowledged):
        return "" if alarms.may_acknowledge(unit.get(Alarm, event.alarm_id), roles) else "role"
    return "" if isinstance(event, ScanRefused) or roles & set(_wanted(event, policy)) else "role"


def _second(unit: UnitOfWork, event: Event) -> str:
    """Whether somebody the event claims beside its person has not proven that they were there."""
    if isinstance(event, CheckEvaluated):
        return ""  # a question that was shown is no act, and must not use up the proof of the one after it
    reason = confirmations.against(unit, event) or _rate_alone(unit, event)
    if not reason:
        return ""
    unit.audit("second-person", actor=event.operator, entity=f"event:{event.id}", detail=reason)
    return reason if reason == confirmations.OFFLINE else confirmations.UNPROVEN


def _rate_alone(unit: UnitOfWork, event: Event) -> str:
    """A new rate of blood, or of a drug of the highest alert level, is set by two."""
    if not isinstance(event, InfusionChanged) or event.action != "rate":
        return ""
    infusion = unit.get(Infusion, event.infusion_id)
    order = unit.get(Order, infusion.order_id) if infusion is not None else None
    if order is None or (event.request is not None and event.request.witness is not None):
        return ""
    products = (unit.get(Product, line.product_id) for line in order.items)
    level = max((one.high_alert for one in products if one is not None), default=0)
    return confirmations.MISSING if order.kind == "transfusion" or level >= HIGHEST_ALERT else ""


def _wanted(event: Event, policy: SitePolicy) -> tuple[str, ...]:
    match event:
        case Charted():
            called = event.observed is not None or event.critical is not None
            return (*policy.giving_roles, *CHARTERS) if called else policy.giving_roles
        case ResuscitationChanged():
            return resuscitation.roles(policy)
        case _:
            return policy.giving_roles


def _is_of_the_ward(session: Session) -> bool:
    return bool(set(CLINICAL) & set(session.practitioner.roles))


def is_proven(unit: UnitOfWork, session: Session, event: Event) -> bool:
    """Whether the event's person is the one signed in, or was, on the same handheld, when it was written."""
    if event.operator == session.practitioner.id:
        return True
    if not session.handheld:
        return False
    rows = people.sessions_on(unit.connection, event.operator, session.handheld)
    return any(
        row.created - SLACK <= event.sent <= min(row.ended or row.expires, row.expires) + SLACK
        for row in rows
    )


def _is_elsewhere(unit: UnitOfWork, session: Session, event: Event) -> bool:
    """Whether it is about a patient of a ward that is not the person's, and was already then."""
    for (name, kind), line in product(_NAMED, _lines(event)):
        record_id = getattr(line, name, "")
        entry = unit.view.entry(kind, record_id) if record_id else None
        if entry is None or session.sees(entry.ward):
            continue
        stays = unit.stays_of(str(getattr(entry.record, "patient_id", "")))
        moved = max((stay.moved_at for stay in stays if stay.moved_at is not None), default=None)
        return moved is None or event.at >= moved
    return False


def _lines(event: Event) -> tuple[object, ...]:
    """What of an event names whom it is about: itself, or the line it writes into the chart."""
    if isinstance(event, Charted):
        return (event.fluid, event.assessment, event.round, event.observed, event.critical)
    return (event,)
