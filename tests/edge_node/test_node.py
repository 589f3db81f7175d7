from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.local import free_ports
from broker.messages import Command, Config, FlowTarget, Readings, Reply, Targets, decode, encode
from broker.topics import Up
from clinical.records import Generation
from edge_node import health, metrics
from edge_node.adapters.kernel import ServiceManager
from edge_node.i18n import REASONS, reason
from edge_node.node import ABSENT_S, Node
from edge_node.outbox import Outbox
from edge_node.ports import Frame, WireState
from edge_node.sessions import Session, SessionState
from edge_node.settings import DripPeripheral
from edge_node.simulators.drip_sensor import DripSensor
from firmware_profiles import registry
from firmware_profiles.encode import encode as encode_frame
from tests.support.edge_bench import NODE, Bench, events

DRIP_UID = "ble:c0-00-00-00-01-01"
DRIP = registry.load().get("wardlink_drip")
NONIN = registry.load().get("nonin_oem3")


class NoWire:
    def publish(self, topic: str, payload: bytes, *, tag: int, retain: bool = False) -> None:
        """Nothing is connected here."""

    async def run(self, *_: object) -> None:
        raise NotImplementedError


@dataclass
class Rig:
    bench: Bench
    outbox: Outbox
    node: Node
    sensor: DripSensor
    session: Session

    def stream(self, seconds: int) -> None:
        """Let the drip sensor report once a second."""
        for _ in range(seconds):
            self.bench.time.pass_s(1)
            stamp = self.node.clock.now()
            self.node.on_frame(
                self.session, DRIP, Frame(stream="drops", data=self.sensor.frame(), stamp=stamp)
            )
            self.node.second()
        self.outbox.flush()

    def connect(self) -> None:
        for state in (
            SessionState.DISCOVERED,
            SessionState.CONNECTING,
            SessionState.READY,
            SessionState.STREAMING,
        ):
            self.session.to(state)

    def messages(self, kind: Up) -> list[Any]:
        types: dict[Up, Any] = {Up.READINGS: Readings, Up.REPLIES: Reply}
        rows = self.outbox.store.span(1, self.outbox.store.last_seq, 10_000)
        return [decode(row.payload, types[kind]) for row in rows if row.kind is kind]


def make_node(bench: Bench, outbox: Outbox) -> Node:
    return Node(
        node_id=NODE,
        version="1.2.3",
        generation=Generation.DEMO,
        clock=bench.time.clock(),
        outbox=outbox,
        wire=NoWire(),
    )


@pytest.fixture
def rig(bench: Bench, outbox: Outbox) -> Rig:
    node = make_node(bench, outbox)
    sensor = DripSensor(
        DripPeripheral(kind="wardlink_drip", address="C0:00:00:00:01:01"), lambda: bench.time.mono_ns / 1e9
    )
    return Rig(bench, outbox, node, sensor, node.session(DRIP_UID, DRIP))


def targets(rig: Rig, volume: int = 10, rate: int = 180, device: str = DRIP_UID) -> Targets:
    target = FlowTarget(
        infusion="inf-1",
        device=device,
        state="running",
        rate_ml_h=Decimal(rate),
        drops_per_ml=20,
        volume_ml=Decimal(volume),
        started=rig.node.clock.now().utc - timedelta(seconds=1),
    )
    return Targets(version=1, targets=[target])


def test_without_a_target_only_the_count_is_told(rig: Rig) -> None:
    rig.stream(3)
    codes = {value.code for value in rig.messages(Up.READINGS)[-1].values}
    assert codes == {"MDCX_DROP_COUNT", "MDC_ATTR_VAL_BATT_CHARGE"}
    assert rig.messages(Up.READINGS)[-1].infusion is None


def counts(rig: Rig) -> list[int]:
    return [
        int(value.n)
        for one in rig.messages(Up.READINGS)
        for value in one.values
        if value.code == "MDCX_DROP_COUNT"
    ]


@pytest.mark.requirement("R-EDGE-19")
def test_an_idle_sensor_is_told_when_its_count_changes_and_once_a_minute(rig: Rig) -> None:
    rig.stream(50)
    assert counts(rig) == [0]
    rig.sensor.hang(0.05, 60)
    rig.stream(5)
    assert counts(rig) == [0, 1]
    rig.stream(58)
    assert counts(rig) == [0, 1, 1]


@pytest.mark.requirement("R-EDGE-19")
def test_a_sensor_comes_back_with_a_reading_although_its_count_is_the_same(rig: Rig) -> None:
    rig.connect()
    rig.stream(3)
    rig.session.to(SessionState.LOST, "link-lost")
    rig.stream(1)
    assert counts(rig) == [0, 0]


@pytest.mark.requirement("R-EDGE-16")
def test_with_a_target_each_reading_tells_rate_infused_remaining_and_time_left(rig: Rig) -> None:
    rig.stream(2)
    rig.node.on_targets(targets(rig))
    rig.sensor.hang(10, 60)
    rig.stream(60)
    reading = rig.messages(Up.READINGS)[-1]
    values = {value.code: value.n for value in reading.values}
    assert reading.infusion == "inf-1"
    assert float(values["MDCX_DROP_RATE"]) == pytest.approx(60, rel=0.08)
    assert values["MDC_VOL_FLUID_DELIV_TOTAL"] == Decimal(rig.sensor.drip.total_drops) / 20
    assert float(values["MDC_TIME_PD_REMAIN"]) == pytest.approx(2.33, rel=0.15)
    assert len(rig.messages(Up.READINGS)) == 61  # once while idle, then each second


@pytest.mark.requirement("R-EDGE-12")
def test_with_no_network_at_all_a_stopped_drip_alarms(rig: Rig) -> None:
    rig.connect()
    rig.stream(2)
    rig.node.on_targets(targets(rig, volume=100))
    rig.sensor.hang(100, 60)
    rig.stream(30)
    rig.sensor.set_rate(0)
    rig.stream(90)
    assert [alarm.condition for alarm in rig.node.alarms.standing][:1] == ["no-flow"]


@pytest.mark.requirement("R-EDGE-15")
def test_a_restarted_node_remembers_targets_progress_and_alarms(rig: Rig) -> None:
    rig.stream(2)
    rig.node.on_targets(targets(rig, volume=100))
    rig.sensor.hang(100, 60)
    rig.stream(30)
    rig.sensor.set_rate(0)
    rig.stream(90)
    standing = {alarm.id for alarm in rig.node.alarms.standing}
    again = rig.bench.open()
    rig.node, rig.outbox = make_node(rig.bench, again), again
    rig.node.restore()
    rig.session = rig.node.session(DRIP_UID, DRIP)
    rig.stream(3)
    values = {value.code: value.n for value in rig.messages(Up.READINGS)[-1].values}
    assert values["MDC_VOL_FLUID_DELIV_TOTAL"] == Decimal(rig.sensor.drip.total_drops) / 20
    assert {alarm.id for alarm in rig.node.alarms.standing} == standing


def test_unreadable_memory_is_told_and_the_node_starts_anyway(rig: Rig) -> None:
    rig.outbox.remember({"targets": b"\x00", "progress": b"{"})
    rig.node.restore()
    assert len(events(rig.outbox, "state-unreadable")) == 1
    assert len(events(rig.outbox, "booted")) == 1


def test_targets_that_end_take_their_alarms_with_them(rig: Rig) -> None:
    rig.connect()
    rig.stream(2)
    rig.node.on_targets(targets(rig, volume=100))
    rig.sensor.hang(100, 60)
    rig.stream(100)
    rig.sensor.set_rate(0)
    rig.stream(80)
    assert rig.node.alarms.standing
    rig.node.on_targets(Targets(version=2, targets=[]))
    assert not rig.node.alarms.standing


def reply(rig: Rig, command: Command) -> Reply:
    rig.node.on_command(command)
    found: Reply = rig.messages(Up.REPLIES)[-1]
    return found


@pytest.mark.requirement("R-EDGE-13")
def test_commands_are_answered(rig: Rig) -> None:
    rig.node.alarms.node("outbox-full", holds=True)
    name = rig.node.alarms.standing[0].id
    assert reply(rig, Command(id="1", kind="acknowledge-alarm", alarm=name, by="nurse")).ok
    assert reply(rig, Command(id="2", kind="acknowledge-alarm", alarm="none")).code == "no-such-alarm"
    assert reply(rig, Command(id="3", kind="identify")).ok
    assert reply(rig, Command(id="4", kind="health")).detail["node"] == NODE


def test_an_expired_command_is_not_done(rig: Rig) -> None:
    rig.node.alarms.node("outbox-full", holds=True)
    alarm = rig.node.alarms.standing[0]
    past = rig.node.clock.now().utc - timedelta(seconds=1)
    answer = reply(rig, Command(id="1", kind="acknowledge-alarm", alarm=alarm.id, expires=past))
    assert (answer.ok, answer.code) == (False, "expired")
    assert rig.node.alarms.standing[0].signal == "on"


def test_a_wrong_configuration_is_refused_and_the_last_good_one_stays(rig: Rig) -> None:
    rig.node.on_config(Config(version=1, settings={"waves": False}))
    rig.node.on_config(Config(version=2, settings={"waves": "perhaps"}))
    rig.node.on_config(Config(version=3, settings={"wawes": True}))
    assert [event.detail["version"] for event in events(rig.outbox, "config-refused")] == [2, 3]
    packet = encode_frame(NONIN, "packet", {"spo2": 97, "pr": 72, "pleth": [1] * 25})
    session = rig.node.session("serial:x", NONIN)
    for _ in range(8):
        rig.bench.time.pass_s(1 / 3)
        rig.node.on_frame(session, NONIN, Frame(stream="packet", data=packet, stamp=rig.node.clock.now()))
    rig.outbox.flush()
    rows = rig.outbox.store.span(1, 100, 100)
    assert Up.WAVES not in {row.kind for row in rows}


@pytest.mark.requirement("R-EDGE-14")
def test_a_lost_device_is_told_and_shown_in_the_status(rig: Rig) -> None:
    rig.connect()
    assert rig.node.status().devices == {DRIP_UID: "streaming"}
    rig.session.to(SessionState.LOST, "link-lost")
    assert rig.node.status().devices == {DRIP_UID: "lost"}
    assert events(rig.outbox, "device-lost")[0].detail == {"reason": "link-lost"}


def test_a_target_whose_device_is_ours_but_was_never_found_is_alarmed(rig: Rig) -> None:
    rig.node.on_targets(targets(rig))
    for _ in range(int(ABSENT_S) + 15):
        rig.bench.time.pass_s(1)
        rig.node.second()
    alarm = next(one for one in rig.node.alarms.standing if one.condition == "device-lost")
    assert alarm.params["reason"] == "not-found"
    rig.node.on_targets(Targets(version=2, targets=[]))
    assert not rig.node.alarms.standing


def test_a_target_for_a_device_of_another_node_says_nothing_here(rig: Rig) -> None:
    rig.node.on_targets(targets(rig, device="ble:elsewhere"))
    for _ in range(int(ABSENT_S) + 60):
        rig.bench.time.pass_s(1)
        rig.node.second()
    assert not rig.node.alarms.standing


def test_an_unknown_device_is_reported_once_a_day_and_never_used(rig: Rig) -> None:
    for _ in range(3):
        rig.node.on_unknown("ble:stranger", "wardlink_drip")
    rig.bench.time.pass_s(25 * 3600)
    rig.node.on_unknown("ble:stranger", "wardlink_drip")
    for number in range(300):
        rig.node.on_unknown(f"ble:{number}", "wardlink_drip")
    assert len([one for one in events(rig.outbox, "device-unknown") if one.device == "ble:stranger"]) == 2
    assert "ble:stranger" not in rig.node.sessions


@pytest.mark.requirement("R-EDGE-09")
def test_a_clock_step_is_told_as_an_event(rig: Rig) -> None:
    rig.bench.time.wall_ns += 86_400 * 10**9
    rig.node.second()
    assert events(rig.outbox, "clock-stepped")[0].detail["seconds"] == 86_400


def test_the_radio_and_old_rows_are_looked_after(rig: Rig) -> None:
    rig.node.health.radio.enabled = True
    rig.node.on_radio(False, "radio-unavailable")
    assert rig.node.alarms.standing[0].condition == "radio-lost"
    rig.node.on_radio(True, "")
    assert not rig.node.alarms.standing
    rig.stream(1)
    rig.bench.time.pass_s(2 * 3600)
    rig.node.second()
    assert events(rig.outbox, "evicted")


@pytest.mark.requirement("R-EDGE-17")
def test_the_health_document_names_what_is_wrong_in_both_languages(rig: Rig) -> None:
    rig.node.health.radio.enabled = True
    rig.outbox.full = True
    rig.node.uplink.on_state(WireState(connected=False, reason="broker-certificate", detail="x"))
    document = health.document(rig.node.health)
    assert [one["code"] for one in document["problems"]] == [
        "broker-certificate",
        "outbox-full",
        "radio-unavailable",
    ]
    assert not document["ok"]
    assert all(one["zh"] != one["en"] for one in document["problems"])
    json.dumps(document)


@pytest.mark.requirement("R-EDGE-44")
def test_the_health_document_shows_each_adapter_and_the_clock_of_each_device(rig: Rig) -> None:
    meter = registry.load().get("sig_glucose")
    rig.node.session("ble:meter", meter)
    rig.node.session("ble:new-meter", meter)
    watch = rig.node.device_clock("ble:meter", meter)
    watch.compare(watch.device_now() + timedelta(seconds=90))
    rig.node.health.radio.enabled = True
    rig.node.on_radio(True, "", adapter="hci0")
    rig.node.on_radio(False, "radio-off", adapter="hci1")
    document = health.document(rig.node.health)
    clocks = {one["uid"]: one["clock"] for one in document["devices"]}
    assert clocks["ble:meter"] == {"offset_s": 90.0, "was_set": False}
    assert clocks["ble:new-meter"] is None
    assert document["radio"]["listening"]
    assert [(one["name"], one["listening"]) for one in document["radio"]["adapters"]] == [
        ("hci0", True), ("hci1", False),
    ]  # fmt: skip
    assert document["radio"]["adapters"][1]["text"] == reason("radio-off")
    text = metrics.render(document).decode()
    assert 'wardlink_edge_device_clock_offset_seconds{device="ble:meter"} 90.0' in text
    assert 'wardlink_edge_adapter_listening{adapter="hci1"} 0' in text
    watch.was_set()
    told = {one["uid"]: one["clock"] for one in health.document(rig.node.health)["devices"]}
    assert told["ble:meter"]["was_set"]


def test_every_reason_has_both_languages_and_an_unknown_one_stands_for_itself() -> None:
    assert all(label.zh and label.en for label in REASONS.values())
    assert reason("made-up") == {"zh": "made-up", "en": "made-up"}


REASON_PLACES = (
    r'LinkLostError\("([a-z-]+)"', r'\.lost\("([a-z-]+)"', r'return "([a-z]+-[a-z-]+)"',
    r'SessionState\.LOST, "([a-z-]+)"', r'reason="([a-z-]+)"',
)  # fmt: skip


@pytest.mark.requirement("R-EDGE-44")
def test_whatever_ends_a_link_a_radio_or_a_connection_has_words_for_people() -> None:
    root = Path(health.__file__).parent
    files = [path for path in root.rglob("*.py") if "simulators" not in path.parts]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    found = {word for pattern in REASON_PLACES for word in re.findall(pattern, source)}
    assert {"replugged", "done", "quiet", "device-gone", "radio-unavailable"} <= found
    assert not sorted((found | {"bluetooth-daemon-gone", "radio-off"}) - set(REASONS))


def ask(make: Callable[[], dict[str, Any]], *requests: bytes) -> list[bytes]:
    async def scene() -> list[bytes]:
        port = free_ports(1)[0]
        serving = asyncio.create_task(health.serve(port, make))
        await asyncio.sleep(0.05)
        answers = []
        for request in requests:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            writer.write_eof()
            answers.append(await reader.read())
            writer.close()
            await writer.wait_closed()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return answers

    return asyncio.run(scene())


def test_the_health_port_answers_well_unwell_and_nonsense() -> None:
    well, other, half = ask(
        lambda: {"ok": True}, b"GET /health HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n", b"GET"
    )
    assert well.startswith(b"HTTP/1.1 200")
    assert well.endswith(b'{"ok": true}')
    assert other.startswith(b"HTTP/1.1 404")
    assert half == b""
    assert ask(lambda: {"ok": False}, b"GET / HTTP/1.1\r\n\r\n")[0].startswith(b"HTTP/1.1 503")


def test_systemd_is_told_when_it_listens_and_nobody_minds_when_it_does_not(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        ServiceManager(str(path)).tell("READY=1")
        assert manager.recv(100) == b"READY=1"
    silent = ServiceManager(str(tmp_path / "nobody"))
    silent.tell("READY=1")
    silent.tell("WATCHDOG=1")
    ServiceManager("").tell("READY=1")


def test_an_acknowledgement_from_above_reaches_the_outbox_through_the_whole_node(rig: Rig) -> None:
    from broker.messages import Acks

    rig.stream(3)
    last = rig.outbox.store.last_seq
    acks = Acks(outbox=rig.outbox.store.outbox_id, committed=[(1, last)])
    rig.node.uplink.on_message(f"wardlink/v1/{NODE}/down/acks", encode(acks))
    assert rig.outbox.depth == 0
