"""Two ward servers on one PostgreSQL database, each with wards of its own, and one standing by for both."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.acl import server_user
from broker.local import LocalBroker
from broker.tls import client_context
from broker.topics import Up
from clinical.errors import BadInputError
from server import settings
from server.opening import open_first
from server.storage import care
from server.storage.engine import address
from tests.faults.server.conftest import OXIMETER, SPO2, WARD_FILE, Rows
from tests.faults.server.test_standby import end
from tests.server.conftest import _fresh_database
from tests.support.pki import Pki
from tests.support.server_process import NodeStandIn, WardProcess, until

pytestmark = [pytest.mark.slow, pytest.mark.requirement("R-SRV-62"), pytest.mark.hazard("H-SRV-18")]
EAST, WEST = "east", "west"
NODES = {EAST: "bed-01", WEST: "bed-51"}


@dataclass
class House:
    """A database, a broker, a settings file for each share of the wards, and a node in each."""

    url: str
    workers: dict[str, WardProcess]
    nodes: dict[str, NodeStandIn]
    home: Path
    others: list[WardProcess]

    def worker(self) -> WardProcess:
        """A server process that takes whichever share is free."""
        one, two = self.workers.values()
        process = WardProcess(self.home / f"worker{len(self.others)}", WARD_FILE)
        process.config = one.config
        process_start = process.start
        process.start = lambda: process_start(str(two.config))  # type: ignore[method-assign]
        self.others.append(process)
        return process

    def put(self, count: int) -> None:
        for node in self.nodes.values():
            for _ in range(count):
                node.put(Up.READINGS, node.reading(OXIMETER, {SPO2: (97, "%")}))

    def is_through(self) -> bool:
        """Whether every node has heard that all it sent is stored; what is not is sent again."""
        for node in self.nodes.values():
            if node.waiting:
                node.resend()
        return not any(node.waiting for node in self.nodes.values())

    def stored(self, share: str) -> dict[str, int]:
        rows = Rows(address(self.url, share))
        found = dict(rows.ids("SELECT id FROM samples"))
        rows.close()
        return found


def _second_ward(file: Path) -> Path:
    text = WARD_FILE.read_text().replace('id = "W1"', 'id = "W2"', 1)
    file.write_text(text.replace('id = "bed-01"', 'id = "bed-51"').replace('id = "bed-02"', 'id = "bed-52"'))
    return file


@pytest.fixture
def house(tmp_path: Path, postgres_url: str) -> Iterator[House]:
    url, pki = _fresh_database(postgres_url), Pki(tmp_path / "pki")
    with LocalBroker(
        tmp_path / "broker", pki.ca_file, pki.server.cert, pki.server.key, shares=[EAST, WEST]
    ) as broker:
        seeds = {EAST: WARD_FILE, WEST: _second_ward(tmp_path / "west-ward.toml")}
        workers = {}
        for share, seed in seeds.items():
            mine = pki.client(server_user(share))
            mqtt = (
                f'[mqtt]\nport = {broker.port}\nca_file = "{pki.ca_file}"\n'
                f'cert_file = "{mine.cert}"\nkey_file = "{mine.key}"\n'
            )
            workers[share] = WardProcess(tmp_path / share, seed, url=url, mqtt=mqtt, pg_schema=share)
        nodes = {}
        for share, name in NODES.items():
            key = pki.client(name)
            tls = client_context(pki.ca_file, key.cert, key.key)
            nodes[share] = NodeStandIn(name, f"outbox-{share}", "127.0.0.1", broker.port, tls)
        found = House(url, workers, nodes, tmp_path, [])
        try:
            yield found
        finally:
            for node in nodes.values():
                node.stop()
            for server in found.others:
                end(server)


@pytest.mark.timeout(120)
def test_of_two_workers_that_own_wards_one_is_killed_and_nothing_is_lost_or_doubled(house: House) -> None:
    first, second, spare = house.worker(), house.worker(), house.worker()
    first.start()
    second.start()
    assert first.base != second.base  # each has taken another share
    takes_over = threading.Thread(target=spare.start)
    takes_over.start()
    log = spare.directory / "server.log"
    until(lambda: log.exists() and "standing-by" in log.read_text())
    for node in house.nodes.values():
        node.status()
    house.put(100)
    until(lambda: all(house.stored(share) for share in (EAST, WEST)))
    house.put(100)
    first.kill()
    house.put(100)
    until(lambda: len(house.stored(WEST)) == 300)  # the other worker's wards notice nothing
    takes_over.join(30)
    assert spare.base == first.base  # the dead worker's address answers again
    until(house.is_through, 30)
    for share, node in NODES.items():
        assert house.stored(share) == {f"outbox-{share}-{seq}": 1 for seq in range(1, 301)}
        rows = Rows(address(house.url, share))
        assert {row[0] for row in rows.all("SELECT DISTINCT node FROM ingest_intervals")} == {node}
        rows.close()
        assert care.verify(address(house.url, share))["ok"]


def test_servers_of_files_do_not_stand_by_for_each_other() -> None:
    file = {"server": {"state_dir": "."}, "storage": {"url": "sqlite:///a.db"}, "ward": {"seed": WARD_FILE}}
    choices = [settings.from_mapping(file, Path("/nowhere"))] * 2
    with pytest.raises(BadInputError) as caught:
        open_first(choices)
    assert caught.value.code == "storage-choice"
