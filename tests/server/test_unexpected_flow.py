"""A drip that runs while nobody has started a bag under its sensor."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from broker.messages import Clock, Readings, Value
from clinical.codes import DROP_COUNT
from clinical.exchange import DeviceAssociated
from clinical.records import Alarm, AlarmPriority, Generation
from server.infusions.flow import FlowWatch
from server.ingest.commit import BatchWriter
from server.ingest.decode import Decoded
from server.storage.schema import device_places
from tests.server.test_infusions import DRIP, open_alarms, send, start

pytestmark = [pytest.mark.requirement("R-INF-07"), pytest.mark.hazard("H-INF-01")]


class Drip:
    """A sensor that counts, through the very writer the server stores batches with."""

    def __init__(self, ward: Any) -> None:
        self.ward, self.seq, self.drops = ward, 0, 1000
        self.watch = FlowWatch(ward.site.policy)
        self.writer = BatchWriter(self.watch)

    def runs(self, seconds: int, gtt_min: float, device: str = DRIP) -> None:
        """Let it drip, a reading every ten seconds."""
        for _ in range(seconds // 10):
            self.ward.clock.move(seconds=10)
            self.drops += round(gtt_min / 6)
            self.count(device)

    def count(self, device: str = DRIP, *, history: bool = False) -> None:
        self.seq += 1
        now = self.ward.clock()
        reading = Readings(
            node="bed-01", boot="b", outbox="o", seq=self.seq, sent=now, id=f"r{self.seq}", device=device,
            profile="wardlink_drip", effective=now, mono_ns=0, clock=Clock(state="synchronised"),
            generation=Generation.DEMO, values=[Value(code=DROP_COUNT, n=Decimal(self.drops), unit="1")],
        )  # fmt: skip
        batch = [Decoded(reading, history)]
        self.ward.store.write(lambda unit: self.writer.write(unit, batch))

    def silent(self, seconds: int) -> None:
        self.ward.clock.move(seconds=seconds)
        self.ward.store.write(self.watch.tick)

    @property
    def alarm(self) -> Alarm | None:
        found = open_alarms(self.ward).get("flow-unexpected")
        return found if found is not None and found.present else None


@pytest.fixture
def drip(ward: Any) -> Drip:
    ward.admit("1001", "01")
    return Drip(ward)


def bind(ward: Any) -> None:
    said = {"at": ward.clock(), "sent": ward.clock(), "operator": "N20713", "handheld": "pda-1"}
    event = DeviceAssociated(id="d1", association_id="A1", device_id=DRIP, encounter_id="E-V1001", **said)
    assert send(ward, event).status == "accepted"


def test_drops_under_a_sensor_on_a_patient_without_a_bag_sound_at_that_bed(drip: Drip) -> None:
    bind(drip.ward)
    drip.runs(60, 60)
    assert drip.alarm is None  # a line is primed
    drip.runs(70, 60)
    alarm = drip.alarm
    assert alarm is not None
    assert (alarm.priority, alarm.kind, alarm.bed, alarm.device_id) == (
        AlarmPriority.HIGH, "physiological", "01", DRIP,
    )  # fmt: skip
    drip.runs(120, 0)
    assert drip.alarm is None


def test_a_sensor_on_nobody_sounds_where_it_is_mounted_or_on_the_ward(drip: Drip) -> None:
    drip.runs(180, 60)
    assert drip.alarm is not None
    assert drip.alarm.bed == ""
    place = {"device_id": DRIP, "ward": "W1", "bed": "01"}
    other = Drip(drip.ward)
    other.seq = 500
    drip.ward.store.write(
        lambda unit: unit.connection.execute(device_places.insert().values(**place)) and None
    )
    drip.silent(200)
    assert drip.alarm is None
    other.runs(180, 60)
    assert drip.alarm is not None
    assert drip.alarm.bed == "01"


def test_a_few_drops_a_device_nobody_knows_and_what_comes_late_say_nothing(drip: Drip) -> None:
    drip.runs(300, 6)
    drip.runs(300, 60, device="ble:unknown")
    for _ in range(60):
        drip.ward.clock.move(seconds=10)
        drip.drops += 20
        drip.count(history=True)
    drip.drops = 0
    drip.count()  # the counter begins anew
    assert drip.alarm is None


def test_it_ends_when_the_bag_is_started_and_after_a_restart(drip: Drip) -> None:
    bind(drip.ward)
    drip.runs(180, 60)
    again = Drip(drip.ward)
    again.silent(1)
    assert again.alarm is not None  # nobody has heard yet that it stopped
    again.silent(61)
    assert again.alarm is None
    again.seq = 100
    again.runs(180, 60)
    assert again.alarm is not None
    again.ward.order_bag("1001", "B1")
    assert start(again.ward).status == "accepted"
    again.silent(1)
    assert again.alarm is None
