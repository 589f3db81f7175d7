"""The node, killed with SIGKILL at random instants while it reads, stores, sends and is acknowledged."""

from __future__ import annotations

import os
import random
import signal
import socket
import struct
import time as real_time
from pathlib import Path

import pytest

from broker.messages import Acks, encode
from broker.topics import Up
from clinical.records import Generation
from edge_node.node import Node
from edge_node.outbox import KINDS
from edge_node.ports import Delivery, Frame, WireState
from edge_node.settings import DripPeripheral
from edge_node.simulators.drip_sensor import DripSensor
from firmware_profiles import registry
from tests.support.edge_bench import NODE, Bench, Time

UID = "ble:c0-00-00-00-01-01"
HEAD = struct.Struct("<IQ")
"""Length of the payload and number of the row; the topic's last word comes before the payload."""


class PipeWire:
    """A broker at the other end of a socket pair; it acknowledges by one number each."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.sent: list[int] = []

    def publish(self, topic: str, payload: bytes, *, tag: int, retain: bool = False) -> None:
        if tag and not retain:
            body = topic.rsplit("/", 1)[1].encode().ljust(16) + payload
            self.line.sendall(HEAD.pack(len(body), tag) + body)
            self.sent.append(tag)

    async def run(self, *_: object) -> None:
        raise NotImplementedError


def live(path: Path, line: socket.socket, life: int) -> None:
    """One life of a node, as fast as it can, until it is killed."""
    start = Time()
    time = Time(wall_ns=start.wall_ns + life * 10**12, mono_ns=start.mono_ns + life * 10**12)
    bench = Bench(path, time, max_bytes=2_000_000_000, max_pages_bytes=4_000_000_000)
    wire, outbox = PipeWire(line), bench.open()
    node = Node(
        node_id=NODE, version="1", generation=Generation.DEMO, clock=time.clock(f"boot-{life}"),
        outbox=outbox, wire=wire,
    )  # fmt: skip
    node.restore()
    profile = registry.load().get("wardlink_drip")
    session = node.session(UID, profile)
    sensor = DripSensor(DripPeripheral(kind="wardlink_drip", address="C0:00:00:00:01:01"), lambda: 0.0)
    sensor._now_s = lambda: time.mono_ns / 1e9  # it was on before the node's first life
    sensor.hang(5000, 120)
    node.uplink.on_state(WireState(connected=True))
    while True:
        time.pass_s(0.5)
        node.on_frame(session, profile, Frame(stream="drops", data=sensor.frame(), stamp=node.clock.now()))
        node.second()
        outbox.flush()
        node.uplink.tick()
        _acknowledge(node, wire)


def _acknowledge(node: Node, wire: PipeWire) -> None:
    for tag in wire.sent[:]:
        node.uplink.on_delivery(Delivery(tag=tag, code=0))
    wire.sent.clear()
    try:
        told = wire.line.recv(65536, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return
    numbers = [number for (number,) in struct.iter_unpack("<Q", told[: len(told) // 8 * 8])]
    message = Acks(outbox=node.outbox.store.outbox_id, committed=[(one, one) for one in numbers])
    node.uplink.on_message(f"wardlink/v1/{NODE}/down/acks", encode(message))


class Ledger:
    """What a server has: each number once, and whether a repeat said the same."""

    def __init__(self) -> None:
        self.got: dict[int, bytes] = {}
        self.repeats = 0

    def take(self, line: socket.socket, until: float) -> None:
        """Take and commit what comes until then; a message that was cut by the kill never came."""
        pending = b""
        line.settimeout(0.01)
        while real_time.monotonic() < until:
            try:
                pending += line.recv(65536)
            except TimeoutError:
                continue
            pending = self._whole(pending, line)

    def _whole(self, pending: bytes, line: socket.socket) -> bytes:
        while len(pending) >= HEAD.size:
            length, number = HEAD.unpack_from(pending)
            if len(pending) < HEAD.size + length:
                break
            body, pending = pending[HEAD.size : HEAD.size + length], pending[HEAD.size + length :]
            self._one(number, body)
            line.send(struct.pack("<Q", number))
        return pending

    def _one(self, number: int, body: bytes) -> None:
        kind, payload = body[:16].decode().strip(), body[16:]
        self.repeats += number in self.got
        if kind == "backfill":  # the same message, wrapped
            self.got.setdefault(number, b"")
            return
        assert Up(kind) in KINDS
        known = self.got.get(number)
        assert known in {None, b"", payload}
        self.got[number] = payload


@pytest.mark.requirement("R-EDGE-01")
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("times", [10, pytest.param(200, marks=pytest.mark.full)])
def test_a_node_killed_at_random_instants_loses_nothing_and_the_server_has_each_number_once(
    tmp_path: Path, times: int
) -> None:
    path, chance, ledger = tmp_path / "outbox.db", random.Random(7), Ledger()
    for life in range(times):
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:  # the child only lives and is killed
            ours.close()
            live(path, theirs, life)
        theirs.close()
        ledger.take(ours, real_time.monotonic() + chance.uniform(0.1, 0.5))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        ours.close()
    bench = Bench(path, Time(), max_bytes=2_000_000_000, max_pages_bytes=4_000_000_000)
    store = bench.open().store
    left = {row.seq for row in store.span(1, store.last_seq, 10_000_000)}
    store.close()
    print(f"kills {times}, numbers {store.last_seq}, at the server {len(ledger.got)}, left {len(left)}, "
          f"repeats {ledger.repeats}")  # fmt: skip
    assert set(range(1, store.last_seq + 1)) == set(ledger.got) | left
    assert max(ledger.got) <= store.last_seq
    assert len(ledger.got) > 3 * times
