"""Batches into the store: filing by the device's association at the measured time, on both stores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from broker import topics
from broker.messages import AlarmMessage, Backfill, Clock, Readings, Status, Value, Wave, encode
from broker.topics import Up
from clinical.bedside_check.model import Action
from clinical.exchange import DeviceAssociated
from clinical.records import Alarm, AlarmPriority, Generation, Observation, Patient
from server.his.port import DischargePatient, MovePatient, Place
from server.infusions.flow import FlowWatch
from server.ingest.commit import BatchWriter, Written
from server.ingest.decode import Decoded, Poison, decode_packet
from server.ingest.port import Packet
from server.storage import schema
from server.sync.events import apply

OXIMETER = "serial:oximeter-01"
SPO2 = "MDC_PULS_OXIM_SAT_O2"


class Line:
    """Makes messages of one node and writes them as one batch."""

    def __init__(self, ward: Any) -> None:
        self.ward = ward
        self.writer = BatchWriter(FlowWatch(ward.site.policy))
        self.seq = 0

    def head(self, **said: Any) -> dict[str, Any]:
        self.seq += 1
        head = {"node": "bed-01", "boot": "b", "outbox": "o", "seq": self.seq, "sent": self.ward.clock()}
        return head | said

    def reading(self, effective: datetime | None = None, **said: Any) -> Readings:
        fields: dict[str, Any] = {
            "id": f"r{self.seq + 1}",
            "device": OXIMETER,
            "profile": "nonin_oem3",
            "effective": effective or self.ward.clock(),
            "mono_ns": 0,
            "clock": Clock(state="synchronised"),
            "generation": Generation.DEMO,
            "values": [Value(code=SPO2, n=Decimal(97), unit="%")],
        }
        return Readings(**(self.head() | fields | said))

    def write(self, *messages: Any, history: bool = False) -> Written:
        batch = [Decoded(message, history) for message in messages]
        return self.ward.store.write(lambda unit: self.writer.write(unit, batch))

    def filed(self) -> list[tuple[str, str]]:
        table = schema.samples
        with self.ward.store.reading() as connection:
            rows = connection.execute(
                select(table.c.encounter_id, table.c.unassigned).order_by(table.c.outbox, table.c.seq)
            )
            return [(row[0], row[1]) for row in rows]


def shown_of(written: Written) -> list[Any]:
    """What the screens of every ward are shown."""
    return [one for of_ward in written.shown.values() for one in of_ward]


@pytest.fixture
def line(any_ward: Any) -> Line:
    any_ward.admit("1001", "01")
    return Line(any_ward)


def test_a_reading_is_filed_by_its_devices_association_and_shown(line: Line) -> None:
    written = line.write(line.reading())
    assert line.filed() == [("E-V1001", "")]
    assert [(one.stay.id, one.message.values[0].code) for one in shown_of(written)] == [("E-V1001", SPO2)]
    newest = line.ward.store.picture.get(Observation, f"P-1001/{SPO2}")
    assert (newest.value, newest.generation) == (Decimal(97), Generation.DEMO)


@pytest.mark.requirement("R-SRV-07")
@pytest.mark.hazard("H-SRV-02")
def test_history_measured_before_a_transfer_goes_to_the_patient_who_lay_there_then(line: Line) -> None:
    before = line.ward.clock()
    moved = line.ward.clock.move(minutes=30)
    ward = line.ward
    assert ward.hospital.apply(
        MovePatient(mrn="1001", visit_number="V1001", place=Place(ward="W1", bed="05"), at=moved)
    ).ok
    ward.admit(
        "1003", "01", "王喆"
    )  # lies in bed 01 since 3 h ago by the hospital's word, on the device from now
    ward.clock.move(minutes=30)
    line.write(line.reading(before + timedelta(minutes=10)), history=True)
    line.write(line.reading())
    assert line.filed() == [("E-V1001", ""), ("E-V1003", "")]


@pytest.mark.requirement("R-SRV-07")
@pytest.mark.hazard("H-SRV-02")
def test_a_time_that_may_lie_on_either_side_of_an_association_waits_for_a_person(line: Line) -> None:
    released = line.ward.clock.move(minutes=30)
    assert line.ward.hospital.apply(DischargePatient(mrn="1001", visit_number="V1001", at=released)).ok
    line.ward.off()
    unsure = Clock(state="holdover", uncertainty_ms=60_000)
    line.write(
        line.reading(released - timedelta(seconds=30), clock=unsure),
        line.reading(released - timedelta(seconds=30)),
        line.reading(released + timedelta(seconds=1)),
    )
    assert line.filed() == [("", "time-border"), ("E-V1001", ""), ("", "no-association")]


def test_history_from_a_clock_that_was_never_set_waits_for_a_person(line: Line) -> None:
    unset = Clock(state="unset")
    line.ward.clock.move(minutes=10)
    line.write(line.reading(clock=unset))
    line.write(line.reading(clock=unset), history=True)
    assert line.filed() == [("E-V1001", ""), ("", "time-border")]


@pytest.mark.requirement("R-SRV-11")
@pytest.mark.hazard("H-SRV-02")
def test_demo_readings_and_alarms_never_reach_a_real_patient(ward: Any) -> None:
    ward.admit("1001", "01")
    ward.store.write(lambda unit: unit.put(replace(unit.get(Patient, "P-1001"), generation=Generation.REAL)))
    line = Line(ward)
    alarm = AlarmMessage(
        **line.head(),
        id="a1",
        condition="limit-low",
        kind="physiological",
        priority=AlarmPriority.HIGH,
        phase="start",
        effective=ward.clock(),
        device=OXIMETER,
        generation=Generation.DEMO,
    )
    line.write(line.reading(), alarm)
    assert line.filed() == [("", "not-real")]
    assert list(ward.store.picture.all(Alarm)) == []
    assert list(ward.store.picture.all(Observation)) == []


@pytest.mark.requirement("R-SRV-10")
@pytest.mark.hazard("H-SRV-06")
def test_node_and_server_share_one_alarm_and_it_ends_when_neither_sees_it(line: Line) -> None:
    def said(phase: str, node: str = "bed-01", own: str = "a1", seq: int = 0) -> AlarmMessage:
        head = line.head(node=node)
        return AlarmMessage(
            **head,
            id=own,
            condition="limit-low",
            kind="physiological",
            priority=AlarmPriority.HIGH,
            phase=phase,  # type: ignore[arg-type]
            effective=line.ward.clock(),
            device=OXIMETER,
            generation=Generation.DEMO,
            params={"code": SPO2},
        )

    line.write(said("start"))
    line.write(said("start", "bed-02", "b1"))
    alarms = list(line.ward.store.picture.all(Alarm))
    assert [(one.condition, one.bed, one.present) for one in alarms] == [("limit-low", "01", True)]
    line.ward.clock.move(seconds=1)
    line.write(said("end"))
    assert next(line.ward.store.picture.all(Alarm)).present
    line.write(said("end", "bed-02", "b1"))
    assert not next(line.ward.store.picture.all(Alarm)).present


def test_an_alarm_whose_end_arrives_before_its_start_does_not_sound_for_ever(line: Line) -> None:
    began = line.ward.clock()
    ended = line.ward.clock.move(seconds=30)

    def said(phase: str, at: datetime) -> AlarmMessage:
        return AlarmMessage(
            **line.head(),
            id="a1",
            condition="no-flow",
            kind="physiological",
            priority=AlarmPriority.HIGH,
            phase=phase,
            effective=at,
            device=OXIMETER,
            generation=Generation.DEMO,  # type: ignore[arg-type]
        )

    line.write(said("end", ended))
    line.write(said("start", began), history=True)
    assert [alarm.present for alarm in line.ward.store.picture.all(Alarm)] == [False]


def test_a_node_that_goes_silent_raises_a_technical_alarm_until_it_is_back(line: Line) -> None:
    offline = Status(node="bed-01", state="offline", generation=Generation.DEMO)
    line.write(offline)
    line.write(offline)
    alarms = [one for one in line.ward.store.picture.all(Alarm) if one.condition == "node-offline"]
    assert [(one.kind, one.present) for one in alarms] == [("technical", True)]
    line.write(Status(node="bed-01", state="online", generation=Generation.DEMO))
    assert [one.present for one in line.ward.store.picture.all(Alarm)] == [False]


def test_an_older_value_never_replaces_a_newer_one(line: Line) -> None:
    line.ward.clock.move(minutes=5)
    line.write(line.reading(values=[Value(code=SPO2, n=Decimal(93), unit="%")]))
    line.write(line.reading(line.ward.clock() - timedelta(minutes=2)), history=True)
    assert line.ward.store.picture.get(Observation, f"P-1001/{SPO2}").value == Decimal(93)


def test_the_committed_intervals_survive_a_restart(line: Line) -> None:
    line.write(line.reading(), line.reading())
    again = BatchWriter(FlowWatch(line.ward.site.policy))
    line.writer, line.seq = again, 0
    written = line.write(line.reading(id="x1"), line.reading(id="x2"), line.reading(id="x3"))
    assert (written.duplicates, written.stored) == (2, 1)
    assert written.intervals["bed-01", "o"].ranges == [(1, 3)]


def test_a_device_scanned_onto_another_patient_moves_with_the_scan(line: Line) -> None:
    ward = line.ward
    ward.admit("1002", "02", "李秀兰")
    ward.clock.move(minutes=1)
    event = DeviceAssociated(
        id="d1",
        at=ward.clock(),
        sent=ward.clock(),
        operator="N20713",
        handheld="pda-1",
        association_id="A1",
        device_id=OXIMETER,
        encounter_id="E-V1002",
    )
    session = ward.session()
    assert ward.store.write(lambda unit: apply(unit, ward.site, session, event)).status == "accepted"
    line.write(line.reading(ward.clock() - timedelta(seconds=30)), line.reading())
    assert line.filed() == [("E-V1001", ""), ("E-V1002", "")]


def alarm_said(line: Line, **said: Any) -> AlarmMessage:
    fields: dict[str, Any] = {
        "id": "a1",
        "condition": "limit-low",
        "kind": "physiological",
        "priority": AlarmPriority.HIGH,
        "phase": "start",
        "effective": line.ward.clock(),
        "device": OXIMETER,
        "generation": Generation.DEMO,
    }
    return AlarmMessage(**(line.head() | fields | said))


def present_alarms(line: Line) -> list[tuple[str, str]]:
    return [(one.condition, one.priority.value) for one in line.ward.store.picture.all(Alarm) if one.present]


@pytest.mark.requirement("R-SRV-26")
@pytest.mark.hazard("H-SRV-12")
def test_a_reading_from_the_future_hides_nothing_and_its_node_is_told_of(line: Line) -> None:
    ahead = line.ward.clock() + timedelta(hours=2)
    written = line.write(line.reading(ahead, values=[Value(code=SPO2, n=Decimal(99), unit="%")]))
    assert line.filed() == [("", "clock-ahead")]
    assert shown_of(written) == []
    assert line.ward.store.picture.get(Observation, f"P-1001/{SPO2}") is None
    line.write(line.reading(ahead))
    assert present_alarms(line) == [("clock-ahead", "Me")]
    line.ward.clock.move(seconds=10)
    line.write(line.reading(values=[Value(code=SPO2, n=Decimal(88), unit="%")]))
    assert line.ward.store.picture.get(Observation, f"P-1001/{SPO2}").value == Decimal(88)
    assert present_alarms(line) == []


@pytest.mark.requirement("R-SRV-26")
@pytest.mark.hazard("H-SRV-12")
@pytest.mark.parametrize(
    ("seconds", "uncertainty_ms", "filed"),
    [(1.9, 0, True), (2.1, 0, False), (4.0, 5_000, True), (5.1, 5_000, False), (61.0, 80_000_000, False)],
)
def test_a_time_may_be_ahead_by_what_its_clock_may_be_off(
    line: Line, seconds: float, uncertainty_ms: int, filed: bool
) -> None:
    clock = Clock(state="holdover", uncertainty_ms=uncertainty_ms)
    line.write(line.reading(line.ward.clock() + timedelta(seconds=seconds), clock=clock))
    assert line.filed() == [("E-V1001", "") if filed else ("", "clock-ahead")]


@pytest.mark.requirement("R-SRV-26")
@pytest.mark.hazard("H-SRV-12")
def test_history_with_right_times_does_not_end_the_alarm_of_a_clock_that_is_ahead(line: Line) -> None:
    line.write(line.reading(line.ward.clock() + timedelta(hours=2)))
    line.write(line.reading(line.ward.clock() - timedelta(minutes=1)), history=True)
    assert present_alarms(line) == [("clock-ahead", "Me")]


@pytest.mark.requirement("R-SRV-26")
@pytest.mark.hazard("H-SRV-12")
def test_an_alarm_from_the_future_begins_now_and_can_end(line: Line) -> None:
    line.write(alarm_said(line, effective=line.ward.clock() + timedelta(days=1)))
    alarm = next(line.ward.store.picture.all(Alarm))
    assert (alarm.started_at, alarm.encounter_id) == (line.ward.clock(), "E-V1001")
    line.ward.clock.move(seconds=5)
    line.write(alarm_said(line, phase="end"))
    assert present_alarms(line) == []


@pytest.mark.requirement("R-SRV-26")
@pytest.mark.hazard("H-SRV-12")
def test_a_wave_from_the_future_is_shown_to_nobody(line: Line) -> None:
    ahead = line.ward.clock() + timedelta(minutes=1)
    wave = Wave(
        **line.head(), id="w1", device=OXIMETER, effective=ahead, code="MDC_PULS_OXIM_PLETH", unit="1",
        rate_hz=75.0, gain=1.0, generation=Generation.DEMO, samples=b"\x00\x00",
    )  # fmt: skip
    assert line.write(wave).waves == {}
    assert present_alarms(line) == [("clock-ahead", "Me")]


@pytest.mark.requirement("R-SRV-12")
@pytest.mark.hazard("H-SRV-07")
def test_a_clock_that_may_be_off_by_ages_counts_as_never_set(line: Line) -> None:
    wild = line.reading(clock=Clock(state="synchronised", uncertainty_ms=10**15))
    found = decode_packet(packet(topics.up("bed-01", Up.READINGS), encode(wild)))
    assert isinstance(found, Decoded)
    assert isinstance(found.message, Readings)
    assert found.message.clock == Clock(state="unset", uncertainty_ms=86_400_000)
    line.write(found.message)
    assert line.filed() == [("", "time-border")]


@pytest.mark.requirement("R-SRV-11")
@pytest.mark.hazard("H-SRV-02")
def test_an_alarm_that_names_a_bag_reaches_it_only_from_its_own_device(line: Line) -> None:
    ward = line.ward
    task = ward.task_of(ward.order_bag("1001", "B1"))
    ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), ward.started(
        "s1", task, ward.request("q1", Action.START))))  # fmt: skip
    before = present_alarms(line)
    line.write(alarm_said(line, condition="no-flow", infusion="I-s1"))
    assert present_alarms(line) == before
    with ward.store.reading() as connection:
        kinds = list(connection.scalars(select(schema.node_events.c.kind)))
    assert kinds == ["alarm-other-device"]
    line.write(alarm_said(line, condition="no-flow", infusion="I-s1", device="ble:c0-00-00-00-01-01"))
    assert ("no-flow", "Hi") in present_alarms(line)


@pytest.mark.requirement("R-SRV-11")
@pytest.mark.hazard("H-SRV-02")
def test_a_demo_alarm_that_names_a_real_patients_bag_is_dropped_and_kept_as_an_event(line: Line) -> None:
    ward = line.ward
    task = ward.task_of(ward.order_bag("1001", "B1"))
    ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), ward.started(
        "s1", task, ward.request("q1", Action.START))))  # fmt: skip
    ward.store.write(lambda unit: unit.put(replace(unit.get(Patient, "P-1001"), generation=Generation.REAL)))
    before = present_alarms(line)
    line.write(alarm_said(line, condition="no-flow", infusion="I-s1", device="ble:c0-00-00-00-01-01"))
    assert present_alarms(line) == before
    with ward.store.reading() as connection:
        kinds = list(connection.scalars(select(schema.node_events.c.kind)))
    assert kinds == ["alarm-not-real"]


@pytest.mark.requirement("R-SRV-27")
@pytest.mark.hazard("H-SRV-02")
def test_a_node_of_no_ward_reaches_no_patient_and_the_engineer_is_told(line: Line) -> None:
    line.write(line.reading(node="stranger"), alarm_said(line, node="stranger"))
    assert line.filed() == [("", "foreign-node")]
    alarms = [one for one in line.ward.store.picture.all(Alarm) if one.present]
    assert [(one.condition, one.kind, one.patient_id) for one in alarms] == [
        ("foreign-node", "technical", "")
    ]


def packet(topic: str, payload: bytes) -> Packet:
    return Packet(topic, payload, retained=False, token=(1, 1))


def bad_packets() -> Iterator[bytes]:
    yield b""
    yield b"null"
    yield b'{"v":2}'
    good = {
        "v": 1,
        "node": "bed-01",
        "boot": "b",
        "outbox": "o",
        "seq": 1,
        "sent": "2026-05-04T01:00:00Z",
        "id": "x",
        "device": "d",
        "profile": "p",
        "effective": "2026-05-04T01:00:00Z",
        "mono_ns": 0,
        "clock": {"state": "synchronised"},
        "generation": "Demo",
        "values": [{"code": SPO2, "n": 1, "unit": "%"}],
    }
    import json

    for wrong in (
        {"node": "bed-02"},
        {"seq": 2**60},
        {"id": "a\x00b"},
        {"effective": "1800-01-01T00:00:00Z"},
        {"effective": "2026-05-04T01:00:00"},
        {"values": [{"code": SPO2, "n": 1e300, "unit": "%"}]},
        {"values": good["values"] * 2},
        {"seq": 0},
        {"sent": "x"},
    ):
        yield json.dumps(good | wrong).encode()


@pytest.mark.requirement("R-SRV-12")
@pytest.mark.hazard("H-SRV-07")
@pytest.mark.parametrize("payload", list(bad_packets()), ids=range(12))
def test_a_payload_outside_the_contract_is_poison_with_a_reason(payload: bytes) -> None:
    found = decode_packet(packet(topics.up("bed-01", Up.READINGS), payload))
    assert isinstance(found, Poison)
    assert found.reason


def test_a_backfilled_message_is_history_under_its_own_number(line: Line) -> None:
    import msgspec

    body = line.reading()
    envelope = Backfill(**line.head(), kind="readings", body=msgspec.Raw(encode(body)))
    found = decode_packet(packet(topics.up("bed-01", Up.BACKFILL), encode(envelope)))
    assert isinstance(found, Decoded)
    assert (found.history, found.message.seq) == (True, body.seq)  # type: ignore[union-attr]
