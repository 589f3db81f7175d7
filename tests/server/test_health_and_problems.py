"""What machines ask (health, metrics) and what people read when something is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from server import i18n
from server.health import service
from tests.support.ward_http import bearer, serving, token_of


@pytest.fixture
def client(ward: Any, tmp_path: Path) -> Iterator[TestClient]:
    ward.admit("1001", "01", "<b>张'\"建国</b>")
    probes = {"broker": lambda: {"ok": False}, "ingest": lambda: {"ok": True, "waiting": 3}}
    with serving(ward.store, ward.site, tmp_path, probes=probes) as client:
        yield client


@pytest.mark.requirement("R-SRV-37")
def test_health_names_the_part_that_cannot_work_and_why(client: TestClient) -> None:
    answer = client.get("/api/v1/health")
    assert (answer.status_code, answer.json()["ok"]) == (200, False)
    assert answer.json()["reasons"] == {"broker": "broker-not-connected"}
    assert answer.json()["parts"]["disk"]["ok"]


@pytest.mark.requirement("R-SRV-37")
def test_a_disk_that_is_full_or_not_there_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert service.disk(tmp_path / "none") == {"ok": False, "reason": "disk-missing"}
    monkeypatch.setattr(service, "FULL", 0.0)
    found = service.disk(tmp_path)
    assert (found["ok"], service.reason_of("disk", found)) == (False, "disk-full")


@pytest.mark.requirement("R-SRV-37")
@pytest.mark.hazard("H-SRV-11")
def test_metrics_are_read_on_this_machine_or_with_the_token_and_name_nobody(
    ward: Any, client: TestClient, tmp_path: Path
) -> None:
    refused = client.get("/api/v1/metrics")
    assert (refused.status_code, refused.json()["code"]) == (403, "token")
    local = TestClient(client.app, base_url="http://ward", client=("127.0.0.1", 5000))
    answer = local.get("/api/v1/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    line = re.compile(r'^(# (HELP|TYPE) .+|[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? -?[0-9.e+-]+)$')
    assert [one for one in answer.text.splitlines() if not line.match(one)] == []
    assert 'wardlink_part_ok{part="broker"} 0.0' in answer.text
    assert 'wardlink_part_count{part="ingest",count="waiting"} 3' in answer.text
    assert "wardlink_patients 1" in answer.text
    assert 'wardlink_http_answers_total{method="GET",status="403"} 1' in answer.text
    assert "1001" not in answer.text
    assert "张" not in answer.text
    proxied = local.get("/api/v1/metrics", headers={"x-forwarded-for": "10.0.0.1"})
    assert proxied.status_code == 403


@pytest.mark.requirement("R-SRV-37")
def test_the_metrics_token_opens_them_from_elsewhere(ward: Any, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    with serving(ward.store, ward.site, tmp_path, listener={"metrics_token_file": token}) as client:
        assert client.get("/api/v1/metrics", headers=bearer("s3cret")).status_code == 200
        assert client.get("/api/v1/metrics", headers=bearer("wrong")).status_code == 403
        token.write_text("")
        assert client.get("/api/v1/metrics", headers=bearer("s3cret")).status_code == 403


@pytest.mark.requirement("R-SRV-38")
@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB", "en"),
        ("fr,zh;q=0.5,en;q=0.4", "zh"),
        ("", "en"),
        ("*;q=x,de", "en"),
    ],
)
def test_a_problem_speaks_the_language_that_was_asked_for(
    client: TestClient, header: str, language: str
) -> None:
    answer = client.get("/api/v1/me", headers={"accept-language": header})
    assert answer.headers["content-language"] == language
    assert answer.json()["title"] == {"zh": "请登录", "en": "Sign in"}[language]
    assert answer.json()["detail"] == {"zh": "请先登录", "en": "sign in first"}[language]


@pytest.mark.requirement("R-SRV-38")
def test_every_code_that_a_route_can_answer_has_a_chinese_sentence() -> None:
    """Codes of the hospital's messages, of files and of commands are not for people at a screen."""
    root = Path(__file__).parents[2] / "server"
    elsewhere = {"his", "storage", "prints", "ingest", "web"}
    call = re.compile(
        r"\b(?:BadInput|NotFound|Conflict|Refused|Unavailable|SignIn|TooManyAttempts)Error\(\s*\"([a-z-]+)\""
    )
    used = {
        code
        for file in root.glob("*/*.py")
        if file.parent.name not in elsewhere
        for code in call.findall(file.read_text())
    }
    assert sorted(used - i18n.codes()) == []


@pytest.mark.requirement("R-SRV-12")
@pytest.mark.hazard("H-SRV-07")
def test_a_name_with_markup_and_quotes_comes_back_as_it_was(ward: Any, client: TestClient) -> None:
    head = bearer(token_of(ward.store, "N20713"))
    facts = client.get("/api/v1/wards/W1/changes", headers=head).json()["facts"]
    assert facts["patients"][0]["name"] == "<b>张'\"建国</b>"
