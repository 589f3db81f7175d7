"""What a nurse writes down, and the sums of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from clinical import fluid_balance
from clinical.chart_records import BRADEN, MORSE, PAIN, Assessment, FluidRecord, Round
from clinical.commit import may_correct
from clinical.errors import BadInputError
from clinical.exchange import Charted, Outcome
from clinical.fluid_balance import INTAKE, OUTPUT, Balance, FluidEntry
from clinical.policy import SitePolicy
from clinical.records import Administration, Patient, Practitioner
from clinical.scores.model import Score
from clinical.scores.scales import braden, morse, pain
from server.chart import store
from server.sites import Site
from server.storage.store import UnitOfWork

MOST_ML = Decimal(20_000)
"""More than a person takes in or passes at once: above it a number is a slip."""
_ENDED_BAGS = frozenset({"completed", "stopped-early"})
ChartRecord = FluidRecord | Assessment | Round


def record(unit: UnitOfWork, site: Site, event: Charted) -> Outcome:
    """Store one line of the chart under the event's id, time and person.

    A line that corrects another one counts at the time of that one.
    """
    said = [one for one in (event.fluid, event.assessment, event.round) if one is not None]
    if len(said) != 1:
        return Outcome(event_id=event.id, status="refused", code="one-record")
    line = replace(said[0], id=event.id, at=event.at, by=event.operator)
    if unit.get(Patient, line.patient_id) is None:
        return Outcome(event_id=event.id, status="refused", code="unknown-patient")
    try:
        line = _judged(line)
        if isinstance(line, FluidRecord) and line.replaces:
            line = _correcting(unit, site, line)
    except BadInputError as error:
        return Outcome(event_id=event.id, status="refused", code=error.code)
    unit.put(line)
    if isinstance(line, FluidRecord) and line.replaces:
        unit.retire(FluidRecord, line.replaces)
    unit.audit(
        f"chart-{_word(line)}", actor=event.operator, entity=f"chart:{line.id}", patient=line.patient_id
    )
    return Outcome(event_id=event.id, status="accepted")


def _correcting(unit: UnitOfWork, site: Site, line: FluidRecord) -> FluidRecord:
    """Let a line take the place of another one of the same patient, by who may correct it."""
    before = store.fluid_of(unit.connection, line.replaces)
    if before is None or before.patient_id != line.patient_id:
        raise BadInputError("unknown-record", "there is no such line of this patient to correct")
    person = unit.get(Practitioner, line.by)
    roles = person.roles if person is not None else ()
    if not may_correct(before.by, before.at, line.by, roles, line.at, site.policy):
        raise BadInputError("not-yours", "its writer corrects a line within a day, the head nurse later")
    return replace(line, at=before.at)


def _word(line: ChartRecord) -> str:
    return line.scale if isinstance(line, Assessment) else type(line).__name__.lower()


def _judged(line: ChartRecord) -> ChartRecord:
    """Refuse what cannot be, and add a scale up again: the sum of a handheld is no proof."""
    match line:
        case FluidRecord():
            if not 0 < line.ml <= MOST_ML or line.direction not in {INTAKE, OUTPUT}:
                raise BadInputError("fluid-entry", "an amount goes in or out and is above 0 and below 20 L")
            return line
        case Assessment():
            score = scored(line.scale, line.answers)
            if score.total is None:
                raise BadInputError("assessment", f"the scale cannot be added up: {score.reason}")
            return replace(line, total=score.total, tier=score.tier or "")
        case Round():
            return line


def scored(scale: str, answers: Mapping[str, Any]) -> Score:
    """Add a scale up.

    Raises:
        BadInputError: There is no such scale, or an answer is of the wrong kind.
    """
    whole = {name: value for name, value in answers.items() if isinstance(value, int)}
    words = {name: value for name, value in answers.items() if isinstance(value, str)}
    match scale:
        case _ if scale == BRADEN:
            return braden(whole)
        case _ if scale == MORSE:
            return morse(words)
        case _ if scale == PAIN:
            return pain(whole.get("nrs"))
        case _:
            raise BadInputError("scale", "there is no such scale here; use braden, morse or pain")


@dataclass(frozen=True, slots=True, kw_only=True)
class FluidDay:
    """Intake and output of one ward day: each shift and the whole."""

    day: date
    shifts: tuple[Balance, ...]
    whole: Balance


def fluid_day(
    records: Iterable[FluidRecord], given: Iterable[Administration], day: date, policy: SitePolicy
) -> FluidDay:
    """Add up a ward day; bags that ended count at their end with what really went in."""
    counted = entries(records, given)
    limits = policy.care.fluids
    return FluidDay(
        day=day,
        shifts=tuple(
            fluid_balance.balance(counted, shift) for shift in fluid_balance.shifts(day, policy.zone, limits)
        ),
        whole=fluid_balance.balance(counted, fluid_balance.whole_day(day, policy.zone, limits)),
    )


def entries(records: Iterable[FluidRecord], given: Iterable[Administration]) -> list[FluidEntry]:
    """Return everything that counts: what was written and not corrected since, and the bags that ended."""
    return [*_written(records), *_bags(given)]


def _written(records: Iterable[FluidRecord]) -> Iterator[FluidEntry]:
    known = list(records)
    replaced = {one.replaces for one in known}
    for one in known:
        if one.id not in replaced:
            yield FluidEntry(at=one.at, direction=one.direction, kind=one.kind, ml=one.ml)


def _bags(given: Iterable[Administration]) -> Iterator[FluidEntry]:
    for one in given:
        if one.outcome in _ENDED_BAGS and one.dose is not None and one.dose.unit == "mL":
            yield FluidEntry(at=one.at, direction=INTAKE, kind="infusion", ml=max(one.dose.value, Decimal(0)))
