"""Passwords on the web, sessions that lock, sign-ins taken back, and how much one session may ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from clinical.records import Practitioner
from server.people import access, service
from server.people.rates import Rates
from server.people.settings import Access
from tests.support.ward_http import LIMITS, bearer, put_person, serving, token_of

PASSWORD = "vier Enten im Regen"
ORIGIN = {"origin": "http://ward"}
WHY = {"why": "lost on the tram"}


@pytest.fixture
def client(ward: Any, tmp_path: Path) -> Iterator[TestClient]:
    ward.admit("1001", "01")
    put_person(ward.store, "boss", "manager")
    with serving(ward.store, ward.site, tmp_path) as client:
        yield client


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def set_password(ward: Any, client: TestClient, pin: str = "2580", password: str = PASSWORD) -> Any:
    head = bearer(token_of(ward.store, "N20713"))
    return client.post("/api/v1/me/password", json={"pin": pin, "password": password}, headers=head)


def enter(client: TestClient, password: str = PASSWORD, head: dict[str, str] = ORIGIN) -> Any:
    """Sign in on the web; the client keeps the cookie, whatever year the ward's clock shows."""
    body = {"badge": "N20713", "password": password}
    answer = client.post("/api/v1/sessions/web", json=body, headers=head)
    if answer.status_code == 201:
        value = answer.headers["set-cookie"].split(";")[0].split("=", 1)[1]
        client.cookies.set("wardlink_session", value)
    return answer


def audit(ward: Any, *actions: str) -> list[str]:
    with ward.store.reading() as connection:
        rows = connection.exec_driver_sql("SELECT action FROM audit ORDER BY n")
        return [action for (action,) in rows if action in actions]


@pytest.mark.requirement("R-PEOPLE-02")
@pytest.mark.hazard("H-PEOPLE-02")
def test_a_password_is_set_with_the_pin_and_opens_the_web_from_our_own_page_only(
    ward: Any, client: TestClient
) -> None:
    assert code(enter(client)) == (401, "sign-in-password")
    assert code(set_password(ward, client, pin="1111")) == (401, "sign-in")
    assert code(set_password(ward, client, password="N20713 N20713")) == (422, "password-weak")
    assert set_password(ward, client).status_code == 204
    assert code(enter(client, head={})) == (403, "origin")
    assert code(enter(client, "2580")) == (401, "sign-in-password")
    assert code(client.post("/api/v1/sessions", json={"badge": "N20713", "pin": PASSWORD})) == (
        401,
        "sign-in",
    )
    opened = enter(client)
    assert (opened.status_code, opened.json()["practitioner"]["id"]) == (201, "N20713")
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert client.get("/api/v1/me").json()["practitioner"]["id"] == "N20713"
    with ward.store.reading() as connection:
        kept = repr([*connection.exec_driver_sql("SELECT * FROM credentials")])
    assert PASSWORD not in kept
    assert kept.count("$argon2id$") > 1
    assert audit(ward, "password-set") == ["password-set"]


@pytest.mark.requirement("R-PEOPLE-02")
@pytest.mark.hazard("H-PEOPLE-02")
def test_guessing_passwords_locks_the_badge_at_that_place(ward: Any, client: TestClient) -> None:
    set_password(ward, client)
    for _ in range(5):
        assert code(enter(client, "wrong wrong")) == (401, "sign-in-password")
    locked = enter(client)
    assert code(locked) == (429, "too-many-attempts")
    assert int(locked.headers["retry-after"]) > 0


@pytest.mark.requirement("R-PEOPLE-03")
@pytest.mark.hazard("H-PEOPLE-03")
def test_a_web_session_locks_after_silence_and_opens_with_pin_or_password(
    ward: Any, client: TestClient
) -> None:
    set_password(ward, client)
    enter(client)
    for _ in range(3):
        ward.clock.move(minutes=14)
        assert client.get("/api/v1/alarms").status_code == 200
    ward.clock.move(minutes=15)
    assert code(client.get("/api/v1/alarms")) == (401, "session-locked")
    assert client.get("/api/v1/me").json()["locked"] is True
    wrong = client.post("/api/v1/sessions/current/unlock", json={"secret": "0000"}, headers=ORIGIN)
    assert code(wrong) == (401, "sign-in")
    assert code(client.get("/api/v1/alarms")) == (401, "session-locked")
    right = client.post("/api/v1/sessions/current/unlock", json={"secret": "2580"}, headers=ORIGIN)
    assert right.status_code == 204
    assert client.get("/api/v1/me").json()["locked"] is False
    assert client.get("/api/v1/alarms").status_code == 200
    assert client.post("/api/v1/sessions/current/lock", headers=ORIGIN).status_code == 204
    assert code(client.get("/api/v1/alarms")) == (401, "session-locked")
    by_word = {"secret": PASSWORD, "by": "password"}
    opened = client.post("/api/v1/sessions/current/unlock", json=by_word, headers=ORIGIN)
    assert opened.status_code == 204
    assert client.get("/api/v1/alarms").status_code == 200
    assert audit(ward, "session-lock", "session-unlock") == [
        "session-unlock", "session-lock", "session-unlock",
    ]  # fmt: skip


@pytest.mark.requirement("R-PEOPLE-03")
@pytest.mark.hazard("H-PEOPLE-03")
def test_a_locked_handheld_still_sends_what_was_done_and_hears_what_changes(
    ward: Any, client: TestClient
) -> None:
    head = bearer(token_of(ward.store, "N20713"))
    ward.clock.move(hours=5)
    assert client.get("/api/v1/alarms", headers=head).status_code == 200
    assert client.post("/api/v1/sessions/current/lock", headers=head).status_code == 204
    assert code(client.get("/api/v1/alarms", headers=head)) == (401, "session-locked")
    assert code(client.post("/api/v1/checks", headers=head, json={})) == (401, "session-locked")
    assert client.get("/api/v1/wards/W1/changes", headers=head).status_code == 200
    assert client.post("/api/v1/events", headers=head, json={"events": []}).status_code == 200
    assert client.delete("/api/v1/sessions/current", headers=head).status_code == 204


@pytest.mark.requirement("R-PEOPLE-03")
def test_silence_is_the_sites_setting_and_use_is_noted_once_a_minute(ward: Any) -> None:
    assert (Access().silence("web"), Access().silence("bearer")) == (
        Access(web_silence_min=15).silence("web"),
        None,
    )
    assert Access(web_silence_min=0).silence("web") is None
    short = Access(handheld_silence_min=1)
    token = token_of(ward.store, "N20713")
    ward.clock.move(seconds=59)
    assert not service.session_of(ward.store, token, short).locked
    ward.clock.move(seconds=1)
    assert service.session_of(ward.store, token, short).locked
    assert not service.session_of(ward.store, token).locked


@pytest.mark.requirement("R-PEOPLE-04")
@pytest.mark.hazard("H-PEOPLE-03")
def test_a_manager_takes_every_sign_in_of_a_person_back(ward: Any, client: TestClient) -> None:
    set_password(ward, client)
    enter(client)
    head, boss = bearer(token_of(ward.store, "N20713")), bearer(token_of(ward.store, "boss"))
    web = service.make_code(ward.store, "N20713")[0]
    other = bearer(token_of(ward.store, "N10001"))
    ended = client.delete("/api/v1/people/N20713/sessions", headers=boss, params=WHY)
    assert ended.json() == {"ended": 3}
    assert code(client.get("/api/v1/me", headers=head)) == (401, "session-revoked")
    assert code(client.get("/api/v1/me")) == (401, "session-revoked")
    with pytest.raises(service.SignInError):
        service.use_code(ward.store, LIMITS, web)
    told = client.get("/api/v1/wards/W1/changes", headers=other).json()["facts"]["practitioners"]
    revoked = {one["id"]: one["revoked_at"] for one in told}
    assert revoked["N20713"] is not None
    assert revoked["N10001"] is None
    assert audit(ward, "sessions-revoke") == ["sessions-revoke"]
    assert code(client.delete("/api/v1/people/N20713/sessions", headers=other, params=WHY)) == (403, "role")


@pytest.mark.requirement("R-PEOPLE-04")
@pytest.mark.hazard("H-PEOPLE-03")
def test_a_handheld_that_was_given_up_is_told_to_forget_everything(ward: Any, client: TestClient) -> None:
    lost = bearer(token_of(ward.store, "N20713", "pda-9"))
    kept, boss = bearer(token_of(ward.store, "N20713")), bearer(token_of(ward.store, "boss"))
    gone = client.delete("/api/v1/handhelds/pda-9/sessions", headers=boss, params=WHY)
    assert gone.json() == {"ended": 1}
    for path in ("/me", "/wards/W1/changes"):
        assert code(client.get(f"/api/v1{path}", headers=lost)) == (410, "handheld-given-up")
    assert code(client.post("/api/v1/events", headers=lost, json={"events": []})) == (
        410,
        "handheld-given-up",
    )
    assert client.get("/api/v1/me", headers=kept).status_code == 200
    unknown = client.delete("/api/v1/handhelds/pda-0/sessions", headers=boss, params=WHY)
    assert code(unknown) == (404, "unknown-handheld")
    assert audit(ward, "handheld-revoke") == ["handheld-revoke"]
    again = bearer(token_of(ward.store, "N20713", "pda-9"))
    assert client.get("/api/v1/me", headers=again).status_code == 200


@pytest.mark.requirement("R-PEOPLE-05")
@pytest.mark.hazard("H-SRV-11")
def test_somebody_who_may_only_read_sees_the_ward_and_changes_nothing(ward: Any, client: TestClient) -> None:
    put_person(ward.store, "guest", "read-only")
    head = bearer(token_of(ward.store, "guest"))
    facts = client.get("/api/v1/wards/W1/changes", headers=head).json()["facts"]
    assert [one["name"] for one in facts["patients"]] == ["张建国"]
    assert code(client.post("/api/v1/wristbands", headers=head, json={"encounter_id": "E-V1001"})) == (
        403,
        "role",
    )
    opened = client.post("/api/v1/wards/W1/break-glass", headers=head, json={"reason": "to have a look"})
    assert code(opened) == (403, "role")
    assert ward.store.picture.get(Practitioner, "guest") is not None
    assert access.MANAGERS == ("manager", "charge-nurse")


@pytest.mark.requirement("R-PEOPLE-06")
@pytest.mark.hazard("H-SRV-07")
def test_a_session_that_asks_too_often_waits_and_its_neighbours_do_not(
    ward: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.app.access_of", lambda _: Access(requests_per_s=0.5, requests_burst=20))
    with serving(ward.store, ward.site, tmp_path) as client:
        head, other = (bearer(token_of(ward.store, one)) for one in ("N20713", "N10001"))
        answers = [client.get("/api/v1/me", headers=head | {"accept-language": "zh"}) for _ in range(22)]
        assert {one.status_code for one in answers[:20]} == {200}
        late = answers[-1]
        assert code(late) == (429, "too-many-requests")
        assert late.json()["detail"] == "此会话请求过于频繁，请稍候"
        assert 1 <= int(late.headers["retry-after"]) <= 2
        assert late.headers["content-security-policy"]
        assert client.get("/api/v1/me", headers=other).status_code == 200
        assert client.get("/api/v1/health").status_code == 200


@pytest.mark.requirement("R-PEOPLE-06")
@given(pauses=st.lists(st.floats(0, 3), max_size=60), per_s=st.floats(0.5, 5), burst=st.integers(1, 10))
def test_no_rhythm_gets_more_than_the_burst_and_what_time_refills(
    pauses: list[float], per_s: float, burst: int
) -> None:
    rates, now, passed = Rates(per_s, burst), 100.0, 0
    for pause in pauses:
        now += pause
        wait = rates.wait_s("t", now)
        passed += wait == 0
        assert wait <= 1 / per_s
    assert passed <= burst + per_s * (now - 100.0) + 1e-6
    assert Rates(0, 1).wait_s("t", 0.0) == 0
    assert rates.wait_s("", now) == 0


@pytest.mark.requirement("R-PEOPLE-06")
def test_sessions_unheard_for_long_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.people.rates._MOST", 2)
    rates = Rates(1.0, 1)
    assert [rates.wait_s(name, 0.0) for name in ("a", "b", "b", "c", "a")] == [0, 0, 1, 0, 0]
