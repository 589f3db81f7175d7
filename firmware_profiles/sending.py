"""What a node may say to a device, and in which order: only what the profile's allow-list holds.

A :class:`Message` can only be had from an :class:`AllowList`, and a transport sends nothing else. So no value
from a network, a screen or a setting can become bytes on a device's line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from clinical.errors import ConflictError
from firmware_profiles.encode import encode
from firmware_profiles.plan import Profile, full_uuid
from firmware_profiles.rules import payload
from firmware_profiles.schema import Step

CURRENT_TIME, DATE_TIME = "2A2B", "2A08"
EXTERNAL_REFERENCE = 0x02
"""Reason of a change of time in Current Time: set from an outside reference (Current Time Service 1.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Bytes that may be sent; ``characteristic`` is a long UUID, empty for a cable."""

    data: bytes
    characteristic: str = ""
    with_response: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One step of a talk: what is sent (or which characteristic is read), and what counts as an answer."""

    message: Message | None
    read: str = ""  # long UUID
    stream: str = ""
    expect: bytes = b""
    timeout_s: float = 1.0
    attempts: int = 3
    every_s: float | None = None

    @property
    def waits(self) -> bool:
        """Whether an answer is waited for."""
        return bool(self.stream or self.expect)


class AllowList:
    """The bytes that may be sent to devices of one model.

    Args:
        profile: The device model.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._messages = {
            name: Message(
                data=payload(command),
                characteristic=full_uuid(command.characteristic or ""),
                with_response=command.write == "request",
            )
            for name, command in profile.file.allow_send.items()
        }

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages.values())

    def handshake(self) -> tuple[Question, ...]:
        """What is said once, in order, when a link is up."""
        return tuple(map(self._question, self._profile.file.handshake))

    def polls(self) -> tuple[Question, ...]:
        """What is asked after the handshake, again and again where it has a period."""
        return tuple(map(self._question, self._profile.file.poll))

    def _question(self, step: Step) -> Question:
        read = "" if step.send else self._profile.plan(step.stream).rule.characteristic or ""
        return Question(
            message=self._messages[step.send] if step.send else None,
            read=full_uuid(read),
            stream=step.stream,
            expect=bytes.fromhex(step.expect),
            timeout_s=step.timeout_ms / 1000,
            attempts=step.retries + 1,
            every_s=step.every_s,
        )

    def clock_characteristics(self, way: str) -> tuple[str, ...]:
        """Which characteristics (long UUIDs) a way to read or set the clock means, the best first."""
        known = {"cts": (CURRENT_TIME,), "datetime": (DATE_TIME,), "any": (CURRENT_TIME, DATE_TIME)}
        return tuple(map(full_uuid, known.get(way, ())))

    def clock_message(self, now: datetime, characteristic: str = "") -> Message:
        """What sets the device's clock to ``now``, which is in the device's own zone.

        Args:
            now: The time to set.
            characteristic: Which of :meth:`clock_characteristics`; empty for the stream of a cable.

        Raises:
            ConflictError: The profile does not allow this; a fault of the caller.
        """
        clock = self._profile.file.clock
        if clock.set == "stream" and not characteristic:
            return Message(data=encode(self._profile, clock.set_stream, self._clock_value(now)))
        if characteristic not in self.clock_characteristics(clock.set):
            raise ConflictError("clock-set", f"the clock of {self._profile.id} is not set in this way")
        data = _date_time(now)
        if characteristic == full_uuid(CURRENT_TIME):
            fraction = now.microsecond * 256 // 1_000_000
            data += bytes((now.isoweekday(), fraction, EXTERNAL_REFERENCE))
        return Message(data=data, characteristic=characteristic)

    def _clock_value(self, now: datetime) -> dict[str, str]:
        text = f"{now:%Y-%m-%dT%H:%M:%S}"
        plan = self._profile.plan(self._profile.file.clock.set_stream)
        return {value.rule.name: text for value in plan.values if value.rule.role == "clock"}


def _date_time(now: datetime) -> bytes:
    return now.year.to_bytes(2, "little") + bytes((now.month, now.day, now.hour, now.minute, now.second))
