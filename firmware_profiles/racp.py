"""Record Access Control Point: the few requests we make, and what a meter answers.

Only *report* and nothing else can be built here, so that no record on a meter can ever be deleted.
Source: Bluetooth SIG GATT XML 2017, record_access_control_point; operand filter 1 is the sequence number.
"""

from __future__ import annotations

from dataclasses import dataclass

REPORT = 0x01
ALL = 0x01
AT_LEAST = 0x03
BY_SEQUENCE = 0x01
RESPONSE = 0x06
SUCCESS = 1
NO_RECORDS = 6
SEQUENCE_MODULUS = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What the meter said of one request: 1 done, 6 nothing found, others are refusals."""

    request: int
    code: int


def report_all() -> bytes:
    """Ask for every stored record."""
    return bytes((REPORT, ALL))


def report_since(sequence: int) -> bytes:
    """Ask for every stored record numbered ``sequence`` or higher.

    Raises:
        ValueError: Not a number a record can have.
    """
    if not 0 <= sequence < SEQUENCE_MODULUS:
        raise ValueError("a record's number has 16 bits")
    return bytes((REPORT, AT_LEAST, BY_SEQUENCE)) + sequence.to_bytes(2, "little")


def response(data: bytes) -> Response | None:
    """Read the meter's answer; None when these bytes are none."""
    if len(data) != 4 or data[0] != RESPONSE or data[1] != 0:
        return None
    return Response(request=data[2], code=data[3])
