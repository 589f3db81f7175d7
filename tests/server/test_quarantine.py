"""What could not be read is seen by people, tried again and closed; nothing of it is ever deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from broker import topics
from broker.messages import Event, encode
from broker.topics import Up
from clinical.records import Administration
from server.infusions.flow import FlowWatch
from server.ingest.commit import BatchWriter
from server.ingest.decode import Poison
from server.ingest.port import Packet
from server.storage.codec import to_text
from server.storage.schema import ingest_quarantine, quarantined_events
from tests.support.ward_http import bearer, put_person, serving, token_of

pytestmark = [pytest.mark.requirement("R-PEOPLE-09"), pytest.mark.hazard("H-PEOPLE-06")]
WHY = {"why": "the server was updated"}
TOPIC = topics.up("bed-01", Up.EVENTS)


class Lists:
    """A ward where things come that cannot be read, and who looks at them."""

    def __init__(self, ward: Any, client: TestClient, taken: list[tuple[str, bytes]]) -> None:
        self.ward, self.client, self.taken = ward, client, taken
        put_person(ward.store, "chief", "manager", wards=())
        put_person(ward.store, "boiler", "engineer")
        self.chief, self.engineer = (bearer(token_of(ward.store, one)) for one in ("chief", "boiler"))

    def put_event_aside(self) -> None:
        head = bearer(token_of(self.ward.store, "N20713"))
        sent = {"type": "administration", "id": "e-1", "at": "yesterday"}
        answer = self.client.post("/api/v1/events", json={"events": [sent]}, headers=head)
        assert answer.json()["outcomes"][0]["status"] == "refused"

    def put_message_aside(self) -> None:
        poison = Poison(Packet(TOPIC, b"\xff{", False, (1, 1)), "not a valid body")
        writer = BatchWriter(FlowWatch(self.ward.site.policy))
        self.ward.store.write(lambda unit: writer.write(unit, [poison]))

    def __call__(self, method: str, path: str, head: Any = None, body: Any = None) -> Any:
        return self.client.request(
            method, f"/api/v1/worklists/put-aside/{path}", headers=head or self.chief, json=body
        )

    def code(self, *asked: Any) -> str:
        return str(self(*asked).json()["code"])

    def states(self, name: str) -> list[str]:
        return [one["state"] for one in self("GET", f"{name}?settled=true").json()["items"]]

    def audit(self) -> list[tuple[str, ...]]:
        with self.ward.store.reading() as connection:
            said = (
                "SELECT action, actor, entity, outcome FROM audit WHERE action LIKE 'put-aside%' ORDER BY n"
            )
            return [tuple(row) for row in connection.exec_driver_sql(said)]


@pytest.fixture
def lists(ward: Any, tmp_path: Path) -> Iterator[Lists]:
    taken: list[tuple[str, bytes]] = []
    with serving(
        ward.store, ward.site, tmp_path, take_packet=lambda topic, payload: taken.append((topic, payload))
    ) as client:
        yield Lists(ward, client, taken)


def test_an_event_nobody_could_read_is_listed_without_content_and_shown_to_who_may_see_all(
    lists: Lists,
) -> None:
    lists.put_event_aside()
    found = lists("GET", "events", lists.engineer).json()
    first = found["items"][0]
    assert (found["waiting"], first["source"], first["state"]) == (1, "N20713", "waits")
    assert "yesterday" not in str(found)
    assert "yesterday" in lists("GET", "events/1").json()["text"]
    assert lists.code("GET", "events/1", lists.engineer) == "role"
    put_person(lists.ward.store, "other", "manager", wards=("W2",))
    assert lists.code("GET", "events/1", bearer(token_of(lists.ward.store, "other"))) == "other-ward"
    assert lists.code("GET", "events/9") == "put-aside"
    assert lists.audit() == [("put-aside-read", "chief", "events:1", "ok")]


def test_an_event_that_can_be_read_now_is_applied_once_and_in_its_uploaders_name(lists: Lists) -> None:
    ward = lists.ward
    ward.admit("1001", "01")
    lists.put_event_aside()
    still = lists("POST", "events/1/retry", lists.engineer, WHY).json()
    assert (still["state"], "at" in still["reason"]) == ("waits", True)
    event = ward.given("e-1", ward.task_of(ward.order("1001", "M1")), ward.request("r1"))
    good = update(quarantined_events).values(body=to_text(event))
    ward.store.write(lambda unit: unit.connection.execute(good))
    assert lists("POST", "events/1/retry", lists.engineer, WHY).json()["state"] == "taken"
    assert [one.operator for one in ward.store.picture.all(Administration)] == ["N20713"]
    assert lists.code("POST", "events/1/retry", lists.engineer, WHY) == "put-aside-settled"
    assert lists("GET", "events").json() == {"items": [], "waiting": 0}
    assert lists.states("events") == ["taken"]
    assert [line[3] for line in lists.audit()] == ["refused", "accepted-exception"]


def test_an_event_whose_uploader_has_left_the_record_is_charted_by_hand_and_closed(lists: Lists) -> None:
    lists.put_event_aside()
    gone = update(quarantined_events).values(uploaded_by="nobody")
    lists.ward.store.write(lambda unit: unit.connection.execute(gone))
    assert lists.code("POST", "events/1/retry", None, WHY) == "put-aside-nobody"
    assert lists.code("POST", "events/1/close", lists.engineer, WHY) == "role"
    closed = lists("POST", "events/1/close", None, {"why": "charted by hand"})
    assert closed.json()["state"] == "closed"
    assert lists.code("POST", "events/1/close", None, WHY) == "put-aside-settled"


def test_a_nodes_message_goes_the_way_of_every_other_once_it_can_be_read(lists: Lists) -> None:
    lists.put_message_aside()
    still = lists("POST", "quarantine/1/retry", lists.engineer, WHY).json()
    assert (still["state"], bool(still["reason"]), lists.taken) == ("waits", True, [])
    now = lists.ward.clock()
    good = encode(
        Event(
            node="bed-01", boot="b", outbox="o", seq=1, sent=now, id="x", kind="start", effective=now
        )
    )  # fmt: skip
    kept = update(ingest_quarantine).values(payload=good)
    lists.ward.store.write(lambda unit: unit.connection.execute(kept))
    assert lists("POST", "quarantine/1/retry", lists.engineer, WHY).json()["state"] == "taken"
    assert lists.taken == [(TOPIC, good)]
    assert lists.states("quarantine") == ["taken"]
    assert "bed-01" in lists("GET", "quarantine/1").json()["text"]


def test_a_server_without_nodes_says_so(ward: Any, tmp_path: Path) -> None:
    with serving(ward.store, ward.site, tmp_path) as client:
        lists = Lists(ward, client, [])
        lists.put_message_aside()
        assert lists.code("POST", "quarantine/1/retry", None, WHY) == "no-broker"
