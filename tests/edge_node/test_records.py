"""Downloads from a meter's memory: no order of cuts and clearings leaves a record behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_node import records
from edge_node.ports import LinkLostError
from edge_node.records import Record, RecordBook, RecordSource, download
from firmware_profiles import racp

DEVICE = "ble:c0-00-00-00-03-01"
SUCCESS = bytes((racp.RESPONSE, 0, racp.REPORT, racp.SUCCESS))


class Meter:
    """A memory that answers requests; ``cut`` is how many records it sends before the link breaks."""

    def __init__(self) -> None:
        self.memory: list[Record] = []
        self.made: set[Record] = set()
        self.taken: set[Record] = set()
        self.hour = 0

    def measure(self) -> None:
        self.hour += 1
        number = self.memory[-1].number + 1 if self.memory else 1
        self.memory.append(Record(number=number, time=f"{self.hour:05}"))
        self.made.add(self.memory[-1])

    def clear(self) -> None:
        """Its owner empties it; what was never downloaded is gone with it."""
        self.made &= self.taken
        self.memory.clear()

    def link(
        self, book: RecordBook, answers: asyncio.Queue[bytes], cut: int | None
    ) -> Callable[[bytes], Awaitable[None]]:
        left = [cut]

        async def send(request: bytes) -> None:
            since = 0 if request == racp.report_all() else int.from_bytes(request[3:], "little")
            for record in [one for one in self.memory if one.number >= since]:
                if left[0] is not None and left[0] <= 0:
                    raise LinkLostError("link-lost", "transient")
                left[0] = None if left[0] is None else left[0] - 1
                self.taken.add(record)
                book.note(DEVICE, record)
            answers.put_nowait(SUCCESS)

        return send


STEPS = st.one_of(
    st.just("measure"),
    st.just("measure"),
    st.just("clear"),
    st.just("restart"),
    st.none(),
    st.integers(min_value=0, max_value=6),
)
CLEARED_THEN_CUT: list[str | int | None] = [*["measure"] * 3, None, "clear", *["measure"] * 5, 3]


@pytest.mark.requirement("R-EDGE-21")
@given(st.lists(STEPS, max_size=30))
@example(CLEARED_THEN_CUT)
def test_whatever_breaks_the_next_whole_download_leaves_no_record_behind(
    steps: list[str | int | None],
) -> None:
    meter, book = Meter(), RecordBook()

    async def scene() -> None:
        nonlocal book
        for step in [*steps, None]:
            if step == "restart":
                saved, book = book.saved(), RecordBook()
                book.restore(saved)
            elif isinstance(step, str):
                getattr(meter, step)()
            else:
                answers: asyncio.Queue[bytes] = asyncio.Queue()
                source = RecordSource(device=DEVICE, book=book)
                try:
                    await download(source, meter.link(book, answers, step), answers)
                except LinkLostError:
                    assert step is not None
        assert meter.taken == meter.made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "SETTLE_S", 0)
        asyncio.run(scene())


def test_an_answer_left_over_from_before_does_not_end_a_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "SETTLE_S", 0)
    meter, book = Meter(), RecordBook()
    meter.measure()

    async def scene() -> None:
        answers: asyncio.Queue[bytes] = asyncio.Queue()
        answers.put_nowait(bytes((racp.RESPONSE, 0, racp.REPORT, racp.NO_RECORDS + 1)))
        await download(RecordSource(device=DEVICE, book=book), meter.link(book, answers, None), answers)

    asyncio.run(scene())
    assert book.last(DEVICE) == meter.memory[0]
