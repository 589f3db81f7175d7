"""Fetching what a meter has stored: every record once, none deleted, also after the meter was reset.

The node remembers which record it took last from each meter and asks from that one on, so that a context
that a power cut separated from its result is fetched again. The last record comes a second time and is
known by its number and time. If it does not come, or with another time, the meter's memory was cleared
and numbered anew: then everything is asked for.
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

    def note(self, device: str, record: Record) -> None:
        """A record was taken; the last one noted is where the next download begins."""
        self._last[device] = record
        session = self._session.setdefault(device, {})
        session[record.number] = record.time
        if len(session) > SESSION_RECORDS:
            session.pop(next(iter(session)))

    def last(self, device: str) -> Record | None:
        """The record that was taken last, also by an earlier process."""
        return self._last.get(device)

    def begin(self, device: str) -> None:
        """A new session: what the meter says now is compared with nothing it said before."""
        self._session.pop(device, None)

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
    source.book.begin(source.device)
    last = None if source.everything else source.book.last(source.device)
    if last is None:
        await _ask(source, racp.report_all(), send, answers)
        return
    await _ask(source, racp.report_since(last.number), send, answers)
    await asyncio.sleep(SETTLE_S)
    if not source.book.came(source.device, last):
        await _ask(source, racp.report_all(), send, answers)


async def _ask(source: RecordSource, request: bytes, send: Send, answers: asyncio.Queue[bytes]) -> None:
    await send(request)
    try:
        async with asyncio.timeout(source.timeout_s):
            code = await _answer(answers)
    except TimeoutError:
        raise LinkLostError("records-timeout", "transient") from None
    if code not in source.complete_codes:
        raise LinkLostError("records-refused", "broken")


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
