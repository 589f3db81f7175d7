"""Which lines of the chart leave the picture; the store keeps them all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from clinical.care_records import BloodUnit, Specimen, TransfusionEntry
from clinical.chart_records import Assessment, CriticalValue, FluidRecord, Handover, Round
from clinical.records import InfusionEntry, LabelPrint
from server.storage.codec import R
from server.storage.store import UnitOfWork


def tidy_chart(unit: UnitOfWork, keep: timedelta) -> None:
    """Take out what is over for longer than ``keep``; of rounds and scales the newest always stays."""
    limit = unit.now - keep
    _superseded(unit, Round, limit, lambda one: (one.patient_id, ""), lambda one: one.at)
    _superseded(unit, Assessment, limit, lambda one: (one.patient_id, one.scale), lambda one: one.at)
    _over(unit, FluidRecord, limit, lambda one: one.at)
    _over(unit, CriticalValue, limit, lambda one: one.acknowledged_at)
    _over(unit, Handover, limit, lambda one: one.taken_at)
    _over(unit, Specimen, limit, lambda one: one.received_at)
    _over(unit, TransfusionEntry, limit, lambda one: one.at)
    _over(unit, InfusionEntry, limit, lambda one: one.at)
    _over(unit, LabelPrint, limit, lambda one: one.at)
    _over(unit, BloodUnit, limit, lambda one: one.ended_at if one.state == "returned" else None)


def _superseded(
    unit: UnitOfWork,
    kind: type[R],
    limit: datetime,
    series: Callable[[R], tuple[str, str]],
    at: Callable[[R], datetime],
) -> None:
    newest: dict[tuple[str, str], datetime] = {}
    for record in unit.all(kind):
        newest[series(record)] = max(at(record), newest.get(series(record), at(record)))
    for record in list(unit.all(kind)):
        if at(record) < min(newest[series(record)], limit):
            unit.retire(kind, record.id)


def _over(unit: UnitOfWork, kind: type[R], limit: datetime, ended: Callable[[R], datetime | None]) -> None:
    for record in list(unit.all(kind)):
        at = ended(record)
        if at is not None and at < limit:
            unit.retire(kind, record.id)
