"""Bytes to values: the one interpreter of every profile.

A frame is either accepted or rejected with a short reason; noise never raises. A number the device could
not measure stays in the result with no value and a validity that says why: the decoder never invents and
never hides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from clinical.records import Validity
from firmware_profiles import hooks
from firmware_profiles.framing import RejectError
from firmware_profiles.plan import Profile, StreamPlan
from firmware_profiles.reading import NO_CONTEXT, Context, environments, holds
from firmware_profiles.values import DecodedValue, read_values

__all__ = ["Context", "Decoded", "DecodedValue", "decode"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What one frame said.

    ``values``, ``sequence`` and ``device_time`` are those of the newest record when it holds several;
    ``records``, ``sequences`` and ``device_times`` have one entry per record, oldest first.
    """

    accepted: bool
    reject: str = ""
    values: Mapping[str, DecodedValue] = field(default_factory=dict)
    records: tuple[Mapping[str, DecodedValue], ...] = ()
    sequence: int | None = None  # the device's own record number
    device_time: datetime | None = None  # of the record, as the device shows it: no zone, with its offset
    clock: datetime | None = None  # what the device's clock shows now
    sequences: tuple[int | None, ...] = ()
    device_times: tuple[datetime | None, ...] = ()
    counter: int | None = None  # of a sealed advert; one that does not grow is a repeat or a replay
    demo: bool = False  # the device itself says that this is a demonstration


def decode(profile: Profile, stream_id: str, frame: bytes | str, context: Context = NO_CONTEXT) -> Decoded:
    """Decode one whole frame (or one line without its end) of a stream.

    Args:
        profile: The device model.
        stream_id: One of its streams.
        frame: Bytes as notified, advertised or framed; text for a line stream.
        context: Address and key, for encrypted adverts.

    Raises:
        NotFoundError: The profile has no such stream. Bad bytes never raise.
    """
    plan = profile.plan(stream_id)
    try:
        envs = list(environments(plan, frame, context))
        records = [read_values(plan, env) for env in envs]
    except RejectError as reject:
        return Decoded(accepted=False, reject=reject.reason)
    newest, env = records[-1], envs[-1]
    sequences = tuple(_sequence(plan, record) for record in records)
    times = tuple(_device_time(plan, record) for record in records)
    return Decoded(
        accepted=True,
        values=newest,
        records=tuple(records),
        sequence=sequences[-1],
        device_time=times[-1],
        sequences=sequences,
        device_times=times,
        counter=_counter(plan, frame),
        clock=_time(plan, newest, "clock"),
        demo=any(rule.rule.demo and holds(rule.tests, env) for rule in plan.quality),
    )


def _counter(plan: StreamPlan, frame: bytes | str) -> int | None:
    reader = hooks.COUNTERS.get(plan.rule.decrypt or "")
    return reader(frame) if reader is not None and isinstance(frame, bytes) else None


def _by_role(plan: StreamPlan, values: Mapping[str, DecodedValue], role: str) -> DecodedValue | None:
    return next(
        (
            values[value.rule.name]
            for value in plan.values
            if value.rule.role == role and value.rule.name in values
        ),
        None,
    )


def _sequence(plan: StreamPlan, values: Mapping[str, DecodedValue]) -> int | None:
    found = _by_role(plan, values, "sequence")
    return found.value if found is not None and isinstance(found.value, int) else None


def _time(plan: StreamPlan, values: Mapping[str, DecodedValue], role: str) -> datetime | None:
    found = _by_role(plan, values, role)
    if found is None or found.validity is not Validity.VALID or not isinstance(found.value, str):
        return None
    try:
        return datetime.fromisoformat(found.value)
    except ValueError:  # year, month or day 0: not known to the device
        return None


def _device_time(plan: StreamPlan, values: Mapping[str, DecodedValue]) -> datetime | None:
    """The device's own time of the sample, or nothing when it is unknown or not to be trusted."""
    base = _time(plan, values, "device_time")
    if base is None:
        return None
    offset = _by_role(plan, values, "time_offset_min")
    minutes = int(offset.value) if offset is not None and isinstance(offset.value, int | Decimal) else 0
    try:
        return base + timedelta(minutes=minutes)
    except OverflowError:
        return None
