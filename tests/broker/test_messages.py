from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker import messages
from broker.messages import Acks, Backfill, Clock, Readings, Value, Wave, decode, encode
from clinical.errors import BadInputError
from clinical.records import Generation, Validity

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
ENVELOPE: dict[str, Any] = {"node": "node-a", "boot": "b1", "outbox": "o1", "seq": 1, "sent": AT}


def readings(value: Decimal | None) -> Readings:
    return Readings(
        **ENVELOPE,
        id="r1",
        device="ble:c0",
        profile="sig_plx",
        effective=AT,
        mono_ns=5,
        clock=Clock(state="unset"),
        generation=Generation.DEMO,
        values=[Value(code="MDC_PULS_OXIM_SAT_O2", n=value, unit="%")],
    )


@settings(deadline=None)
@given(st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=3))
def test_a_reading_comes_back_exactly(value: Decimal | None) -> None:
    message = readings(value)
    assert decode(encode(message), Readings) == message


def test_a_wave_travels_as_message_pack() -> None:
    wave = Wave(
        **ENVELOPE,
        id="w1",
        device="d",
        effective=AT,
        code="MDC_PULS_OXIM_PLETH",
        unit="1",
        rate_hz=75.0,
        gain=1.0,
        generation=Generation.DEMO,
        samples=b"\x01\x00" * 75,
    )
    payload = encode(wave)
    assert decode(payload, Wave) == wave
    assert not payload.startswith(b"{")


def test_backfill_carries_the_original_message_unchanged() -> None:
    body = encode(readings(Decimal("97.10")))
    sent = Backfill(**{**ENVELOPE, "seq": 2}, kind="readings", body=msgspec.Raw(body))
    assert bytes(decode(encode(sent), Backfill).body) == body


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "payload"),
        (b"{", "payload"),
        (b"\xff\xfe", "payload"),
        (b"[]", "payload"),
        (b'{"v":2,"outbox":"o","committed":[]}', "payload"),
        (b'{"outbox":"o","committed":[[0,1]]}', "payload"),
        (b"[" * 60_000, "payload"),
        (b" " * (messages.MAX_PAYLOAD + 1), "payload-too-large"),
    ],
)
def test_a_malformed_payload_is_refused_without_repeating_it(payload: bytes, code: str) -> None:
    with pytest.raises(BadInputError) as caught:
        decode(payload, Acks)
    assert caught.value.code == code


def test_a_newer_sender_may_add_keys() -> None:
    assert decode(b'{"outbox":"o","committed":[[1,2]],"later":true}', Acks).committed == [(1, 2)]


@settings(deadline=None)
@given(st.binary(max_size=64))
def test_noise_is_only_ever_refused(payload: bytes) -> None:
    for kind in (Readings, Wave, Acks):
        with pytest.raises(BadInputError):
            decode(payload, kind)


def test_no_number_needs_a_validity_to_say_why() -> None:
    value = decode(encode(readings(None)), Readings).values[0]
    assert value.n is None
    assert value.validity is Validity.VALID  # the node sets the word; the type only carries it
