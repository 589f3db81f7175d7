"""Pieces that tests of hospital messages share."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker.tls import client_context, server_context
from server.his.reading import Site
from server.his.receiver import Receiver
from tests.support.hospital import MemoryIntake, MemoryMessages, RememberedFacts
from tests.support.pki import Pki

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "hl7"
NOW = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)

ADMIT = (
    "EVN||20261125080000+0800",
    "PID|1||P1^^^HOSP^MR||张^三||19580614|M",
    "PV1|1|I|W1^^01||||||||||||||||V1",
)
ORDER = (
    "PID|1||P1^^^HOSP^MR",
    "ORC|NW|O1^HIS|||||||20261125080000|||D1^李^明",
    "TQ1|1||BID||||20261125090000",
    "RXE||DRUG^头孢|2||g",
    "RXR|IV",
)


def build(
    kind: str, *segments: str, control_id: str = "C1", charset: str = "UNICODE UTF-8", codec: str = "utf-8",
    accept: str = "", answer: str = "", processing: str = "P", sender: str = "HIS", version: str = "2.6",
) -> bytes:  # fmt: skip
    header = (
        f"MSH|^~\\&|{sender}|HOSP|WARDLINK|W1|20261125100000||{kind}|{control_id}|{processing}|{version}"
        f"|||{accept}|{answer}||{charset}"
    )
    return "".join(f"{line}\r" for line in (header, *segments)).encode(codec)


@pytest.fixture(name="message")
def message_builder() -> Callable[..., bytes]:
    return build


@pytest.fixture
def admit() -> Callable[..., bytes]:
    return lambda **options: build("ADT^A01^ADT_A01", *ADMIT, **options)


@pytest.fixture
def order() -> Callable[..., bytes]:
    """An order message; ``changes`` replaces segments by their first three letters, "" leaves one out."""

    def make(*more: str, changes: dict[str, str] | None = None, **options: str) -> bytes:
        lines = [(changes or {}).get(line[:3], line) for line in ORDER]
        return build(options.pop("kind", "RDE^O11"), *(line for line in lines if line), *more, **options)

    return make


@pytest.fixture
def store() -> MemoryMessages:
    return MemoryMessages()


@pytest.fixture
def facts() -> RememberedFacts:
    return RememberedFacts()


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def receiver(store: MemoryMessages, facts: RememberedFacts, site: Site) -> Receiver:
    numbers = itertools.count(1)
    return Receiver(
        intake=MemoryIntake(facts, store), site=site, clock=lambda: NOW, new_id=lambda: f"W{next(numbers)}"
    )


@pytest.fixture
def samples() -> Path:
    return SAMPLES


@pytest.fixture(scope="session")
def tls_pair(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[ssl.SSLContext, ssl.SSLContext, ssl.SSLContext]:
    """A listener's context, a known client's, and that of a stranger who trusts the listener."""
    ours = Pki(tmp_path_factory.mktemp("ours"))
    theirs = Pki(tmp_path_factory.mktemp("theirs"))
    server, known, stranger = ours.server, ours.client("his"), theirs.client("his")
    return (
        server_context(server.cert, server.key, client_ca_file=ours.ca_file),
        client_context(ours.ca_file, known.cert, known.key),
        client_context(ours.ca_file, stranger.cert, stranger.key),
    )
