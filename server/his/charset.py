"""Which characters a message is written in (MSH-18, table HL70211)."""

from __future__ import annotations

import re

from server.his.refusal import RefusedMessageError

UTF8 = "UNICODE UTF-8"
_MAX_HEADER = 2048

# Table HL70211 and the spellings seen in the field; GB 18030 contains GBK and GB 2312.
_CODECS = {
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    "UNICODE": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "GB 18030-2000": "gb18030",
    "GB18030": "gb18030",
    "GB 18030": "gb18030",
    "GBK": "gb18030",
    "GB2312": "gb18030",
    "GB 2312-1980": "gb18030",
    "ISO IR87": "iso2022_jp",
    "BIG-5": "big5",
} | {f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)}


def declared_charset(raw: bytes) -> str:
    """Return what MSH-18 says, the first named set when it repeats, or an empty string."""
    header = re.split(rb"[\r\n]", raw[:_MAX_HEADER], maxsplit=1)[0].decode("latin-1")
    if len(header) < 4:
        return ""
    fields = header.split(header[3])
    field = fields[17] if len(fields) > 17 else ""
    return next((part.strip() for part in field.split("~") if part.strip()), "")


def codec_of(declared: str, *, default: str = UTF8) -> str:
    """Return Python's name for a declared character set.

    Args:
        declared: MSH-18; empty means the site's default.
        default: What this site agreed for messages that declare nothing. ASCII is a part of UTF-8.

    Raises:
        RefusedMessageError: The set is not known here.
    """
    codec = _CODECS.get((declared or default).upper())
    if codec is None:
        raise RefusedMessageError(
            "charset-unknown",
            "MSH-18 names a character set this system does not read; use UNICODE UTF-8 or GB 18030-2000.",
            hl7_code=103,
            where="MSH-18",
        )
    return codec


def decode(raw: bytes, *, default: str = UTF8) -> str:
    """Turn the bytes of a message into text, never guessing: a wrong letter in a name is a wrong name.

    Raises:
        RefusedMessageError: The set is unknown, or the bytes are not valid in it.
    """
    codec = codec_of(declared_charset(raw), default=default)
    if raw.startswith(b"\xef\xbb\xbf"):
        raw = raw[3:]
    try:
        return raw.decode(codec)
    except UnicodeDecodeError as error:
        raise RefusedMessageError(
            "charset-mismatch",
            "The bytes of the message are not valid in the character set that MSH-18 declares.",
            hl7_code=102,
            where="MSH-18",
        ) from error
