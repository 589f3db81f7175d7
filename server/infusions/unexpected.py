"""A drip runs and nobody has started a bag under its sensor: something flows that no order stands behind.

Every count a sensor sends without a started bag is looked at here; so many drops within a minute, and going
on, sound. The place is that of the sensor: the patient it was put on, or the bed it is mounted at. Runs on
the writer's thread only; what sounds in the store ends by itself after a restart.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime

from clinical.alarms import Gate, timing
from clinical.policy import SitePolicy
from clinical.records import (
    LEAVING,
    PRESENT,
    Alarm,
    AlarmPriority,
    Association,
    Device,
    Encounter,
    Generation,
)
from server.alarms import service as alarms
from server.devices import store as places
from server.storage.store import UnitOfWork

CONDITION = "flow-unexpected"
WINDOW_S = 60.0


class _Sensor:
    """What one sensor counted within the last minute."""

    def __init__(self, gate: Gate, encounter_id: str = "") -> None:
        self.counts: deque[tuple[float, int]] = deque()
        self.gate, self.encounter_id = gate, encounter_id

    def take(self, at_s: float, drops: int) -> None:
        """Take a count; one that is older, or begins anew, says nothing of the drops before it."""
        if self.counts and at_s <= self.counts[-1][0]:
            return
        if self.counts and drops < self.counts[-1][1]:
            self.counts.clear()
        self.counts.append((at_s, drops))

    def fallen(self, now_s: float) -> int:
        """Drops that fell within the last minute."""
        while self.counts and self.counts[0][0] < now_s - WINDOW_S:
            self.counts.popleft()
        return self.counts[-1][1] - self.counts[0][1] if self.counts else 0


class StrayFlow:
    """Follows every sensor that counts without a started bag."""

    def __init__(self, policy: SitePolicy) -> None:
        self._policy = policy
        self._sensors: dict[str, _Sensor] = {}

    def measured(
        self, unit: UnitOfWork, device_id: str, at: datetime, drops: int | None, on: Association | None
    ) -> None:
        """Take a count of a sensor of the ward under which no bag was started."""
        if drops is None or unit.get(Device, device_id) is None:
            return
        sensor = self._sensors.get(device_id) or self._follow(device_id)
        sensor.encounter_id = on.encounter_id if on is not None else ""
        sensor.take(at.timestamp(), drops)
        self._judge(unit, device_id, sensor, at)

    def tick(self, unit: UnitOfWork) -> None:
        """Let silence, and a bag that was started meanwhile, end what sounds."""
        for alarm in [one for one in unit.all(Alarm) if one.condition == CONDITION and one.present]:
            if alarm.device_id not in self._sensors:
                self._follow(alarm.device_id, alarm.encounter_id, holds=True)
        started = {one.device_id for one in unit.all(Association) if one.infusion_id and one.end is None}
        for device_id, sensor in list(self._sensors.items()):
            if device_id in started:
                sensor.counts.clear()
            self._judge(unit, device_id, sensor, unit.now)
            if not sensor.counts and not sensor.gate.holds:
                del self._sensors[device_id]

    def _follow(self, device_id: str, encounter_id: str = "", *, holds: bool = False) -> _Sensor:
        delays = timing(CONDITION, self._policy)
        clear_s = max(delays.clear_s, WINDOW_S) if holds else delays.clear_s  # nothing was heard yet
        gate = Gate(delay_s=delays.delay_s, clear_s=clear_s, holds=holds)
        return self._sensors.setdefault(device_id, _Sensor(gate, encounter_id))

    def _judge(self, unit: UnitOfWork, device_id: str, sensor: _Sensor, at: datetime) -> None:
        held, now_s = sensor.gate.holds, at.timestamp()
        flows = sensor.fallen(now_s) >= self._policy.care.infusion.unexpected_drops
        sensor.gate = sensor.gate.step(flows, now_s)
        if not (held or sensor.gate.holds):
            return
        sounding = [
            one
            for one in unit.all(Alarm)
            if one.condition == CONDITION and one.present and one.device_id == device_id
        ]
        if sensor.gate.holds and flows and not sounding:  # also after a commit that failed, or a discharge
            _begin(unit, device_id, sensor, at)
        elif not sensor.gate.holds:
            for alarm in sounding:
                alarms.end(unit, alarm, at)


def _begin(unit: UnitOfWork, device_id: str, sensor: _Sensor, at: datetime) -> None:
    stay = unit.get(Encounter, sensor.encounter_id) or _lies_at(unit, device_id)
    device = unit.get(Device, device_id)
    generation = device.generation if device is not None else Generation.REAL
    alarms.begin(
        unit,
        alarms.Condition(
            condition=CONDITION,
            kind="physiological",
            priority=AlarmPriority.HIGH,
            at=at,
            encounter_id=stay.id if stay is not None else "",
            device_id=device_id,
            params={"drops": sensor.fallen(at.timestamp())},
            generation=alarms.generation_of(unit, stay.patient_id) if stay is not None else generation,
        ),
    )


def _lies_at(unit: UnitOfWork, device_id: str) -> Encounter | None:
    """Who lies at the bed where the sensor is mounted, if it is."""
    place = places.place_of(unit.connection, device_id)
    here = PRESENT - {LEAVING}
    stays = (one for one in unit.all(Encounter) if (one.ward, one.bed) == place and one.status in here)
    return next(stays, None)
