"""Load for ``bench path``: one MQTT 5 connection per bed, every bed's monitor once a second.

Each bed sends three messages a second (one of ten readings, two waveforms of 250 samples), QoS 1, over its
own connection, as a bedside node does; the beds take turns within the second. Written close to the bytes:
it shares the machine with what it measures. Runs as a program of its own: parameters as JSON on standard
input, one line ``connected``, then, when it is done, one JSON line of what it sent.
"""

from __future__ import annotations

import json
import math
import resource
import selectors
import socket
import ssl
import struct
import sys
import time
from array import array
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench.hospital import VALUES, WAVES, Bed
from broker import topics
from broker.messages import Clock, Readings, Status, Value, Wave, encode
from broker.topics import Down, Up
from clinical.records import Generation

MESSAGES = 1 + len(WAVES)
WAVE_HZ = 250
SETTLE_S = 5.0
_PUBACK, _PUBLISH = 0x40, 0x30


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("!H", len(data)) + data


def _length(number: int) -> bytes:
    out = bytearray()
    while True:
        number, digit = divmod(number, 128)
        out.append(digit | 128 if number else digit)
        if not number:
            return bytes(out)


def publish(topic: bytes, mid: int, payload: bytes, *, retain: bool = False) -> bytes:
    """Build one PUBLISH with QoS 1 and no properties."""
    body = topic + mid.to_bytes(2, "big") + b"\x00" + payload
    return bytes([0x32 | retain]) + _length(len(body)) + body


def connect(bed: Bed, password: str) -> bytes:
    """Build CONNECT (clean start) and the subscription to what a node is told."""
    head = _text("MQTT") + b"\x05\xc2" + struct.pack("!H", 60) + b"\x00"
    body = head + _text(bed.node) + _text(bed.node) + _text(password)
    wanted = b"".join(_text(topics.down(bed.node, kind)) + b"\x01" for kind in Down)
    subscribe = b"\x00\x01\x00" + wanted
    return (
        b"\x10" + _length(len(body)) + body + b"\x82" + _length(len(subscribe)) + subscribe
    )  # the broker handles them in order


class Monitor:
    """Makes the messages of one bed."""

    def __init__(self, bed: Bed, run: str) -> None:
        self._bed, self._run = bed, run
        self.seq = 0
        self._mid = 1
        self._topics = [_text(topics.up(bed.node, kind)) for kind in (Up.READINGS, Up.WAVES)]
        wave = [round(2000 * math.sin(index / 7)) for index in range(WAVE_HZ)]
        self._samples = struct.pack(f"<{WAVE_HZ}h", *wave)
        self._template = self._readings_template()

    def _readings_template(self) -> bytes:
        message = Readings(
            **self._envelope(9_999_999_999, datetime(2000, 1, 1, tzinfo=UTC)),
            id="@ID@", device=self._bed.device, profile="bench_monitor",
            effective=datetime(2000, 1, 1, tzinfo=UTC), mono_ns=0, clock=Clock(state="synchronised"),
            generation=Generation.DEMO,
            values=[Value(code=code, n=number, unit=unit) for code, unit, number in VALUES],
        )  # fmt: skip
        text = encode(message).replace(b"%", b"%%").replace(b"9999999999", b"%(seq)d")
        text = text.replace(b"2000-01-01T00:00:00Z", b"%(at)s").replace(b"@ID@", b"%(id)s")
        return text.replace(b'"n":72,', b'"n":%(pulse)d,')

    def _envelope(self, seq: int, at: datetime) -> dict[str, Any]:
        return {"node": self._bed.node, "boot": self._run, "outbox": self._run, "seq": seq, "sent": at}

    @property
    def name(self) -> str:
        """The bed's node."""
        return self._bed.node

    def burst(self, now: datetime) -> bytes:
        """Build what the bed sends in one second."""
        self.seq += 1
        stamp = now.isoformat().replace("+00:00", "Z").encode()
        name = f"{self._bed.number:05d}-{self._run}-{self.seq}"
        pulse = 60 + self.seq % 30
        body = self._template % {b"seq": self.seq, b"at": stamp, b"id": name.encode(), b"pulse": pulse}
        packets = [self._packet(0, body)]
        for code in WAVES:
            self.seq += 1
            wave = Wave(
                **self._envelope(self.seq, now), id=f"{name}-{self.seq}", device=self._bed.device,
                effective=now, code=code, unit="mV", rate_hz=float(WAVE_HZ), gain=0.005,
                generation=Generation.DEMO, samples=self._samples,
            )  # fmt: skip
            packets.append(self._packet(1, encode(wave)))
        return b"".join(packets)

    def status(self, now: datetime) -> bytes:
        """Build the retained presence of the node."""
        said = Status(
            node=self._bed.node, state="online", since=now, boot=self._run, outbox=self._run,
            devices={self._bed.device: "streaming"}, generation=Generation.DEMO,
        )  # fmt: skip
        self._mid = self._mid % 65_535 + 1
        return publish(_text(topics.status(self._bed.node)), self._mid, encode(said), retain=True)

    def _packet(self, kind: int, payload: bytes) -> bytes:
        self._mid = self._mid % 65_535 + 1
        return publish(self._topics[kind], self._mid, payload)


@dataclass(slots=True)
class Counts:
    """What went out and came back."""

    sent: int = 0
    pubacks: int = 0
    refused: int = 0
    told: int = 0  # messages on down/…
    late_ms: array[float] = field(default_factory=lambda: array("d"))


class Line:
    """One bed's connection."""

    def __init__(self, monitor: Monitor, connection: socket.socket, counts: Counts) -> None:
        self.monitor, self.connection, self._counts = monitor, connection, counts
        self._out, self._in = bytearray(), bytearray()

    @property
    def has_rest(self) -> bool:
        """Whether the socket would not take everything yet."""
        return bool(self._out)

    def send(self, data: bytes) -> None:
        """Send now what the socket takes; keep the rest."""
        if self._out:
            self._out += data
            return
        try:
            taken = self.connection.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError):
            taken = 0
        if taken < len(data):
            self._out += data[taken:]

    def flush(self) -> None:
        """Send more of the rest."""
        rest = bytes(self._out)
        self._out.clear()
        self.send(rest)

    def receive(self) -> None:
        """Take what the broker says."""
        try:
            data = self.connection.recv(65_536)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        if not data:
            raise ConnectionError("the broker closed a bed's connection")
        buffer = self._in
        buffer += data
        at, answers = 0, bytearray()
        while len(buffer) - at >= 2:
            begin, end = _bounds(buffer, at)
            if end < 0 or end > len(buffer):
                break
            self._take(buffer[at], buffer[begin:end], answers)
            at = end
        del buffer[:at]
        if answers:
            self.send(bytes(answers))

    def _take(self, head: int, body: bytearray, answers: bytearray) -> None:
        kind = head & 0xF0
        if kind == _PUBACK:
            self._counts.pubacks += 1
            self._counts.refused += len(body) > 2 and body[2] >= 0x80
        elif kind == _PUBLISH:
            self._counts.told += 1
            if head & 6:
                topic = int.from_bytes(body[:2], "big")
                answers += b"\x40\x02" + body[2 + topic : 4 + topic]


def _bounds(buffer: bytearray, at: int) -> tuple[int, int]:
    """Begin and end of a packet's body; end is -1 when its length is not there yet."""
    length, shift, place = 0, 0, at + 1
    while place < len(buffer):
        digit = buffer[place]
        length |= (digit & 127) << shift
        place += 1
        if not digit & 128:
            return place, place + length
        shift += 7
    return place, -1


class Load:
    """Drives every bed from one loop."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.counts = Counts()
        self._said = said
        self._selector = selectors.DefaultSelector()
        self._lines: list[Line] = []

    def open(self) -> None:
        """Connect every bed and say that its node is there."""
        for number in range(self._said["first"], self._said["first"] + self._said["beds"]):
            bed = Bed(number)
            line = Line(Monitor(bed, self._said["run"]), self._socket(bed), self.counts)
            line.connection.sendall(connect(bed, self._said["password"]))
            line.connection.setblocking(False)
            self._selector.register(line.connection, selectors.EVENT_READ, line)
            self._lines.append(line)
            line.send(line.monitor.status(datetime.now(UTC)))
            if number % 50 == 0:
                self._serve(0.001)
        self._serve(0.5)

    def _socket(self, bed: Bed) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self._said["port"]), timeout=30)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = self._said.get("tls")
        if not tls:
            return plain
        context = ssl.create_default_context(cafile=tls["ca_file"])
        context.check_hostname = False
        context.load_cert_chain(f"{tls['directory']}/{bed.node}.crt", f"{tls['directory']}/{bed.node}.key")
        return context.wrap_socket(plain)

    def run(self) -> None:
        """Send for the agreed seconds, then wait until everything is acknowledged."""
        lines = sorted(self._lines, key=lambda line: hash(line.monitor.name))
        for second in range(self._said["seconds"]):
            self._one_second(lines, self._said["begin"] + second)
        deadline = time.time() + SETTLE_S
        wanted = self.counts.sent + len(lines)
        while self.counts.pubacks < wanted and time.time() < deadline:
            self._serve(0.05)
        self._serve(0.5)

    def _one_second(self, lines: list[Line], begin: float) -> None:
        """Let every bed send once, each in its own place within the second; a few together at a time."""
        step = 1.0 / len(lines)
        place = 0
        while place < len(lines):
            now = time.time()
            due = min(len(lines), int((now - begin) / step) + 1)
            for line in lines[place:due]:
                self.counts.late_ms.append((now - begin - place * step) * 1000)
                line.send(line.monitor.burst(datetime.fromtimestamp(time.time(), UTC)))
                self.counts.sent += MESSAGES
                place += 1
            self._serve(max(0.004, begin + place * step - time.time()))

    def _serve(self, seconds: float) -> None:
        """Wait, then read and write once: many answers come with one call."""
        time.sleep(seconds)
        for key, _ in self._selector.select(0):
            key.data.receive()
        for line in self._lines if self._held() else ():
            if line.has_rest:
                line.flush()

    def _held(self) -> bool:
        return any(line.has_rest for line in self._lines[:: max(1, len(self._lines) // 50)])

    def report(self) -> dict[str, Any]:
        """What was sent, and how late."""
        late = sorted(self.counts.late_ms)
        return {
            "sent": self.counts.sent,
            "pubacks": self.counts.pubacks - len(self._lines),
            "refused": self.counts.refused,
            "told": self.counts.told,
            "late_p99_ms": round(late[int(len(late) * 0.99)], 1) if late else 0.0,
        }


def main() -> None:
    """Play the beds that standard input names."""
    said = json.loads(sys.stdin.readline())
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    load = Load(said)
    load.open()
    print("connected", flush=True)
    said["begin"] = json.loads(sys.stdin.readline())["begin"]
    load.run()
    print(json.dumps(load.report()), flush=True)


if __name__ == "__main__":
    main()
