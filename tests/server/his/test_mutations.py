from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server.his.port import MessageState
from server.his.receiver import Receiver
from server.his.samples import load
from tests.support.hospital import MemoryIntake, MemoryMessages, RememberedFacts

DEMO = Path(__file__).resolve().parents[3] / "deploy" / "demo" / "hl7"
NOW = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)


def seeds(samples: Path) -> list[bytes]:
    files = [*sorted(samples.glob("*.hl7")), *sorted(DEMO.glob("*.hl7"))]
    return [raw for file in files for raw in load(file, now=NOW)]


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """Cut, swap, repeat and overwrite pieces, as a broken line or a broken sender does."""
    data = bytearray(raw)
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(data) + 1), chance.randint(0, 12)
        piece = bytes(data[at : at + length])
        match chance.randrange(5):
            case 0:
                del data[at:]
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = piece * chance.randint(1, 5)
            case 3:
                data[at : at + length] = chance.randbytes(length)
            case _:
                data[at:at] = chance.choice([b"|", b"^", b"~", b"\\", b"&", b"\r", b'""', b"\x00", b"\x1c"])
    return bytes(data)


def check(raw: bytes) -> MessageState:
    """One message in a ward of its own: answered, settled, and applied wholly or not at all."""
    facts, store = RememberedFacts(), MemoryMessages()
    frames = Receiver(intake=MemoryIntake(facts, store)).handle(raw, "test")
    (row,) = store.rows
    assert row.state is not MessageState.RECEIVED
    assert (row.state is MessageState.APPLIED) == bool(facts.applied)
    assert row.raw == raw
    if row.state in {MessageState.ERROR, MessageState.REJECTED}:
        assert row.error_code not in {"", "internal"}
        assert row.detail.endswith(".")
        assert all(b"\rMSA|A" in frame or b"\rMSA|C" in frame for frame in frames)
    return row.state


@pytest.mark.requirement("R-HIS-06")
def test_a_thousand_broken_messages_are_each_answered_with_a_reason(samples: Path) -> None:
    chance, originals = random.Random(20261125), seeds(samples)
    states = {check(mutated(chance.choice(originals), chance)) for _ in range(1000)}
    assert states >= {MessageState.APPLIED, MessageState.ERROR, MessageState.REJECTED}


@pytest.mark.full
def test_ten_thousand_more_broken_messages_are_each_answered_with_a_reason(samples: Path) -> None:
    chance, originals = random.Random(7), seeds(samples)
    for _ in range(10_000):
        check(mutated(chance.choice(originals), chance))
