"""Identifiers made on the handheld: UUIDv7, so that they sort by time and need no server."""

from __future__ import annotations

import secrets
from datetime import datetime
from uuid import UUID


def uuid7(at: datetime) -> str:
    """Make a UUIDv7 for this instant (RFC 9562 §5.7): 48 bits of milliseconds, 74 random bits."""
    milliseconds = int(at.timestamp() * 1000) & ((1 << 48) - 1)
    high = (milliseconds << 16) | (0x7 << 12) | secrets.randbits(12)
    value = (high << 64) | (0b10 << 62) | secrets.randbits(62)
    return str(UUID(int=value))
