"""Instruments that must be asked, over real pyserial; and clocks that are compared and set."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import serial

from clinical.errors import BadInputError
from edge_node import bound
from edge_node.adapters.serial_port import LineSettings, SerialDirectory
from edge_node.device_clock import ClockReport, ClockWatch
from edge_node.dialogue import Dialogue
from edge_node.ports import Frame, LinkLostError
from edge_node.sessions import Backoff, Session, SessionState, keep
from edge_node.simulators.pseudo_terminal import SerialLine
from edge_node.simulators.pump import Pump
from firmware_profiles import registry
from firmware_profiles.decode import decode
from firmware_profiles.load import parse
from firmware_profiles.plan import full_uuid
from firmware_profiles.schema import Clock
from firmware_profiles.sending import Message
from tests.support.edge_bench import Time

PUMP = registry.load().get("new_era_ne1000")
METER = registry.load().get("lifescan_ultra2")


@dataclass
class Desk:
    """One port with one instrument on it, kept by a session."""

    frames: list[Frame] = field(default_factory=list)
    steps: list[tuple[SessionState, str]] = field(default_factory=list)
    reports: list[ClockReport] = field(default_factory=list)

    async def keep(self, path: Path, profile: Any, time: Time) -> None:
        clock = time.clock()
        directory = SerialDirectory(path.parent, [("*", profile.id)], 0.05)
        watch = ClockWatch(profile.file.clock, clock.now, self.reports.append)
        transport = bound.cabled(directory, path, profile, clock.now, watch)
        session = Session("serial:x", profile.id, lambda step: self.steps.append((step.state, step.reason)))
        async with asyncio.TaskGroup() as group:
            group.create_task(directory.run(lambda _name, _profile: None, lambda _name: None))
            group.create_task(
                keep(
                    session, transport, lambda _session, frame: self.frames.append(frame),
                    Backoff(random.Random(1)), profile.file.link.max_quiet_s,
                )
            )  # fmt: skip


async def until(what: Callable[[], Any], timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not what():  # noqa: ASYNC110 - what is waited for is any state of the desk
            await asyncio.sleep(0.02)


def play(scene: Callable[[list[asyncio.Future[Any]]], Awaitable[None]]) -> None:
    async def main() -> None:
        tasks: list[asyncio.Future[Any]] = []
        try:
            await scene(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())


@pytest.mark.requirement("R-EDGE-41")
@pytest.mark.hazard("H-DEV-03")
def test_a_pump_is_asked_for_rate_and_volume_and_never_told_anything(tmp_path: Path, time: Time) -> None:
    desk, pump = Desk(), Pump(tmp_path / "pump", Decimal("12.50"))

    async def scene(tasks: list[asyncio.Future[Any]]) -> None:
        tasks.append(asyncio.ensure_future(pump.run()))
        tasks.append(asyncio.ensure_future(desk.keep(pump.line.path, PUMP, time)))
        await until(lambda: {frame.stream for frame in desk.frames} == {"rate", "dispensed"})
        pump.silent = True
        await until(lambda: (SessionState.LOST, "no-answer") in desk.steps)
        pump.silent = False
        before = len(desk.frames)
        await until(lambda: len(desk.frames) > before)

    play(scene)
    read = [decode(PUMP, frame.stream, frame.data) for frame in desk.frames]
    assert {one.values["rate"].value for one in read if "rate" in one.values} == {Decimal("12.5")}
    assert pump.commands == []
    assert set(pump.asked) == {b"0RAT", b"0DIS"}


@pytest.mark.requirement("R-EDGE-42")
def test_a_meter_on_a_cable_has_its_clock_compared_and_set(tmp_path: Path, time: Time) -> None:
    desk, line, heard = Desk(), SerialLine(tmp_path / "meter"), bytearray()
    slow = datetime(2026, 2, 28, 8, 0, tzinfo=UTC).astimezone().replace(tzinfo=None)

    async def meter() -> None:
        line.plug()
        try:
            while True:
                heard.extend(await line.receive())
                if heard.endswith(b"DMF\r"):
                    body = f'F "SAT","{slow:%m/%d/%y}","{slow:%H:%M:%S}   "'
                    line.send(f"{body} {sum(body.encode()) & 0xFFFF:04X}\r\n".encode())
        finally:
            line.unplug()

    async def scene(tasks: list[asyncio.Future[Any]]) -> None:
        tasks.append(asyncio.ensure_future(meter()))
        tasks.append(asyncio.ensure_future(desk.keep(line.path, METER, time)))
        await until(lambda: b"DMP" in heard and b"DMT" in heard)

    play(scene)
    assert desk.reports[0].offset_s == -86400
    assert desk.reports[1].was_set
    local = time.clock().now().utc.astimezone()
    assert f"\x11\rDMT{local:%m/%d/%y %H:%M:%S}\r".encode() in heard


def test_bytes_leave_one_by_one_where_the_instrument_needs_pauses(tmp_path: Path, time: Time) -> None:
    line, arrived = SerialLine(tmp_path / "slow"), list[bytes]()
    clock = time.clock()

    async def scene(tasks: list[asyncio.Future[Any]]) -> None:
        line.plug()
        directory = SerialDirectory(tmp_path, [("*", PUMP.id)], 0.05)
        tasks.append(asyncio.ensure_future(directory.run(lambda *_: None, lambda _: None)))
        transport = bound.cabled(directory, line.path, PUMP, clock.now)
        transport._line = LineSettings(baud=19200, write_gap_s=0.05, rts=True, dtr=True)
        transport._talk = None
        await transport.available()
        async with transport.open() as link:
            sending = asyncio.ensure_future(link.send(Message(data=b"0RAT\r")))
            while len(b"".join(arrived)) < 5:
                arrived.append(await line.receive())
            await sending
            assert await link.read("x") is None
        with pytest.raises(LinkLostError, match="unplugged"):
            await link.send(Message(data=b"0\r"))
        line.unplug()

    play(scene)
    assert arrived == [b"0", b"R", b"A", b"T", b"\r"]


def test_modem_lines_are_raised_and_their_absence_is_no_fault() -> None:
    port = serial.serial_for_url("loop://")
    LineSettings(baud=9600, rts=True, dtr=False).raise_lines(port)
    assert (port.cts, port.dsr) == (True, False)
    port.close()
    words = LineSettings(baud=9600, flow="rtscts", bits=7, parity="E").for_pyserial()
    assert words["rtscts"] is True
    assert words["xonxoff"] is False
    assert (words["bytesize"], words["parity"]) == (7, "E")


# ---- the clock of a device
def test_offset_and_drift_are_measured_and_told_when_they_change(time: Time) -> None:
    told: list[ClockReport] = []
    clock = time.clock()
    watch = ClockWatch(Clock(read="cts", set="cts", zone="utc", max_drift_s=30), clock.now, told.append)
    start = clock.now().utc.replace(tzinfo=None)
    assert watch.compare(start + timedelta(seconds=2)).drift_ppm is None
    time.pass_s(7200)
    report = watch.compare(start + timedelta(seconds=7200 + 2 + 36 / 5))
    assert report.drift_ppm == pytest.approx(1000)
    assert [one.detail() for one in told] == [{"offset_s": 2.0}, {"offset_s": 9.2, "drift_ppm": 1000}]
    assert not watch.should_be_set()
    watch.compare(start)
    assert watch.should_be_set()
    watch.was_set()
    assert told[-1].was_set


def test_a_node_that_does_not_know_the_time_sets_no_clock(time: Time) -> None:
    time.synchronised = False
    watch = ClockWatch(Clock(set="cts", zone="utc"), time.clock().now, lambda _report: None)
    assert not watch.should_be_set()
    never = ClockWatch(Clock(), Time().clock().now, lambda _report: None)
    assert not never.should_be_set()


class Cuff:
    """A device with characteristics, as a dialogue sees it."""

    def __init__(self, **values: bytes) -> None:
        self.values = {full_uuid(uuid): value for uuid, value in values.items()}
        self.written: list[Message] = []

    async def send(self, message: Message) -> None:
        self.written.append(message)
        self.values[message.characteristic] = message.data

    async def read(self, characteristic: str, stream: str = "") -> bytes | None:
        del stream
        return self.values.get(characteristic)


@pytest.mark.requirement("R-EDGE-42")
@pytest.mark.parametrize(
    ("values", "written"),
    [
        ({"2A08": bytes.fromhex("D0070101000000")}, [7]),
        ({"2A2B": bytes.fromhex("D0070101000000060000")}, [10]),
        ({"2A2B": bytes(10)}, [10]),
        ({"2A19": b"d"}, []),
    ],
)
def test_a_wrong_clock_is_put_right_through_the_characteristic_that_is_there(
    time: Time, values: dict[str, bytes], written: list[int]
) -> None:
    profile = registry.load().get("sig_blood_pressure")
    reports: list[ClockReport] = []
    watch = ClockWatch(profile.file.clock, time.clock().now, reports.append)
    cuff = Cuff(**values)
    asyncio.run(Dialogue(profile, cuff, watch).begin())
    assert [len(message.data) for message in cuff.written] == written
    if written:
        assert watch.report is not None
        assert abs(watch.report.offset_s) < 1
        assert any(report.was_set for report in reports)


def test_a_characteristic_without_notifications_is_read_again_and_again() -> None:
    text = Path(registry.load().get("sig_battery").path).read_text(encoding="utf-8")
    polled = parse(
        text.replace('mode = "notify"', 'mode = "read"') + '[[poll]]\nstream = "level"\nevery_s = 0.05\n',
        path="t.toml",
    )
    reads: list[str] = []

    class Counting(Cuff):
        async def read(self, characteristic: str, stream: str = "") -> bytes | None:
            reads.append(stream)
            return await super().read(characteristic, stream)

    async def scene() -> None:
        talking = asyncio.ensure_future(Dialogue(polled, Counting(**{"2A19": b"d"})).go_on())
        await until(lambda: len(reads) > 2)
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)

    asyncio.run(scene())
    assert set(reads) == {"level"}
    assert bound.readable(polled) == {}


def test_a_profile_that_is_not_proven_is_not_used_on_a_cable() -> None:
    with pytest.raises(BadInputError, match="not proven on a device"):
        bound.check_cable(registry.load().get("philips_intellivue"))
    with pytest.raises(BadInputError, match="not one for a serial port"):
        bound.check_cable(registry.load().get("sig_plx"))
