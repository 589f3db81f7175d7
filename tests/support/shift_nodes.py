"""The bedside of a shift: drips that really drop, probes that hang at beds, and the nodes that tell of them.

What is true stands in :class:`Bedside`; what was said stands in the journal of each node, which keeps every
message until ``down/acks`` and knows what it had to forget.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from broker import topics
from broker.messages import AlarmMessage, Backfill, Clock, Event, Readings, Status, UpMessage, Value, encode
from broker.topics import Up
from clinical.records import AlarmPriority, Generation
from tests.support.server_process import NodeStandIn
from tests.support.shift_clock import ShiftClock
from tests.support.shift_scenario import BEDS, node_of, nodes

PROBED = BEDS[::8]
"""Beds with a mounted oximeter."""
DROPS, SPO2, PULSE = "MDCX_DROP_COUNT", "MDC_PULS_OXIM_SAT_O2", "MDC_PULS_OXIM_PULS_RATE"


@dataclass(slots=True)
class Drip:
    """A bag that hangs: so many drops a minute since it was opened, or since the clamp was turned."""

    infusion: str
    device: str
    mrn: str
    bed: str
    gtt_min: float
    opened: datetime
    drops: int = 0
    before: float = 0.0  # drops that fell before the clamp was turned
    turned: datetime | None = None

    def count(self, at: datetime) -> int:
        """Drops since the bag was opened."""
        self.drops = int(self._fallen(at))
        return self.drops

    def turn(self, gtt_min: float, at: datetime) -> None:
        """Turn the clamp to another rate."""
        self.before, self.turned, self.gtt_min = self._fallen(at), at, gtt_min

    def _fallen(self, at: datetime) -> float:
        return self.before + (at - (self.turned or self.opened)).total_seconds() / 60 * self.gtt_min


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message of a node as it entered its outbox, with the truth nobody but the shift knows."""

    node: str
    outbox: str
    seq: int
    kind: str
    id: str
    device: str = ""
    effective: datetime
    mrn: str = ""  # on whom the device really was
    infusion: str = ""
    drops: int | None = None
    phase: str = ""
    condition: str = ""


class ShiftNode(NodeStandIn):
    """A node stand-in on the shift's clock; while it is silent its messages stay in its outbox."""

    def __init__(self, node: str, host: str, port: int, tls: ssl.SSLContext, clock: ShiftClock) -> None:
        self.clock = clock
        self.silent = False
        self.silences = 0
        self.journal: list[Said] = []
        self.forgotten: set[int] = set()
        self._backlog: list[tuple[Up, UpMessage]] = []
        super().__init__(node, f"outbox-{node}", host, port, tls)

    def envelope(self) -> dict[str, Any]:
        """The envelope of the next message, stamped by the shift's clock."""
        return super().envelope() | {"sent": self.clock()}

    def say(self, kind: Up, message: UpMessage, said: Said) -> None:
        """Put a message into the outbox, and on the wire unless the node is silent."""
        self.journal.append(said)
        self.put(kind, message, send=not self.silent)
        if self.silent:
            self._backlog.append((kind, message))

    def forget(self, count: int) -> None:
        """The outbox is full: the oldest readings go, and an event declares which (it waits as well)."""
        gone = [message.seq for kind, message in self._backlog if kind is Up.READINGS][:count]
        if not gone:
            return
        with self._lock:
            for seq in gone:
                self.waiting.pop(seq, None)
        self._backlog = [one for one in self._backlog if one[1].seq not in gone]
        self.forgotten |= set(gone)
        ranges = ",".join(f"{seq}-{seq}" for seq in gone)
        event = Event(
            **self.envelope(), id=f"{self.node}-evicted-{self.seq}", kind="evicted", effective=self.clock(),
            detail={"ranges": ranges},
        )  # fmt: skip
        self.say(Up.EVENTS, event, _said(event, "event"))

    def tell(self, state: Literal["online", "offline"]) -> None:
        """The retained status, as the node or its last will says it."""
        status = Status(
            node=self.node, state=state, since=self.clock(), outbox=self.outbox_id, last_seq=self.seq,
            generation=Generation.DEMO,
        )  # fmt: skip
        self._client.publish(topics.status(self.node), encode(status), qos=1, retain=True)

    def gone(self) -> None:
        """Fall silent; the broker says so, as its last will asked for."""
        self.tell("offline")
        self.silent = True
        self.silences += 1

    def back(self) -> None:
        """Speak again: history goes as backfill, numbered as it was, never as new."""
        self.silent = False
        self.tell("online")
        for kind, message in self._backlog:
            inner = msgspec.Raw(encode(message))
            fields = {name: getattr(message, name) for name in ("node", "boot", "outbox", "seq", "sent")}
            wrapped = Backfill(**fields, kind=kind.value, body=inner)  # type: ignore[arg-type]
            with self._lock:
                self.waiting[message.seq] = (topics.up(self.node, Up.BACKFILL), encode(wrapped))
            self._client.publish(topics.up(self.node, Up.BACKFILL), encode(wrapped), qos=1)
        self._backlog = []

    @property
    def settled(self) -> bool:
        """Whether everything it may send has been acknowledged."""
        return self.silent or not self.waiting


def _said(message: Readings | Event | AlarmMessage, kind: str, **truth: Any) -> Said:
    return Said(
        node=message.node, outbox=message.outbox, seq=message.seq, kind=kind, id=message.id,
        device=message.device or "", effective=message.effective, **truth,
    )  # fmt: skip


@dataclass(slots=True)
class Bedside:
    """Who lies where, what hangs where, and the nodes that hear it."""

    clock: ShiftClock
    nodes: dict[str, ShiftNode] = field(default_factory=dict)
    drips: dict[str, Drip] = field(default_factory=dict)  # by order number
    lying: dict[str, str] = field(default_factory=dict)  # bed → patient number
    _alarms: int = 0

    def connect(self, host: str, port: int, tls_of: Any) -> None:
        """Bring every node up."""
        for name in nodes():
            self.nodes[name] = ShiftNode(name, host, port, tls_of(name), self.clock)
            self.nodes[name].tell("online")

    def minute(self) -> None:
        """Every node says that it is there, and every device what it measures now."""
        for node in self.nodes.values():
            if not node.silent:
                node.tell("online")
        for bed in PROBED:
            mrn = self.lying.get(bed, "")
            values = {SPO2: 97.0, PULSE: 72.0}
            self._read(bed, oximeter(bed), "nonin_oem3", values, mrn=mrn)
        for drip in list(self.drips.values()):
            drops = drip.count(self.clock())
            truth = {"mrn": drip.mrn, "infusion": drip.infusion, "drops": drops}
            self._read(drip.bed, drip.device, "wardlink_drip", {DROPS: float(drops)}, **truth)

    def _read(self, bed: str, device: str, profile: str, values: dict[str, float], **truth: Any) -> None:
        node = self.nodes[node_of(bed)]
        envelope = node.envelope()
        message = Readings(
            **envelope, id=f"{node.outbox_id}-{envelope['seq']}", device=device, profile=profile,
            effective=self.clock(), mono_ns=envelope["seq"], clock=Clock(state="synchronised"),
            generation=Generation.DEMO,
            values=[Value(code=code, n=Decimal(str(n)), unit="1") for code, n in values.items()],
        )  # fmt: skip
        node.say(Up.READINGS, message, _said(message, "reading", **truth))

    def move(self, mrn: str, bed: str) -> None:
        """A patient lies in another bed; what drips into them moves along."""
        for old in [at for at, one in self.lying.items() if one == mrn]:
            del self.lying[old]
        if bed:
            self.lying[bed] = mrn
        for drip in self.drips.values():
            if drip.mrn == mrn and bed:
                drip.bed = bed

    def alarm(self, placer: str, phase: Literal["start", "end"], condition: str = "no-flow") -> None:
        """The node at the bed begins or ends an alarm of its own about a drip."""
        drip = self.drips.get(placer)
        if drip is None:
            return
        node = self.nodes[node_of(drip.bed)]
        message = AlarmMessage(
            **node.envelope(), id=f"alarm-{placer}", condition=condition, kind="physiological",
            priority=AlarmPriority.HIGH, phase=phase, effective=self.clock(), device=drip.device,
            infusion=drip.infusion, generation=Generation.DEMO,
        )  # fmt: skip
        truth = {"mrn": drip.mrn, "infusion": drip.infusion, "phase": phase, "condition": condition}
        node.say(Up.ALARMS, message, _said(message, "alarm", **truth))

    @property
    def settled(self) -> bool:
        """Whether the server has on disk whatever could be sent."""
        return all(node.settled for node in self.nodes.values())

    @property
    def journal(self) -> list[Said]:
        """Everything every node ever put into its outbox."""
        return [said for node in self.nodes.values() for said in node.journal]

    def stop(self) -> None:
        """Let go of every connection."""
        for node in self.nodes.values():
            node.stop()


def oximeter(bed: str) -> str:
    """The oximeter mounted at a bed."""
    return f"serial:oximeter-{bed}"


def sensor(number: int) -> str:
    """One of the ward's drip sensors."""
    return f"ble:c0-00-00-00-{number:02x}-01"
