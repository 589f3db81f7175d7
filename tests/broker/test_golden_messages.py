"""The wire as it was first spoken: every later version has to read these bytes and mean the same."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from broker import messages
from broker.messages import Message, decode, encode

GOLDEN = Path(__file__).resolve().parents[1] / "data" / "messages" / "v1"
KINDS: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (
        messages.Readings, messages.Wave, messages.Event, messages.AlarmMessage, messages.Backfill,
        messages.Reply, messages.Status, messages.Acks, messages.Targets, messages.Command, messages.Config,
    )
}  # fmt: skip


@pytest.mark.requirement("R-SYS-14")
@pytest.mark.parametrize("name", KINDS)
def test_a_message_of_the_first_version_is_read_and_written_again_unchanged(name: str) -> None:
    (file,) = GOLDEN.glob(f"{name}.*")
    payload = file.read_bytes().rstrip(b"\n") if file.suffix == ".json" else file.read_bytes()
    read = decode(payload, KINDS[name])
    assert encode(read) == payload


@pytest.mark.parametrize("name", [name for name in KINDS if name != "Wave"])
def test_a_newer_sender_may_say_more(name: str) -> None:
    said = msgspec.json.decode((GOLDEN / f"{name}.json").read_bytes())
    payload = msgspec.json.encode({**said, "something_new": 1})
    assert encode(decode(payload, KINDS[name])) == (GOLDEN / f"{name}.json").read_bytes().rstrip(b"\n")
