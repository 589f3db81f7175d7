"""Events out, changes in, outcomes back: nothing lost, nothing twice, nothing dismissed unseen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from clinical.errors import BadInputError, UnavailableError
from clinical.exchange import AdministrationRecorded, AlarmAcknowledged, Outcome
from clinical.records import TaskStatus
from pda_app.presenters.states import Connection, Screen
from tests.support.handheld import Rig, alarm, at, bag, wristband

Play = Callable[..., None]


async def give_offline(rig: Rig) -> None:
    rig.server.up = False
    await rig.scan(wristband("M000001"), bag("b-o1"))
    await rig.until(lambda: rig.app.check.state.verdict.kind == "give")
    rig.app.check.primary()
    await rig.app.settle()


async def back_online(rig: Rig) -> None:
    rig.server.up = True
    rig.app.desk.sync.kick()
    await rig.synced()


@pytest.mark.requirement("R-PDA-30")
@pytest.mark.hazard("H-PDA-10")
def test_what_was_recorded_offline_arrives_once_when_the_network_is_back(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await give_offline(rig)
        assert rig.app.state.status.connection is Connection.OFFLINE
        assert rig.app.state.status.queued > 0
        await back_online(rig)
        assert len(rig.api.sent(AdministrationRecorded)) == 1
        assert rig.app.state.status.connection is Connection.ONLINE

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-31")
@pytest.mark.hazard("H-PDA-13")
@pytest.mark.parametrize(
    ("status", "code", "said", "answer"),
    [
        ("accepted-exception", "ORD-DISCONTINUED", "医嘱当时已停", "doctor-told"),
        ("duplicate", "TIME-DUP", "请当面核对实际给了几次", "gave-once"),
    ],
)
def test_a_returned_outcome_stays_until_it_is_answered(
    signed_in: Play, status: str, code: str, said: str, answer: str
) -> None:
    async def scenario(rig: Rig) -> None:
        await give_offline(rig)
        rig.server.give_outcome("administration", status, code)
        await back_online(rig)
        assert rig.app.state.status.returned == 1
        assert rig.app.state.status.connection is Connection.ATTENTION
        rig.app.go(Screen.UPLOADS)
        (card,) = rig.app.uploads.state.cards
        assert card.bed == "01"
        assert said in rig.text(card.system)
        rig.app.go(Screen.TODAY)
        rig.app.uploads.answer(card.event_id, "no-such-answer")
        await rig.app.settle()
        assert rig.app.state.status.returned == 1
        rig.app.uploads.answer(card.event_id, answer)
        await rig.app.settle()
        assert rig.app.state.status.returned == 0

    signed_in(scenario)


@pytest.mark.requirement("R-GIVE-03")
def test_a_duplicate_says_who_recorded_the_first_one_and_when(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await give_offline(rig)
        at_ward_time = "2026-05-04T09:40:00+08:00"
        rig.server.outcomes["administration"] = Outcome(
            event_id="", status="duplicate", code="TIME-DUP", params={"by": "N20488", "at": at_ward_time}
        )
        await back_online(rig)
        rig.app.go(Screen.UPLOADS)
        (card,) = rig.app.uploads.state.cards
        assert "09:40 已记录" in rig.text(card.system)
        assert "陈静" in rig.text(card.system)

    signed_in(scenario)


def test_the_queue_is_listed_with_bed_and_drug(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await give_offline(rig)
        rig.app.go(Screen.UPLOADS)
        (row,) = rig.app.uploads.state.queue
        assert rig.text(row.title) == "01 张建国 给药"
        assert "美托洛尔缓释片" in rig.text(row.detail)
        assert "数据截至 09:42" in rig.text(rig.app.uploads.state.note)

    signed_in(scenario)


def test_an_answer_lost_on_the_way_is_asked_for_again_and_counts_once(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        send = rig.api.send
        lost = asyncio.Event()

        async def lose_the_answer(events: object) -> tuple[Outcome, ...]:
            outcomes = await send(events)  # type: ignore[arg-type]
            if not lost.is_set():
                lost.set()
                raise UnavailableError("server-silent", "cut")
            return outcomes

        rig.api.send = lose_the_answer  # type: ignore[method-assign]
        await rig.scan(wristband("M000001"), bag("b-o1"))
        rig.app.check.primary()
        await rig.app.settle()
        rig.app.desk.sync.kick()
        await rig.synced()
        assert len(rig.api.sent(AdministrationRecorded)) == 1

    signed_in(scenario)


def test_one_event_the_server_cannot_read_holds_up_none_of_the_others(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        send = rig.api.send

        async def picky(events: tuple[object, ...]) -> tuple[Outcome, ...]:
            if any(isinstance(event, AdministrationRecorded) for event in events):
                raise BadInputError("not-understood", "no")
            return await send(events)  # type: ignore[arg-type]

        rig.api.send = picky  # type: ignore[method-assign]
        await give_offline(rig)
        await back_online(rig)
        assert rig.app.state.status.returned == 1
        assert {event.type for event in rig.server.events.values()} == {"check-evaluated"}

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-32")
def test_a_change_on_the_server_reaches_the_screen_by_itself(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.change(alarms=(alarm("a1", "01"),))
        await rig.until(lambda: rig.app.alarms.state.current is not None, seconds=1.0)

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-32")
def test_the_first_answer_after_an_outage_ends_every_pause(
    signed_in: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(rig: Rig) -> None:
        sync = rig.app.desk.sync
        monkeypatch.setattr("pda_app.sync._BACKOFF_S", (600.0,))
        rig.server.change(alarms=(alarm("a1", "01"),))
        await rig.synced()
        rig.server.up = False
        await rig.until(lambda: not sync.link.online)  # the poll failed, and would rest for minutes
        await asyncio.sleep(0.05)
        rig.server.up = True
        rig.server.change(alarms=(alarm("a2", "01"),))
        rig.app.alarms.acknowledge()  # what is sent finds the server there again
        await rig.until(lambda: any(one.id == "a2" for one in rig.app.desk.book.facts.alarms), seconds=2.0)

    signed_in(scenario)


def test_the_server_s_record_replaces_what_was_laid_over_here(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband("M000001"), bag("b-o1"))
        rig.app.check.primary()
        await rig.app.settle()
        assert (
            next(one for one in rig.app.desk.book.facts.tasks if one.id == "t-o1").status is TaskStatus.GIVEN
        )
        await rig.synced()
        held = replace(rig.server.facts.tasks[0], status=TaskStatus.HELD)
        rig.server.change(tasks=(held,))
        await rig.synced()
        assert (
            next(one for one in rig.app.desk.book.facts.tasks if one.id == "t-o1").status is TaskStatus.HELD
        )

    signed_in(scenario)


def test_the_clock_of_the_server_counts_and_a_wrong_one_here_is_told(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.clock_offset_s = 180.0
        rig.server.change()
        await rig.synced()
        assert "3 分" in rig.text(rig.app.state.status.clock)
        assert rig.app.desk.now() == at(3)

    signed_in(scenario)


@pytest.mark.hazard("H-PDA-10")
def test_nothing_is_called_recorded_when_the_store_cannot_write(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband("M000001"), bag("b-o1"))
        await rig.synced()

        async def full(event: object) -> None:
            raise UnavailableError("store-troubled", "full")

        rig.store.put = full  # type: ignore[method-assign, assignment]
        rig.app.check.primary()
        await rig.app.settle()
        assert not rig.app.check.state.recorded
        assert "没有记录" in rig.text(rig.app.state.toast.text)
        assert rig.app.check.state.primary.enabled

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-33")
def test_an_alarm_acknowledged_offline_falls_silent_here_and_is_told_later(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.change(alarms=(alarm("a1", "01"),))
        await rig.synced()
        rig.server.up = False
        rig.app.alarms.acknowledge()
        await rig.app.settle()
        assert rig.app.alarms.state.current is None
        await back_online(rig)
        assert [event.alarm_id for event in rig.api.sent(AlarmAcknowledged)] == ["a1"]

    signed_in(scenario)
