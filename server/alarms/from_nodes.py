"""What nodes say of alarms and of themselves, merged into the ward's alarms."""

from __future__ import annotations

from broker.messages import AlarmMessage, Status
from clinical.alarms import timing
from clinical.policy import SitePolicy
from clinical.records import Alarm, AlarmPriority, Infusion
from server.alarms import service as alarms
from server.alarms import store as sources
from server.devices.service import FLOWING, Filing
from server.storage.store import UnitOfWork


def note_alarm(unit: UnitOfWork, message: AlarmMessage, filing: Filing, policy: SitePolicy) -> None:
    """Apply one alarm message; late and repeated ones change nothing that is newer.

    An alarm about a reading that may not reach a patient does not reach them either.
    """
    if filing.unassigned == "not-real":
        return
    source = alarms.Source(name=message.node, alarm_id=message.id)
    newest = sources.newest_of(unit.connection, message.node, message.id)
    if newest is not None and newest > message.effective:
        return
    seen = _condition(unit, message, filing)
    if message.phase != "end":
        if not _over(unit, message):
            alarms.begin(unit, seen, source)
        return
    alarm = _known(unit, message) or alarms.present(unit, seen) or alarms.begin(unit, seen, source)
    latching = timing(message.condition, policy).latching
    alarms.end(unit, alarm, message.effective, source, latching=latching)


def _over(unit: UnitOfWork, message: AlarmMessage) -> bool:
    """Whether the alarm speaks of a bag that has come down since."""
    infusion = unit.get(Infusion, message.infusion) if message.infusion else None
    return infusion is not None and infusion.state not in FLOWING


def _known(unit: UnitOfWork, message: AlarmMessage) -> Alarm | None:
    alarm_id = sources.alarm_of(unit.connection, message.node, message.id)
    return unit.get(Alarm, alarm_id) if alarm_id else None


def _condition(unit: UnitOfWork, message: AlarmMessage, filing: Filing) -> alarms.Condition:
    association = filing.association
    infusion_id = message.infusion or (association.infusion_id if association else "")
    infusion = unit.get(Infusion, infusion_id) if infusion_id else None
    encounter_id = infusion.encounter_id if infusion else (association.encounter_id if association else "")
    return alarms.Condition(
        condition=message.condition,
        priority=message.priority,
        kind=message.kind,
        at=message.effective,
        encounter_id=encounter_id,
        device_id=message.device or "",
        infusion_id=infusion.id if infusion and message.condition != "device-lost" else "",
        params=dict(message.params),
        generation=message.generation,
    )


def note_presence(unit: UnitOfWork, status: Status) -> None:
    """Alarm when a bedside node goes silent, end it when it is back."""
    seen = alarms.Condition(
        condition="node-offline",
        priority=AlarmPriority.MEDIUM,
        at=unit.now,
        params={"node": status.node},
        generation=status.generation,
        subject=status.node,
    )
    if status.state == "offline":
        alarms.begin(unit, seen)
    else:
        alarms.end_condition(unit, seen)
