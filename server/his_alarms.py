"""What the station is told of the hospital's system: refused, silent, or something of it put aside.

These are written in the transaction that notes what became of a message; a crash cannot come between.
"""

from __future__ import annotations

from datetime import timedelta

from clinical.records import AlarmPriority
from server.alarms import service as alarms
from server.storage.store import UnitOfWork

REJECTED, SILENT, ERROR = "his-rejected", "his-silent", "his-error"
SILENT_AFTER = timedelta(minutes=5)
"""A message that the hospital has not taken for so long is more than a restart of its interface."""


def rejected(unit: UnitOfWork) -> None:
    """Tell that the hospital refused for good what was given at a bed: a person has to tell it."""
    alarms.begin(unit, _seen(unit, REJECTED, AlarmPriority.MEDIUM))
    alarms.end_condition(unit, _seen(unit, SILENT, AlarmPriority.LOW))


def silent(unit: UnitOfWork) -> None:
    """Tell that the hospital takes nothing from us; everything waits on disk."""
    alarms.begin(unit, _seen(unit, SILENT, AlarmPriority.LOW))


def works_again(unit: UnitOfWork) -> None:
    """End both: a message was taken. What was refused stays to be seen until somebody has."""
    alarms.end_condition(unit, _seen(unit, SILENT, AlarmPriority.LOW))
    alarms.end_condition(unit, _seen(unit, REJECTED, AlarmPriority.MEDIUM, latching=True))


def put_aside(unit: UnitOfWork, reason: str) -> None:
    """Tell that a message of the hospital could not be carried out: one alarm for each reason, until seen."""
    alarms.begin(unit, _seen(unit, ERROR, AlarmPriority.LOW, reason=reason))


def _seen(
    unit: UnitOfWork, condition: str, priority: AlarmPriority, *, latching: bool = False, reason: str = ""
) -> alarms.Condition:
    return alarms.Condition(
        condition=condition,
        priority=priority,
        at=unit.now,
        params={"reason": reason} if reason else {},
        subject=reason,
        latching=latching,
    )
