"""A ward's manager looks after its people: taken on, changed, sent away, and new PINs by one-time code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from clinical.records import Practitioner
from server.people import pins
from server.people.settings import Access
from tests.support.ward_http import bearer, put_person, serving, token_of, with_second_ward

pytestmark = [pytest.mark.requirement("R-PEOPLE-01"), pytest.mark.hazard("H-PEOPLE-01")]
LI = {"id": "N30001", "name": "李䶮<b>", "roles": ["nurse"], "wards": ["W1"], "badge": "N30001"}


class Office:
    """The manager of W1 at a screen, and what the others see."""

    def __init__(self, ward: Any, client: TestClient) -> None:
        self.ward, self.client = ward, client
        put_person(ward.store, "boss", "manager")
        self.head = bearer(token_of(ward.store, "boss"))

    def __call__(self, method: str, path: str, body: Any = None, head: Any = None, **query: str) -> Any:
        return self.client.request(
            method, f"/api/v1{path}", json=body, params=query, headers=head or self.head
        )

    def code(self, *asked: Any, **said: Any) -> tuple[int, str]:
        answer = self(*asked, **said)
        return answer.status_code, answer.json()["code"]

    def take_on(self, **said: Any) -> str:
        """Take Li on; returns the code for the first PIN."""
        answer = self("POST", "/people", LI | said)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["pin"]["code"])

    def set_pin(self, code: str, pin: str = "7319", badge: str = "N30001") -> Any:
        return self.client.post("/api/v1/pins", json={"badge": badge, "code": code, "pin": pin})

    def sign_in(self, pin: str = "7319", badge: str = "N30001") -> Any:
        body = {"badge": badge, "pin": pin, "handheld": "pda-7"}
        return self.client.post("/api/v1/sessions", json=body)

    def audit(self) -> list[tuple[str, ...]]:
        with self.ward.store.reading() as connection:
            said = "SELECT action, actor, entity, detail FROM audit ORDER BY n"
            return [tuple(row) for row in connection.exec_driver_sql(said)]


@pytest.fixture
def office(ward: Any, tmp_path: Path) -> Iterator[Office]:
    ward.site = with_second_ward(ward.site)
    with serving(ward.store, ward.site, tmp_path) as client:
        yield Office(ward, client)


def test_somebody_who_is_taken_on_sets_a_pin_with_the_code_once_and_signs_in(office: Office) -> None:
    code = office.take_on()
    assert office.sign_in("").status_code == 422
    assert office.sign_in("0000").json()["code"] == "sign-in"
    assert office.set_pin(code, "1234").json()["code"] == "pin-weak"
    assert office.set_pin(code.lower().replace("-", " ")).status_code == 204
    assert office.set_pin(code, "8426").json()["code"] == "one-time-code"
    signed = office.sign_in()
    assert signed.status_code == 201
    assert signed.json()["practitioner"]["name"] == "李䶮<b>"
    listed = {one["id"]: one for one in office("GET", "/people", limit="500").json()["people"]}
    assert (listed["N30001"]["has_pin"], listed["N30001"]["open_sessions"]) == (True, 1)
    assert (listed["boss"]["has_pin"], listed["N30001"]["has_password"]) == (False, False)
    lines = [line for line in office.audit() if line[2] == "person:N30001"]
    assert lines == [
        ("person-create", "boss", "person:N30001", "nurse"),
        ("pin-set", "N30001", "person:N30001", ""),
    ]
    assert code.replace("-", "") not in repr(office.audit())


def test_a_new_pin_ends_what_the_old_one_opened(office: Office) -> None:
    office.set_pin(office.take_on())
    head = bearer(office.sign_in().json()["token"])
    stale = office("POST", "/people/N30001/pin-codes", {"why": "forgot the PIN"}).json()["code"]
    code = office("POST", "/people/N30001/pin-codes", {"why": "forgot the PIN"}).json()["code"]
    assert office.set_pin(stale, "8426").json()["code"] == "one-time-code"
    assert office("GET", "/me", head=head).status_code == 200
    assert office.set_pin(code, "8426").status_code == 204
    assert office.code("GET", "/me", head=head) == (401, "session-revoked")
    assert office.sign_in("7319").json()["code"] == "sign-in"
    assert office.sign_in("8426").status_code == 201


def test_a_code_expires_and_is_only_its_own_persons(office: Office) -> None:
    code = office.take_on()
    assert office.set_pin(code, badge="N20713").json()["code"] == "one-time-code"
    assert office.set_pin(code, badge="nobody").json()["code"] == "one-time-code"
    office.ward.clock.move(hours=24)
    assert office.set_pin(code).json()["code"] == "one-time-code"
    web = office("POST", "/sessions/one-time-codes", {}).json()["code"]
    assert office.set_pin(web, badge="boss").json()["code"] == "one-time-code"


def test_guessing_codes_is_as_slow_as_guessing_pins(office: Office) -> None:
    office.take_on()
    answers = [office.set_pin(f"AAAAA-AAA{number:02}").json()["code"] for number in range(6)]
    assert answers == ["one-time-code"] * 5 + ["too-many-attempts"]


@pytest.mark.parametrize("pin", ["1111", "1234", "9876", "7890", "300", "3000", "12a4", "٣٤٥٦", "1" * 13])
def test_a_pin_that_anybody_tries_first_is_refused(pin: str) -> None:
    with pytest.raises(pins.BadInputError):
        pins.check_pin(pin, "N30001", Access())
    pins.check_pin("7319", "N30001", Access())


@pytest.mark.parametrize("password", ["short", "aaaabbbbcccc", "n20713-n20713", "x" * 129])
def test_a_password_that_is_guessed_at_once_is_refused(password: str) -> None:
    with pytest.raises(pins.BadInputError):
        pins.check_password(password, "N20713", Access())
    pins.check_password("四只鸭子走在下雨的路上了", "N20713", Access())


def test_a_role_or_ward_that_is_taken_away_is_gone_at_once(office: Office) -> None:
    office.set_pin(office.take_on(roles=["charge-nurse"]))
    head = bearer(office.sign_in().json()["token"])
    assert office("GET", "/wards/W1/break-glass", head=head).status_code == 200
    changed = LI | {"why": "back to the ward", "badge": "N30002"}
    del changed["id"]
    answer = office("PUT", "/people/N30001", changed)
    assert (answer.status_code, answer.json()["roles"]) == (200, ["nurse"])
    assert office.code("GET", "/wards/W1/break-glass", head=head) == (403, "role")
    assert office.sign_in(badge="N30002").status_code == 201
    assert office.sign_in(badge="N30001").json()["code"] == "sign-in"
    assert office.audit()[-3][0::3] == ("person-change", "roles,badge: back to the ward")


def test_somebody_who_is_sent_away_is_out_at_once_and_may_come_back(office: Office) -> None:
    office.set_pin(office.take_on())
    head = bearer(office.sign_in().json()["token"])
    gone = office("POST", "/people/N30001/active", {"active": False, "why": "left the hospital"})
    assert (gone.json()["active"], gone.json()["open_sessions"]) == (False, 0)
    assert office.code("GET", "/me", head=head) == (401, "session-revoked")
    assert office.sign_in().json()["code"] == "sign-in"
    assert office.code("POST", "/people/N30001/pin-codes", {"why": "new PIN"}) == (403, "person")
    back = office("POST", "/people/N30001/active", {"active": True, "why": "came back to us"})
    assert back.json()["active"]
    assert office.sign_in().status_code == 201
    known = office.ward.store.picture.get(Practitioner, "N30001")
    assert known.revoked_at == office.ward.clock()


def test_nobody_manages_themselves_or_people_of_other_wards(office: Office) -> None:
    put_person(office.ward.store, "far", "nurse", wards=("W2",))
    put_person(office.ward.store, "both", "nurse", wards=("W1", "W2"))
    put_person(office.ward.store, "house", "pharmacist", wards=())
    why = {"why": "because of it"}
    for person in ("far", "both", "house"):
        for asked in (
            ("POST", f"/people/{person}/active", why | {"active": False}),
            ("POST", f"/people/{person}/pin-codes", why),
            ("PUT", f"/people/{person}", why | LI | {"badge": person}),
        ):
            body = {name: value for name, value in asked[2].items() if name != "id"}
            assert office.code(asked[0], asked[1], body) == (403, "other-ward")
        assert office.code("DELETE", f"/people/{person}/sessions", why="because of it") == (403, "other-ward")
    assert office.code("POST", "/people/boss/active", why | {"active": False}) == (403, "own-record")
    assert office.code("POST", "/people", LI | {"wards": []}) == (403, "other-ward")
    assert office.code("POST", "/people", LI | {"wards": ["W1", "W2"]}) == (403, "other-ward")
    listed = {one["id"] for one in office("GET", "/people").json()["people"]}
    assert "boss" in listed
    assert listed.isdisjoint({"far", "both", "house"})


def test_a_manager_of_the_whole_hospital_manages_everybody(office: Office) -> None:
    put_person(office.ward.store, "chief", "manager", wards=())
    head = bearer(token_of(office.ward.store, "chief"))
    assert office("POST", "/people", LI | {"wards": []}, head=head).status_code == 201
    page = office("GET", "/people", head=head, limit="2", offset="1").json()
    assert (len(page["people"]), page["total"] > 2) == (2, True)


def test_ids_and_badges_are_one_persons(office: Office) -> None:
    office.take_on()
    assert office.code("POST", "/people", LI | {"badge": "N3"}) == (409, "person-known")
    assert office.code("POST", "/people", LI | {"id": "N3"}) == (409, "badge-taken")
    assert office.code("POST", "/people", LI | {"id": "N3", "badge": "boss"}) == (409, "badge-taken")
    assert office.code("POST", "/people", LI | {"id": "Server", "badge": "N4"}) == (422, "person-id")
    put_person(office.ward.store, "chief", "manager", wards=())
    head = bearer(token_of(office.ward.store, "chief"))
    assert office.code("POST", "/people", LI | {"id": "N4", "badge": "N4", "wards": ["W9"]}, head=head) == (
        422,
        "ward",
    )
    assert office.code("POST", "/people/nobody/pin-codes", {"why": "new PIN"}) == (404, "unknown-person")
    assert office.code("POST", "/people", LI | {"roles": ["king"]}) == (422, "request")


def test_somebody_who_came_without_a_pin_gets_one(office: Office) -> None:
    put_person(office.ward.store, "N40001", "nurse")
    code = office("POST", "/people/N40001/pin-codes", {"why": "first PIN"}).json()["code"]
    assert office.set_pin(code, badge="N40001").status_code == 204
    assert office.sign_in(badge="N40001").status_code == 201
