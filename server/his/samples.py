"""Sample messages whose times are relative: they stay true whenever they are sent.

``{{now}}``, ``{{now-75m}}`` and ``{{now+2h}}`` become time stamps of the hospital's zone cut to the minute;
``{{now-75m|%H%M}}`` writes only a part; ``{{run}}`` makes control ids of one rendering differ from another's.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from clinical.errors import BadInputError

SHANGHAI = ZoneInfo("Asia/Shanghai")
_PLACEHOLDER = re.compile(
    r"\{\{(?:(?P<run>run)|now(?P<shift>[+-]\d{1,5}[smhd])?(?:\|(?P<form>[^{}]{1,40}))?)\}\}"
)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def render(text: str, *, now: datetime, zone: ZoneInfo = SHANGHAI) -> bytes:
    """Fill in the times of a sample and end its segments with CR, in UTF-8.

    Args:
        text: The sample; its lines may end in LF, as files do.
        now: The moment all its times are relative to; aware.
        zone: The hospital's zone.

    Raises:
        BadInputError: A placeholder is none of those above.
    """

    def fill(found: re.Match[str]) -> str:
        if found["run"]:
            return f"{now.astimezone(zone):%y%m%d%H%M%S}{now.microsecond // 1000:03d}"
        moment = now.astimezone(zone).replace(second=0, microsecond=0) + _shift(found["shift"])
        return moment.strftime(found["form"] or "%Y%m%d%H%M%S%z")

    filled = _PLACEHOLDER.sub(fill, text)
    if "{{" in filled:
        raise BadInputError(
            "sample-placeholder", "The sample has a placeholder other than {{now}}, {{now-5m}} or {{run}}."
        )
    return "".join(f"{line}\r" for line in filled.splitlines() if line.strip()).encode("utf-8")


def _shift(text: str | None) -> timedelta:
    if not text:
        return timedelta()
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def load(path: Path, *, now: datetime, zone: ZoneInfo = SHANGHAI) -> list[bytes]:
    """Read the messages of a file; one with placeholders is rendered, any other is taken byte for byte.

    A file may hold several messages, each starting with MSH, with or without MLLP frames.

    Raises:
        BadInputError: The file cannot be read, or holds no message.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadInputError("message-file", f"cannot read {path.name}: {error.strerror}") from error
    if b"{{" in raw:
        try:
            raw = render(raw.decode("utf-8"), now=now, zone=zone)
        except UnicodeDecodeError as error:
            raise BadInputError("message-file", f"{path.name} is a sample but not UTF-8") from error
    messages = [part for part in _split(raw) if part.strip()]
    if not messages:
        raise BadInputError("message-file", f"{path.name} holds no HL7 message")
    return messages


def _split(raw: bytes) -> list[bytes]:
    plain = (
        raw.removeprefix(b"\xef\xbb\xbf")
        .replace(b"\x0b", b"")
        .replace(b"\x1c\r", b"\r")
        .replace(b"\x1c", b"\r")
    )
    return re.split(rb"(?<=[\r\n])(?=MSH[^A-Za-z0-9])", plain)
