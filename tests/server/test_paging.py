"""Every list comes in pages, also those that grow for ever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from starlette.testclient import TestClient

from broker.messages import Status
from clinical.care_records import Specimen
from server.app import create_app
from server.nodes.service import note_status
from server.storage.schema import ingest_intervals
from tests.support.ward_http import bearer, serving, token_of

pytestmark = pytest.mark.requirement("R-PEOPLE-10")
SHIFT = {"since": "2026-05-04T00:00:00Z", "until": "2026-05-04T08:00:00Z"}
WHOLE = {
    "/wards/{ward}/changes": "a feed with a cursor",
    "/patients/{patient_id}/fluids": "one ward day",
    "/patients/{patient_id}/critical-values": "read with its own limit",
    "/wards/{ward}/assignments": "the persons of one shift",
    "/wards/{ward}/statistics": "sums",
    "/encounters/{encounter_id}/trend": "points of a span, thinned",
    "/encounters/{encounter_id}/mews": "one score",
    "/encounters/{encounter_id}/news2": "one score",
    "/infusions/{infusion_id}/record": "one bag",
    "/alarms/{alarm_id}/clip": "a minute and a half",
    "/worklists/messages/{message_id}": "one message",
    "/worklists/put-aside/{name}/{number}": "one item",
    "/health": "the server's parts",
    "/me": "one person",
}
"""Lists that have an end of their own; every other has ``limit`` and ``offset``."""


@pytest.fixture
def client(ward: Any, tmp_path: Path) -> Iterator[TestClient]:
    with serving(ward.store, ward.site, tmp_path) as client:
        client.headers.update(bearer(token_of(ward.store, "N10001")))
        yield client


def read(client: TestClient, path: str, **query: Any) -> dict[str, Any]:
    answer = client.get(f"/api/v1{path}", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_every_list_has_pages_or_an_end_of_its_own() -> None:
    paths = create_app(None).openapi()["paths"]
    unpaged = set()
    for path, ways in paths.items():
        said = ways.get("get", {})
        answers = said.get("responses", {}).get("200", {}).get("content", {})
        names = {one["name"] for one in said.get("parameters", ())}
        if path.startswith("/api/") and "application/json" in answers and not {"limit", "offset"} <= names:
            unpaged.add(path.removeprefix("/api/v1"))
    assert unpaged - WHOLE.keys() == set()


def test_the_list_of_timed_care_comes_in_pages(ward: Any, client: TestClient) -> None:
    ward.admit("1001", "01")
    for number in range(3):
        taken = Specimen(
            id=f"s-{number}", patient_id="P-1001", order_id="", task_id="", encounter_id="E-V1001",
            container="serum", state="collected", collected_by="N20713", collected_at=ward.clock(),
        )  # fmt: skip
        ward.store.write(lambda unit, taken=taken: unit.put(taken))
    ward.clock.move(hours=3)
    whole = read(client, "/wards/W1/care")
    assert (len(whole["items"]), whole["total"]) == (3, 3)
    page = read(client, "/wards/W1/care", limit=2, offset=1)
    assert (page["items"], page["total"]) == (whole["items"][1:], 3)


def test_the_sheet_of_a_shift_comes_in_pages_in_walking_order(ward: Any, client: TestClient) -> None:
    for number in range(1, 4):
        ward.admit(f"100{number}", f"0{number}")
    page = read(client, "/wards/W1/handover", limit=2, offset=1, **SHIFT)
    assert ([one["bed"] for one in page["patients"]], page["total"]) == (["02", "03"], 3)


def test_the_ledger_accounts_for_the_newest_outbox_of_each_node_page_by_page(
    ward: Any, client: TestClient
) -> None:
    def write(unit: Any) -> None:
        for node, outbox, first, last in (
            ("bed-01", "a", 1, 9), ("bed-01", "z", 1, 4), ("bed-01", "z", 7, 8), ("bed-02", "m", 1, 3),
            ("bed-02", "b", 1, 1),
        ):  # fmt: skip
            row = {"node": node, "outbox": outbox, "first": first, "last": last}
            unit.connection.execute(insert(ingest_intervals).values(row))
        said = Status(node="bed-02", state="online", since=unit.now, outbox="b", last_seq=1)
        note_status(unit, said)

    ward.store.write(write)
    readings = read(client, "/ledger")["readings"]
    assert readings["outboxes"] == {"bed-01": {"z": [[1, 4], [7, 8]]}, "bed-02": {"b": [[1, 1]]}}
    assert (readings["gaps_open"], readings["nodes_total"]) == (1, 2)
    second = read(client, "/ledger", limit=1, offset=1)["readings"]
    assert (list(second["nodes"]), second["gaps_open"]) == (["bed-02"], 1)
