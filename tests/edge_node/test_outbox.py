from __future__ import annotations

import sqlite3
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.messages import Acks, Readings, decode
from edge_node.adapters.sqlite_outbox import SqliteOutbox, open_or_recreate, salvage
from edge_node.outbox import Outbox
from edge_node.ports import Row, RowClass, StoreFullError
from edge_node.ranges import collapse
from tests.support.edge_bench import Bench, Time, events


def rows_of(outbox: Outbox) -> list[Row]:
    return outbox.store.span(1, max(outbox.store.last_seq, 1), 10_000_000)


def acks(outbox: Outbox, *committed: tuple[int, int], resend: tuple[tuple[int, int], ...] = ()) -> Acks:
    return Acks(outbox=outbox.store.outbox_id, committed=list(committed), resend=list(resend))


@pytest.mark.requirement("R-EDGE-01")
def test_a_message_is_on_disk_with_its_own_number_before_anybody_sees_it(
    bench: Bench, outbox: Outbox
) -> None:
    seen: list[Row] = []
    outbox.on_rows = seen.extend
    outbox.put(bench.reading(outbox))
    assert not seen
    outbox.flush()
    with sqlite3.connect(bench.path) as other:
        assert other.execute("SELECT seq FROM outbox").fetchall() == [(1,)]
    other.close()
    message = decode(seen[0].payload, Readings)
    assert (message.seq, message.outbox) == (1, outbox.store.outbox_id)


def test_an_event_is_on_disk_when_put_returns(outbox: Outbox) -> None:
    outbox.event("booted")
    assert [row.row_class for row in rows_of(outbox)] == [RowClass.ALARM]


@pytest.mark.requirement("R-EDGE-02")
def test_only_what_the_server_committed_is_forgotten(bench: Bench, outbox: Outbox) -> None:
    for _ in range(5):
        outbox.put(bench.reading(outbox))
    outbox.flush()
    outcome = outbox.acknowledge(acks(outbox, (1, 2), (4, 4)))
    assert outcome.forgotten == 3
    assert [row.seq for row in rows_of(outbox)] == [3, 5]
    assert outbox.depth == 2


def test_numbers_go_on_after_everything_was_committed_and_the_node_restarted(bench: Bench) -> None:
    outbox = bench.open()
    outbox.event("booted")
    outbox.acknowledge(acks(outbox, (1, 1)))
    again = bench.open()
    again.event("booted")
    assert [row.seq for row in rows_of(again)] == [2]
    assert again.store.outbox_id == outbox.store.outbox_id


def test_a_repeated_message_waits_once(bench: Bench, outbox: Outbox) -> None:
    draft = bench.reading(outbox)
    for _ in range(3):
        outbox.put(draft)
        outbox.flush()
    assert len(rows_of(outbox)) == 1
    assert outbox.repeats == 2


@pytest.mark.parametrize(
    ("committed", "outbox_id", "problem"),
    [((1, 1), "another", "foreign-outbox"), ((2, 1), "", "reversed-range"), ((1, 99), "", "beyond-outbox")],
)
def test_an_acknowledgement_that_cannot_be_true_deletes_nothing(
    outbox: Outbox, committed: tuple[int, int], outbox_id: str, problem: str
) -> None:
    outbox.event("one")
    outbox.event("two")
    message = Acks(outbox=outbox_id or outbox.store.outbox_id, committed=[committed])
    assert outbox.acknowledge(message).problem == problem
    assert len(rows_of(outbox)) == 2


def test_what_is_asked_for_again_is_split_into_held_and_not_held(outbox: Outbox) -> None:
    for _ in range(6):
        outbox.event("one")
    outbox.acknowledge(acks(outbox, (2, 3)))
    outcome = outbox.acknowledge(acks(outbox, resend=((1, 5),)))
    assert outcome.resend == ((1, 1), (4, 5))
    assert outcome.not_held == ((2, 3),)


@pytest.mark.requirement("R-EDGE-03")
def test_when_full_waves_go_first_then_readings_are_thinned_and_every_number_is_declared(
    bench: Bench,
) -> None:
    bench.max_bytes = 100_000
    outbox = bench.open()
    outbox.event("first")
    for _ in range(60):
        outbox.put(bench.wave(outbox))
        outbox.put(bench.reading(outbox, pad=60))
        bench.time.pass_s(1)
    outbox.flush()
    for _ in range(400):
        outbox.put(bench.reading(outbox, pad=60))
        bench.time.pass_s(1)
    outbox.flush()
    held = rows_of(outbox)
    kinds = {row.row_class for row in held}
    assert RowClass.WAVE not in kinds
    assert RowClass.SUMMARY in kinds
    assert held[0].seq == 1
    declared = {
        number
        for event in events(outbox, "evicted")
        for part in str(event.detail["ranges"]).split(",")
        for number in range(int(part.split("-")[0]), int(part.split("-")[1]) + 1)
    }
    assert declared | {row.seq for row in held} == set(range(1, outbox.store.last_seq + 1))
    assert declared.isdisjoint({row.seq for row in held})
    assert outbox.used_bytes < 120_000


@pytest.mark.requirement("R-EDGE-03")
def test_one_reading_a_minute_survives_thinning(bench: Bench) -> None:
    bench.max_bytes = 120_000
    outbox = bench.open()
    for _ in range(600):
        outbox.put(bench.reading(outbox, pad=60))
        bench.time.pass_s(1)
    outbox.flush()
    minutes = {row.effective[:16] for row in rows_of(outbox) if row.device}
    assert len(minutes) == 10


def test_old_rows_expire_and_are_declared_but_alarms_never(bench: Bench, outbox: Outbox) -> None:
    outbox.event("first")
    outbox.put(bench.wave(outbox))
    outbox.put(bench.reading(outbox))
    outbox.flush()
    bench.time.pass_s(timedelta(hours=2).total_seconds())
    outbox.expire(bench.time.clock().now().utc)
    assert [event.detail["reason"] for event in events(outbox, "evicted")] == ["age", "age"]
    assert {row.row_class for row in rows_of(outbox)} == {RowClass.ALARM}


@pytest.mark.requirement("R-EDGE-04")
def test_a_full_disk_refuses_readings_loudly_and_still_takes_alarms(bench: Bench) -> None:
    bench.max_pages_bytes = 64 * 4096
    outbox = bench.open()
    for _ in range(450):
        outbox.event("an event that may never be given up", {"text": "x" * 200})
    assert outbox.full
    before = len(events(outbox, "an event that may never be given up"))
    for _ in range(40):
        outbox.put(bench.reading(outbox, pad=60))
        outbox.flush()
    refused = outbox.refused
    assert refused > 0
    outbox.event("still taken")
    assert len(events(outbox, "still taken")) == 1
    assert before == 450
    outbox.acknowledge(acks(outbox, (1, outbox.store.last_seq)))
    bench.time.pass_s(61)
    outbox.put(bench.reading(outbox))
    outbox.flush()
    assert not outbox.full
    assert events(outbox, "not-stored")[0].detail["count"] == refused


def test_when_even_the_reserve_is_used_up_alarms_wait_in_memory_and_are_written_later(bench: Bench) -> None:
    bench.max_pages_bytes = 64 * 4096
    outbox = bench.open()
    while not isinstance(outbox.store, SqliteOutbox) or outbox.store.last_seq < 20_000:
        outbox.event("filler", {"text": "x" * 2000})
        if outbox._pending:
            break
    waiting = len(outbox._pending)
    outbox.acknowledge(acks(outbox, (1, outbox.store.last_seq)))
    outbox.event("after")
    assert waiting == 1
    assert not outbox._pending
    assert len(events(outbox, "filler")) == 1


def test_the_space_kept_for_alarms_is_a_real_file(bench: Bench, outbox: Outbox) -> None:
    reserve = bench.path.with_name("outbox.db.reserve")
    assert reserve.stat().st_size >= 64 * 1024
    outbox.store.release_reserve()
    assert not reserve.exists()
    assert outbox.store.restore_reserve()


@pytest.mark.requirement("R-EDGE-05")
def test_an_old_copy_of_the_file_gets_a_new_outbox_id_and_keeps_its_rows(
    bench: Bench, outbox: Outbox
) -> None:
    outbox.event("one")
    outbox.put(bench.reading(outbox))
    before = outbox.store.outbox_id
    outbox.rotate("beyond-outbox")
    held = rows_of(outbox)
    assert outbox.store.outbox_id != before
    assert [row.seq for row in held] == [1, 2, 3]
    assert decode(held[1].payload, Readings).outbox == outbox.store.outbox_id
    assert events(outbox, "outbox-recreated")[0].detail["before"] == before


@pytest.mark.requirement("R-EDGE-05")
def test_a_damaged_file_is_set_aside_and_what_can_be_read_is_taken_over(bench: Bench) -> None:
    outbox = bench.open()
    for _ in range(400):
        outbox.put(bench.reading(outbox))
    outbox.flush()
    outbox.store.close()
    with bench.path.open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(size - 5 * 4096)
        file.write(b"\xff" * 5 * 4096)
    store, aside = open_or_recreate(bench.path, max_bytes=8_000_000, reserve_bytes=65536)
    bench.made.append(store)
    assert aside is not None
    assert store.outbox_id != outbox.store.outbox_id
    saved = list(salvage(aside))
    assert 0 < len(saved) <= 400
    assert [row.seq for row in saved] == sorted(row.seq for row in saved)


def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"not a database at all" * 500)
    store, aside = open_or_recreate(path, max_bytes=8_000_000, reserve_bytes=65536)
    store.close()
    assert aside is not None
    assert list(salvage(aside)) == []


def test_state_is_written_with_the_message_that_tells_it_or_not_at_all(
    bench: Bench, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = bench.reading(outbox)
    draft.state["progress"] = b"17 drops"
    outbox.put(draft)
    assert outbox.store.state("progress") is None
    outbox.flush()
    assert outbox.store.state("progress") == b"17 drops"

    def full(*_: object) -> None:
        raise StoreFullError

    other = bench.reading(outbox)
    other.state["progress"] = b"99 drops"
    monkeypatch.setattr(outbox.store, "commit", full)
    outbox.put(other)
    outbox.flush()
    assert outbox.store.state("progress") == b"17 drops"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reading"), st.integers(0, 40)),
        st.tuples(st.just("wave"), st.just(0)),
        st.tuples(st.just("event"), st.just(0)),
        st.tuples(st.just("flush"), st.just(0)),
        st.tuples(st.just("crash"), st.just(0)),
        st.tuples(st.just("ack"), st.integers(0, 100)),
        st.tuples(st.just("time"), st.integers(1, 90)),
    ),
    max_size=80,
)


class Ledger:
    """What a server would know: everything it was told, committed or evicted."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.outbox = bench.open()
        self.written: list[int] = []
        self.committed: set[int] = set()
        self.evicted: set[int] = set()
        self.outbox.on_rows = self.saw

    def saw(self, rows: list[Row]) -> None:
        self.written += [row.seq for row in rows]

    def step(self, action: str, value: int) -> None:
        match action:
            case "reading":
                self.outbox.put(self.bench.reading(self.outbox, pad=value))
            case "wave":
                self.outbox.put(self.bench.wave(self.outbox))
            case "event":
                self.outbox.event("something")
            case "flush":
                self.outbox.flush()
            case "crash":
                self.outbox = self.bench.open()
                self.outbox.on_rows = self.saw
            case "ack":
                self.acknowledge(value)
            case _:
                self.bench.time.pass_s(value)

    def acknowledge(self, share: int) -> None:
        held = [row.seq for row in rows_of(self.outbox)]
        chosen = held[: len(held) * share // 100]
        self.note_evictions()
        if chosen:
            self.outbox.acknowledge(acks(self.outbox, *collapse(chosen)))
            self.committed |= set(chosen)

    def note_evictions(self) -> None:
        for event in events(self.outbox, "evicted"):
            for part in str(event.detail["ranges"]).split(","):
                first, last = map(int, part.split("-"))
                self.evicted |= set(range(first, last + 1))


@pytest.mark.requirement("R-EDGE-01")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_nothing_is_lost_repeated_or_reordered_however_often_the_node_crashes(
    steps: list[tuple[str, int]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory) / "outbox.db", Time(), max_bytes=30_000)
        ledger = Ledger(bench)
        for action, value in steps:
            ledger.step(action, value)
        ledger.outbox.flush()
        ledger.note_evictions()
        held = [row.seq for row in rows_of(ledger.outbox)]
        counted = (ledger.outbox.depth, ledger.outbox.used_bytes)
        ledger.outbox._count_again()
        assert counted == (ledger.outbox.depth, ledger.outbox.used_bytes)
        assert ledger.written == sorted(set(ledger.written))
        assert set(ledger.written) == ledger.committed | ledger.evicted | set(held)
        assert ledger.evicted.isdisjoint(held)
        for store in bench.made:
            store.close()
