"""A parsed HL7 v2 message that is asked by segment, field, component.

The splitting is python-hl7's; what that library leaves open is closed here: line ends, header checks,
escapes with the message's own separators, and the difference between empty and ``""``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import hl7

from server.his import charset
from server.his.escapes import Delimiters, unescape
from server.his.refusal import RefusedMessageError

DELETED = '""'
_SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}\Z")
_NOT_HL7 = RefusedMessageError(
    "not-hl7",
    "The message does not start with an MSH segment with its separators.",
    hl7_code=100,
    where="MSH-1",
    reject=True,
)


@dataclass(frozen=True, slots=True)
class Repetition:
    """One repetition of a field; components and subcomponents count from 1."""

    raw: Any
    message: Message

    def component(self, number: int, sub: int = 1) -> str:
        """Return one component as a person would read it; empty when absent or deleted."""
        part = self.raw
        if not isinstance(part, hl7.Repetition):
            part = part if number == 1 else ""
        else:
            part = part[number - 1] if number <= len(part) else ""
        if isinstance(part, hl7.Component):
            part = part[sub - 1] if sub <= len(part) else ""
        elif sub > 1:
            part = ""
        return self.message.plain(str(part))


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; fields count from 1 as in the standard, MSH-1 being the field separator."""

    raw: Any
    message: Message

    @property
    def name(self) -> str:
        """The three letters."""
        return str(self.raw[0])

    def raw_field(self, number: int) -> str:
        """Return a field exactly as it was sent."""
        return str(self.raw[number]) if number < len(self.raw) else ""

    def repetitions(self, number: int) -> list[Repetition]:
        """Return the repetitions of a field; none when it is empty."""
        if number >= len(self.raw) or not str(self.raw[number]):
            return []
        return [Repetition(part, self.message) for part in self.raw[number]]

    def value(self, number: int, component: int = 1, sub: int = 1) -> str:
        """Return a component of the first repetition; empty when absent or deleted."""
        parts = self.repetitions(number)
        return parts[0].component(component, sub) if parts else ""

    def text(self, number: int) -> str:
        """Return a whole text field, all its repetitions as lines."""
        return "\n".join(text for part in self.repetitions(number) if (text := part.component(1)))

    def is_deleted(self, number: int) -> bool:
        """Tell whether the sender wrote ``""``: delete what you know."""
        return self.raw_field(number).strip() == DELETED

    def __len__(self) -> int:
        """Count the fields, the segment's name included."""
        return len(self.raw)


@dataclass(frozen=True, slots=True)
class Message:
    """One message with its segments in order."""

    parsed: Any
    marks: Delimiters
    codec: str
    segments: tuple[Segment, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "segments", tuple(Segment(raw, self) for raw in self.parsed))

    def plain(self, text: str) -> str:
        """Read a part as a person would: escapes resolved, ``""`` as empty, blanks trimmed."""
        text = text.strip()
        return "" if text == DELETED else unescape(text, self.marks, codec=self.codec).strip()

    def all(self, name: str) -> Iterator[Segment]:
        """Give every segment of that name."""
        return (segment for segment in self.segments if segment.name == name)

    def first(self, name: str) -> Segment | None:
        """Return the first segment of that name."""
        return next(self.all(name), None)

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]

    @property
    def type(self) -> tuple[str, str]:
        """Message code and trigger event of MSH-9: ``("ADT", "A01")``."""
        return self.header.value(9, 1).upper(), self.header.value(9, 2).upper()

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.header.value(10)

    @property
    def sender(self) -> str:
        """MSH-3 as it was written."""
        return self.header.raw_field(3).strip()

    @property
    def is_demo(self) -> bool:
        """MSH-11 says training or debugging: not production data."""
        return self.header.value(11).upper() in {"T", "D"}


def split_lines(text: str) -> list[str]:
    """Return the segments of a message text, whatever ends its lines."""
    return [line for line in re.split(r"[\r\n]+", text) if line.strip()]


def delimiters(header: str) -> Delimiters:
    """Read MSH-1 and MSH-2.

    Raises:
        RefusedMessageError: There is no MSH, or its separators are not four or five different signs.
    """
    if not header.startswith("MSH") or len(header) < 8:
        raise _NOT_HL7
    bar = header[3]
    signs = header[4:].split(bar, 1)[0]
    marks = bar + signs
    if not 4 <= len(signs) <= 5 or len(set(marks)) != len(marks) or any(_is_wordy(sign) for sign in marks):
        raise _NOT_HL7
    return Delimiters(
        field=bar, component=signs[0], repetition=signs[1], escape=signs[2], subcomponent=signs[3]
    )


def _is_wordy(sign: str) -> bool:
    return sign.isalnum() or sign.isspace() or not sign.isprintable()


def parse(raw: bytes, *, default_charset: str = charset.UTF8) -> Message:
    """Parse the bytes of one message.

    Raises:
        RefusedMessageError: The message is no HL7 v2 message, or its characters cannot be read.
    """
    if not raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n \t").startswith(b"MSH"):
        raise _NOT_HL7
    lines = split_lines(charset.decode(raw, default=default_charset))
    lines[0] = lines[0].lstrip()
    marks = delimiters(lines[0])
    _check_segments(lines[1:], marks)
    codec = charset.codec_of(charset.declared_charset(raw), default=default_charset)
    return Message(hl7.parse("\r".join(lines)), marks, codec)


def _check_segments(lines: Sequence[str], marks: Delimiters) -> None:
    for number, line in enumerate(lines, start=2):
        name = line.split(marks.field, 1)[0].strip()
        if not _SEGMENT_NAME.match(name) or line[:3] != name:
            raise RefusedMessageError(
                "segment-name",
                f"Line {number} of the message does not start with a segment name of three letters.",
                hl7_code=100,
            )
        if name in {"MSH", "BHS", "FHS"}:
            raise RefusedMessageError(
                "one-message-per-frame",
                "Send one message in each frame; batches are not taken.",
                hl7_code=100,
                where=name,
                reject=True,
            )
