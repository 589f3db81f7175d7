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
from clinical.codes import CODES
from clinical.errors import BadInputError, ConflictError, NotFoundError
from clinical.records import PRESENT, Encounter, Observation, Patient
from server.observations import entries
from server.observations.service import CONSCIOUSNESS, OXYGEN, keep_newest, observation_id
from server.people.service import Session
from server.storage import schema
from server.storage.codec import to_text
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Charted:
    """One value as it was written down; ``unit`` is UCUM, the one of the table of codes."""

    code: str
    value: Decimal
    unit: str


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
    made = tuple(_observation(patient, one.at, value) for value in one.values)
    body = to_text({"encounter_id": stay.id, "set": one})
    before = unit.connection.execute(select(schema.events).where(schema.events.c.id == one.id)).first()
    if before is not None:
        if before.body != body:
            raise ConflictError("observation-known", "this id belongs to another record; make a new one")
        return made
    for observation in made:
        keep_newest(unit, observation)
    values = [Value(code=value.code, n=value.value, unit=value.unit) for value in one.values]
    entries.append(unit, one.id, one.at, stay, patient.generation, values)
    _note(unit, session, one, body, patient.id)
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


def _note(unit: UnitOfWork, session: Session, one: ChartedSet, body: str, patient_id: str) -> None:
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
            outcome="{}",
        )
    )
    unit.audit(
        "chart-observations",
        actor=session.practitioner.id,
        entity=f"observations:{one.id}",
        patient=patient_id,
        detail=",".join(value.code for value in one.values),
    )
