"""Which node is told to watch which bag: the ones that hear its sensor, and all while nobody does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from broker.messages import Status, Targets, decode
from clinical.bedside_check.model import Action
from clinical.records import Generation
from server.infusions.targets import TargetPublisher
from server.nodes import service as nodes
from server.sync.events import apply

DRIP, OTHER = "ble:c0-00-00-00-01-01", "ble:c0-00-00-00-02-01"


class Wall:
    """The publisher over the ward's nodes, and what each node was last told."""

    def __init__(self, ward: Any) -> None:
        self.ward = ward
        self.told: dict[str, list[str]] = {}
        self.sent = 0
        loop = asyncio.new_event_loop()
        self.publisher = TargetPublisher(loop, self._publish, ward.site.policy, self._nodes)
        loop.close()

    def _nodes(self) -> list[nodes.NodeState]:
        with self.ward.store.reading() as connection:
            return nodes.read_all(connection)

    def _publish(self, topic: str, payload: bytes) -> None:
        self.sent += 1
        self.told[topic.split("/")[2]] = [one.device for one in decode(payload, Targets).targets]

    def says(self, node: str, state: str = "online", **devices: str) -> None:
        named = {DRIP: devices.get("drip"), OTHER: devices.get("other")}
        status = Status(
            node=node,
            state=state,  # type: ignore[arg-type]
            devices={device: word for device, word in named.items() if word},
            generation=Generation.DEMO,
        )
        self.ward.store.write(lambda unit: nodes.note_status(unit, status))
        self.send()

    def hears(self, node: str, device: str = DRIP) -> None:
        self.publisher.heard(self.ward.store.picture, {(node, device)})

    def send(self) -> None:
        self.publisher.send(self.ward.store.picture)


@pytest.fixture
def wall(ward: Any) -> Wall:
    ward.admit("1001", "01")
    task = ward.task_of(ward.order_bag("1001", "B1"))
    event = ward.started("s1", task, ward.request("r1", Action.START), device_id=DRIP)
    ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), event))
    wall = Wall(ward)
    wall.send()
    return wall


@pytest.mark.requirement("R-SRV-19")
@pytest.mark.hazard("H-SRV-06")
def test_a_sensor_nobody_has_heard_is_looked_for_by_every_node(wall: Wall) -> None:
    assert wall.told == {"bed-01": [DRIP], "bed-02": [DRIP]}


@pytest.mark.requirement("R-SRV-19")
def test_only_nodes_that_hear_a_sensor_watch_its_bag(wall: Wall) -> None:
    wall.says("bed-01", drip="streaming")
    assert wall.told == {"bed-01": [DRIP], "bed-02": []}
    wall.says("bed-02", drip="searching")
    assert wall.told["bed-02"] == []
    wall.says("bed-02", drip="ready")
    assert wall.told["bed-02"] == [DRIP]


@pytest.mark.requirement("R-SRV-19")
@pytest.mark.hazard("H-SRV-06")
def test_a_node_that_begins_to_hear_a_sensor_is_told_at_once_and_the_other_goes_on(wall: Wall) -> None:
    wall.says("bed-01", drip="streaming")
    wall.hears("bed-02")
    assert wall.told == {"bed-01": [DRIP], "bed-02": [DRIP]}
    sent = wall.sent
    wall.hears("bed-02")
    wall.hears("bed-02", OTHER)
    wall.send()
    assert wall.sent == sent


@pytest.mark.requirement("R-SRV-19")
def test_a_node_always_watches_what_is_mounted_at_its_beds(wall: Wall, ward: Any) -> None:
    insert = "INSERT INTO device_places (device_id, ward, bed) VALUES (?, 'W1', '02')"
    ward.store.write(lambda unit: unit.connection.exec_driver_sql(insert, (DRIP,)))
    wall.says("bed-01", drip="streaming")
    assert wall.told == {"bed-01": [DRIP], "bed-02": [DRIP]}


def test_every_node_is_told_again_when_the_broker_comes_back(wall: Wall) -> None:
    sent = wall.sent
    wall.publisher.send(wall.ward.store.picture, always=True)
    assert wall.sent == sent + 2
