from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from clinical.errors import ConflictError
from edge_node.ports import Frame, LinkLostError
from edge_node.sessions import BACKOFF_MAX_S, LEGAL, Backoff, Session, SessionState, Transition, keep
from tests.support.edge_bench import Time


class FakeLink:
    def __init__(self) -> None:
        self.frames: asyncio.Queue[Frame | LinkLostError] = asyncio.Queue()


class FakeTransport:
    """Opens the links it is given, in order; an error in the list is a failed connect."""

    def __init__(self, script: list[FakeLink | LinkLostError]) -> None:
        self.script = script
        self.open_now = 0

    async def available(self) -> None:
        if not self.script:
            await asyncio.Event().wait()

    def open(self) -> AbstractAsyncContextManager[FakeLink]:
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[FakeLink]:
        item = self.script.pop(0)
        if isinstance(item, LinkLostError):
            raise item
        self.open_now += 1
        try:
            yield item
        finally:
            self.open_now -= 1


def frame() -> Frame:
    return Frame(stream="s", data=b"x", stamp=Time().clock().now())


def run_script(script: list[FakeLink | LinkLostError], quiet_s: float = 0.05) -> tuple[list[Transition], int]:
    steps: list[Transition] = []
    frames: list[Frame] = []
    transport = FakeTransport(script)

    class Quick(Backoff):
        def next_s(self, kind: str) -> float:
            return super().next_s(kind) / 1000

    async def main() -> None:
        session = Session("ble:x", "p", steps.append)
        backoff = Quick(random.Random(1))
        task = asyncio.create_task(
            keep(session, transport, lambda _s, one: frames.append(one), backoff, quiet_s)
        )
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert transport.open_now == 0
    return steps, len(frames)


def test_a_device_lives_from_discovered_to_streaming_to_lost_and_again() -> None:
    link = FakeLink()
    link.frames.put_nowait(frame())
    link.frames.put_nowait(LinkLostError("link-lost"))
    steps, frames = run_script([link])
    assert [step.state.value for step in steps] == ["discovered", "connecting", "ready", "streaming", "lost"]
    assert steps[-1].reason == "link-lost"
    assert frames == 1


@pytest.mark.requirement("R-EDGE-11")
def test_a_silent_link_is_given_up_by_the_watchdog_and_closed() -> None:
    steps, _ = run_script([FakeLink(), FakeLink()])
    assert [step.reason for step in steps if step.state is SessionState.LOST] == ["quiet", "quiet"]


def test_a_failed_connect_is_tried_again() -> None:
    link = FakeLink()
    link.frames.put_nowait(frame())
    steps, _ = run_script([LinkLostError("connect-failed"), LinkLostError("radio-busy", "busy"), link])
    assert SessionState.STREAMING in {step.state for step in steps}


def test_only_legal_steps_are_possible() -> None:
    for start in SessionState:
        for end in SessionState:
            session = Session("ble:x", "p", lambda _step: None)
            session.state = start
            if end in LEGAL[start]:
                session.to(end)
                assert session.state is end
            else:
                with pytest.raises(ConflictError):
                    session.to(end)


def test_pauses_grow_by_class_of_failure_are_capped_and_spread() -> None:
    backoff = Backoff(random.Random(2))
    pauses = [backoff.next_s("transient") for _ in range(12)]
    assert pauses[0] <= 0.25
    assert BACKOFF_MAX_S / 2 <= pauses[-1] <= BACKOFF_MAX_S
    backoff.reset()
    assert backoff.next_s("busy") >= 2.0
    assert len({Backoff(random.Random(seed)).next_s("missing") for seed in range(5)}) == 5
