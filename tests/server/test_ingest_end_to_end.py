"""Real Mosquitto over TLS, the server in its own process, a node with an outbox; both sides get killed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select

from broker import topics
from broker.local import LocalBroker
from broker.messages import AlarmMessage, Event, Wave
from broker.tls import client_context
from broker.topics import Up
from clinical.records import AlarmPriority, Generation
from server.storage import schema
from tests.support.pki import Pki
from tests.support.server_process import NodeStandIn, WardProcess, until

WARD_FILE = Path(__file__).parents[1] / "data" / "ward.toml"
SPO2 = "MDC_PULS_OXIM_SAT_O2"
OXIMETER = "serial:oximeter-01"


@dataclass
class Wire:
    broker: LocalBroker
    server: WardProcess
    pki: Pki
    nodes: list[NodeStandIn]

    def node(self, name: str = "bed-01", outbox: str = "outbox-1") -> NodeStandIn:
        pair = self.pki.client(name)
        context = client_context(self.pki.ca_file, pair.cert, pair.key)
        node = NodeStandIn(name, outbox, "127.0.0.1", self.broker.port, context)
        self.nodes.append(node)
        return node

    def count(self, table: object) -> int:
        engine = create_engine(self.server.url)
        with engine.connect() as connection:
            found = connection.scalar(select(func.count()).select_from(table))  # type: ignore[arg-type]
        engine.dispose()
        return int(found or 0)


def _wire(tmp_path: Path, url: str) -> Iterator[Wire]:
    pki = Pki(tmp_path / "pki")
    broker = LocalBroker(tmp_path / "broker", pki.ca_file, pki.server.cert, pki.server.key)
    broker.start()
    mine = pki.client("wardlink-server")
    mqtt = (
        f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\nca_file = "{pki.ca_file}"\n'
        f'cert_file = "{mine.cert}"\nkey_file = "{mine.key}"\n'
    )
    wire = Wire(broker, WardProcess(tmp_path / "server", WARD_FILE, url=url, mqtt=mqtt), pki, [])
    wire.server.start()
    try:
        yield wire
    finally:
        for node in wire.nodes:
            node.stop()
        wire.server.kill()
        broker.stop()


@pytest.fixture
def any_wire(tmp_path: Path, any_url: str) -> Iterator[Wire]:
    yield from _wire(tmp_path, any_url)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    yield from _wire(tmp_path, "")


@pytest.mark.slow
@pytest.mark.requirement("R-SRV-02")
@pytest.mark.hazard("H-SRV-01")
def test_killing_the_server_in_the_middle_of_ingest_loses_nothing_and_doubles_nothing(any_wire: Wire) -> None:
    node = any_wire.node()
    node.status()
    for round_number in range(3):
        for _ in range(120):
            node.put(Up.READINGS, node.reading(OXIMETER, {SPO2: (97, "%")}))
        if round_number < 2:
            any_wire.server.kill()
            any_wire.server.start()
            node.resend()
    until(lambda: not node.waiting or node.resend(), 30)
    until(lambda: any_wire.count(schema.samples) == 360)
    with any_wire.server.client() as client:
        ledger = client.get("/ledger").json()["readings"]
    assert ledger["stored"] == 360
    assert ledger["outboxes"] == {"bed-01": {"outbox-1": [[1, 360]]}}
    assert ledger["gaps_open"] == 0
    assert any_wire.server.stop() == 0


@pytest.mark.slow
@pytest.mark.requirement("R-SRV-02")
@pytest.mark.hazard("H-SRV-01")
def test_killing_the_broker_loses_nothing_that_an_outbox_still_holds(wire: Wire) -> None:
    node = wire.node()
    for _ in range(100):
        node.put(Up.READINGS, node.reading(OXIMETER, {SPO2: (97, "%")}))
    wire.broker.kill()
    for _ in range(100):
        node.put(Up.READINGS, node.reading(OXIMETER, {SPO2: (96, "%")}), send=False)
    wire.broker.start()
    with wire.server.client() as client:
        until(lambda: client.get("/health").json()["parts"]["broker"]["ok"])

    def all_there() -> bool:
        node.resend()
        return wire.count(schema.samples) == 200

    until(all_there, 30)
    until(lambda: not node.waiting or node.resend())


@pytest.mark.slow
def test_a_gap_is_known_asked_for_again_and_closed_when_it_comes(wire: Wire) -> None:
    node = wire.node()
    messages = [node.reading(OXIMETER, {SPO2: (97, "%")}) for _ in range(5)]
    for message in (messages[0], messages[1], messages[4]):
        node.put(Up.READINGS, message)
    asked = until(lambda: [acks.resend for acks in node.acks if acks.resend], 20)
    assert asked[0] == [(3, 4)]
    for message in messages[2:4]:
        node.put(Up.READINGS, message)
    until(lambda: any(acks.committed == [(1, 5)] for acks in node.acks))


def test_poison_is_put_aside_with_its_reason_and_what_follows_goes_in(wire: Wire) -> None:
    node = wire.node()
    node.publish(topics.up("bed-01", Up.READINGS), b"{not json")
    node.publish(topics.up("bed-01", Up.WAVES), b"\xff\xff")
    node.publish(topics.up("bed-01", Up.READINGS), b'{"v":1,"node":"bed-02"}')
    node.put(Up.READINGS, node.reading(OXIMETER, {SPO2: (97, "%")}))
    until(lambda: wire.count(schema.samples) == 1)
    assert wire.count(schema.ingest_quarantine) == 3


def test_evicted_numbers_are_accounted_for_and_no_gap(wire: Wire) -> None:
    node = wire.node()
    node.put(Up.READINGS, node.reading(OXIMETER, {SPO2: (97, "%")}))
    node.seq = 9
    event = Event(
        **node.envelope(), id="ev-1", kind="evicted", effective=datetime.now(UTC), detail={"ranges": "2-9"}
    )
    node.put(Up.EVENTS, event)
    until(lambda: any(acks.committed == [(1, 10)] for acks in node.acks))


def test_a_sample_heard_by_two_nodes_is_stored_once_and_both_may_forget_it(wire: Wire) -> None:
    first, second = wire.node(), wire.node("bed-02", "outbox-2")
    message = first.reading(OXIMETER, {SPO2: (97, "%")})
    twin = second.reading(OXIMETER, {SPO2: (97, "%")}, id=message.id, effective=message.effective)
    first.put(Up.READINGS, message)
    second.put(Up.READINGS, twin)
    until(lambda: not first.waiting and not second.waiting)
    assert wire.count(schema.samples) == 1


def test_waves_alarms_and_presence_arrive_and_an_acknowledgement_goes_back_down(wire: Wire) -> None:
    node = wire.node()
    node.status()
    now = datetime.now(UTC)
    node.put(
        Up.WAVES,
        Wave(
            **node.envelope(),
            id="w-1",
            device=OXIMETER,
            effective=now,
            code="MDC_PULS_OXIM_PLETH",
            unit="1",
            rate_hz=75.0,
            gain=1.0,
            generation=Generation.DEMO,
            samples=b"\x01\x00" * 75,
        ),
    )
    node.put(
        Up.ALARMS,
        AlarmMessage(
            **node.envelope(),
            id="al-1",
            condition="limit-low",
            kind="physiological",
            priority=AlarmPriority.HIGH,
            phase="start",
            effective=now,
            device=OXIMETER,
            generation=Generation.DEMO,
            params={"code": SPO2},
        ),
    )
    until(lambda: not node.waiting)
    with wire.server.client() as client:
        alarms = client.get("/alarms").json()["alarms"]
        assert [alarm["condition"] for alarm in alarms] == ["limit-low"]
        answer = client.post(f"/alarms/{alarms[0]['id']}/acknowledge")
        assert answer.json()["acknowledged_by"] == "N20713"
        command = until(lambda: node.commands)[0]
        assert (command.kind, command.alarm) == ("acknowledge-alarm", "al-1")
        nodes = {one["id"]: one["state"] for one in client.get("/nodes").json()["nodes"]}
    assert nodes == {"bed-01": "online", "bed-02": "never-seen"}
    assert wire.count(schema.waves) == 1


def test_a_node_gets_its_targets_even_when_it_comes_later_than_they_do(wire: Wire) -> None:
    node = wire.node()
    node.status()
    targets = until(lambda: node.targets)
    assert targets[-1].targets == []
    assert targets[-1].thresholds["stale_s"] == 10.0
    assert timedelta(0) < datetime.now(UTC) - datetime(2020, 1, 1, tzinfo=UTC)
