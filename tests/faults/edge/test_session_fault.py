"""A fault that nobody foresaw in the middle of a connection attempt."""

from __future__ import annotations

import asyncio
import random
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from edge_node.sessions import Backoff, Session, SessionState, keep


class Faulty:
    """A transport whose library fails in a way that is no lost link."""

    async def available(self) -> None:
        """Be there at once."""

    def open(self) -> AbstractAsyncContextManager[Any]:
        raise KeyError("a fault of the library")


@pytest.mark.requirement("R-EDGE-11")
def test_a_session_that_failed_in_mid_step_begins_again_and_not_only_fails_for_ever() -> None:
    states: list[SessionState] = []
    session = Session("ble:a", "p", lambda step: states.append(step.state))
    for _ in range(3):
        with pytest.raises(KeyError):
            asyncio.run(keep(session, Faulty(), lambda *_: None, Backoff(random.Random(1)), 1.0))
    assert states.count(SessionState.CONNECTING) == 3
    assert states.count(SessionState.LOST) == 2
