"""Two ward servers on one PostgreSQL store: one works, one stands by, and nothing is lost between them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.local import LocalBroker
from broker.tls import client_context
from broker.topics import Up
from tests.faults.server.conftest import OXIMETER, SPO2, WARD_FILE, Rows
from tests.server.conftest import _fresh_database
from tests.support.pki import Pki
from tests.support.server_process import NodeStandIn, WardProcess, until

pytestmark = [pytest.mark.slow, pytest.mark.requirement("R-SRV-62"), pytest.mark.hazard("H-SRV-18")]


@dataclass
class Pair:
    """Two ward servers on one store and one broker, and a bedside node."""

    servers: tuple[WardProcess, WardProcess]
    node: NodeStandIn
    url: str

    def stored(self) -> dict[str, int]:
        rows = Rows(self.url)
        found = dict(rows.ids("SELECT id FROM samples"))
        rows.close()
        return found

    def put(self, count: int) -> None:
        for _ in range(count):
            self.node.put(Up.READINGS, self.node.reading(OXIMETER, {SPO2: (97, "%")}))

    def is_through(self) -> bool:
        """Whether everything is acknowledged; what is not is sent again."""
        if self.node.waiting:
            self.node.resend()
        return not self.node.waiting

    def stand_by(self, server: WardProcess) -> threading.Thread:
        """Start a server that finds the store owned; returns what waits for it to take over."""
        thread = threading.Thread(target=server.start)
        thread.start()
        log = server.directory / "server.log"
        until(lambda: log.exists() and "standing-by" in server.log)
        return thread


def end(server: WardProcess) -> None:
    """Kill a server that may have ended by itself."""
    if server._process is not None:
        server._process.kill()
        server._process.communicate()
        server._process = None


@pytest.fixture
def pair(tmp_path: Path, postgres_url: str) -> Iterator[Pair]:
    url, pki = _fresh_database(postgres_url), Pki(tmp_path / "pki")
    with LocalBroker(tmp_path / "broker", pki.ca_file, pki.server.cert, pki.server.key) as broker:
        mine = pki.client("wardlink-server")
        mqtt = (
            f'[mqtt]\nport = {broker.port}\nca_file = "{pki.ca_file}"\n'
            f'cert_file = "{mine.cert}"\nkey_file = "{mine.key}"\n'
        )
        one, two = (WardProcess(tmp_path / name, WARD_FILE, url=url, mqtt=mqtt) for name in ("a", "b"))
        key = pki.client("bed-01")
        tls = client_context(pki.ca_file, key.cert, key.key)
        node = NodeStandIn("bed-01", "outbox-1", "127.0.0.1", broker.port, tls)
        try:
            yield Pair((one, two), node, url)
        finally:
            node.stop()
            for server in (one, two):
                end(server)


@pytest.mark.timeout(90)
def test_a_killed_server_is_followed_by_its_standby_and_nothing_is_lost_or_doubled(pair: Pair) -> None:
    first, second = pair.servers
    first.start()
    takes_over = pair.stand_by(second)
    pair.node.status()
    pair.put(100)
    until(pair.stored)
    pair.put(100)
    first.kill()
    pair.put(100)
    takes_over.join(20)
    assert second.ready["ready"]
    until(pair.is_through, 30)
    assert pair.stored() == {f"outbox-1-{seq}": 1 for seq in range(1, 301)}
    with second.client() as client:
        assert client.get("/ledger").json()["readings"]["outboxes"] == {"bed-01": {"outbox-1": [[1, 300]]}}


@pytest.mark.full  # the rule without processes stands in tests/server/storage/test_ownership.py
@pytest.mark.timeout(90)
def test_an_owner_that_was_cut_off_finds_its_standby_at_work_and_ends_by_itself(pair: Pair) -> None:
    first, second = pair.servers
    first.start()
    takes_over = pair.stand_by(second)
    process, rows = first._process, Rows(pair.url)
    assert process is not None
    process.send_signal(signal.SIGSTOP)  # its machine hangs; PostgreSQL takes it for dead
    rows.all(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks JOIN pg_database d ON d.oid = database "
        "WHERE locktype = 'advisory' AND datname = current_database()"
    )
    rows.close()
    takes_over.join(20)
    assert second.ready["ready"]
    pair.put(50)
    process.send_signal(signal.SIGCONT)
    pair.put(50)
    assert process.wait(20) == 0
    assert "store-taken-over" in first.log
    until(pair.is_through, 30)
    assert pair.stored() == {f"outbox-1-{seq}": 1 for seq in range(1, 101)}


def test_a_second_server_on_a_sqlite_store_says_so_and_ends(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ward.db'}"
    first, second = (WardProcess(tmp_path / name, WARD_FILE, url=url) for name in ("a", "b"))
    first.start()
    try:
        with pytest.raises(AssertionError, match="another server is running on this store"):
            second.start()
        with first.client() as nurse:
            assert nurse.get("/ledger").status_code == 200
    finally:
        end(first)
        end(second)
