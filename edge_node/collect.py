"""From bytes to messages: decode through the profile, thin to one reading a second, chunk the waves.

Decoding never raises for what a radio or a cable does to bytes: a rejected frame is counted and gives no
value. Continuous readings are thinned by taking the newest; what stands for itself (a record with the
device's own number or time) always passes.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog

from broker.messages import Readings, Value, Wave
from broker.topics import Up
from clinical.codes import DROP_COUNT
from clinical.records import Generation, Validity
from edge_node.clock import Stamp
from edge_node.estimate import DropReport
from edge_node.outbox import Draft
from edge_node.ports import Frame, RowClass
from edge_node.staleness import Aged, Freshness
from firmware_profiles.decode import Context, Decoded, DecodedValue, decode
from firmware_profiles.plan import Profile
from firmware_profiles.reading import NO_CONTEXT

SLOT_S = 1.0
"""Mean time between two readings of one device."""
EARLY_S = 0.25
"""A reading may come this much before its second, so that jitter does not skip one."""
WAVE_S = 1.0
WAVE_JUMP_S = 0.3
"""Samples that arrive this far from where the last ones ended begin a new chunk in time."""
INT16_MIDDLE = 32768
IDLE_S = 60.0
"""A drop counter that nobody needs and that stands still is told this often, to show that it lives."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One accepted frame of a device, in the product's words."""

    device: str
    profile: str
    stream: str
    values: tuple[Value, ...]
    stamp: Stamp
    generation: Generation
    device_time: datetime | None
    clock: datetime | None
    sequence: int | None
    raw: bytes
    before: int = 0  # how many records of the same frame are newer
    drops: DropReport | None = None
    names_itself: bool = False  # the bytes hold the device's own milliseconds or a counter that grows
    facts: Mapping[str, DecodedValue] = field(
        default_factory=dict
    )  # everything decoded, by the profile's names

    @property
    def stands_alone(self) -> bool:
        """Whether this is a record of its own, which must never be thinned away."""
        return self.sequence is not None or self.device_time is not None

    @property
    def id(self) -> str:
        """Name of the sample: the same on every node that heard it.

        The device's own record number if it has one, else a hash over its time (or, without a clock of
        its own, the host's) and the raw bytes.
        """
        when = self.device_time.isoformat() if self.device_time else ""
        if self.sequence is not None:  # with its time, because a meter that was reset counts anew
            return f"{self.device}/{self.stream}/{self.sequence}" + (f"@{when}" if when else "")
        if not when and not self.names_itself:
            when = self.stamp.utc.isoformat()
        mark = hashlib.sha256(f"{self.device}|{self.stream}|{when}|".encode() + self.raw).hexdigest()[:32]
        return f"{self.device}/{mark}-{self.before}" if self.before else f"{self.device}/{mark}"


class WaveAssembler:
    """Joins the samples of one waveform into chunks of about a second.

    The time of a chunk follows from counting samples, so that it does not shake with the line; it is set
    anew when the line paused.
    """

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self._samples: list[float] = []
        self._next: datetime | None = None
        self._begin: datetime | None = None

    def add(self, samples: tuple[float, ...], arrived: datetime) -> list[tuple[datetime, list[float]]]:
        """Take samples, the last of which was measured at ``arrived``; return the whole chunks."""
        began = arrived - timedelta(seconds=len(samples) / self.rate_hz)
        done = []
        if self._next is None or abs((began - self._next).total_seconds()) > WAVE_JUMP_S:
            if self._samples and self._begin is not None:
                done.append((self._begin, self._samples))
            self._samples, self._begin, self._next = [], began, began
        self._samples.extend(samples)
        self._next = (self._next or began) + timedelta(seconds=len(samples) / self.rate_hz)
        if len(self._samples) >= self.rate_hz * WAVE_S and self._begin is not None:
            done.append((self._begin, self._samples))
            self._samples, self._begin = [], self._next
        return done

    def forget(self) -> None:
        """The device went: what was begun is not a whole chunk of now."""
        self._samples, self._begin, self._next = [], None, None


class Collector:
    """Turns frames into samples and messages.

    Args:
        envelope: Fields of a message's envelope.
        generation: What the node was told it is; a device that says Demo itself is Demo anyway.
    """

    def __init__(self, envelope: Callable[[], dict[str, Any]], generation: Generation) -> None:
        self.accepted = 0
        self.freshness = Freshness()
        self.contexts: dict[str, Context] = {}
        self.counters: dict[str, int] = {}
        self.rejected: Counter[tuple[str, str]] = Counter()
        self._envelope = envelope
        self._generation = generation
        self._due: dict[str, float] = {}
        self._idle: dict[str, tuple[object, float]] = {}
        self._waves: dict[tuple[str, str], WaveAssembler] = {}

    def decode(self, device: str, profile: Profile, frame: Frame) -> tuple[list[Sample], list[Draft]]:
        """Decode one frame.

        Returns:
            The samples it held, oldest first (none when it was rejected), and whole waveform chunks.
        """
        decoded = decode(profile, frame.stream, frame.data, self.contexts.get(device, NO_CONTEXT))
        if not decoded.accepted:
            return self._reject(device, decoded.reject)
        if decoded.counter is not None:
            before = self.counters.get(device, -1)
            if decoded.counter == before:
                return [], []  # the radio gave the same advert again
            if decoded.counter < before:
                return self._reject(device, "replayed")
            self.counters[device] = decoded.counter
        self.accepted += 1
        self.freshness.seen(device, profile, frame.stream, decoded.values, frame.stamp.mono_s)
        generation = Generation.DEMO if decoded.demo else self._generation
        samples = [
            self._sample(device, profile, frame, decoded, index, generation)
            for index in range(len(decoded.records))
        ]
        waves = [
            draft
            for record in decoded.records
            for value in record.values()
            for draft in self._chunks(device, value, frame.stamp, generation)
        ]
        return samples, waves

    def _reject(self, device: str, reason: str) -> tuple[list[Sample], list[Draft]]:
        self.rejected[device, reason] += 1
        log.debug("frame-rejected", device=device, reason=reason)
        return [], []

    def _sample(
        self,
        device: str,
        profile: Profile,
        frame: Frame,
        decoded: Decoded,
        index: int,
        generation: Generation,
    ) -> Sample:
        record = decoded.records[index]
        drops = _drops(record, frame.stamp)
        return Sample(
            device=device,
            profile=profile.id,
            stream=frame.stream,
            values=tuple(_value(item) for item in record.values() if _is_reading(item)),
            stamp=frame.stamp,
            generation=generation,
            device_time=decoded.device_times[index],
            clock=decoded.clock,
            sequence=decoded.sequences[index],
            raw=frame.data,
            before=len(decoded.records) - 1 - index,
            drops=drops,
            names_itself=decoded.counter is not None or drops is not None,
            facts=record,
        )

    def due(self, sample: Sample) -> bool:
        """Whether this sample is to be published, or thinned away because a newer one comes."""
        if sample.stands_alone:
            return True
        now = sample.stamp.mono_s
        due = self._due.get(sample.device, now)
        if now < due - EARLY_S:
            return False
        self._due[sample.device] = (due if now - due < SLOT_S else now) + SLOT_S
        return True

    def worth_telling(self, sample: Sample) -> bool:
        """Whether a sample that no infusion needs says anything new.

        A drop sensor without a bag would otherwise repeat the same count each second for days.
        """
        count = next(((one.n, one.validity) for one in sample.values if one.code == DROP_COUNT), None)
        if count is None:
            return True
        before, told_s = self._idle.get(sample.device, (None, 0.0))
        if count == before and sample.stamp.mono_s - told_s < IDLE_S:
            return False
        self._idle[sample.device] = (count, sample.stamp.mono_s)
        return True

    def reading(
        self, sample: Sample, extra: tuple[Value, ...], infusion: str | None, state: dict[str, bytes]
    ) -> Draft | None:
        """Make the message of one sample; None when it holds no value with a code."""
        values = [*sample.values, *extra]
        if not values:
            return None
        stamp, shown = sample.stamp, sample.device_time or sample.clock
        message = Readings(
            **self._envelope(),
            id=sample.id,
            device=sample.device,
            profile=sample.profile,
            effective=stamp.utc,
            mono_ns=stamp.mono_ns,
            clock=stamp.clock,
            generation=sample.generation,
            values=values,
            device_time=shown.isoformat() if shown else None,
            infusion=infusion,
        )
        return Draft(
            message=message,
            kind=Up.READINGS,
            row_class=RowClass.ALARM if sample.stands_alone else RowClass.NUMERIC,
            id=sample.id,
            effective=stamp.utc,
            mono_ns=stamp.mono_ns,
            device=sample.device,
            state=state,
        )

    def withdrawal(self, aged: Sequence[Aged], stamp: Stamp) -> Draft | None:
        """Make the message that says of one device's values that they are no longer known."""
        values = [
            Value(code=one.code, n=None, unit=one.unit, validity=Validity.NOT_AVAILABLE)
            for one in aged
            if one.code
        ]
        if not values:
            return None
        name = f"{aged[0].device}/aged@{stamp.utc.isoformat()}"
        message = Readings(
            **self._envelope(),
            id=name,
            device=aged[0].device,
            profile=aged[0].profile,
            effective=stamp.utc,
            mono_ns=stamp.mono_ns,
            clock=stamp.clock,
            generation=self._generation,
            values=values,
        )
        return Draft(
            message=message,
            kind=Up.READINGS,
            row_class=RowClass.NUMERIC,
            id=name,
            effective=stamp.utc,
            mono_ns=stamp.mono_ns,
            device=aged[0].device,
        )

    def forget(self, device: str) -> None:
        """The device is lost: half a waveform chunk and the slot of its last reading mean nothing now."""
        self.freshness.forget(device)
        self._due.pop(device, None)
        self._idle.pop(device, None)
        for (known, _), assembler in self._waves.items():
            if known == device:
                assembler.forget()

    def _chunks(self, device: str, value: DecodedValue, stamp: Stamp, generation: Generation) -> list[Draft]:
        if value.rate_hz is None or not isinstance(value.value, tuple) or not value.code:
            return []
        key = (device, value.code)
        assembler = self._waves.setdefault(key, WaveAssembler(value.rate_hz))
        samples = tuple(float(item) for item in value.value if isinstance(item, int | Decimal))
        return [
            self._wave(device, value, begin, chunk, stamp, generation)
            for begin, chunk in assembler.add(samples, stamp.utc)
        ]

    def _wave(
        self,
        device: str,
        value: DecodedValue,
        begin: datetime,
        chunk: list[float],
        stamp: Stamp,
        generation: Generation,
    ) -> Draft:
        data, gain, offset = pack(chunk)
        name = f"{device}/{value.code}/{begin.isoformat()}"
        message = Wave(
            **self._envelope(),
            id=name,
            device=device,
            effective=begin,
            code=value.code,
            unit=value.unit or "1",
            rate_hz=float(value.rate_hz or 1),
            gain=gain,
            offset=offset,
            generation=generation,
            samples=data,
        )
        return Draft(
            message=message,
            kind=Up.WAVES,
            row_class=RowClass.WAVE,
            id=name,
            effective=begin,
            mono_ns=stamp.mono_ns,
            device=device,
        )


def pack(samples: list[float]) -> tuple[bytes, float, float]:
    """Pack samples as int16 little-endian; returns bytes, gain and offset (value = raw * gain + offset).

    Whole numbers that fit are packed exactly; unsigned 16-bit ones by shifting the middle.
    """
    low, high = min(samples), max(samples)
    whole = all(sample == round(sample) for sample in samples)
    if whole and low >= -INT16_MIDDLE and high < INT16_MIDDLE:
        return _int16(samples, 1.0, 0.0)
    if whole and low >= 0 and high < 2 * INT16_MIDDLE:
        return _int16(samples, 1.0, float(INT16_MIDDLE))
    return _int16(samples, (high - low) / 65_000 or 1.0, (high + low) / 2)


def _int16(samples: list[float], gain: float, offset: float) -> tuple[bytes, float, float]:
    raw = [round((sample - offset) / gain) for sample in samples]
    return struct.pack(f"<{len(raw)}h", *raw), gain, offset


def _is_reading(value: DecodedValue) -> bool:
    return bool(value.code) and value.rate_hz is None and not isinstance(value.value, str | tuple)


def _value(value: DecodedValue) -> Value:
    number = None if value.value is None else Decimal(str(value.value))
    return Value(code=value.code, n=number, unit=value.unit, validity=value.validity)


def _drops(record: Mapping[str, DecodedValue], stamp: Stamp) -> DropReport | None:
    """The counter of a drop sensor, if this record is one and its sensor is sound.

    A sensor that tells only how long ago its last drop fell is placed on the host's own milliseconds.
    """
    total = _whole(next((value for value in record.values() if value.code == DROP_COUNT), None))
    if total is None:
        return None
    if "last_drop_age" in record:
        now, age = stamp.mono_ns // 1_000_000, _whole(record["last_drop_age"])
        return DropReport(total=total, last_drop_ms=None if age is None else now - age, now_ms=now)
    known = _whole(record.get("now"))
    last = _whole(record.get("last_drop")) if total else None
    return None if known is None else DropReport(total=total, last_drop_ms=last, now_ms=known)


def _whole(value: DecodedValue | None) -> int | None:
    if value is None or value.value is None or value.validity is Validity.INVALID:
        return None
    return int(value.value) if isinstance(value.value, int | Decimal) else None
