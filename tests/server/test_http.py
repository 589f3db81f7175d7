"""The HTTP face of a real server: signing in, the change feed, problem documents, safety headers."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.pki import Pki
from tests.support.server_process import WardProcess

WARD_FILE = Path(__file__).parents[1] / "data" / "ward.toml"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WardProcess]:
    process = WardProcess(tmp_path_factory.mktemp("http"), WARD_FILE)
    process.start("--one-time", "N10001")
    yield process
    assert process.stop() == 0


@pytest.fixture
def nurse(server: WardProcess) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def anyone(server: WardProcess) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{server.base}/api/v1", timeout=30.0) as client:
        yield client


def problem(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["type"] == f"urn:wardlink:problem:{document['code']}"
    return answer.status_code, document["code"]


@pytest.mark.requirement("R-SRV-03")
@pytest.mark.hazard("H-SRV-03")
def test_signing_in_gives_a_token_the_ward_and_an_offline_verifier(anyone: httpx2.Client) -> None:
    answer = anyone.post("/sessions", json={"badge": "WL1:S:N20713:X", "pin": "2580"})
    assert problem(answer) == (401, "sign-in")
    body = anyone.post("/sessions", json={"badge": "N20713", "pin": "2580", "handheld": "pda-1"}).json()
    assert body["practitioner"]["name"] == "王丽"
    assert body["ward"]["beds"][0] == "01"
    assert set(body["offline_verifier"]) == {"salt", "params", "hash", "expires"}


@pytest.mark.requirement("R-SRV-03")
@pytest.mark.hazard("H-SRV-03")
def test_a_scanned_badge_signs_in_like_the_plain_number(anyone: httpx2.Client) -> None:
    from clinical.identifiers import hospital

    answer = anyone.post("/sessions", json={"badge": hospital.encode("badge", "N20713"), "pin": "2580"})
    assert answer.status_code == 201


@pytest.mark.requirement("R-SRV-03")
@pytest.mark.hazard("H-SRV-03")
def test_five_wrong_pins_lock_the_badge_even_for_the_right_one(anyone: httpx2.Client) -> None:
    for _ in range(5):
        assert problem(anyone.post("/sessions", json={"badge": "D30012", "pin": "0"})) == (401, "sign-in")
    locked = anyone.post("/sessions", json={"badge": "D30012", "pin": "7412"})
    assert problem(locked) == (429, "too-many-attempts")
    assert int(locked.headers["retry-after"]) > 0


def test_an_unknown_badge_is_answered_like_a_wrong_pin(anyone: httpx2.Client) -> None:
    assert problem(anyone.post("/sessions", json={"badge": "nobody", "pin": "1"})) == (401, "sign-in")


@pytest.mark.requirement("R-SRV-03")
@pytest.mark.hazard("H-SRV-03")
def test_a_token_that_was_signed_out_opens_nothing(nurse: httpx2.Client) -> None:
    assert nurse.get("/me").json()["practitioner"]["id"] == "N20713"
    assert nurse.delete("/sessions/current").status_code == 204
    assert problem(nurse.get("/me")) == (401, "session")


@pytest.mark.requirement("R-SRV-03")
@pytest.mark.hazard("H-SRV-03")
def test_a_one_time_code_opens_one_web_session_once_and_only_from_our_own_page(server: WardProcess) -> None:
    code = server.ready["one_time_code"]
    with httpx2.Client(base_url=f"{server.base}/api/v1") as browser:
        foreign = browser.post(
            "/sessions/one-time", json={"code": code}, headers={"origin": "http://evil.test"}
        )
        assert problem(foreign) == (403, "origin")
        own = {"origin": server.base}
        opened = browser.post("/sessions/one-time", json={"code": code}, headers=own)
        assert opened.status_code == 201
        cookie = opened.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        again = browser.post("/sessions/one-time", json={"code": code}, headers=own)
        assert problem(again) == (401, "one-time-code")
        assert browser.get("/me").status_code == 200
        assert problem(browser.post("/alarms/x/acknowledge")) == (403, "origin")
        assert problem(browser.post("/alarms/x/acknowledge", headers=own)) == (404, "unknown-alarm")


def test_every_answer_carries_the_safety_headers(anyone: httpx2.Client) -> None:
    headers = anyone.get("/health").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


@pytest.mark.requirement("R-SRV-04")
@pytest.mark.hazard("H-SRV-04")
def test_the_change_feed_is_complete_once_and_then_waits_for_what_changes(
    nurse: httpx2.Client, server: WardProcess
) -> None:
    first = nurse.get("/wards/W1/changes").json()
    assert first["complete"]
    assert {product["id"] for product in first["facts"]["products"]} >= {"CEF1", "NS500"}
    assert first["policy"]["ruleset"] == "bc-1"
    cursor = {"since": first["cursor"], "epoch": first["epoch"]}
    empty = nurse.get("/wards/W1/changes", params=cursor).json()
    assert (empty["complete"], empty["facts"]["products"], empty["policy"]) == (False, [], {})
    woken: list[float] = []

    def wait() -> None:
        began = time.monotonic()
        with server.client() as other:
            told = other.get("/wards/W1/changes", params={**cursor, "wait": 20}).json()
            woken.append(time.monotonic() - began)
            assert told["facts"]["alarms"][0]["condition"] == "event-unreadable"

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.5)
    nurse.post("/events", json={"events": [{"type": "?"}]})
    waiting.join(10)
    assert woken
    assert woken[0] < 3


@pytest.mark.requirement("R-SRV-32")
@pytest.mark.hazard("H-SRV-11")
def test_the_contract_is_shown_to_people_who_are_signed_in(
    anyone: httpx2.Client, nurse: httpx2.Client
) -> None:
    assert problem(anyone.get("/openapi.json")) == (401, "session")
    assert "/api/v1/checks" in nurse.get("/openapi.json").json()["paths"]


@pytest.mark.slow
@pytest.mark.requirement("R-SRV-31")
@pytest.mark.hazard("H-SRV-14")
def test_an_address_that_guesses_is_held_off_and_the_server_goes_on(tmp_path: Path) -> None:
    server = WardProcess(tmp_path, WARD_FILE)
    server.start()
    try:
        with server.client() as nurse, httpx2.Client(base_url=f"{server.base}/api/v1", timeout=30.0) as guest:
            answers = [
                guest.post("/sessions", json={"badge": f"X{number}", "pin": "1"}) for number in range(21)
            ]
            assert [answer.status_code for answer in answers] == [401] * 20 + [429]
            assert int(answers[-1].headers["retry-after"]) > 0
            assert nurse.get("/me").status_code == 200
    finally:
        assert server.stop() == 0


def test_another_epoch_means_start_again(nurse: httpx2.Client) -> None:
    assert nurse.get("/wards/W1/changes", params={"since": 1, "epoch": "old"}).json()["complete"]
    assert problem(nurse.get("/wards/W9/changes")) == (404, "ward")


BAD_BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"events": 7}',
    b'{"badge": "\\ud800", "pin": "1"}',
    b'{"badge": "a\\u0000b", "pin": "1"}',
    b'{"badge": "x", "pin": NaN}',
    b'{"code": "\\ud800\\ud800\\ud800"}',
    b'{"events": [{"type": "administration", "id": "\\u0000"}]}',
    b'{"events": [' + b"[" * 900 + b"]" * 900 + b"]}",
    b"\xff\xfe",
]


@pytest.mark.requirement("R-SRV-12")
@pytest.mark.hazard("H-SRV-07")
@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
@pytest.mark.parametrize("path", ["/sessions", "/sessions/one-time", "/checks", "/events"])
def test_whatever_is_posted_the_answer_is_never_a_server_error(
    nurse: httpx2.Client, server: WardProcess, path: str, body: bytes
) -> None:
    headers = {"content-type": "application/json", "origin": server.base}
    answer = nurse.post(path, content=body, headers=headers)
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        problem(answer)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/wards/W1/changes", {"since": "-1"}),
        ("/wards/W1/changes", {"since": "99999999999999999999"}),
        ("/wards/W1/changes", {"wait": "nan"}),
        ("/wards/W1/changes", {"wait": "26"}),
        ("/wards/%00/changes", {}),
        ("/nothing", {}),
    ],
)
def test_bad_questions_get_problem_documents(nurse: httpx2.Client, path: str, params: dict[str, str]) -> None:
    answer = nurse.get(path, params=params)
    assert answer.status_code in {404, 422}
    problem(answer)


def test_a_body_that_is_too_large_is_refused(nurse: httpx2.Client) -> None:
    answer = nurse.post("/events", content=b" " * 2_000_001, headers={"content-type": "application/json"})
    assert problem(answer) == (413, "too-large")


def test_health_needs_no_sign_in_and_the_rest_does(anyone: httpx2.Client) -> None:
    assert anyone.get("/health").json()["ok"]
    for path in ("/me", "/wards/W1/changes", "/alarms", "/ledger", "/nodes"):
        assert problem(anyone.get(path)) == (401, "session")


def test_an_engineer_may_not_acknowledge_alarms(server: WardProcess) -> None:
    with server.client("E90001", "9517") as engineer:
        assert problem(engineer.post("/alarms/x/acknowledge")) == (403, "role")


@pytest.mark.requirement("R-SRV-23")
@pytest.mark.hazard("H-SRV-11")
def test_an_engineer_sees_nodes_and_numbers_but_no_patient(server: WardProcess) -> None:
    with server.client("E90001", "9517") as engineer, server.client() as nurse:
        for path in ("/nodes", "/ledger", "/alarms", "/unassigned"):
            assert engineer.get(path).status_code == 200
        assert problem(engineer.get("/wards/W1/changes")) == (403, "role")
        assert problem(engineer.get("/encounters/E/trend?code=MDC_PULS_OXIM_SAT_O2")) == (403, "role")
        assert nurse.get("/wards/W1/changes").status_code == 200


@pytest.mark.slow
@pytest.mark.requirement("R-SRV-03")
@pytest.mark.hazard("H-SRV-03")
def test_the_tls_listener_serves_the_same_ward_and_a_taken_port_is_one_clear_sentence(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    listener = f'port = 0\ncert_file = "{pki.server.cert}"\nkey_file = "{pki.server.key}"'
    server = WardProcess(tmp_path / "server", WARD_FILE, listener=listener)
    server.start()
    try:
        trust = ssl.create_default_context(cafile=pki.ca_file)
        with httpx2.Client(base_url=server.ready["urls"]["https"], verify=trust) as client:
            assert client.get("/api/v1/health").json()["ok"]
        second = subprocess.run(
            [sys.executable, "-m", "deploy.cli", "server", "--config", str(server.config)],
            cwd=Path(__file__).parents[2],
            env=os.environ | {"WARDLINK_SERVER__STORAGE__URL": f"sqlite:///{tmp_path / 'other.db'}"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert second.returncode == 1
        assert "cannot be listened on" in second.stderr
        assert "Traceback" not in second.stderr
    finally:
        assert server.stop() == 0
