"""The messages of ``wardlink/v1``, typed once, encoded twice.

JSON with named keys for everything a person may want to read with ``mosquitto_sub``; MessagePack for
waveforms. Receivers ignore unknown keys (newer senders may add some); ``v`` changes when meaning does.

No message holds patient data: infusions are opaque ids, devices are uids.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from clinical.errors import BadInputError
from clinical.records import AlarmPriority, Generation, Validity

Id = Annotated[str, Meta(min_length=1, max_length=96)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Seq = Annotated[int, Meta(ge=1)]
Instant = Annotated[datetime, Meta(tz=True)]
Range = Annotated[tuple[Seq, Seq], Meta(description="first and last sequence number, both included")]

MAX_PAYLOAD = 65_536
"""Largest payload the broker passes and every receiver accepts, in bytes."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Every message says which version of the contract it speaks."""

    v: Literal[1] = 1


class UpMessage(Message, frozen=True, kw_only=True):
    """The envelope of the outbox: one message, one row, one sequence number.

    ``seq`` grows strictly within one ``outbox``; a re-created outbox gets a new id. The node keeps the
    row until ``down/acks`` says that the server has committed it.
    """

    node: Name
    boot: Id
    outbox: Id
    seq: Seq
    sent: Instant


class Clock(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How far the host's clock may be trusted for this sample."""

    state: Literal["synchronised", "holdover", "unset"]
    uncertainty_ms: Annotated[int, Meta(ge=0)] = 0


class Value(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One measured value. ``n`` is null when the device had no number; ``validity`` says why."""

    code: Annotated[str, Meta(pattern=r"^MDC[A-Z]*_[A-Z0-9_]+$", max_length=64)]
    n: Decimal | None
    unit: Annotated[str, Meta(max_length=24, description="UCUM")]
    validity: Validity = Validity.VALID


class Readings(UpMessage, frozen=True, kw_only=True, gc=False):
    """What one device measured at one instant: at most one message per device and second.

    ``id`` names the sample itself, so that two nodes hearing one device store it once.
    """

    id: Id
    device: Id
    profile: Id
    effective: Instant
    mono_ns: Annotated[int, Meta(ge=0)]
    clock: Clock
    generation: Generation
    values: Annotated[list[Value], Meta(min_length=1, max_length=64)]
    device_time: str | None = None
    infusion: str | None = None  # the flow target this estimate belongs to


class Wave(UpMessage, frozen=True, kw_only=True, gc=False):
    """About one second of one waveform: int16 little-endian samples; value = raw * gain + offset."""

    id: Id
    device: Id
    effective: Instant  # of the first sample
    code: Annotated[str, Meta(pattern=r"^MDC_[A-Z0-9_]+$", max_length=64)]
    unit: Annotated[str, Meta(max_length=24)]
    rate_hz: Annotated[float, Meta(gt=0, le=1000)]
    gain: float
    offset: float = 0.0
    generation: Generation
    samples: Annotated[bytes, Meta(max_length=4096)]


class Event(UpMessage, frozen=True, kw_only=True):
    """Something happened on the node that a person may need to know later."""

    id: Id
    kind: Name  # booted, device-connected, device-lost, evicted, clock-stepped, button
    effective: Instant
    device: str | None = None
    detail: dict[str, str | int | float] = {}


class AlarmMessage(UpMessage, frozen=True, kw_only=True):
    """The node's own judgement began, changed or ended. ``id`` stays the same from start to end."""

    id: Id
    condition: Name  # no-flow, free-flow, rate-deviation, near-end, empty, limit-low, limit-high, device-lost
    kind: Literal["physiological", "technical"]
    priority: AlarmPriority
    phase: Literal["start", "update", "end"]
    effective: Instant
    device: str | None = None
    infusion: str | None = None
    generation: Generation = Generation.REAL
    params: dict[str, str | float] = {}


class Backfill(UpMessage, frozen=True, kw_only=True):
    """History after an outage: the same body as the live topic, never taken for new."""

    kind: Literal["readings", "waves", "events", "alarms"]
    body: msgspec.Raw  # the original message, JSON; its seq, not the envelope's, is acknowledged


class Reply(UpMessage, frozen=True, kw_only=True):
    """The node's answer to a command."""

    command: Id
    ok: bool
    code: str = ""
    detail: dict[str, Any] = {}


class Status(Message, frozen=True, kw_only=True):
    """Retained presence of a node, and its Last Will."""

    node: Name
    state: Literal["online", "offline"]
    since: Instant | None = None
    boot: str = ""
    outbox: str = ""
    depth: Annotated[int, Meta(ge=0)] = 0  # rows waiting
    last_seq: Annotated[int, Meta(ge=0)] = 0
    version: str = ""
    devices: dict[str, str] = {}  # device uid → session state
    generation: Generation = Generation.REAL


class Acks(Message, frozen=True, kw_only=True):
    """What the server has on disk. Only now may the node forget."""

    outbox: Id
    committed: list[Range]
    resend: list[Range] = []


class FlowTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One running infusion that a node shall watch. No drug, no person."""

    infusion: Id
    device: Id
    state: Literal["running", "paused"]
    rate_ml_h: Decimal
    drops_per_ml: Annotated[int, Meta(ge=1, le=100)]
    volume_ml: Decimal  # in the bag at ``started``
    started: Instant


class Targets(Message, frozen=True, kw_only=True):
    """Retained: the complete set of targets of this node, replacing the last one."""

    version: Annotated[int, Meta(ge=0)]
    targets: list[FlowTarget]
    thresholds: dict[str, float] = {}  # site policy for flow, see clinical.policy


class Command(Message, frozen=True, kw_only=True):
    """One request to a node; answered on ``up/replies``."""

    id: Id
    kind: Literal["acknowledge-alarm", "identify", "health"]
    alarm: str | None = None
    by: str = ""  # a role, never a name
    expires: Instant | None = None


class Config(Message, frozen=True, kw_only=True):
    """Retained: the node's remote configuration. A wrong one is refused and the last good one kept."""

    version: Annotated[int, Meta(ge=0)]
    settings: dict[str, Any]


M = TypeVar("M", bound="Message")

_JSON = msgspec.json.Encoder(decimal_format="number")
_PACK = msgspec.msgpack.Encoder()


def encode(message: Message) -> bytes:
    """Encode for the wire: MessagePack for :class:`Wave`, JSON for the rest."""
    return _PACK.encode(message) if isinstance(message, Wave) else _JSON.encode(message)


def decode(payload: bytes, kind: type[M]) -> M:
    """Decode and validate one payload.

    Raises:
        BadInputError: Too large, not JSON or MessagePack, or not of this kind; the reason names the
            key but never repeats the value.
    """
    if len(payload) > MAX_PAYLOAD:
        raise BadInputError("payload-too-large", f"a message has at most {MAX_PAYLOAD} bytes")
    try:
        if kind is Wave:
            return msgspec.msgpack.decode(payload, type=kind)
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInputError("payload", f"not a valid {kind.__name__} message: {error}") from error
