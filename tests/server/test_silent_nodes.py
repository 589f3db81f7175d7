"""A node that is called online and says nothing is told, whatever the broker repeats."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broker.messages import Status
from clinical.records import Alarm
from server.alarms.from_nodes import note_presence
from server.nodes import service
from server.nodes.silent import SilentNodes
from tests.server.conftest import WardBench

pytestmark = [pytest.mark.requirement("R-SRV-60"), pytest.mark.hazard("H-SRV-06")]


def say(ward: WardBench, state: str = "online") -> None:
    status = Status(node="bed-01", state=state)  # type: ignore[arg-type]

    def note(unit) -> None:  # type: ignore[no-untyped-def]
        service.note_status(unit, status)
        note_presence(unit, status)

    ward.store.write(note)


def offline(ward: WardBench) -> list[str]:
    known = ward.store.picture.all(Alarm)
    return [str(one.params["node"]) for one in known if one.condition == "node-offline" and one.present]


def test_an_online_node_that_says_nothing_for_ninety_seconds_is_told_until_it_speaks(
    any_ward: WardBench,
) -> None:
    watch = SilentNodes(any_ward.clock())
    say(any_ward)
    for seconds in (60, 29):
        any_ward.clock.move(seconds=seconds)
        any_ward.store.write(watch.tick)
    assert offline(any_ward) == []
    any_ward.clock.move(seconds=12)
    any_ward.store.write(watch.tick)
    assert offline(any_ward) == ["bed-01"]
    say(any_ward)
    assert offline(any_ward) == []


def test_a_server_that_was_away_gives_every_node_its_time_and_one_never_seen_is_not_silent(
    any_ward: WardBench,
) -> None:
    say(any_ward)
    any_ward.clock.move(hours=3)
    watch = SilentNodes(any_ward.clock())
    any_ward.clock.move(seconds=80)
    any_ward.store.write(watch.tick)
    assert offline(any_ward) == []
    any_ward.clock.move(seconds=30)
    any_ward.store.write(watch.tick)
    assert offline(any_ward) == ["bed-01"]  # bed-02 has never said anything


def test_a_clock_that_was_set_back_does_not_stop_the_watch(any_ward: WardBench) -> None:
    watch = SilentNodes(any_ward.clock() + timedelta(hours=1))
    say(any_ward)
    any_ward.store.write(watch.tick)
    any_ward.clock.move(hours=1, seconds=100)
    any_ward.store.write(watch.tick)
    assert offline(any_ward) == ["bed-01"]
