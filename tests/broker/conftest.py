"""A real Mosquitto with real certificates, shared by this directory's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from broker.acl import SERVER_USER
from broker.local import LocalBroker
from tests.support import mqtt_peer
from tests.support.mqtt_peer import Peer
from tests.support.pki import Pair, Pki


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def local(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    state = tmp_path_factory.mktemp("broker")
    with LocalBroker(state, pki.ca_file, pki.server.cert, pki.server.key) as broker:
        yield broker


@pytest.fixture
def connect(pki: Pki) -> Iterator[Callable[[LocalBroker, Pair], Peer]]:
    """Return a function that connects a peer; every peer is closed after the test."""
    peers: list[Peer] = []

    def _connect(broker: LocalBroker, identity: Pair) -> Peer:
        peers.append(mqtt_peer.connect(broker, identity, pki.ca_file))
        return peers[-1]

    yield _connect
    for peer in peers:
        peer.close()


@pytest.fixture
def server_identity(pki: Pki) -> Pair:
    return pki.client(SERVER_USER)
