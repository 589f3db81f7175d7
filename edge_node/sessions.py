"""One device's life: discovered → connecting → ready → streaming → lost, and again.

The loop is the same for a radio and a cable; what differs is behind :class:`~edge_node.ports.Transport`.
A watchdog ends a connection that has gone quiet (the radio stack may keep silent for ever after a crash),
and the pause between attempts grows by the class of failure.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from clinical.errors import ConflictError
from edge_node.ports import Frame, LinkLostError, Transport


class SessionState(StrEnum):
    """Where a device stands; published as such."""

    SEARCHING = "searching"
    DISCOVERED = "discovered"
    CONNECTING = "connecting"
    READY = "ready"
    STREAMING = "streaming"
    LOST = "lost"


LEGAL: dict[SessionState, frozenset[SessionState]] = {
    SessionState.SEARCHING: frozenset({SessionState.DISCOVERED}),
    SessionState.DISCOVERED: frozenset({SessionState.CONNECTING, SessionState.LOST}),
    SessionState.CONNECTING: frozenset({SessionState.READY, SessionState.LOST}),
    SessionState.READY: frozenset({SessionState.STREAMING, SessionState.LOST, SessionState.SEARCHING}),
    SessionState.STREAMING: frozenset({SessionState.LOST, SessionState.SEARCHING}),
    SessionState.LOST: frozenset({SessionState.DISCOVERED}),
}

BACKOFF_FIRST_S = {"transient": 0.25, "missing": 1.0, "busy": 4.0, "broken": 2.0, "done": 30.0}
"""First pause by class of end: a radio hiccup, a device not there, no free slot, anything else; and a meter
that has told all it had, which is not asked again at once."""
BACKOFF_MAX_S = 30.0
GOOD_DATA_S = 60.0
"""After this long with data, the next failure starts again with the shortest pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One step of a session, told to whoever listens."""

    device: str
    before: SessionState
    state: SessionState
    reason: str = ""


class Session:
    """The state of one device's connection; only legal steps are possible.

    Args:
        device: The device's uid.
        profile: The id of the profile that reads it.
        listener: Called at each step, after it was made.
        momentary: The device is there only while it has something to tell: its going is no loss.
    """

    def __init__(
        self,
        device: str,
        profile: str,
        listener: Callable[[Transition], None],
        *,
        momentary: bool = False,
    ) -> None:
        self.momentary = momentary
        self.device = device
        self.profile = profile
        self.state = SessionState.SEARCHING
        self.reason = ""
        self.attempts = 0
        self.frames = 0
        self._listener = listener

    def to(self, state: SessionState, reason: str = "") -> None:
        """Step to ``state``.

        Raises:
            ConflictError: Not a legal step from here; a fault of the caller, never of a device.
        """
        if state not in LEGAL[self.state]:
            raise ConflictError("session-step", f"a session cannot go from {self.state} to {state}")
        before, self.state, self.reason = self.state, state, reason
        self._listener(Transition(device=self.device, before=before, state=state, reason=reason))


class Backoff:
    """How long to wait before the next attempt: doubles, is capped, and is spread by chance.

    The spread (half to full) keeps the devices of one ward from trying in step after a power cut.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._failures = 0

    def reset(self) -> None:
        """Forget earlier failures; the connection was good."""
        self._failures = 0

    def next_s(self, kind: str) -> float:
        """Seconds to wait after one more failure of class ``kind``."""
        first = BACKOFF_FIRST_S.get(kind, BACKOFF_FIRST_S["broken"])
        ceiling = min(first * 2.0 ** min(self._failures, 16), BACKOFF_MAX_S)
        self._failures += 1
        return ceiling * (0.5 + self._chance.random() / 2)


async def keep(
    session: Session,
    transport: Transport,
    deliver: Callable[[Session, Frame], None],
    backoff: Backoff,
    quiet_s: float,
    quiet_kind: str = "transient",
) -> None:
    """Keep one device connected for ever; ends only by cancellation.

    Args:
        session: The device's state, stepped here and nowhere else.
        transport: Waits for the device and opens links to it.
        deliver: Called for each frame, in order.
        backoff: The pauses between attempts.
        quiet_s: Silence on an open link after which it counts as lost.
        quiet_kind: Class of such an end: ``done`` for a memory on a cable, which has then told all it holds.
    """
    loop = asyncio.get_running_loop()
    if session.state not in {SessionState.SEARCHING, SessionState.LOST}:
        session.to(SessionState.LOST, "part-failed")  # an unforeseen fault ended the last run in mid-step
    while True:
        await transport.available()
        session.to(SessionState.DISCOVERED)
        session.attempts += 1
        began = loop.time()
        failure = await _one_link(session, transport, deliver, quiet_s)
        went = session.momentary and session.state in {SessionState.READY, SessionState.STREAMING}
        session.to(SessionState.SEARCHING if went else SessionState.LOST, failure.reason)
        if loop.time() - began >= GOOD_DATA_S:
            backoff.reset()
        await asyncio.sleep(backoff.next_s(quiet_kind if failure.reason == "quiet" else failure.kind))


async def _one_link(
    session: Session, transport: Transport, deliver: Callable[[Session, Frame], None], quiet_s: float
) -> LinkLostError:
    try:
        session.to(SessionState.CONNECTING)
        async with transport.open() as link:
            session.to(SessionState.READY)
            while True:
                frame = await _next_frame(link.frames, quiet_s)
                if session.state is not SessionState.STREAMING:
                    session.to(SessionState.STREAMING)
                session.frames += 1
                deliver(session, frame)
    except LinkLostError as error:
        return error


async def _next_frame(frames: asyncio.Queue[Frame | LinkLostError], quiet_s: float) -> Frame:
    try:
        async with asyncio.timeout(quiet_s):  # wait_for of Python 3.11 can swallow a cancellation
            item = await frames.get()
    except TimeoutError:
        raise LinkLostError("quiet", "transient") from None
    if isinstance(item, LinkLostError):
        raise item
    return item
