from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.local import LocalBroker
from broker.messages import AlarmMessage, Command, Event, FlowTarget, Readings, Reply, Targets, Wave
from broker.topics import Down
from clinical.records import Generation
from edge_node.adapters import outbox_tool
from tests.support.edge_programs import DRIP, DRIP_UID, NODE, ROOT, Devices, NodeProgram, program
from tests.support.pki import Pki
from tests.support.ward_server import WardServer, until, waiting

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def broker(tmp_path: Path, pki: Pki) -> Iterator[LocalBroker]:
    with LocalBroker(tmp_path / "broker", pki.ca_file, pki.server.cert, pki.server.key) as started:
        yield started


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[Devices]:
    started = Devices(tmp_path)
    yield started
    if started.process.poll() is None:
        started.stop()


@pytest.fixture
def server(pki: Pki, broker: LocalBroker) -> Iterator[WardServer]:
    started = WardServer(pki, broker.port)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def node(tmp_path: Path, devices: Devices, broker: LocalBroker, pki: Pki) -> Iterator[NodeProgram]:
    made = NodeProgram(tmp_path, devices, broker, pki)
    yield made
    if made.process is not None:
        made.kill()


def target(volume_ml: float, rate_ml_h: float) -> Targets:
    one = FlowTarget(
        infusion="inf-1",
        device=DRIP_UID,
        state="running",
        rate_ml_h=Decimal(str(rate_ml_h)),
        drops_per_ml=20,
        volume_ml=Decimal(str(volume_ml)),
        started=datetime.now(UTC),
    )
    return Targets(version=1, targets=[one])


def readings(server: WardServer, device: str) -> list[Readings]:
    return [one for one in server.of(Readings) if isinstance(one, Readings) and one.device == device]


def alarms(server: WardServer, condition: str) -> list[AlarmMessage]:
    return [
        one for one in server.of(AlarmMessage) if isinstance(one, AlarmMessage) and one.condition == condition
    ]


def kinds(server: WardServer) -> list[str]:
    return [one.kind for one in server.of(Event) if isinstance(one, Event)]


def value(reading: Readings, code: str) -> Decimal | None:
    return next((one.n for one in reading.values if one.code == code), None)


def infused(server: WardServer) -> Decimal | None:
    own = [one for one in readings(server, DRIP_UID) if one.infusion == "inf-1"]
    return value(own[-1], "MDC_VOL_FLUID_DELIV_TOTAL") if own else None


@pytest.mark.requirement("R-EDGE-16")
def test_a_bag_runs_from_radio_to_server_and_its_end_is_alarmed_and_acknowledged(
    node: NodeProgram, devices: Devices, server: WardServer
) -> None:
    node.start()
    until(lambda: readings(server, DRIP_UID) and readings(server, "serial:nonin-1"))
    server.tell(NODE, Down.TARGETS, target(1.0, 360), retain=True)
    until(lambda: any(status.last_seq for status in server.statuses))
    devices.do(do="drip", device=DRIP, gtt_min=120, volume_ml=1.0)
    until(lambda: alarms(server, "near-end"))
    until(lambda: (infused(server) or 0) > Decimal("0.3"))
    server.tell(
        NODE,
        Down.COMMANDS,
        Command(id="c1", kind="acknowledge-alarm", alarm=alarms(server, "near-end")[0].id, by="nurse"),
    )
    until(lambda: [one for one in server.of(Reply) if isinstance(one, Reply) and one.ok])
    until(lambda: any(one.params.get("acknowledged_by") == "nurse" for one in alarms(server, "near-end")))
    until(lambda: infused(server) == 1)
    until(lambda: alarms(server, "empty"))
    assert server.of(Wave)
    assert {one.generation for one in readings(server, DRIP_UID)} == {Generation.DEMO}
    assert kinds(server).count("device-unknown") == 1
    assert node.stop() == 0
    until(lambda: server.statuses[-1].state == "offline")
    assert devices.stop() == 0


@pytest.mark.requirement("R-EDGE-01")
@pytest.mark.requirement("R-EDGE-10")
def test_a_node_that_is_killed_again_and_again_loses_nothing_and_counts_every_drop_once(
    node: NodeProgram, devices: Devices, server: WardServer
) -> None:
    node.start()
    until(lambda: readings(server, DRIP_UID))
    server.tell(NODE, Down.TARGETS, target(50, 360), retain=True)
    time.sleep(1)
    devices.do(do="drip", device=DRIP, gtt_min=180, volume_ml=50)
    for pause in (2.3, 1.1, 2.7):
        time.sleep(pause)
        node.kill()
        node.start()
    before = len(readings(server, DRIP_UID))
    until(lambda: len(readings(server, DRIP_UID)) > before + 2)
    devices.do(do="close", device=DRIP)
    total = devices.do(do="state")["drips"][DRIP]["total_drops"]
    until(lambda: infused(server) == Decimal(total) / 20)
    assert node.stop() == 0
    outboxes = {outbox for outbox, _ in server.got}
    assert len(outboxes) == 1
    numbers = sorted(seq for _, seq in server.got)
    left = {document["seq"] for document in outbox_tool.export(node.outbox)}
    assert set(range(1, numbers[-1] + 1)) == set(numbers) | left
    assert 2 <= kinds(server).count("booted") <= 4  # a slow machine is killed before it has booted


@pytest.mark.requirement("R-EDGE-02")
def test_a_killed_broker_and_a_silent_server_lose_nothing_and_the_past_comes_as_history(
    node: NodeProgram, broker: LocalBroker, server: WardServer
) -> None:
    server.acking = False
    node.start()
    until(lambda: len(server.got) > 8)
    broker.kill()
    time.sleep(7)
    assert not node.health()["ok"]
    broker.start()
    until(lambda: "backfill" in server.topics.values())
    server.acking = True
    until(lambda: len(server.got) > 20)
    server.acknowledge_all(NODE)
    until(lambda: waiting(node.outbox) < 10)
    until(lambda: node.health()["ok"])
    assert node.stop() == 0
    numbers = sorted(seq for _, seq in server.got)
    left = {document["seq"] for document in outbox_tool.export(node.outbox)}
    assert set(range(1, numbers[-1] + 1)) <= set(numbers) | left
    assert server.copies > 0


@pytest.mark.requirement("R-EDGE-17")
@pytest.mark.parametrize(
    ("wrong", "code"),
    [("foreign", "certificate-foreign"), ("name", "certificate-name"), ("authority", "broker-certificate")],
)
def test_a_wrong_certificate_is_named_in_both_languages_and_nothing_is_lost(
    node: NodeProgram, pki: Pki, tmp_path: Path, wrong: str, code: str
) -> None:
    other = Pki(tmp_path / "other", name="Another hospital")
    if wrong == "name":
        node.write(cert="node-2")
    elif wrong == "foreign":
        node.pki = other
        node.write(ca=pki.ca_file)
    else:
        node.pki = other
        node.write()
    node.start()
    until(lambda: code in {problem["code"] for problem in node.health()["problems"]})
    problem = next(one for one in node.health()["problems"] if one["code"] == code)
    assert problem["zh"] != problem["en"] != code
    until(lambda: waiting(node.outbox) > 3)
    assert node.stop() == 0


@pytest.mark.requirement("R-EDGE-17")
def test_a_revoked_certificate_is_told_as_refused(tmp_path: Path, devices: Devices, pki: Pki) -> None:
    pair = pki.client(NODE)
    crl = pki.crl(pair)
    with LocalBroker(tmp_path / "strict", pki.ca_file, pki.server.cert, pki.server.key, crl) as strict:
        made = NodeProgram(tmp_path, devices, strict, pki)
        text = (tmp_path / "node.toml").read_text()
        assert str(pair.cert) in text
        crl.write_bytes(pki.crl(pair, _last(pki)).read_bytes())
        strict.reload()
        made.start()
        until(
            lambda: (
                made.health()["problems"] and made.health()["problems"][0]["code"] == "certificate-refused"
            )
        )
        assert made.stop() == 0


def _last(pki: Pki) -> Any:
    """The certificate that the node file now holds, for the revocation list."""
    from cryptography import x509

    from tests.support.pki import Pair

    cert, key = pki.directory / f"{NODE}.crt", pki.directory / f"{NODE}.key"
    return Pair(cert, key, x509.load_pem_x509_certificate(cert.read_bytes()).serial_number)


@pytest.mark.parametrize(
    ("extra", "part"),
    [("colour = 1\n", "colour"), ("[[devices]]\nuid = 'x'\nprofile = 'p'\naddress = 'C0'\n", "devices")],
)
def test_wrong_settings_stop_the_node_with_one_clear_line(
    node: NodeProgram, extra: str, part: str, request: pytest.FixtureRequest
) -> None:
    node.write(extra=extra if "[[" not in extra else "")
    if "[[" in extra:
        path = node.directory / "node.toml"
        path.write_text(path.read_text() + extra)
    started = program("--config", str(node.directory / "node.toml"), stderr=subprocess.PIPE)
    _, error = started.communicate(timeout=20)
    assert started.returncode == 1
    assert error.startswith("wardlink edge: ")
    assert part in error
    assert "Traceback" not in error


def test_the_outbox_of_a_stopped_node_can_be_looked_into(node: NodeProgram) -> None:
    node.start()
    until(lambda: waiting(node.outbox) > 2)
    node.process.send_signal(signal.SIGINT) if node.process else None
    assert node.process is not None
    assert node.process.wait(15) == 0
    node.process = None
    inspected = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "edge", "outbox", "inspect", str(node.outbox)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(inspected.stdout)["waiting"] > 2
    exported = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "edge", "outbox", "export", str(node.outbox)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [json.loads(line)["seq"] for line in exported.stdout.splitlines()][:3] == [1, 2, 3]
