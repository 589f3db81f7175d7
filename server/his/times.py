"""HL7 v2 time stamps (TS, DTM, DT)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from server.his.refusal import wrong_form

_STAMP = re.compile(
    r"(?P<date>\d{8})(?P<hour>\d{2})?(?P<minute>\d{2})?(?P<second>\d{2})?(?:\.(?P<part>\d{1,6})\d*)?"
    r"(?P<zone>[+-]\d{4})?\Z",
    re.ASCII,
)


def parse_stamp(text: str, zone: ZoneInfo, *, where: str) -> datetime | None:
    """Read a time stamp as aware UTC; ``None`` when the field is empty.

    Args:
        text: ``YYYYMMDD[HH[MM[SS[.ffff]]]][+/-ZZZZ]``.
        zone: The hospital's zone, used when the stamp carries none.
        where: The field's place, for the refusal.

    Raises:
        RefusedMessageError: It is not a time stamp of at least a day.
    """
    if not text:
        return None
    found = _STAMP.match(text)
    if found is None:
        raise wrong_form(where, "a time stamp YYYYMMDDHHMMSS")
    parts = found.groupdict()
    try:
        local = datetime.strptime(parts["date"], "%Y%m%d").replace(
            hour=int(parts["hour"] or 0),
            minute=int(parts["minute"] or 0),
            second=int(parts["second"] or 0),
            microsecond=int((parts["part"] or "0").ljust(6, "0")),
            tzinfo=_offset(parts["zone"]) or zone,
        )
        return local.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise wrong_form(where, "a time stamp YYYYMMDDHHMMSS") from error


def _offset(text: str | None) -> timezone | None:
    if not text:
        return None
    minutes = int(text[1:3]) * 60 + int(text[3:5])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def parse_day(text: str, *, where: str) -> date | None:
    """Read a date of birth; ``None`` when the field is empty or says less than a day.

    Raises:
        RefusedMessageError: It is not a date.
    """
    if not text or (text.isascii() and text.isdigit() and len(text) in {4, 6}):
        return None
    if not re.match(r"\d{8}(?:\d{2,6}(?:\.\d+)?)?(?:[+-]\d{4})?\Z", text, re.ASCII):
        raise wrong_form(where, "a date YYYYMMDD")
    try:
        return datetime.strptime(text[:8], "%Y%m%d").date()  # noqa: DTZ007 - a birth date has no zone
    except ValueError as error:
        raise wrong_form(where, "a date YYYYMMDD") from error


def stamp(moment: datetime, zone: ZoneInfo) -> str:
    """Write a time stamp with the hospital's local time and its offset."""
    return moment.astimezone(zone).strftime("%Y%m%d%H%M%S%z")
