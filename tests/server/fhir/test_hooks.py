"""Other systems are told of changes by real HTTP: in order, again after failures, and only where allowed."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clinical.errors import BadInputError, UnavailableError
from server.fhir import hook_wire
from server.fhir.hooks import AT_ONCE, HookSender
from server.fhir.settings import Fhir as Settings
from tests.support.fhir import Fhir
from tests.support.pki import Pki
from tests.support.server_process import until

LOOPBACK = Settings(hook_networks=("127.0.0.0/8",))


class Listener(http.server.ThreadingHTTPServer):
    """Takes notifications, and answers as it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heard: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status = 200


class _Handler(http.server.BaseHTTPRequestHandler):
    def _take(self) -> None:
        server = self.server
        assert isinstance(server, Listener)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        server.heard.append((self.command, self.path, dict(self.headers), body))
        self.send_response(server.status)
        if server.status == 302:
            self.send_header("Location", "http://127.0.0.1/elsewhere")
        self.end_headers()

    do_POST = do_PUT = _take  # noqa: N815 - the base class's names

    def log_message(self, *_args: Any) -> None:
        return


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def emr(http: Any, fhir_as: Any) -> Fhir:
    http.app.state.fhir.settings = LOOPBACK
    client: Fhir = fhir_as(scopes=("system/*.crds?ward=W1",))
    return client


@pytest.fixture
def sender(full: Any) -> HookSender:
    return HookSender(full.store, full.site, LOOPBACK)


def wanted(criteria: str, url: str, **channel: Any) -> dict[str, Any]:
    return {
        "resourceType": "Subscription", "status": "requested", "reason": "EMR", "criteria": criteria,
        "channel": {"type": "rest-hook", "endpoint": url, "payload": "application/fhir+json"} | channel,
    }  # fmt: skip


def subscribe(emr: Fhir, listener: Listener, criteria: str, **channel: Any) -> str:
    url = f"http://127.0.0.1:{listener.server_port}/hook"
    answer = emr.ask("POST", "/Subscription", json=wanted(criteria, url, **channel))
    assert answer.status_code == 201, answer.text
    fid: str = answer.json()["id"]
    return fid


@pytest.mark.requirement("R-FHR-07")
@pytest.mark.hazard("H-FHR-02")
def test_what_changes_is_told_as_it_is_with_the_headers_asked_for(
    full: Any, emr: Fhir, listener: Listener, sender: HookSender
) -> None:
    subscribe(emr, listener, "MedicationRequest?status=active", header=["Authorization: Bearer emr"])
    assert sender.sweep() == 0
    full.order("1001", "N1")
    full.order("1001", "N2")
    assert sender.sweep() == 2
    assert [(how, path) for how, path, *_ in listener.heard] == [
        ("PUT", "/hook/MedicationRequest/O-N1"), ("PUT", "/hook/MedicationRequest/O-N2")
    ]  # fmt: skip
    _, _, head, body = listener.heard[0]
    assert (head["Authorization"], head["Content-Type"]) == ("Bearer emr", "application/fhir+json")
    assert json.loads(body) == emr.get("/MedicationRequest/O-N1")
    assert sender.sweep() == 0


@pytest.mark.requirement("R-FHR-07")
@pytest.mark.hazard("H-FHR-02")
def test_observations_are_told_by_their_newest_values_and_an_empty_notification_names_nobody(
    full: Any, emr: Fhir, listener: Listener, sender: HookSender
) -> None:
    subscribe(emr, listener, "Observation?category=vital-signs&patient=P-1001")
    subscribe(emr, listener, "Observation", payload="")
    body = {
        "resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/P-1001"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "effectiveDateTime": "2026-05-04T09:00:00.5+08:00", "valueQuantity": {"value": 91, "code": "/min"},
    }  # fmt: skip
    full.clock.move(seconds=5)
    made = emr.ask("POST", "/Observation", json=body).json()
    assert sender.sweep() == 2
    told = sorted((how, path, content != b"") for how, path, _, content in listener.heard)
    assert told == [("POST", "/hook", False), ("PUT", f"/hook/Observation/{made['id']}", True)]


@pytest.mark.requirement("R-FHR-07")
@pytest.mark.hazard("H-FHR-02")
def test_a_hook_that_fails_is_tried_again_later_and_off_in_the_end(
    full: Any, emr: Fhir, listener: Listener, sender: HookSender
) -> None:
    fid = subscribe(emr, listener, "Task")
    listener.status = 500
    full.order("1001", "N1")
    assert sender.sweep() == 0
    state = emr.get(f"/Subscription/{fid}")
    assert (state["status"], state["error"]) == ("error", "the hook answered 500")
    assert sender.sweep() == 0
    assert len(listener.heard) == 1  # it is not tried before its time
    listener.status = 200
    full.clock.move(seconds=6)
    assert sender.sweep() >= 1
    assert emr.get(f"/Subscription/{fid}")["status"] == "active"
    listener.status = 302
    full.order("1001", "N2")
    for _ in range(LOOPBACK.hook_attempts):
        sender.sweep()
        full.clock.move(hours=2)
    assert emr.get(f"/Subscription/{fid}")["status"] == "off"
    heard = len(listener.heard)
    assert sender.sweep() == 0
    assert len(listener.heard) == heard


@pytest.mark.requirement("R-FHR-07")
@pytest.mark.hazard("H-FHR-02")
def test_one_commit_that_changes_much_is_told_whole_although_it_takes_several_rounds(
    full: Any, emr: Fhir, listener: Listener, sender: HookSender
) -> None:
    subscribe(emr, listener, "Task?status:not=x")
    full.order("1001", "MANY", frequency="q10min", start=full.clock(), end=None)
    tasks = {f"/hook/Task/{one['id']}" for one in emr.found("/Task", focus="O-MANY")}
    assert len(tasks) > AT_ONCE
    listener.status = 200
    full.order("1001", "N2")
    rounds = [sender.sweep() for _ in range(3)]
    heard = [path for _, path, *_ in listener.heard]
    assert tasks <= set(heard)
    assert len(heard) == len(set(heard)) == len(tasks) + 1
    assert rounds == [len(tasks), 1, 0]


@pytest.mark.requirement("R-FHR-07")
@pytest.mark.hazard("H-FHR-01")
def test_a_subscription_ends_with_its_token_or_its_time_and_when_it_is_deleted(
    full: Any, http: Any, emr: Fhir, listener: Listener, sender: HookSender
) -> None:
    timed = wanted("Task", f"http://127.0.0.1:{listener.server_port}/t") | {"end": "2026-05-04T02:00:00Z"}
    over = emr.ask("POST", "/Subscription", json=timed).json()["id"]
    gone = subscribe(emr, listener, "Encounter")
    assert emr.ask("DELETE", f"/Subscription/{gone}").status_code == 204
    assert emr.refused("GET", f"/Subscription/{gone}") == (404, "fhir-unknown")
    assert emr.refused("DELETE", f"/Subscription/{gone}") == (404, "fhir-unknown")
    full.clock.move(hours=2)
    full.order("1001", "N1")
    assert sender.sweep() == 0
    assert emr.get(f"/Subscription/{over}")["status"] == "off"
    subscribe(emr, listener, "Task")
    full.order("1001", "N2")
    full.store.write(lambda unit: unit.connection.exec_driver_sql("UPDATE fhir_tokens SET revoked = 1"))
    assert sender.sweep() == 0
    assert listener.heard == []


@pytest.mark.requirement("R-FHR-07")
@pytest.mark.hazard("H-FHR-01")
def test_what_cannot_be_told_is_refused(http: Any, emr: Fhir, fhir_as: Any) -> None:
    good = "https://127.0.0.1/x"
    cases = [
        (wanted("Task", "http://10.0.0.1/x"), "fhir-hook-network"),
        (wanted("Task", "https://169.254.169.254/latest"), "fhir-hook-network"),
        (wanted("Task", "https://[::1]/x"), "fhir-hook-network"),
        (wanted("Task", "https://[::ffff:10.0.0.1]/x"), "fhir-hook-network"),
        (wanted("Task", "http://93.184.216.34/x"), "fhir-hook-url"),
        (wanted("Task", "ftp://127.0.0.1/x"), "fhir-hook-url"),
        (wanted("Task", "https://u:p@127.0.0.1/x"), "fhir-hook-url"),
        (wanted("Task", "https://127.0.0.1:99999/x"), "fhir-hook-url"),
        (wanted("AuditEvent", good), "fhir-criteria"),
        (wanted("Nothing?x=1", good), "fhir-criteria"),
        (wanted("Task?foo=1", good), "fhir-parameter"),
        (wanted("Task", good, type="email"), "fhir-hook"),
        (wanted("Task", good, header=["Host: x"]), "fhir-hook"),
        (wanted("Task", good, header=["a: b\r\nc: d"]), "fhir-hook"),
        (wanted("Task", good) | {"status": "active"}, "fhir-hook"),
        (wanted("Task", good) | {"topic": "x"}, "fhir-element"),
    ]
    assert [emr.refused("POST", "/Subscription", json=body)[1] for body, _ in cases] == [
        code for _, code in cases
    ]
    http.app.state.fhir.settings = Settings(hook_networks=("127.0.0.0/8",), hooks_per_token=0)
    assert emr.refused("POST", "/Subscription", json=wanted("Task", good)) == (422, "fhir-hook-many")
    narrow = fhir_as(scopes=("system/Subscription.cs",), name="narrow")
    assert narrow.refused("POST", "/Subscription", json=wanted("Task", good)) == (403, "role")
    assert narrow.get("/Subscription")["total"] == 0
    assert fhir_as("N20713").refused("GET", "/Subscription") == (403, "role")


@pytest.mark.requirement("R-FHR-07")
@pytest.mark.hazard("H-FHR-01")
def test_tls_hooks_are_held_against_name_and_authority(listener: Listener, tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    pair = pki.server
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    url = f"https://localhost:{listener.server_port}/x?y=1"
    allowed = {"networks": ("127.0.0.0/8", "::1/128")}
    assert hook_wire.send(url, "POST", {}, b"", **allowed, ca_file=pki.ca_file) == 200
    assert listener.heard[0][1] == "/x?y=1"
    assert listener.heard[0][2]["Host"] == f"localhost:{listener.server_port}"
    with pytest.raises(UnavailableError):
        hook_wire.send(url, "POST", {}, b"", **allowed, ca_file=None)
    with pytest.raises(BadInputError):
        hook_wire.send(url, "POST", {}, b"", networks=(), ca_file=pki.ca_file)
    with pytest.raises(UnavailableError):
        hook_wire.send("https://no.such.host.invalid/", "POST", {}, b"", **allowed, ca_file=None)


@pytest.mark.requirement("R-FHR-07")
def test_telling_goes_on_by_itself_until_it_is_stopped(
    full: Any, emr: Fhir, listener: Listener, sender: HookSender
) -> None:
    subscribe(emr, listener, "Task")
    full.order("1001", "N1")

    async def main() -> None:
        job = asyncio.create_task(sender.run())
        await asyncio.to_thread(until, lambda: listener.heard, 10)
        job.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await job

    asyncio.run(main())
    assert listener.heard
