"""A ward under load whose parts can be killed: real broker, real server process, either store, real HTTP."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import create_engine, text

from broker.local import LocalBroker, free_ports
from broker.tls import client_context
from broker.topics import Up
from clinical.bedside_check.model import Action, CheckRequest, HandheldState, Operator
from clinical.exchange import AdministrationRecorded
from pda_app import wire
from server.storage import care
from tests.server.conftest import _fresh_database, postgres_url  # noqa: F401 - fixtures and their maker
from tests.support.pki import Pki
from tests.support.server_process import NodeStandIn, WardProcess, until

WARD_FILE = Path(__file__).parents[2] / "data" / "ward.toml"
OXIMETER, SPO2 = "serial:oximeter-01", "MDC_PULS_OXIM_SAT_O2"
NURSE = "N20713"
STORED = {"accepted", "accepted-exception", "duplicate", "replayed"}
ORDER = (
    "MSH|^~\\&|HIS|H|WARDLINK|W1|{now}||RDE^O11^RDE_O11|C2|T|2.6||||||UNICODE UTF-8\r"
    "PID|1||7001^^^H^MR||张^三||19580614|M\rORC|NW|F1^HIS|||||||{now}||N10001^赵|D30012^李\r"
    "TQ1|1||Q5MIN||||{now}||R\rRXE||PCT500^药片|1||{{tablet}}^片^UCUM\rRXR|PO^口服^HL70162\r"
)
ADMIT = (
    "MSH|^~\\&|HIS|H|WARDLINK|W1|{now}||ADT^A01^ADT_A01|C1|T|2.6||||||UNICODE UTF-8\r"
    "PID|1||7001^^^H^MR||张^三||19580614|M\rPV1|1|I|W1^^01||||||||||||||||V7001\r"
    "AL1|1|DA|NKDA^无药物过敏史^L\r"
)


class Load:
    """A bedside that measures and a nurse who records without pause; both keep what is not answered."""

    def __init__(self, ward: FaultWard) -> None:
        self.ward = ward
        self.node = ward.node()
        self.acknowledged: Counter[str] = Counter()
        self.tries = self.refused = 0
        self._stop, self._ended = threading.Event(), False
        self._numbers = iter(range(1, 1_000_000))
        ward.loads.append(self)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._measure, self._record)]
        for thread in self._threads:
            thread.start()

    def _measure(self) -> None:
        while not self._stop.wait(0.004):
            self.node.put(Up.READINGS, self.node.reading(OXIMETER, {SPO2: (97, "%")}))

    def _record(self) -> None:
        with self.ward.client() as client:
            while not self._stop.is_set():
                batch = [self._event(next(self._numbers)) for _ in range(3)]
                self._send(client, batch)

    def _event(self, number: int) -> AdministrationRecorded:
        now = datetime.now(UTC)
        request = CheckRequest(
            id=f"r{number}", action=Action.GIVE, now=now, handheld=HandheldState(id="pda-1"),
            operator=Operator(id=NURSE, roles=("nurse",)),
        )  # fmt: skip
        return AdministrationRecorded(
            id=f"event-{number:06d}", at=now, sent=now, operator=NURSE, handheld="pda-1", request=request,
            task_id=self.ward.tasks[number % len(self.ward.tasks)], order_id="O-F1", order_version=1,
            outcome="held" if number % 10 else "given",
        )  # fmt: skip

    def _send(self, client: httpx2.Client, batch: list[AdministrationRecorded]) -> None:
        """Send until it is answered, as a handheld does; only an answer counts as acknowledged."""
        body = wire.encode({"events": batch})
        while True:
            self.tries += 1
            try:
                answer = client.post("/events", content=body, headers={"content-type": "application/json"})
            except httpx2.TransportError:
                if self._ended:
                    return
                time.sleep(0.02)
                continue
            if answer.status_code == 503:
                self.refused += 1
                time.sleep(0.05)
                continue
            assert answer.status_code == 200, answer.text
            outcomes = answer.json()["outcomes"]
            assert {one["status"] for one in outcomes} <= STORED, outcomes
            self.acknowledged.update(one["event_id"] for one in outcomes)
            return

    def end(self) -> None:
        """Stop at once: the test is over, however it went."""
        self._ended = True
        self._stop.set()
        for thread in self._threads:
            thread.join(10)

    def finish(self) -> None:
        """Let everything through, then look."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        until(self._is_through, 90)

    def _is_through(self) -> bool:
        """Wait for acknowledgements; send the rest again only when none came for a while, as a node does."""
        before = len(self.node.waiting)
        time.sleep(1.0 if before else 0.0)
        if before and len(self.node.waiting) == before:
            self.node.resend()
        return not self.node.waiting


class FaultWard:
    """A server process with one patient and an order every five minutes, on a store that may misbehave."""

    def __init__(self, directory: Path, url: str, process: Callable[..., WardProcess] = WardProcess) -> None:
        self._pki = Pki(directory / "pki")
        pair = self._pki.server
        self.broker = LocalBroker(directory / "broker", self._pki.ca_file, pair.cert, pair.key)
        self.broker.start()
        mine = self._pki.client("wardlink-server")
        mqtt = (
            f'[mqtt]\nport = {self.broker.port}\nca_file = "{self._pki.ca_file}"\ncert_file = "{mine.cert}"\n'
            f'key_file = "{mine.key}"\nbatch_ms = 20\n[his]\nmllp_port = {free_ports(1)[0]}\n'
        )
        self.server = process(directory / "server", WARD_FILE, url=url, mqtt=mqtt)
        self._nodes: list[NodeStandIn] = []
        self.loads: list[Load] = []
        self.tasks: list[str] = []
        self._token = ""

    def start(self) -> None:
        """Start the server and admit the patient."""
        self.server.start()
        with self.server.client() as client:
            self._token = client.headers["authorization"]
        now = datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")
        for message in (ADMIT, ORDER):
            self.tell(message.format(now=now))
        with self.client() as client:
            facts = client.get("/wards/W1/changes").json()["facts"]
        self.tasks = sorted(one["id"] for one in facts["tasks"])
        assert len(self.tasks) > 200

    def tell(self, message: str) -> None:
        """Send one message as the hospital does; it has to be accepted."""
        with socket.create_connection(("127.0.0.1", int(self.server.ready["mllp_port"])), 10) as line:
            line.sendall(b"\x0b" + message.encode() + b"\x1c\r")
            answer = b""
            while b"\x1c\r" not in answer:
                answer += line.recv(4096)
        assert b"MSA|AA" in answer, answer.decode()

    def client(self) -> httpx2.Client:
        """Somebody who is signed in; a session outlives the server."""
        headers = {"authorization": self._token}
        return httpx2.Client(base_url=f"{self.server.base}/api/v1", timeout=30.0, headers=headers)

    def signed_in(self, badge: str, pin: str, handheld: str) -> httpx2.Client:
        """Somebody on a handheld of their own."""
        client = httpx2.Client(base_url=f"{self.server.base}/api/v1", timeout=30.0)
        answer = client.post("/sessions", json={"badge": badge, "pin": pin, "handheld": handheld})
        client.headers["authorization"] = f"Bearer {answer.raise_for_status().json()['token']}"
        return client

    def node(self) -> NodeStandIn:
        """The bedside node of bed 01."""
        pair = self._pki.client("bed-01")
        context = client_context(self._pki.ca_file, pair.cert, pair.key)
        node = NodeStandIn("bed-01", "outbox-1", "127.0.0.1", self.broker.port, context)
        self._nodes.append(node)
        return node

    def stop(self) -> None:
        """End everything."""
        self.server.kill()
        for load in self.loads:
            load.end()
        for node in self._nodes:
            node.stop()
        self.broker.stop()

    def settle(self, load: Load) -> dict[str, int]:
        """Hold what was acknowledged against the store; returns the figures."""
        load.finish()
        with self.client() as client:
            until(lambda: client.get("/health").json()["ok"], 30)
        assert self.server.stop() == 0
        rows = Rows(self.server.url)
        stored = rows.ids("SELECT id FROM samples")
        assert stored == Counter({f"outbox-1-{seq}": 1 for seq in range(1, load.node.seq + 1)})
        ranges = rows.all("SELECT first, last FROM ingest_intervals WHERE outbox = 'outbox-1'")
        assert ranges == [(1, load.node.seq)]
        wanted = Counter(dict.fromkeys(load.acknowledged, 1))
        assert wanted
        for query in (
            "SELECT id FROM events",
            "SELECT id FROM facts WHERE kind = 'administrations'",
            "SELECT event_id FROM administrations_to_tell",
            "SELECT id FROM fact_history WHERE kind = 'administrations'",
        ):
            assert rows.ids(query) == wanted, query
        rows.close()
        report = care.verify(self.server.url)
        assert report["ok"], report
        return {"readings": load.node.seq, "acts": len(wanted), "tries": load.tries}


class Rows:
    """The store's rows by plain SQL."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)

    def all(self, query: str) -> list[tuple[Any, ...]]:
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def ids(self, query: str) -> Counter[str]:
        return Counter(row[0] for row in self.all(query))

    def close(self) -> None:
        self._engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest) -> str:
    """An empty store of each kind; empty text = SQLite beside the server."""
    return "" if request.param == "sqlite" else _fresh_database(request.getfixturevalue("postgres_url"))


@pytest.fixture
def ward_on(tmp_path: Path) -> Iterator[Callable[..., FaultWard]]:
    """Make a running ward on a store."""
    made: list[FaultWard] = []

    def make(url: str, **said: Any) -> FaultWard:
        ward = FaultWard(tmp_path, url, **said)
        made.append(ward)
        ward.start()
        return ward

    yield make
    for ward in made:
        ward.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes; needs the right to mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)
