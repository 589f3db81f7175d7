"""From the ward's records to what the hospital is told of them; None where it need not hear of a change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from clinical.alarms import RANK
from clinical.care_records import Specimen
from clinical.codes import FLOW_RATE, INFUSED, REMAINING, TIME_LEFT
from clinical.records import (
    Alarm,
    Device,
    Encounter,
    Flow,
    Generation,
    Infusion,
    InfusionState,
    Order,
    Patient,
    Practitioner,
    present_of,
)
from server.his.told import AlertReport, ChartedReport, InfusionReport, SpecimenReport, ToldValue
from server.his.writing import Subject
from server.observations.charted import ChartedSet
from server.storage.store import UnitOfWork

_SIDE = {"limit-low": "{}-", "limit-high": "-{}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartedBody:
    """What is stored of a set that a nurse wrote down."""

    encounter_id: str
    set: ChartedSet


BODY = ChartedBody


class Reporter:
    """Looks up whom and what a report names."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit

    def subject(self, patient_id: str, encounter_id: str = "") -> Subject | None:
        """Return whom a message is about; None when nobody is known under this id."""
        patient = self._unit.get(Patient, patient_id)
        if patient is None:
            return None
        stay = self._unit.get(Encounter, encounter_id) if encounter_id else self._stay(patient_id)
        return Subject(
            mrn=patient.mrn,
            name=patient.name,
            visit_number=stay.visit_number if stay else "",
            ward=stay.ward if stay else "",
            bed=stay.bed if stay else "",
            demo=patient.generation is not Generation.REAL,
        )

    def _stay(self, patient_id: str) -> Encounter | None:
        return present_of(self._unit.stays_of(patient_id))

    def device(self, device_id: str) -> Device | None:
        """Return one of our devices; what a gateway of others reported is not told back."""
        return self._unit.get(Device, device_id)

    def order(self, order_id: str) -> Order | None:
        """Return an order."""
        return self._unit.get(Order, order_id)

    def flow(self, infusion_id: str) -> Flow | None:
        """Return the newest measured flow."""
        return self._unit.get(Flow, infusion_id)

    def name(self, person_id: str) -> str:
        """Return a person's name; empty when it is nobody of the ward."""
        person = self._unit.get(Practitioner, person_id)
        return person.name if person is not None else ""


def flow_values(flow: Flow | None) -> list[ToldValue]:
    """Return what was measured of an infusion's flow."""
    if flow is None:
        return []
    amounts = (
        (FLOW_RATE, flow.rate_ml_h, "mL/h"), (INFUSED, flow.infused_ml, "mL"),
        (REMAINING, flow.remaining_ml, "mL"), (TIME_LEFT, flow.time_left_min, "min"),
    )  # fmt: skip
    return [
        ToldValue(code=code, value=_rounded(value), unit=unit, at=flow.effective, validity=flow.validity)
        for code, value, unit in amounts
        if value is not None
    ]


def _rounded(value: float) -> Decimal:
    return Decimal(str(round(value, 1)))


def alert_of(reporter: Reporter, now: Alarm, before: Alarm | None, at: datetime) -> AlertReport | None:
    """Return the phase that a new version of an alarm is; None when it changed nothing to be told.

    Told are alarms at a patient that our own devices or this system raised, not those of other gateways.
    """
    phase = _phase(now, before)
    whom = reporter.subject(now.patient_id, now.encounter_id) if now.patient_id else None
    if whom is None or not phase or "gateway" in now.params or now.condition == "critical-value":
        return None
    measured, limit = _number(now, "measured"), _number(now, "limit")
    shape = _SIDE.get(now.condition)
    return AlertReport(
        whom=whom,
        id=now.id,
        condition=now.condition,
        kind=now.kind,
        priority=now.priority,
        phase=phase,
        state="active" if now.present else "latched" if now.signal == "latched" else "inactive",
        at=now.started_at if phase == "start" else at,
        text=now.condition.replace("-", " "),
        acknowledged=now.acknowledged_at is not None,
        device_id=now.device_id,
        code=str(now.params.get("code", "")),
        measured=measured,
        limit=shape.format(limit) if shape and limit is not None else "",
        unit=str(now.params.get("unit", "")),
    )


def _phase(now: Alarm, before: Alarm | None) -> str:
    if before is None:
        return "start" if now.present else ""
    if before.present and not now.present:
        return "end"
    if not before.present:
        return "start" if now.present else ""
    if now.acknowledged_at is not None and before.acknowledged_at is None:
        return "acknowledged"
    louder = RANK[now.priority] - RANK[before.priority]
    if louder:
        return "escalate" if louder > 0 else "deescalate"
    return "update" if now.params.get("measured") != before.params.get("measured") else ""


def _number(alarm: Alarm, name: str) -> Decimal | None:
    value = alarm.params.get(name)
    return Decimal(str(value)) if isinstance(value, int | float) else None


def infusion_of(
    reporter: Reporter, now: Infusion, before: Infusion | None, at: datetime
) -> InfusionReport | None:
    """Return the event that a new version of an infusion is; None when it is none."""
    event = _infusion_event(now, before)
    whom = reporter.subject(now.patient_id, now.encounter_id)
    if not event or whom is None:
        return None
    order, flow = reporter.order(now.order_id), reporter.flow(now.id)
    item = order.items[0] if order is not None and order.items else None
    infused, remaining = _amounts(now, flow)
    return InfusionReport(
        whom=whom,
        infusion_id=now.id,
        placer_id=(order.placer_id or order.id) if order is not None else now.order_id,
        filler_id=order.filler_id if order is not None else "",
        drug_code=item.product_id if item is not None else "",
        drug=" + ".join(one.display.zh for one in order.items) if order is not None else "",
        event=event,
        flowing=now.state is InfusionState.RUNNING,
        at=_event_time(now, before, at),
        rate_ml_h=now.rate_ml_h,
        volume_ml=now.volume_ml,
        infused_ml=infused,
        remaining_ml=remaining,
        device_id=now.device_id,
    )


def _infusion_event(now: Infusion, before: Infusion | None) -> str:
    if before is None:
        return "start" if now.state is InfusionState.RUNNING else ""
    if now.state is before.state:
        return "change" if now.rate_ml_h != before.rate_ml_h else ""
    return {
        InfusionState.RUNNING: "start",
        InfusionState.PAUSED: "stop",
        InfusionState.STOPPED_EARLY: "stop",
        InfusionState.COMPLETED: "complete",
    }.get(now.state, "")


def _event_time(now: Infusion, before: Infusion | None, at: datetime) -> datetime:
    if before is None:
        return now.started_at
    return now.ended_at or now.paused_at or at


def _amounts(now: Infusion, flow: Flow | None) -> tuple[Decimal | None, Decimal | None]:
    """Return what has run in and what is left: the nurse's residue at the end, else what was measured."""
    if now.ended_at is not None:
        residual = now.residual_ml or Decimal(0)
        return now.volume_ml - residual, residual
    if flow is None or flow.infused_ml is None or flow.remaining_ml is None:
        return None, None
    return _rounded(flow.infused_ml), _rounded(flow.remaining_ml)


def specimen_of(reporter: Reporter, now: Specimen, before: Specimen | None) -> SpecimenReport | None:
    """Return that a sample was taken; None for every other change of it."""
    whom = reporter.subject(now.patient_id, now.encounter_id)
    taken_before = before is not None and before.collected_at is not None
    if now.collected_at is None or taken_before or whom is None:
        return None
    order = reporter.order(now.order_id)
    item = order.items[0] if order is not None and order.items else None
    return SpecimenReport(
        whom=whom,
        specimen_id=now.id,
        placer_id=(order.placer_id or order.id) if order is not None else now.order_id,
        filler_id=order.filler_id if order is not None else "",
        test_code=item.product_id if item is not None else "",
        test=item.display.zh if item is not None else "",
        container=now.container,
        collected_at=now.collected_at,
        by=now.collected_by,
        by_name=reporter.name(now.collected_by),
    )


def charted_of(reporter: Reporter, patient_id: str, by: str, body: ChartedBody) -> ChartedReport | None:
    """Return what a nurse wrote down."""
    whom = reporter.subject(patient_id, body.encounter_id)
    if whom is None:
        return None
    one = body.set
    return ChartedReport(
        whom=whom,
        id=one.id,
        at=one.at,
        by=by,
        by_name=reporter.name(by),
        values=tuple(
            ToldValue(code=value.code, value=value.value, unit=value.unit, at=one.at) for value in one.values
        ),
    )
