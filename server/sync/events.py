"""Events from handhelds: each once, each in its own transaction, in the order they came."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, assert_never, cast

import msgspec
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import insert, select

from clinical.errors import BadInputError
from clinical.exchange import (
    AdministrationCorrected,
    AdministrationRecorded,
    AlarmAcknowledged,
    CareRecorded,
    Charted,
    CheckEvaluated,
    DeviceAssociated,
    DeviceReleased,
    Event,
    InfusionChanged,
    InfusionStarted,
    Outcome,
    PatrolRecorded,
    ResuscitationChanged,
    ScanRefused,
)
from server.administrations import correction
from server.administrations import service as administrations
from server.alarms import service as alarms
from server.chart import service as chart
from server.critical_values import service as critical_values
from server.devices import service as devices
from server.infusions import service as infusions
from server.observations import charted
from server.people.service import Session
from server.sites import Site
from server.storage import schema
from server.storage.codec import to_text
from server.storage.store import Store, UnitOfWork
from server.sync.authority import Standing, standing
from server.sync.sound import check_sound
from server.verbal_orders import resuscitation, spoken
from server.worklist import record as care

Immediate = (
    CheckEvaluated
    | AdministrationRecorded
    | AdministrationCorrected
    | InfusionStarted
    | InfusionChanged
    | PatrolRecorded
    | Charted
    | DeviceAssociated
    | DeviceReleased
    | ResuscitationChanged
    | AlarmAcknowledged
    | ScanRefused
)
"""Events that are applied first and doubted afterwards; a step of care weighs the doubt itself."""
_TYPES = {
    kind.__dataclass_fields__["type"].default: TypeAdapter(kind)
    for kind in (
        CheckEvaluated,
        AdministrationRecorded,
        AdministrationCorrected,
        InfusionStarted,
        InfusionChanged,
        PatrolRecorded,
        CareRecorded,
        Charted,
        DeviceAssociated,
        DeviceReleased,
        ResuscitationChanged,
        AlarmAcknowledged,
        ScanRefused,
    )
}


def parse(item: Any) -> Event:
    """Read one event.

    Raises:
        BadInputError: It is not an event of this contract; the sentence names the place, never the value.
    """
    kind = item.get("type") if isinstance(item, dict) else None
    adapter = _TYPES.get(kind) if isinstance(kind, str) else None
    if adapter is None:
        raise BadInputError("malformed-event", "the event's type is not known")
    try:
        event = cast(Event, adapter.validate_python(item))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:200]
        raise BadInputError(
            "malformed-event", f"the event cannot be read: {first['type']} at {place}"
        ) from error
    check_sound(event)
    if not 1 <= len(event.id) <= 96:
        raise BadInputError("malformed-event", "an event id has 1 to 96 characters")
    return event


def receive(store: Store, site: Site, session: Session, items: list[Any]) -> list[Outcome]:
    """Take events in; one that cannot be read is put aside with its reason and stops none of the others."""
    return [_receive_one(store, site, session, item) for item in items]


def _receive_one(store: Store, site: Site, session: Session, item: Any) -> Outcome:
    try:
        event = parse(item)
    except BadInputError as error:
        reason = error
        return store.write(lambda unit: _put_aside(unit, session, item, reason))
    return store.write(lambda unit: apply(unit, site, session, event))


def _put_aside(unit: UnitOfWork, session: Session, item: Any, reason: BadInputError) -> Outcome:
    body = _kept(item)
    unit.connection.execute(
        insert(schema.quarantined_events).values(
            recorded=unit.now, uploaded_by=session.practitioner.id, reason=reason.message, body=body
        )
    )
    alarms.event_put_aside(unit, session.handheld)
    named = item.get("id") if isinstance(item, dict) else None
    event_id = named if isinstance(named, str) and len(named) <= 96 and _is_text(named) else ""
    return Outcome(event_id=event_id, status="refused", code=reason.code)


def _kept(item: Any) -> str:
    """Write down what came, whatever it is; text that no store holds is kept as its escapes."""
    try:
        return to_text(item).replace("\x00", "")
    except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
        return json.dumps(item, ensure_ascii=True, default=str)


def _is_text(text: str) -> bool:
    """Whether a text can be sent back: half of a character pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def apply(unit: UnitOfWork, site: Site, session: Session, event: Event) -> Outcome:
    """Apply one event; the same id again gets the first answer and changes nothing."""
    events = schema.events
    first = unit.connection.scalar(select(events.c.outcome).where(events.c.id == event.id))
    if first is not None:
        before = msgspec.json.decode(first, type=Outcome)
        return Outcome(
            event_id=event.id,
            status="replayed",
            code=before.code,
            params={**before.params, "first": before.status},
        )
    outcome = _judged(unit, site, standing(unit, session, event, site.policy))
    unit.connection.execute(
        insert(events).values(
            id=event.id,
            type=event.type,
            at=event.at,
            sent=event.sent,
            recorded=unit.now,
            operator=event.operator,
            uploaded_by=session.practitioner.id,
            handheld=session.handheld or event.handheld,
            body=to_text(event),
            outcome=to_text(outcome),
        )
    )
    return outcome


def _judged(unit: UnitOfWork, site: Site, found: Standing) -> Outcome:
    """Apply an event with what stands against its person or time; an answer that is worse already stays."""
    if found.refused:
        return Outcome(event_id=found.event.id, status="refused", code=found.refused)
    if isinstance(found.event, CareRecorded):
        return care.record(unit, site, found.event, found.flagged)
    outcome = _dispatch(unit, site, found.event)
    if isinstance(found.event, AdministrationRecorded | InfusionStarted):
        spoken.note(unit, site, found.event)
    if not found.flagged or outcome.status == "refused":
        return outcome
    administrations.doubt(unit, found.event, found.flagged)
    if outcome.status != "accepted" and outcome.code != "check-incomplete":
        return replace(outcome, params={**outcome.params, "also": found.flagged})
    return replace(outcome, status="accepted-exception", code=found.flagged)


def _dispatch(unit: UnitOfWork, site: Site, event: Immediate) -> Outcome:  # noqa: C901, PLR0911 - one case per event
    match event:
        case CheckEvaluated():
            return administrations.record_evaluation(unit, event)
        case AdministrationRecorded():
            return administrations.record(unit, site, event)
        case AdministrationCorrected():
            return correction.record(unit, site, event)
        case InfusionStarted():
            return infusions.record_started(unit, site, event)
        case InfusionChanged():
            return infusions.record_changed(unit, site, event)
        case PatrolRecorded():
            return infusions.record_patrol(unit, event)
        case Charted():
            return _charted(unit, site, event)
        case DeviceAssociated():
            return devices.record_associated(unit, event)
        case DeviceReleased():
            return devices.record_released(unit, event)
        case ResuscitationChanged():
            return resuscitation.record(unit, site, event)
        case AlarmAcknowledged():
            return alarms.record_acknowledged(unit, event)
        case ScanRefused():
            unit.audit(
                "scan-refused", actor=event.operator, entity=f"handheld:{event.handheld}", detail=event.reason
            )
            return Outcome(event_id=event.id, status="accepted")
        case _:
            assert_never(event)


def _charted(unit: UnitOfWork, site: Site, event: Charted) -> Outcome:
    """Store the one thing an event writes into the chart, where its kind is kept."""
    said = (event.fluid, event.assessment, event.round, event.observed, event.critical)
    if sum(one is not None for one in said) != 1:
        return Outcome(event_id=event.id, status="refused", code="one-record")
    if event.observed is not None:
        return charted.record(unit, event)
    if event.critical is not None:
        return critical_values.record(unit, event)
    return chart.record(unit, site, event)
