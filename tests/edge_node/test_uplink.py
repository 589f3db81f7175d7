from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest

from broker import topics
from broker.messages import (
    Acks,
    AlarmMessage,
    Backfill,
    Command,
    Config,
    Readings,
    Status,
    Targets,
    Wave,
    decode,
    encode,
)
from broker.topics import Down, Up
from clinical.records import AlarmPriority
from edge_node.outbox import Draft, Outbox
from edge_node.ports import Delivery, RowClass, WireState
from edge_node.uplink import MAX_IN_FLIGHT, MAX_UNCOMMITTED, DownHandlers, Uplink
from tests.support.edge_bench import NODE, Bench, events


@dataclass
class FakeWire:
    sent: list[tuple[str, bytes, int]] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, *, tag: int, retain: bool = False) -> None:
        assert retain == topic.endswith("status")
        self.sent.append((topic.rsplit("/", 1)[-1], payload, tag))

    async def run(self, *_: object) -> None:
        raise NotImplementedError

    def take(self) -> list[tuple[str, int]]:
        taken = [(kind, tag) for kind, _, tag in self.sent if tag]
        self.sent.clear()
        return taken


@dataclass
class Rig:
    bench: Bench
    outbox: Outbox
    wire: FakeWire
    uplink: Uplink
    told: list[object]
    refused: list[bool]
    active: set[str]

    def connect(self) -> None:
        self.uplink.on_state(WireState(connected=True))

    def disconnect(self) -> None:
        self.uplink.on_state(WireState(connected=False, reason="connection-lost"))

    def readings(self, count: int) -> None:
        for _ in range(count):
            self.outbox.put(self.bench.reading(self.outbox))
        self.outbox.flush()

    def deliver_all(self, code: int = 0) -> list[tuple[str, int]]:
        """Answer every publish until nothing new is sent."""
        found: list[tuple[str, int]] = []
        while taken := self.wire.take():
            found += taken
            for _, tag in taken:
                self.uplink.on_delivery(Delivery(tag=tag, code=code))
        return found

    def down(self, kind: Down, payload: bytes) -> None:
        self.uplink.on_message(topics.down(NODE, kind), payload)

    def ack(self, *committed: tuple[int, int], resend: tuple[tuple[int, int], ...] = ()) -> None:
        message = Acks(outbox=self.outbox.store.outbox_id, committed=list(committed), resend=list(resend))
        self.down(Down.ACKS, encode(message))


@pytest.fixture
def rig(bench: Bench) -> Rig:
    bench.max_bytes, bench.max_pages_bytes = 10_000_000, 40_000_000
    outbox = bench.open()
    told: list[object] = []
    refused: list[bool] = []
    active: set[str] = set()
    handlers = DownHandlers(
        targets=told.append,
        command=told.append,
        config=told.append,
        status=lambda: Status(node=NODE, state="online"),
        alarm_active=active.__contains__,
        refused=refused.append,
    )
    wire = FakeWire()
    return Rig(
        bench, outbox, wire, Uplink(wire, outbox, NODE, bench.time.clock(), handlers), told, refused, active
    )


def alarm(rig: Rig, name: str, phase: str = "start") -> None:
    stamp = rig.bench.time.clock().now()
    message = AlarmMessage(
        **rig.outbox.envelope(),
        id=name,
        condition="no-flow",
        kind="physiological",
        priority=AlarmPriority.HIGH,
        phase=phase,  # type: ignore[arg-type]
        effective=stamp.utc,
    )
    draft = Draft(
        message=message,
        kind=Up.ALARMS,
        row_class=RowClass.ALARM,
        id=f"{name}:{phase}:1",
        effective=stamp.utc,
        mono_ns=stamp.mono_ns,
    )
    rig.outbox.put(draft)


def test_while_connected_a_new_reading_goes_out_at_once_on_its_live_topic(rig: Rig) -> None:
    rig.connect()
    rig.readings(1)
    assert rig.wire.take() == [("readings", 1)]


@pytest.mark.requirement("R-EDGE-06")
def test_after_an_outage_the_newest_is_live_and_the_past_is_history_with_alarms_first(rig: Rig) -> None:
    rig.readings(3)
    alarm(rig, "old-alarm")
    rig.bench.time.pass_s(60)
    rig.readings(1)
    rig.connect()
    sent = rig.deliver_all()
    assert sent == [("readings", 5), ("backfill", 4), ("backfill", 1), ("backfill", 2), ("backfill", 3)]


def test_an_alarm_that_still_stands_is_live_however_old(rig: Rig) -> None:
    alarm(rig, "standing")
    rig.active.add("standing")
    rig.bench.time.pass_s(600)
    rig.connect()
    assert rig.deliver_all() == [("alarms", 1)]


def test_history_holds_the_original_message_with_its_own_number(rig: Rig) -> None:
    rig.readings(1)
    rig.outbox.put(rig.bench.wave(rig.outbox))
    rig.outbox.flush()
    rig.bench.time.pass_s(60)
    rig.connect()
    first, second = (decode(payload, Backfill) for kind, payload, _ in rig.wire.sent if kind == "backfill")
    reading = decode(bytes(first.body), Readings)
    wave = msgspec.json.decode(bytes(second.body), type=Wave)
    assert (first.kind, reading.seq, second.kind, wave.seq) == ("readings", 1, "waves", 2)
    assert wave.samples == bytes(150)


@pytest.mark.requirement("R-EDGE-02")
def test_a_puback_deletes_nothing_and_a_reconnect_sends_everything_again(rig: Rig) -> None:
    rig.connect()
    rig.readings(3)
    rig.deliver_all()
    assert rig.outbox.depth == 3
    rig.disconnect()
    rig.connect()
    assert sorted(tag for _, tag in rig.deliver_all()) == [1, 2, 3]
    rig.ack((1, 3))
    assert rig.outbox.depth == 0


def test_the_server_asks_again_and_gets_exactly_that(rig: Rig) -> None:
    rig.connect()
    rig.readings(5)
    rig.deliver_all()
    rig.ack((1, 1), (4, 5), resend=((2, 3),))
    assert [tag for _, tag in rig.deliver_all()] == [2, 3]
    assert rig.outbox.depth == 2


def test_a_number_that_is_not_held_is_told_so_that_the_gap_can_be_closed(rig: Rig) -> None:
    rig.connect()
    rig.readings(3)
    rig.ack((1, 3))
    rig.ack(resend=((2, 2),))
    assert [event.detail["ranges"] for event in events(rig.outbox, "not-held")] == ["2-2"]


def test_no_more_than_a_window_is_in_flight(rig: Rig) -> None:
    rig.readings(MAX_IN_FLIGHT * 2)
    rig.connect()
    assert len(rig.wire.take()) == MAX_IN_FLIGHT


def test_a_stopped_server_does_not_fill_the_broker_but_alarms_pass(rig: Rig) -> None:
    rig.readings(MAX_UNCOMMITTED + 50)
    rig.connect()
    assert len(rig.deliver_all()) == MAX_UNCOMMITTED
    rig.readings(1)
    assert rig.deliver_all() == []
    alarm(rig, "now")
    assert [kind for kind, _ in rig.deliver_all()] == ["alarms"]
    rig.ack((1, MAX_UNCOMMITTED - 500))
    sent = []
    for _ in range(2):
        rig.uplink.tick()
        sent += rig.deliver_all()
    assert len(sent) == 51


def test_a_silent_server_is_probed_with_one_row_and_a_working_one_gets_every_overdue_row(rig: Rig) -> None:
    rig.connect()
    rig.readings(4)
    rig.deliver_all()
    rig.bench.time.pass_s(16)
    rig.uplink.tick()
    rig.uplink.tick()
    assert [tag for _, tag in rig.deliver_all()] == [1]
    rig.ack((1, 1))
    rig.uplink.tick()
    assert [tag for _, tag in rig.deliver_all()] == [2, 3, 4]


@pytest.mark.requirement("R-EDGE-07")
def test_a_refused_publish_keeps_the_row_alarms_and_is_tried_again_later(rig: Rig) -> None:
    rig.connect()
    rig.readings(1)
    rig.wire.take()
    rig.uplink.on_delivery(Delivery(tag=1, code=0x97))
    assert rig.refused == [True]
    assert rig.outbox.depth == 1
    rig.uplink.tick()
    assert rig.wire.take() == []
    rig.bench.time.pass_s(61)
    rig.uplink.tick()
    assert rig.deliver_all() == [("backfill", 1)]
    assert rig.refused == [True, False]


@pytest.mark.requirement("R-EDGE-08")
@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (Down.TARGETS, b"\xff\xfe"),
        (Down.TARGETS, b'{"version": "one"}'),
        (Down.TARGETS, b'{"version":1,"targets":[{"infusion":"i"}]}'),
        (Down.ACKS, b'{"outbox":"x","committed":[[0,1]]}'),
        (Down.COMMANDS, b'{"id":"1","kind":"open-clamp"}'),
        (Down.CONFIG, b"[" * 70_000),
        (Down.CONFIG, b"[" * 5_000),
    ],
)
def test_a_malformed_message_from_above_is_refused_reported_once_and_changes_nothing(
    rig: Rig, kind: Down, payload: bytes
) -> None:
    rig.connect()
    for _ in range(5):
        rig.down(kind, payload)
    assert not rig.told
    reports = events(rig.outbox, "down-refused")
    assert [event.detail["topic"] for event in reports] == [kind.value]


def test_a_topic_of_another_node_is_refused(rig: Rig) -> None:
    rig.uplink.on_message(topics.down("node-2", Down.TARGETS), encode(Targets(version=1, targets=[])))
    rig.uplink.on_message("something/else", b"{}")
    assert not rig.told


def test_good_messages_reach_the_node(rig: Rig) -> None:
    rig.down(Down.TARGETS, encode(Targets(version=3, targets=[])))
    rig.down(Down.COMMANDS, encode(Command(id="c1", kind="health")))
    rig.down(Down.CONFIG, encode(Config(version=1, settings={})))
    assert [type(item) for item in rig.told] == [Targets, Command, Config]


@pytest.mark.requirement("R-EDGE-05")
def test_a_server_that_knows_numbers_we_never_gave_makes_a_new_outbox_and_sends_all_again(rig: Rig) -> None:
    rig.connect()
    rig.readings(2)
    rig.deliver_all()
    before = rig.outbox.store.outbox_id
    rig.ack((1, 500))
    assert rig.outbox.store.outbox_id != before
    rig.uplink.tick()
    assert len(rig.deliver_all()) >= 2
    assert len(events(rig.outbox, "outbox-recreated")) == 1


def test_the_status_is_sent_on_connecting_and_again_only_when_it_changes_or_grows_old(rig: Rig) -> None:
    rig.connect()
    rig.uplink.tick()
    rig.bench.time.pass_s(2)
    rig.uplink.tick()
    assert [kind for kind, _, tag in rig.wire.sent if tag == 0] == ["status"]
    rig.bench.time.pass_s(31)
    rig.uplink.tick()
    assert [kind for kind, _, tag in rig.wire.sent if tag == 0] == ["status", "status"]
