"""What ends or locks a sign-in holds for every way in, and keeps nobody out who belongs in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from clinical.records import Dose
from server.people import locks, service
from server.storage.schema import credentials
from server.verbal_orders import resuscitation
from server.verbal_orders import service as verbal
from tests.server.test_locks import ORIGIN, PASSWORD, code, enter, set_password
from tests.support.ward_http import bearer, put_person, serving, token_of

WHY = {"why": "lost on the tram"}


@pytest.fixture
def client(ward: Any, tmp_path: Path) -> Iterator[TestClient]:
    put_person(ward.store, "boss", "manager")
    with serving(ward.store, ward.site, tmp_path) as client:
        yield client


def boss(ward: Any) -> dict[str, str]:
    return bearer(token_of(ward.store, "boss"))


@pytest.mark.requirement("R-PEOPLE-01")
@pytest.mark.hazard("H-PEOPLE-02")
def test_a_password_that_was_set_with_the_old_pin_is_gone_with_it(ward: Any, client: TestClient) -> None:
    assert set_password(ward, client).status_code == 204
    made = client.post("/api/v1/people/N20713/pin-codes", json={"why": "it was seen"}, headers=boss(ward))
    anew = {"badge": "N20713", "code": made.json()["code"], "pin": "7319"}
    assert client.post("/api/v1/pins", json=anew).is_success
    assert code(enter(client)) == (401, "sign-in-password")
    assert set_password(ward, client, pin="7319", password="fünf Enten im Schnee").status_code == 204
    assert enter(client, "fünf Enten im Schnee").status_code == 201


@pytest.mark.requirement("R-PEOPLE-04")
@pytest.mark.hazard("H-PEOPLE-03")
def test_with_a_handheld_end_the_web_sessions_and_codes_that_were_made_on_it(
    ward: Any, client: TestClient
) -> None:
    def new_code(token: str) -> str:
        answer = client.post("/api/v1/sessions/one-time-codes", headers=bearer(token))
        return str(answer.json()["code"])

    def use(one: str) -> Any:
        return client.post("/api/v1/sessions/one-time", json={"code": one}, headers=ORIGIN)

    lost, other = (token_of(ward.store, *one) for one in (("N20713", "pda-lost"), ("N20488", "pda-2")))
    cookies = {}
    for token in (lost, other):
        opened = use(new_code(token))
        assert opened.status_code == 201, opened.text
        cookies[token] = opened.headers["set-cookie"].split(";")[0]
        client.cookies.clear()
    unused = {token: new_code(token) for token in (lost, other)}
    given_up = client.delete("/api/v1/handhelds/pda-lost/sessions", params=WHY, headers=boss(ward))
    assert given_up.status_code == 200
    seen = [client.get("/api/v1/me", headers={"cookie": cookies[one]}).status_code for one in (lost, other)]
    assert seen == [401, 200]
    assert [use(unused[one]).status_code for one in (lost, other)] == [401, 201]


@pytest.mark.requirement("R-SRV-31")
@pytest.mark.hazard("H-SRV-14")
def test_wrong_pins_from_outside_never_keep_an_owner_from_unlocking(
    ward: Any, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set_password(ward, client).status_code == 204
    assert enter(client).status_code == 201
    assert client.post("/api/v1/sessions/current/lock", headers=ORIGIN).status_code == 204
    with monkeypatch.context() as quick:  # a wrong PIN, without the time that its hash takes
        quick.setattr(service, "_fits", lambda *_: False)
        for number in range(26):
            ward.clock.move(seconds=4)
            body = {"badge": "N20713", "pin": "0001", "handheld": f"evil-{number}"}
            last = client.post("/api/v1/sessions", json=body)
    assert code(last) == (429, "too-many-attempts")
    ward.clock.move(seconds=61)
    unlock = {"secret": PASSWORD, "by": "password"}
    assert client.post("/api/v1/sessions/current/unlock", json=unlock, headers=ORIGIN).status_code == 204
    assert client.get("/api/v1/alarms").status_code == 200


@pytest.mark.requirement("R-SRV-31")
@pytest.mark.hazard("H-SRV-14")
def test_an_owner_who_guesses_at_the_lock_of_the_own_screen_is_held_up_like_everybody(
    ward: Any, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = bearer(token_of(ward.store, "N20713"))
    monkeypatch.setattr(service, "_fits", lambda *_: False)
    answers = [
        code(client.post("/api/v1/sessions/current/unlock", json={"secret": "0000"}, headers=head))
        for _ in range(6)
    ]
    assert answers == [(401, "sign-in")] * 5 + [(429, "too-many-attempts")]


@pytest.mark.requirement("R-SRV-31")
@pytest.mark.hazard("H-SRV-14")
@pytest.mark.parametrize("proven", [True, False])
def test_only_a_typed_pin_takes_back_the_lock_of_the_second_person_of_a_spoken_order(
    ward: Any, proven: bool
) -> None:
    ward.admit("1001", "01")
    ward.store.write(lambda unit: resuscitation.change(unit, ward.site, "E-V1001", "begin", "N20713"))
    until = ward.clock() + timedelta(minutes=5)
    table = credentials
    row = table.c.practitioner_id == "N20488"
    locked = update(table).where(row).values(failed=20, locked_until=until)
    ward.store.write(lambda unit: unit.connection.execute(locked))
    spoken = verbal.Spoken(
        id="0198c0de-0001", patient_id="P-1001", prescriber="D30012", route="IV", emergency=True,
        lines=(("KCL10", Dose(value=Decimal(10), unit="mL")),), witness="N20488", witness_proven=proven,
    )  # fmt: skip
    ward.store.write(lambda unit: verbal.take(unit, ward.site, spoken, "N20713"))
    with ward.store.reading() as connection:
        now = connection.execute(select(table.c.failed, table.c.locked_until).where(row)).one()
    assert tuple(now) == ((0, None) if proven else (20, until))


@pytest.mark.requirement("R-PEOPLE-03")
@pytest.mark.hazard("H-PEOPLE-03")
def test_a_locked_handheld_reaches_what_a_patient_depends_on_and_nothing_that_ends_alike(
    ward: Any, client: TestClient
) -> None:
    put_person(ward.store, "cn", "charge-nurse")
    head = bearer(token_of(ward.store, "cn"))
    assert client.get("/api/v1/worklists/put-aside/events", headers=head).status_code == 200
    assert client.post("/api/v1/sessions/current/lock", headers=head).status_code == 204
    assert code(client.get("/api/v1/worklists/put-aside/events", headers=head)) == (401, "session-locked")
    assert client.post("/api/v1/events", json={"events": []}, headers=head).status_code == 200
    assert client.get("/api/v1/wards/W1/changes", headers=head).status_code == 200
    ends = ("/api/v1/x/events", "/api/v1/wards/W1/x/changes", "/fhir/R4/changes", "/api/v1/events/")
    assert [locks.is_exempt(path, "bearer") for path in ends] == [False] * len(ends)
