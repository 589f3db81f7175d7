"""A patient's administration record over HTTP: the charted week, page by page, also what is long over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from clinical.records import Administration, Dose
from tests.server.conftest import START, WardBench
from tests.support.ward_http import bearer, serving, token_of

pytestmark = [pytest.mark.requirement("R-SRV-69"), pytest.mark.hazard("H-SRV-19")]
PATH = "/api/v1/patients/P-1001/administrations"


def act(number: int, at: datetime, patient: str = "P-1001", outcome: str = "given") -> Administration:
    return Administration(
        id=f"g{number}", task_id=f"T{number}", order_id="O1", patient_id=patient, outcome=outcome, at=at,
        operator="N20713", dose=Dose(value=Decimal("0.50"), unit="g"), route="PO",
    )  # fmt: skip


@pytest.fixture
def client(any_ward: WardBench, tmp_path: Path) -> Iterator[Any]:
    any_ward.admit("1001", "01")
    any_ward.admit("1002", "02")
    with serving(any_ward.store, any_ward.site, tmp_path) as client:
        client.headers.update(bearer(token_of(any_ward.store, "N20713")))
        yield client


def put(ward: WardBench, *acts: Administration) -> None:
    ward.store.write(lambda unit: [unit.put(one) for one in acts])


def ids(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["administrations"]]


def test_the_last_seven_days_are_shown_oldest_first_and_nobody_elses(
    any_ward: WardBench, client: Any
) -> None:
    week = timedelta(days=7)
    put(
        any_ward,
        act(3, START - timedelta(minutes=1), outcome="refused"),
        act(1, START - week),
        act(2, START - timedelta(days=2)),
        act(4, START),
        act(5, START - week - timedelta(seconds=1)),
        act(6, START - timedelta(days=1), patient="P-1002"),
    )
    answer = client.get(PATH)
    assert ids(answer) == ["g1", "g2", "g3"]
    body = answer.json()
    assert (body["total"], body["administrations"][0]["dose"]["value"]) == (3, "0.50")
    assert [one["outcome"] for one in body["administrations"]] == ["given", "given", "refused"]
    span = {"since": "2026-05-04T09:00:00+08:00", "until": "2026-05-04T09:00:01+08:00"}
    assert ids(client.get(PATH, params=span)) == ["g4"]


def test_a_long_record_comes_in_pages_that_leave_nothing_out(any_ward: WardBench, client: Any) -> None:
    put(any_ward, *(act(number, START - timedelta(minutes=60 - number)) for number in range(7)))
    pages = [client.get(PATH, params={"limit": 3, "offset": offset}) for offset in (0, 3, 6, 9)]
    assert [ids(page) for page in pages] == [["g0", "g1", "g2"], ["g3", "g4", "g5"], ["g6"], []]
    assert {page.json()["total"] for page in pages} == {7}


def test_what_was_given_under_a_wrong_clock_is_found_where_it_was_charted(
    any_ward: WardBench, client: Any
) -> None:
    """Days before it was sent, or days ahead: the time that was charted counts, not when it came."""
    put(any_ward, act(1, START - timedelta(days=6)), act(2, START + timedelta(days=20)))
    span = {"since": "2026-05-23T00:00:00Z", "until": "2026-05-25T00:00:00Z"}
    assert (ids(client.get(PATH)), ids(client.get(PATH, params=span))) == (["g1"], ["g2"])


def test_what_has_left_the_picture_is_still_in_the_record(any_ward: WardBench, client: Any) -> None:
    put(any_ward, act(1, START - timedelta(hours=1)))
    any_ward.store.write(lambda unit: unit.retire(Administration, "g1"))
    assert any_ward.store.picture.get(Administration, "g1") is None
    assert ids(client.get(PATH)) == ["g1"]


REFUSED = (
    ({"since": "2026-05-04T01:00:00Z", "until": "2026-05-04T01:00:00Z"}, "record-span"),
    ({"since": "2026-04-01T00:00:00Z"}, "record-span"),
    ({"until": "0001-01-02T00:00:00Z"}, "time"),
    ({"since": "2026-05-04T01:00:00"}, "request"),
    ({"limit": "501"}, "request"),
)


def test_a_period_that_cannot_be_is_refused_with_what_to_change(client: Any) -> None:
    for params, code in REFUSED:
        answer = client.get(PATH, params=params)
        assert (answer.status_code, answer.json()["code"]) == (422, code), params


def test_a_patient_who_is_not_here_has_no_record_here(client: Any) -> None:
    answer = client.get("/api/v1/patients/P-9/administrations")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-patient")
