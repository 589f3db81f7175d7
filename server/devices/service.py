"""Which device is on which encounter, since when; the only way a reading finds its patient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from clinical.exchange import DeviceAssociated, DeviceReleased, Outcome
from clinical.records import FLOWING, PRESENT, Association, Device, Encounter, Infusion
from server.devices import leaving
from server.devices import store as devices
from server.storage.store import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """Where a reading belongs; ``unassigned`` says why it belongs nowhere yet."""

    association: Association | None = None
    unassigned: str = ""


class AssociationIndex:
    """Associations by device, for filing many readings."""

    def __init__(self, associations: Iterable[Association]) -> None:
        by_device: dict[str, list[Association]] = {}
        for association in associations:
            by_device.setdefault(association.device_id, []).append(association)
        self._by_device: Mapping[str, list[Association]] = by_device

    @classmethod
    def of(cls, by_device: Mapping[str, list[Association]]) -> AssociationIndex:
        """Index associations that are grouped by device already."""
        index = cls(())
        index._by_device = by_device
        return index

    def file(self, device_id: str, effective: datetime, uncertainty: timedelta) -> Filing:
        """Find the association that holds at ``effective``, give or take ``uncertainty``."""
        earliest, latest = effective - uncertainty, effective + uncertainty
        touched = [one for one in self._by_device.get(device_id, ()) if _touches(one, earliest, latest)]
        inside = [one for one in touched if holds(one, earliest) and holds(one, latest)]
        if not touched:
            return Filing(unassigned="no-association")
        if len(inside) == 1 and all(one.encounter_id == inside[0].encounter_id for one in touched):
            return Filing(association=inside[0])
        return Filing(unassigned="time-border")


def holds(association: Association, at: datetime) -> bool:
    """Whether the association covers the instant; the start belongs to it, the end does not."""
    return association.start <= at and (association.end is None or at < association.end)


def _touches(association: Association, earliest: datetime, latest: datetime) -> bool:
    return association.start <= latest and (association.end is None or association.end > earliest)


def open_on(unit: UnitOfWork, device_id: str) -> Association | None:
    """Return the association a device has now, if any."""
    return next(
        (one for one in unit.all(Association) if one.device_id == device_id and one.end is None), None
    )


def associate(unit: UnitOfWork, wanted: Association) -> str:
    """Put a device on an encounter; returns an empty text or why it could not be.

    A device that watches another patient's running infusion stays there: taking it away in silence would
    file one patient's drops under another.
    """
    if unit.get(Association, wanted.id) is not None:
        return ""
    current = open_on(unit, wanted.device_id)
    if current is not None and current.encounter_id != wanted.encounter_id and _watches(unit, current):
        return "device-busy"
    start = min(max([wanted.start, *_latest_borders(unit, wanted)]), unit.now)
    if current is not None:
        unit.put(replace(current, end=start))
    unit.put(replace(wanted, start=start))
    return ""


def _latest_borders(unit: UnitOfWork, wanted: Association) -> list[datetime]:
    """When the device was last put on, taken off or asked back: two patients never have it at one time.

    An admission or scan that is told late, with an earlier time, must not claim what was measured on the
    patient before.
    """
    of_device = [one for one in unit.all(Association) if one.device_id == wanted.device_id]
    return [one.end or one.release_asked_at or one.start for one in of_device]


def _watches(unit: UnitOfWork, association: Association) -> bool:
    infusion = unit.get(Infusion, association.infusion_id) if association.infusion_id else None
    return infusion is not None and infusion.state in FLOWING


def release(unit: UnitOfWork, association: Association, at: datetime) -> None:
    """End an association, at the latest now: a device that is off measures nobody."""
    if association.end is None:
        unit.put(replace(association, end=max(min(at, unit.now), association.start)))


def follow_bed(unit: UnitOfWork, encounter: Encounter, at: datetime) -> None:
    """Give a patient the devices that are mounted at their bed.

    Those of a bed they have left stay on until a person says that they are off, or until the next patient
    comes to that bed: an order to move tells nobody when the sensor left the finger.
    """
    mounted = devices.mounted_at(unit.connection, encounter.ward, encounter.bed)
    for device_id, _bed in devices.mounted_elsewhere(unit.connection, encounter.ward, encounter.bed):
        current = open_on(unit, device_id)
        if current is None or current.encounter_id != encounter.id or _watches(unit, current):
            continue  # a sensor on a running bag moves with it
        leaving.ask(unit, current, at)
    if encounter.status not in PRESENT:
        return
    gone = leaving.vacate(unit, encounter)
    for device_id in mounted:
        current = open_on(unit, device_id)
        if current is not None and current.encounter_id == encounter.id:
            leaving.withdraw(unit, current)
            continue
        name = f"{encounter.id}/{device_id}/{int(at.timestamp() * 1000)}"
        associate(
            unit, Association(id=name, device_id=device_id, encounter_id=encounter.id, start=at, by="bed")
        )
    for other in gone:
        leaving.settle(unit, other.id, at)


def record_associated(unit: UnitOfWork, event: DeviceAssociated) -> Outcome:
    """Apply what a nurse scanned: this device is on this patient."""
    if unit.get(Encounter, event.encounter_id) is None:
        return Outcome(event_id=event.id, status="refused", code="unknown-encounter")
    refused = associate(
        unit,
        Association(
            id=event.association_id,
            device_id=event.device_id,
            encounter_id=event.encounter_id,
            start=event.at,
            infusion_id=event.infusion_id,
            by=event.operator,
        ),
    )
    if refused:
        return Outcome(event_id=event.id, status="refused", code=refused)
    leaving.watch_again(unit, event.encounter_id)
    if unit.get(Device, event.device_id) is None:
        return Outcome(event_id=event.id, status="accepted-exception", code="unknown-device")
    return Outcome(event_id=event.id, status="accepted")


def record_released(unit: UnitOfWork, event: DeviceReleased) -> Outcome:
    """Apply what a nurse said: this device is off."""
    association = unit.get(Association, event.association_id)
    if association is None:
        return Outcome(event_id=event.id, status="refused", code="unknown-association")
    release(unit, association, event.at)
    leaving.settle(unit, association.encounter_id, event.at)
    return Outcome(event_id=event.id, status="accepted")
