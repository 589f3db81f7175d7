"""A patient is moved while the node cannot be heard: what it kept goes to who lay there at the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from broker.topics import Up
from tests.faults.server.conftest import OXIMETER, SPO2, FaultWard, Rows
from tests.support.server_process import NodeStandIn, until

pytestmark = [
    pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.requirement("R-INF-03"),
    pytest.mark.hazard("H-INF-02"),
]  # fmt: skip
MOVE = (
    "MSH|^~\\&|HIS|H|WARDLINK|W1|{now}||ADT^A02^ADT_A02|C8|T|2.6||||||UNICODE UTF-8\rEVN||{now}\r"
    "PID|1||7001^^^H^MR||张^三||19580614|M\rPV1|1|I|W1^^02||||||||||||||||V7001\r"
)
NEXT = (
    "MSH|^~\\&|HIS|H|WARDLINK|W1|{now}||ADT^A01^ADT_A01|C9|T|2.6||||||UNICODE UTF-8\rEVN||{now}\r"
    "PID|1||7002^^^H^MR||李^四||19600101|F\rPV1|1|I|W1^^01||||||||||||||||V7002\r"
)


def measured(node: NodeStandIn, count: int) -> list[str]:
    """The node measures and keeps; nobody can hear it."""
    ids = []
    for _ in range(count):
        reading = node.reading(OXIMETER, {SPO2: (97, "%")})
        node.put(Up.READINGS, reading, send=False)
        ids.append(reading.id)
        time.sleep(0.02)
    return ids


def tell(ward: FaultWard, message: str) -> None:
    ward.tell(message.format(now=datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")))


def test_what_a_node_kept_through_a_transfer_goes_to_who_lay_there(
    ward_on: Callable[..., FaultWard],
) -> None:
    ward = ward_on("")
    node = ward.node()
    ward.broker.kill()
    mine = measured(node, 5)
    time.sleep(1.1)
    tell(ward, MOVE)
    mine += measured(node, 5)  # the bed is another one by the hospital's word; the sensor is still on
    with ward.client() as client:
        off = datetime.now(UTC)
        url = "/encounters/E-V7001/leave-confirm"
        client.post(url, json={"at": off.isoformat()}).raise_for_status()
    time.sleep(0.1)
    nobodys = measured(node, 5)
    time.sleep(1.1)
    tell(ward, NEXT)
    theirs = measured(node, 5)
    ward.broker.start()
    with ward.client() as client:
        until(lambda: client.get("/health").json()["parts"]["broker"]["ok"], 30)

    def heard() -> bool:
        node.resend()
        time.sleep(0.3)
        return not node.waiting

    until(heard, 30)
    assert ward.server.stop() == 0
    rows = Rows(ward.server.url)
    filed = {row[0]: (row[1], row[2]) for row in rows.all("SELECT id, encounter_id, unassigned FROM samples")}
    rows.close()
    wanted = dict.fromkeys(mine, ("E-V7001", "")) | dict.fromkeys(theirs, ("E-V7002", ""))
    assert filed == wanted | dict.fromkeys(nobodys, ("", "no-association"))
