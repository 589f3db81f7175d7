"""Answers to messages: original and enhanced acknowledgement, with ERR and a plain sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from server.his.escapes import STANDARD, escape
from server.his.message import Message
from server.his.reading import Site
from server.his.refusal import RefusedMessageError
from server.his.times import stamp

_TEXTS = {
    100: "Segment sequence error",
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    200: "Unsupported message type",
    201: "Unsupported event code",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    204: "Unknown key identifier",
    205: "Duplicate key identifier",
    206: "Application record locked",
    207: "Application internal error",
}


class Verdict(StrEnum):
    """MSA-1 in original mode and of application answers."""

    ACCEPT = "AA"
    ERROR = "AE"
    REJECT = "AR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What an answer repeats of the message it answers; all parts may be empty when it was unreadable."""

    application: str = ""
    facility: str = ""
    own_application: str = ""
    own_facility: str = ""
    event: str = ""
    control_id: str = ""
    processing: str = "P"
    version: str = "2.6"
    accept: str = ""
    answer: str = ""
    charset: str = ""
    codec: str = "ascii"

    @property
    def is_enhanced(self) -> bool:
        """MSH-15 or MSH-16 is there."""
        return bool(self.accept or self.answer)


def header_of(message: Message) -> Header:
    """Take from a parsed message what its answer needs."""
    msh = message.header
    return Header(
        application=_echo(message, 3),
        facility=_echo(message, 4),
        own_application=_echo(message, 5),
        own_facility=_echo(message, 6),
        event=escape(message.type[1]),
        control_id=_echo(message, 10),
        processing=_echo(message, 11),
        version=escape(msh.value(12)),
        accept=msh.value(15).upper(),
        answer=msh.value(16).upper(),
        charset=_echo(message, 18),
        codec=message.codec,
    )


def _echo(message: Message, number: int) -> str:
    """Repeat a header field as it was sent, or re-written where the sender uses other separators."""
    if message.marks == STANDARD:
        return message.header.raw_field(number)
    return escape(message.header.value(number))


def guessed_header(raw: bytes) -> Header:
    """Take what can be taken from a message that does not parse, so that its sender can find it.

    Only the plain ASCII parts of the header line are used, and only with the usual separator.
    """
    line = raw[:1024].splitlines()[0] if raw.strip() else b""
    text = line.decode("ascii", errors="ignore")
    at = text.find("MSH|")
    fields = text[at:].split("|") if at >= 0 else []
    fields += [""] * (20 - len(fields))
    simple = ["".join(ch for ch in field if ch.isprintable())[:199] for field in fields]
    return Header(
        application=simple[2],
        facility=simple[3],
        own_application=simple[4],
        own_facility=simple[5],
        event=simple[8].split("^")[1] if "^" in simple[8] else "",
        control_id=simple[9],
        processing=simple[10] or "P",
        version=simple[11] or "2.6",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Writes the answers of this system."""

    application: str = "WARDLINK"
    facility: str = "WARD"
    site: Site

    def frames(
        self, header: Header, refusal: RefusedMessageError | None, *, now: datetime, new_id: str
    ) -> tuple[bytes, ...]:
        """Return the answers the sender asked for, in order; possibly none.

        Original mode has one answer. In enhanced mode the accept answer says that the message is safely
        stored and readable, the application answer says what became of it; MSH-15 and MSH-16 choose.
        """
        verdict = verdict_of(refusal)
        if not header.is_enhanced:
            return (self._answer(header, verdict.value, refusal, now, new_id),)
        refused = refusal is not None
        unreadable = refusal is not None and refusal.reject
        frames = []
        if _wanted(header.accept, refused=unreadable):
            accept = "CR" if unreadable else "CA"
            frames.append(self._answer(header, accept, refusal if unreadable else None, now, f"{new_id}C"))
        if _wanted(header.answer, refused=refused):
            frames.append(self._answer(header, verdict.value, refusal, now, new_id))
        return tuple(frames)

    def _answer(
        self, header: Header, code: str, refusal: RefusedMessageError | None, now: datetime, new_id: str
    ) -> bytes:
        sentence = escape(refusal.message) if refusal else ""
        lines = [
            self._msh(header, now, new_id),
            f"MSA|{code}|{header.control_id}" + (f"|{sentence}" if sentence else ""),
        ]
        if refusal is not None:
            lines.append(_err(refusal, sentence))
        return ("\r".join(lines) + "\r").encode(header.codec, errors="replace")

    def _msh(self, header: Header, now: datetime, new_id: str) -> str:
        own = header.own_application or escape(self.application)
        own_facility = header.own_facility or escape(self.facility)
        event = f"ACK^{header.event}^ACK" if header.event else "ACK"
        fields = [
            "MSH", STANDARD.encoding_characters, own, own_facility, header.application, header.facility,
            stamp(now, self.site.zone), "", event, new_id, header.processing, header.version,
            "", "", "", "", "", header.charset,
        ]  # fmt: skip
        return "|".join(fields).rstrip("|")


def verdict_of(refusal: RefusedMessageError | None) -> Verdict:
    """Return the application verdict of a refusal, or of none."""
    if refusal is None:
        return Verdict.ACCEPT
    return Verdict.REJECT if refusal.reject else Verdict.ERROR


def _wanted(condition: str, *, refused: bool) -> bool:
    """Say whether table HL70155 asks for the answer: AL always, NE never, ER on refusal, SU on success."""
    return condition == "AL" or (condition == "ER" and refused) or (condition == "SU" and not refused)


def _err(refusal: RefusedMessageError, sentence: str) -> str:
    segment, _, field = refusal.where.partition("-")
    location = f"{segment}^1^{field}".rstrip("^") if field.isdigit() else segment
    text = _TEXTS.get(refusal.hl7_code, "Application error")
    return (
        f"ERR||{location}|{refusal.hl7_code}^{text}^HL70357|E|{escape(refusal.code)}^^WARDLINK|||{sentence}"
    )


def split_frames(stored: bytes) -> Sequence[bytes]:
    """Take apart answers that were stored together; each starts with MSH."""
    return [part for part in re.split(rb"(?<=\r)(?=MSH\|)", stored) if part]
