"""The early warning of each patient (NEWS2): as values come, by tier, and never a guess.

A complete score of a tier raises one alarm per stay; it gets louder with the tier and ends with a complete
score that is low again. A score that cannot be made for want of a value ends nothing and raises nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from broker.messages import Value
from clinical.records import (
    PRESENT,
    USABLE,
    Alarm,
    AlarmPriority,
    Encounter,
    Generation,
    Observation,
    Patient,
)
from clinical.scores.news2 import MAX_AGE_MIN
from server.alarms import service as alarms
from server.observations import entries
from server.observations.service import CONSCIOUSNESS, INPUTS, OXYGEN, news2_of
from server.storage.columns import micros
from server.storage.last_values import observation_id
from server.storage.picture import Picture
from server.storage.store import UnitOfWork

CONDITION = "early-warning"
SCORE = "MDCX_NEWS2"
"""Local code of the score in the history, so that its trend is read like any other."""
PRIORITY = {
    "low_medium": AlarmPriority.LOW,
    "medium": AlarmPriority.MEDIUM,
    "high": AlarmPriority.HIGH,
}
"""Loudness by tier: a single 3, 5 to 6, 7 and more (RCP 2017, chart 4)."""
EVERY = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A score, or what is missing for one."""

    total: int | None
    tier: str | None
    missing: tuple[str, ...] = ()


def judge(picture: Picture, patient_id: str, now: datetime) -> Judged:
    """Score a patient; without a total, name the inputs that are missing or too old."""
    score = news2_of(picture, patient_id, now)
    if score is not None:
        return Judged(total=score["total"], tier=score["tier"])
    wanted = INPUTS | {"oxygen": (OXYGEN,), "consciousness": (CONSCIOUSNESS,)}
    missing = (name for name, codes in wanted.items() if not _is_fresh(picture, patient_id, codes, now))
    return Judged(total=None, tier=None, missing=tuple(missing))


def _is_fresh(picture: Picture, patient_id: str, codes: tuple[str, ...], now: datetime) -> bool:
    found = (picture.get(Observation, observation_id(patient_id, code)) for code in codes)
    return any(
        one is not None
        and one.value is not None
        and one.validity in USABLE
        and now - one.effective <= timedelta(minutes=MAX_AGE_MIN)
        for one in found
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One patient on the ward's list of scores."""

    encounter_id: str
    bed: str
    score: Judged


def ward_list(picture: Picture, ward: str, now: datetime) -> list[Row]:
    """Score everybody who is on a ward: the highest first, then those without a score, by bed."""
    rows = [
        Row(encounter_id=stay.id, bed=stay.bed, score=judge(picture, stay.patient_id, now))
        for stay in picture.all(Encounter)
        if stay.ward == ward and stay.status in PRESENT
    ]
    return sorted(rows, key=lambda row: (row.score.total is None, -(row.score.total or 0), row.bed))


class EarlyWarning:
    """Scores every patient again when their values have changed; writer's thread only."""

    def __init__(self) -> None:
        self._last: datetime | None = None
        self._scored: dict[str, int] = {}  # stay → total that is in the history

    def tick(self, unit: UnitOfWork) -> None:
        """Score who is here, every ten seconds."""
        if self._last is not None and unit.now - self._last < EVERY:
            return
        self._last = unit.now
        present = {stay.id: stay for stay in unit.all(Encounter) if stay.status in PRESENT}
        for stay in present.values():
            # Only a nurse's entry makes a score possible; without one there is nothing to look at.
            if unit.get(Observation, observation_id(stay.patient_id, CONSCIOUSNESS)) is not None:
                self._score(unit, stay)
        for gone in self._scored.keys() - present.keys():
            del self._scored[gone]

    def _score(self, unit: UnitOfWork, stay: Encounter) -> None:
        score = news2_of(unit.view, stay.patient_id, unit.now)
        if score is None:
            return
        total, tier = int(score["total"]), str(score["tier"])
        patient = unit.get(Patient, stay.patient_id)
        generation = patient.generation if patient is not None else Generation.REAL
        if self._scored.get(stay.id) != total:
            _keep(unit, stay, total, generation)
            unit.after_commit(lambda: self._scored.__setitem__(stay.id, total))
        priority = PRIORITY.get(tier)
        if priority is None:
            _end(unit, stay)
            return
        params: dict[str, str | float] = {"total": total, "tier": tier, "measured": total}
        alarms.begin(
            unit,
            alarms.Condition(
                condition=CONDITION, kind="physiological", priority=priority, at=unit.now,
                encounter_id=stay.id, params=params, generation=generation,
            ),
        )  # fmt: skip


def _end(unit: UnitOfWork, stay: Encounter) -> None:
    for alarm in list(unit.all(Alarm)):
        if alarm.condition == CONDITION and alarm.encounter_id == stay.id and alarm.present:
            alarms.end(unit, alarm, unit.now)


def _keep(unit: UnitOfWork, stay: Encounter, total: int, generation: Generation) -> None:
    """Write a score into the history, when it has changed."""
    entry = f"news2-{stay.id[:60]}-{micros(unit.now)}"
    value = Value(code=SCORE, n=Decimal(total), unit="{score}")
    entries.append(unit, entry, unit.now, stay, generation, [value])
