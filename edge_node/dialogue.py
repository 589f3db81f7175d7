"""Talking to a device that must be asked: handshake, its clock, then polls, one question at a time.

Nothing but messages of the profile's allow-list can be said. A question that is not answered after its
attempts ends the link: a device that is silent is lost, not idle.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Protocol

from edge_node.device_clock import ClockWatch
from edge_node.ports import LinkLostError
from firmware_profiles import encodings
from firmware_profiles.decode import decode
from firmware_profiles.plan import Profile, full_uuid
from firmware_profiles.sending import CURRENT_TIME, AllowList, Message, Question

ANSWER_BYTES = 64
"""Of what came since the question, so much is kept to compare with what is expected."""
DATE_TIME_BYTES = 7
FRACTION_AT = 8


class Outlet(Protocol):
    """The way out to one device."""

    async def send(self, message: Message) -> None:
        """Say one thing.

        Raises:
            LinkLostError: The link ended.
        """

    async def read(self, characteristic: str, stream: str = "") -> bytes | None:
        """Read a characteristic; None when the device has none such.

        Args:
            characteristic: Its long UUID.
            stream: Where to put what was read, as if the device had sent it; empty: only return it.

        Raises:
            LinkLostError: The link ended.
        """


class Dialogue:
    """One link's talk.

    Args:
        profile: The device model.
        outlet: The way out.
        clock: The device's clock, if it is to be compared or set.
    """

    def __init__(self, profile: Profile, outlet: Outlet, clock: ClockWatch | None = None) -> None:
        self._profile = profile
        self._allowed = AllowList(profile)
        self._outlet = outlet
        self._clock = clock
        self._question: Question | None = None
        self._answered = asyncio.Event()
        self._heard = bytearray()
        self._clock_asked = False

    # ---- what comes in
    def heard(self, data: bytes) -> None:
        """Take bytes as they came, whole frames or not."""
        question = self._question
        if question is None or not question.expect:
            return
        self._heard += data
        if question.expect in self._heard:
            self._answered.set()
        del self._heard[:-ANSWER_BYTES]

    def frame(self, stream: str, data: bytes) -> None:
        """Take one frame that its stream accepted."""
        if self._question is not None and self._question.stream == stream:
            self._answered.set()
        if stream == self._profile.file.clock.read_stream and self._clock is not None:
            shown = decode(self._profile, stream, data).clock
            if shown is not None:
                self._clock.compare(shown)
                self._clock_asked = True

    # ---- what goes out
    async def begin(self) -> None:
        """Say what is said once when a link is up.

        Raises:
            LinkLostError: The device does not answer.
        """
        for question in self._allowed.handshake():
            await self._ask(question)
        await self._look_at_clock()
        for question in self._allowed.polls():
            if question.every_s is None:
                await self._ask(question)

    async def go_on(self) -> None:
        """Ask again and again, each question at its own period; ends at once when there is none.

        Raises:
            LinkLostError: The device does not answer.
        """
        loop = asyncio.get_running_loop()
        periods = {question: question.every_s for question in self._allowed.polls() if question.every_s}
        due = dict.fromkeys(periods, loop.time())
        while due:
            question = min(due, key=lambda one: due[one])
            await asyncio.sleep(max(0.0, due[question] - loop.time()))
            due[question] = max(due[question] + periods[question], loop.time())
            await self._ask(question)
            await self._set_by_stream()

    async def _ask(self, question: Question) -> None:
        for _ in range(question.attempts):
            self._question = question
            self._answered.clear()
            self._heard.clear()
            if question.message is None:  # what this device does not have is no fault, and not waited for
                await self._outlet.read(question.read, question.stream)
                return
            await self._outlet.send(question.message)
            if not question.waits:
                return
            try:
                async with asyncio.timeout(question.timeout_s):
                    await self._answered.wait()
            except TimeoutError:
                continue
            finally:
                self._question = None
            return
        raise LinkLostError("no-answer", "transient")

    # ---- the device's clock
    async def _look_at_clock(self) -> None:
        if self._clock is None:
            return
        for characteristic in self._allowed.clock_characteristics(self._clock.rules.read):
            if await self._compared(characteristic):
                break
        for characteristic in self._allowed.clock_characteristics(self._clock.rules.set):
            if self._clock.should_be_set() and await self._outlet.read(characteristic) is not None:
                await self._set(characteristic)
                break
        await self._set_by_stream()

    async def _compared(self, characteristic: str) -> bool:
        data = await self._outlet.read(characteristic)
        shown = _shown(characteristic, data) if data is not None else None
        if shown is not None and self._clock is not None:
            self._clock.compare(shown)
        return data is not None

    async def _set(self, characteristic: str) -> None:
        if self._clock is not None:
            await self._outlet.send(self._allowed.clock_message(self._clock.device_now(), characteristic))
            self._clock.was_set()
            await self._compared(characteristic)

    async def _set_by_stream(self) -> None:
        """Set a clock on a cable, once it has been read and was found wrong."""
        clock, read_first = self._clock, self._profile.file.clock.read == "stream"
        if clock is None or clock.rules.set != "stream" or (read_first and not self._clock_asked):
            return
        self._clock_asked = False
        if clock.should_be_set():
            await self._outlet.send(self._allowed.clock_message(clock.device_now()))
            clock.was_set()


def _shown(characteristic: str, data: bytes) -> datetime | None:
    """What Date Time or Current Time says, with its fraction; None for a clock that was never set."""
    try:
        shown = datetime.fromisoformat(encodings.datetime7(data[:DATE_TIME_BYTES]))
    except (ValueError, IndexError):
        return None
    if characteristic == full_uuid(CURRENT_TIME) and len(data) > FRACTION_AT:
        shown += timedelta(seconds=data[FRACTION_AT] / 256)
    return shown
