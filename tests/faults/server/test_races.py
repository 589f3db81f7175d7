"""Several online handhelds ask about one task at one instant, again and again: exactly one reads GIVE."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from threading import Barrier

import httpx2
import pytest

from clinical.bedside_check.model import (
    Action,
    CheckRequest,
    Entered,
    HandheldState,
    Operator,
    Scan,
    ScanMethod,
)
from clinical.exchange import CheckAnswer
from clinical.identifiers import hospital
from pda_app import wire
from tests.faults.server.conftest import FaultWard

ROUNDS = 15
PEOPLE = (("N20713", "2580", "pda-1"), ("N20488", "1470", "pda-2"), ("N10001", "3690", "pda-3"),
          ("N20713", "2580", "pda-4"))  # fmt: skip
"""Two nurses, the charge nurse, and the first nurse with a second handheld in her other hand."""
BAG_ORDER = (
    "MSH|^~\\&|HIS|H|WARDLINK|W1|{now}||RDE^O11^RDE_O11|R{number}|T|2.6||||||UNICODE UTF-8\r"
    "PID|1||7001^^^H^MR||张^三||19580614|M\rORC|NW|R{number}^HIS|||||||{now}||N10001^赵|D30012^李\r"
    "TQ1|1||ONCE||||{now}||R\rRXE||NS100^氯化钠|100||mL^mL^UCUM||||||||||||||||||60|mL/h^mL/h^UCUM\r"
    "RXR|IV^静脉滴注^HL70162\r"
)


def labelled_bag(ward: FaultWard, nurse: httpx2.Client, checker: httpx2.Client, number: int) -> str:
    """Order, label and check another bag; returns what is printed on it."""
    ward.tell(BAG_ORDER.format(number=number, now=f"{datetime.now(UTC):%Y%m%d%H%M%S}+0000"))
    tasks = nurse.get("/wards/W1/changes").json()["facts"]["tasks"]
    task = next(one["id"] for one in tasks if one["order_id"] == f"O-R{number}")
    bag = nurse.post(f"/tasks/{task}/bags").raise_for_status().json()["id"]
    for step in ("laid", "prepared"):
        nurse.post(f"/bags/{bag}/{step}").raise_for_status()
    checker.post(f"/bags/{bag}/check", json={"unscanned": "no-code"}).raise_for_status()
    return hospital.encode("bag", bag)


def asked(person: str, handheld: str, label: str) -> CheckRequest:
    now = datetime.now(UTC)
    band = Scan(raw=hospital.encode("wristband", "7001", "1"), method=ScanMethod.SCAN, at=now)
    return CheckRequest(
        id=f"{handheld}-{label}", action=Action.START, now=now, patient_scan=band,
        handheld=HandheldState(id=handheld, last_time_sync=now, battery_percent=80),
        operator=Operator(id=person, roles=("nurse",), badge_at=now), items=(replace(band, raw=label),),
        entered=Entered(device_id="ble:c0-00-00-00-01-01"),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.requirement("R-SYS-20")
@pytest.mark.hazard("H-PDA-01")
def test_of_many_handhelds_at_one_task_exactly_one_reads_give(
    ward_on: Callable[..., FaultWard], any_url: str
) -> None:
    ward = ward_on(any_url)
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(ward.signed_in(*person))) for person in PEOPLE]
        pool = stack.enter_context(ThreadPoolExecutor(len(PEOPLE)))
        start = Barrier(len(PEOPLE))

        def ask(index: int, label: str) -> CheckAnswer:
            person, _pin, handheld = PEOPLE[index]
            body = wire.encode(asked(person, handheld, label))
            start.wait(10)
            answer = clients[index].post(
                "/checks", content=body, headers={"content-type": "application/json"}
            )
            assert answer.status_code == 200, answer.text
            return wire.decode(answer.content, CheckAnswer)

        winners = []
        for number in range(ROUNDS):
            label = labelled_bag(ward, clients[0], clients[2], number)
            answers = list(pool.map(ask, range(len(PEOPLE)), [label] * len(PEOPLE)))
            words = [answer.result.word.value for answer in answers]
            assert sorted(words) == ["GIVE", "STOP", "STOP", "STOP"], [one.result for one in answers]
            assert [one.lease is not None for one in answers] == [word == "GIVE" for word in words]
            winners.append(words.index("GIVE"))
    assert len(set(winners)) > 1  # it was a race
