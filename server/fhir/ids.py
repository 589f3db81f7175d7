"""Our ids as FHIR ids (``[A-Za-z0-9-.]``, at most 64 signs) and back.

What fits stands for itself. Another sign becomes ``.`` and its UTF-8 bytes in two hexadecimal digits each,
so that nothing has to be remembered; an id that would grow too long becomes a digest, which only a look
through the records of its kind finds again.
"""

from __future__ import annotations

import hashlib
import re

MAX = 64
_PLAIN = re.compile(r"[A-Za-z0-9-]")
_WHOLE = re.compile(r"[A-Za-z0-9-]{1,64}")
_ESCAPED = re.compile(r"(?:[A-Za-z0-9-]|\.[0-9A-F]{2})+")
_DIGEST = re.compile(r"\.\.[0-9a-f]{40}")
VALID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def fhir_id(record_id: str) -> str:
    """Return the FHIR id of one of our ids."""
    if _WHOLE.fullmatch(record_id):
        return record_id
    escaped = "".join(
        sign if _PLAIN.fullmatch(sign) else "".join(f".{byte:02X}" for byte in sign.encode())
        for sign in record_id
    )
    return escaped if 0 < len(escaped) <= MAX else f"..{hashlib.sha256(record_id.encode()).hexdigest()[:40]}"


def record_id(text: str) -> str | None:
    """Return our id of a FHIR id; None when it is none of ours, or only a digest (:func:`is_digest`)."""
    if len(text) > MAX or not _ESCAPED.fullmatch(text):
        return None
    parts = re.findall(r"[A-Za-z0-9-]|\.[0-9A-F]{2}", text)
    raw = b"".join(bytes.fromhex(part[1:]) if part[0] == "." else part.encode() for part in parts)
    try:
        found = raw.decode()
    except UnicodeDecodeError:
        return None
    return found if fhir_id(found) == text and "\x00" not in found else None


def is_digest(text: str) -> bool:
    """Whether a FHIR id stands for one of ours that was too long."""
    return bool(_DIGEST.fullmatch(text))


def short(text: str, signs: int) -> str:
    """Return a short digest, for ids that are made of several parts."""
    return hashlib.sha256(text.encode()).hexdigest()[:signs]
