"""Fetching what a meter has stored: every record once, none deleted, also after the meter was reset.

The node remembers which record it took last from each meter and asks from that one on, so that a context
that a power cut separated from its result is fetched again. The last record comes a second time and is
known by its number and time. If it does not come, or with another time, the meter's memory was cleared
and numbered anew: then everything is asked for. Until one of the two is certain nothing that arrives moves
the place where the next download begins: a link cut in between would leave a hole that nobody asks for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import msgspec

from clinical.errors import BadInputError
from edge_node.ports import LinkLostError
from firmware_profiles import racp

SETTLE_S = 0.2
"""A meter's answer may overtake its last record on the way up through the radio's layers."""
SESSION_RECORDS = 4096
"""Records remembered within one session; a meter holds a few hundred to a few thousand."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a meter, named by its own number and time."""

    number: int
    time: str = ""


class RecordBook:
    """Which records were taken, by device."""

    def __init__(self) -> None:
        self._last: dict[str, Record] = {}
        self._session: dict[str, dict[int, str]] = {}
        self._gapless: set[str] = set()

    def note(self, device: str, record: Record) -> None:
        """A record was taken; the last one without a gap before it is where the next download begins."""
        if record == self._last.get(device):
            self._gapless.add(device)
        if device in self._gapless:
            self._last[device] = record
        session = self._session.setdefault(device, {})
        session[record.number] = record.time
        if len(session) > SESSION_RECORDS:
            session.pop(next(iter(session)))

    def last(self, device: str) -> Record | None:
        """The record that was taken last, also by an earlier process."""
        return self._last.get(device)

    def begin(self, device: str, *, from_first: bool) -> None:
        """A new download: what the meter says now is compared with nothing it said before.

        Args:
            device: The meter.
            from_first: Its oldest record comes first, so nothing can be missing before what comes.
        """
        self._session.pop(device, None)
        self._gapless.discard(device)
        if from_first:
            self._gapless.add(device)

    def end(self, device: str) -> None:
        """The download is over; a record that still comes does not move where the next one begins."""
        self._gapless.discard(device)

    def came(self, device: str, record: Record) -> bool:
        """Whether this very record came in this session."""
        return self._session.get(device, {}).get(record.number) == record.time

    def saved(self) -> bytes:
        """What to write to disk."""
        return msgspec.json.encode(self._last)

    def restore(self, saved: bytes | None) -> None:
        """Go on where the node stopped.

        Raises:
            BadInputError: What was saved cannot be read; every meter is then read from its beginning.
        """
        try:
            self._last = msgspec.json.decode(saved or b"{}", type=dict[str, Record])
        except msgspec.DecodeError as error:
            raise BadInputError("records", "the saved numbers of the meters cannot be read") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSource:
    """One meter's memory.

    Args:
        device: The meter.
        book: What was taken from it.
        complete_codes: Answers that mean the download is whole.
        timeout_s: How long the meter may take for one request.
        everything: Whether always all records are asked for.
    """

    device: str
    book: RecordBook
    complete_codes: tuple[int, ...] = (racp.SUCCESS, racp.NO_RECORDS)
    timeout_s: float = 30.0
    everything: bool = False


Send = Callable[[bytes], Awaitable[None]]


async def download(source: RecordSource, send: Send, answers: asyncio.Queue[bytes]) -> None:
    """Ask for what is new and wait until the meter says that it was all.

    Raises:
        LinkLostError: The meter refused or fell silent.
    """
    last = None if source.everything else source.book.last(source.device)
    try:
        if last is not None:
            source.book.begin(source.device, from_first=False)
            await _ask(source, racp.report_since(last.number), send, answers)
            if source.book.came(source.device, last):
                return
        source.book.begin(source.device, from_first=True)
        await _ask(source, racp.report_all(), send, answers)
    finally:
        source.book.end(source.device)


async def _ask(source: RecordSource, request: bytes, send: Send, answers: asyncio.Queue[bytes]) -> None:
    while not answers.empty():
        answers.get_nowait()  # an answer that came twice is no answer to this request
    await send(request)
    try:
        async with asyncio.timeout(source.timeout_s):
            code = await _answer(answers)
    except TimeoutError:
        raise LinkLostError("records-timeout", "transient") from None
    if code not in source.complete_codes:
        raise LinkLostError("records-refused", "broken")
    await asyncio.sleep(SETTLE_S)


async def _answer(answers: asyncio.Queue[bytes]) -> int:
    while True:
        answer = racp.response(await answers.get())
        if answer is not None and answer.request == racp.REPORT:
            return answer.code


COUNTERS = dict[str, int]
"""By device: the counter of the newest sealed advert that was believed."""


def restored_counters(saved: bytes | None) -> dict[str, int]:
    """Counters as they were saved.

    Raises:
        BadInputError: They cannot be read.
    """
    try:
        return msgspec.json.decode(saved or b"{}", type=COUNTERS)
    except msgspec.DecodeError as error:
        raise BadInputError("counters", "the saved counters of the sealed adverts cannot be read") from error


def saved_counters(counters: Mapping[str, int]) -> bytes:
    """What to write to disk."""
    return msgspec.json.encode(dict(counters))
