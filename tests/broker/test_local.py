from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from broker import local as module
from broker import topics
from broker.local import LocalBroker, program
from broker.tls import client_context
from broker.topics import Up
from clinical.errors import BadInputError, UnavailableError
from tests.support.mqtt_peer import Peer
from tests.support.pki import Pair, Pki


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def fresh(pki: Pki, state: Path) -> Iterator[LocalBroker]:
    broker = LocalBroker(state, pki.ca_file, pki.server.cert, pki.server.key)
    yield broker
    broker.stop()


def answers(broker: LocalBroker, context: ssl.SSLContext) -> bool:
    """Whether the broker talks MQTT to this client: it answers CONNECT with an accepting CONNACK."""
    name = b"x"
    connect = (
        b"\x10"
        + bytes([13 + len(name)])
        + b"\x00\x04MQTT\x05\x02\x00\x3c\x00\x00"
        + bytes([len(name)])
        + name
    )
    try:
        with (
            socket.create_connection(("localhost", broker.port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(connect)
            answer = secure.recv(64)
    except OSError:
        return False
    return len(answer) > 3 and answer[0] == 0x20 and answer[3] == 0


def client(pki: Pki, pair: Pair) -> ssl.SSLContext:
    return client_context(pki.ca_file, pair.cert, pair.key)


@pytest.mark.requirement("R-BRK-04")
def test_only_a_good_certificate_of_this_authority_gets_in(
    local: LocalBroker, pki: Pki, tmp_path: Path
) -> None:
    rogue = Pki(tmp_path / "rogue", name="Rogue root").client("node-a")
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.load_verify_locations(pki.ca_file)
    assert answers(local, client(pki, pki.client("node-a")))
    assert not answers(local, bare)
    assert not answers(local, client(pki, rogue))
    assert not answers(local, client(pki, pki.client("node-x", expired=True)))
    assert not answers(local, client(pki, pki.client("node-y", early=True)))


@pytest.mark.requirement("R-BRK-04")
def test_plain_mqtt_is_not_answered(local: LocalBroker) -> None:
    with socket.create_connection(("localhost", local.port), timeout=5) as plain:
        plain.sendall(b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01x")
        try:
            answer = plain.recv(64)
        except ConnectionError:
            answer = b""
    assert not answer.startswith(b"\x20")


@pytest.mark.requirement("R-BRK-05")
def test_a_revoked_certificate_is_refused_and_the_others_stay(pki: Pki, state: Path) -> None:
    good, bad = pki.client("node-good"), pki.client("node-bad")
    crl = pki.crl(bad)
    with LocalBroker(state, pki.ca_file, pki.server.cert, pki.server.key, crl_file=crl) as broker:
        assert answers(broker, client(pki, good))
        assert not answers(broker, client(pki, bad))


@pytest.mark.requirement("R-BRK-05")
def test_a_reload_revokes_and_silences_a_session_that_is_still_open(
    pki: Pki, state: Path, connect: Callable[..., Peer]
) -> None:
    bad = pki.client("node-bad")
    crl = pki.crl()
    with LocalBroker(state, pki.ca_file, pki.server.cert, pki.server.key, crl_file=crl) as broker:
        node = connect(broker, bad)
        assert not node.publish(topics.up("node-bad", Up.EVENTS)).is_failure
        pki.crl(bad)
        broker.reload(denied=["node-bad"])
        deadline = time.monotonic() + 5
        while not node.publish(topics.up("node-bad", Up.EVENTS)).is_failure:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert not answers(broker, client(pki, bad))
        node.client.disconnect()


def test_a_broken_or_old_revocation_list_is_never_given_to_the_broker(
    pki: Pki, state: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("garbage")
    with pytest.raises(BadInputError, match="not a revocation list"):
        LocalBroker(state, pki.ca_file, pki.server.cert, pki.server.key, crl_file=broken).start()
    old = pki.crl(until=pki.now - timedelta(hours=1))
    with pytest.raises(BadInputError, match="past its date"):
        LocalBroker(state, pki.ca_file, pki.server.cert, pki.server.key, crl_file=old).start()


def test_it_starts_on_a_free_port_and_leaves_no_process(fresh: LocalBroker) -> None:
    fresh.start()
    pid, port = fresh.pid, fresh.port
    assert pid
    assert port
    fresh.start()  # already running: nothing happens
    assert fresh.pid == pid
    fresh.stop()
    fresh.stop()
    fresh.kill()
    assert not Path(f"/proc/{pid}").exists()
    assert fresh.pid is None
    assert not (fresh.state_dir / "mosquitto.pid").exists()


@pytest.mark.requirement("R-BRK-06")
def test_it_comes_back_on_the_same_port_after_a_kill(
    fresh: LocalBroker, pki: Pki, connect: Callable[..., Peer]
) -> None:
    fresh.start()
    port = fresh.port
    fresh.kill()
    assert not fresh.running
    fresh.start()
    assert fresh.port == port
    assert not connect(fresh, pki.client("node-a")).publish(topics.up("node-a", Up.READINGS)).is_failure


def test_retained_messages_survive_an_orderly_restart(
    fresh: LocalBroker, pki: Pki, connect: Callable[..., Peer], server_identity: Pair
) -> None:
    fresh.start()
    node = connect(fresh, pki.client("node-a"))
    node.client.publish(topics.status("node-a"), b"online", qos=1, retain=True).wait_for_publish(5)
    node.client.disconnect()
    fresh.stop()
    fresh.start()
    server = connect(fresh, server_identity)
    server.subscribe("wardlink/v1/+/status")
    assert server.received.get(timeout=5) == ("wardlink/v1/node-a/status", b"online")


@pytest.mark.slow
def test_a_broker_left_by_a_killed_owner_is_ended_first(fresh: LocalBroker, pki: Pki) -> None:
    fresh.start()
    orphan = fresh.pid
    assert orphan
    again = LocalBroker(fresh.state_dir, pki.ca_file, pki.server.cert, pki.server.key, port=fresh.port)
    reaper = threading.Thread(target=fresh.wait)  # as init does for an orphan; else it stays as a zombie
    reaper.start()
    try:
        again.start()
        assert again.pid != orphan
        assert not fresh.running
    finally:
        again.stop()
        fresh.stop()
        reaper.join()


def test_another_program_in_the_pid_file_is_left_alone(fresh: LocalBroker) -> None:
    fresh.state_dir.mkdir()
    (fresh.state_dir / "mosquitto.pid").write_text(str(os.getpid()))
    fresh.start()
    assert fresh.running


def test_a_taken_port_is_said(pki: Pki, state: Path, local: LocalBroker) -> None:
    taken = LocalBroker(state, pki.ca_file, pki.server.cert, pki.server.key, port=local.port)
    with pytest.raises(UnavailableError, match="did not start") as caught:
        taken.start()
    assert caught.value.code == "broker-failed"
    assert not taken.running
    assert local.running


def test_a_free_port_that_is_taken_meanwhile_is_given_up_after_some_tries(
    fresh: LocalBroker, local: LocalBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "free_ports", lambda _count, _host: [local.port])
    monkeypatch.setattr(module, "PORT_TRIES", 2)
    with pytest.raises(UnavailableError):
        fresh.start()


def test_free_ports_are_different_and_no_outgoing_connection_takes_one() -> None:
    found = module.free_ports(20)
    assert len(set(found)) == 20
    lowest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(1023 < port < lowest_outgoing for port in found)
    for port in found:
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_a_port_in_use_is_not_called_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", module.free_ports(1)[0])) as taken:
        monkeypatch.setattr(module, "FREE_PORTS", (taken.getsockname()[1],))
        with pytest.raises(UnavailableError, match="no free port") as caught:
            module.free_ports(1)
    assert caught.value.code == "no-free-port"


def test_a_certificate_of_another_authority_is_said(pki: Pki, state: Path, tmp_path: Path) -> None:
    other = Pki(tmp_path / "other", name="Other root")
    broker = LocalBroker(state, pki.ca_file, other.server.cert, other.server.key)
    with pytest.raises(BadInputError, match="does not verify"):
        broker.start()
    assert not broker.running


def test_missing_mosquitto_names_the_command_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(module, "SYSTEM_PATHS", ())
    with pytest.raises(UnavailableError, match="apt-get install -y mosquitto"):
        program()


def test_a_program_that_never_answers_is_given_up(
    fresh: LocalBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    idle = tmp_path / "mosquitto"
    idle.write_text("#!/bin/sh\nexec sleep 60\n")
    idle.chmod(0o755)
    monkeypatch.setattr(module, "program", lambda: str(idle))
    monkeypatch.setattr(module, "READY_S", 0.2)
    fresh.port = module.free_ports(1)[0]
    with pytest.raises(UnavailableError, match="it said nothing"):
        fresh.start()
    assert not fresh.running


def test_a_program_that_does_not_end_is_killed(fresh: LocalBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh.start()
    pid = fresh.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)  # a stopped process does not see SIGTERM
    monkeypatch.setattr(module, "STOP_S", 0.2)
    fresh.stop()
    assert not Path(f"/proc/{pid}").exists()


def test_a_big_log_is_set_aside(fresh: LocalBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh.state_dir.mkdir()
    fresh.log_file.write_bytes(b"old\n" * 10)
    monkeypatch.setattr(module, "LOG_KEPT", 10)
    fresh.start()
    assert (fresh.state_dir / "mosquitto.log.1").read_bytes().startswith(b"old")


def test_reload_and_wait_need_a_running_broker(fresh: LocalBroker) -> None:
    assert fresh.wait() == 0
    with pytest.raises(UnavailableError):
        fresh.reload()
    fresh.start()
    fresh.reload()
    os.kill(fresh.pid or 0, signal.SIGTERM)
    assert fresh.wait() == 0


def test_the_log_holds_no_payload_and_no_topic(
    fresh: LocalBroker, pki: Pki, connect: Callable[..., Peer]
) -> None:
    fresh.start()
    connect(fresh, pki.client("node-a")).publish(topics.up("node-a", Up.EVENTS), b"SECRET-PAYLOAD")
    text = fresh.log_file.read_text()
    assert "SECRET-PAYLOAD" not in text
    assert "up/events" not in text
