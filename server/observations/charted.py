"""Observations that a nurse writes down: what no device tells, or what was measured by hand.

They become the newest values of the patient and a row of the same history as measured ones, so charts and
scores need not know where a value came from. Sending the same set again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import insert, select

from broker.messages import Value
from clinical.chart_records import Observed
from clinical.codes import CODES
from clinical.errors import BadInputError, ConflictError, NotFoundError
from clinical.exchange import Charted as ChartedEvent
from clinical.exchange import Outcome
from clinical.records import PRESENT, Encounter, Observation, Patient
from server.observations import entries
from server.observations.service import CONSCIOUSNESS, OXYGEN, keep_newest
from server.people.service import Session
from server.storage import schema
from server.storage.codec import to_text
from server.storage.last_values import observation_id
from server.storage.store import UnitOfWork

CHARTERS = ("nurse", "charge-nurse", "instructor", "doctor")
LATEST, OLDEST = timedelta(minutes=1), timedelta(hours=24)
"""How far ahead a handheld's clock may be, and how late something may be written down."""
EVENT = "observations-charted"
RANGES: dict[str, tuple[str, str]] = {
    "MDC_RESP_RATE": ("0", "150"),
    "MDC_PULS_OXIM_SAT_O2": ("1", "100"),
    "MDC_PULS_RATE": ("0", "350"),
    "MDC_PRESS_BLD_NONINV_SYS": ("20", "320"),
    "MDC_PRESS_BLD_NONINV_DIA": ("10", "250"),
    "MDC_TEMP_BODY": ("20", "46"),
    "MDC_TEMP_AXILLA": ("20", "46"),
    "MDC_TEMP_EAR": ("20", "46"),
    "MDC_TEMP_ORAL": ("20", "46"),
    "MDC_TEMP_RECT": ("20", "46"),
    OXYGEN: ("0", "1"),
    CONSCIOUSNESS: ("0", "4"),
    "MDCX_PAIN_NRS": ("0", "10"),
}
"""What may be written down, from and to: what a living person can have (as :mod:`clinical.scores.news2`)."""
_WHOLE = frozenset({OXYGEN, CONSCIOUSNESS, "MDCX_PAIN_NRS"})


Charted = Observed
"""One value as it was written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartedSet:
    """What was written down at one time; ``id`` is made by the sender and recognises a repeat."""

    id: str
    at: datetime
    values: tuple[Charted, ...]


def check(one: ChartedSet, now: datetime) -> None:
    """Refuse what cannot be.

    Raises:
        BadInputError: A code, unit or value that may not be written down, twice the same code, or a time in
            the future or of more than a day ago.
    """
    if not now - OLDEST <= one.at <= now + LATEST:
        raise BadInputError("time", "an observation is at most a day old and never in the future")
    if not one.values:
        raise BadInputError("observation", "a set has at least one value")
    codes = [value.code for value in one.values]
    if len(set(codes)) != len(codes):
        raise BadInputError("observation", "one code stands twice in the set")
    for value in one.values:
        known = RANGES.get(value.code)
        if known is None or value.unit != CODES[value.code].ucum:
            raise BadInputError(
                "observation", "this code cannot be written down in this unit", observation=value.code
            )
        low, high = map(Decimal, known)
        whole = value.code not in _WHOLE or value.value == value.value.to_integral_value()
        if not low <= value.value <= high or not whole:
            raise BadInputError(
                "observation",
                "this value cannot be; check it",
                observation=value.code,
                low=known[0],
                high=known[1],
            )


def chart(unit: UnitOfWork, session: Session, encounter_id: str, one: ChartedSet) -> tuple[Observation, ...]:
    """Keep a set on a stay; the same set again changes nothing.

    Raises:
        NotFoundError: No such stay.
        ConflictError: The stay has ended, or the id belongs to another record.
        BadInputError: Something that cannot be.
    """
    stay = unit.get(Encounter, encounter_id)
    patient = unit.get(Patient, stay.patient_id) if stay is not None else None
    if stay is None or patient is None:
        raise NotFoundError("encounter", "this stay is not known; refresh the ward")
    if stay.status not in PRESENT:
        raise ConflictError("stay-ended", "this stay has ended; nothing is written down on it")
    check(one, unit.now)
    body = to_text({"encounter_id": stay.id, "set": one})
    before = unit.connection.execute(select(schema.events).where(schema.events.c.id == one.id)).first()
    if before is not None:
        if before.body != body:
            raise ConflictError("observation-known", "this id belongs to another record; make a new one")
        return tuple(_observation(patient, one.at, value) for value in one.values)
    made = _keep(unit, stay, patient, one)
    _note(unit, session, one, body)
    _audit(unit, one, session.practitioner.id, patient.id)
    return made


def record(unit: UnitOfWork, event: ChartedEvent) -> Outcome:
    """Keep a set that a handheld reports, perhaps long after it was found; its id is that of the event.

    How old it may be counts from when it was written down, not from when the network was back; a patient who
    has left meanwhile was there when it was found.
    """
    said = event.observed
    stay = unit.get(Encounter, said.encounter_id) if said is not None else None
    patient = unit.get(Patient, stay.patient_id) if stay is not None else None
    if said is None or stay is None or patient is None:
        return Outcome(event_id=event.id, status="refused", code="unknown-patient")
    if stay.status not in PRESENT and (stay.moved_at is None or event.at > stay.moved_at):
        return Outcome(event_id=event.id, status="refused", code="stay-ended")
    one = ChartedSet(id=event.id, at=event.at, values=said.values)
    try:
        check(one, max(min(event.sent, unit.now), event.at))
    except BadInputError as error:
        return Outcome(event_id=event.id, status="refused", code=error.code)
    _keep(unit, stay, patient, one)
    _audit(unit, one, event.operator, patient.id)
    return Outcome(event_id=event.id, status="accepted")


def _keep(unit: UnitOfWork, stay: Encounter, patient: Patient, one: ChartedSet) -> tuple[Observation, ...]:
    made = tuple(_observation(patient, one.at, value) for value in one.values)
    for observation in made:
        keep_newest(unit, observation)
    values = [Value(code=value.code, n=value.value, unit=value.unit) for value in one.values]
    entries.append(unit, one.id, one.at, stay, patient.generation, values)
    return made


def _observation(patient: Patient, at: datetime, value: Charted) -> Observation:
    return Observation(
        id=observation_id(patient.id, value.code),
        patient_id=patient.id,
        code=value.code,
        value=value.value,
        unit=value.unit,
        effective=at,
        device_id=entries.CHART,
        generation=patient.generation,
    )


def _note(unit: UnitOfWork, session: Session, one: ChartedSet, body: str) -> None:
    unit.connection.execute(
        insert(schema.events).values(
            id=one.id,
            type=EVENT,
            at=one.at,
            sent=unit.now,
            recorded=unit.now,
            operator=session.practitioner.id,
            uploaded_by=session.practitioner.id,
            handheld=session.handheld,
            body=body,
            outcome=to_text(Outcome(event_id=one.id, status="accepted")),
        )
    )


def _audit(unit: UnitOfWork, one: ChartedSet, by: str, patient_id: str) -> None:
    unit.audit(
        "chart-observations",
        actor=by,
        entity=f"observations:{one.id}",
        patient=patient_id,
        detail=",".join(value.code for value in one.values),
    )
