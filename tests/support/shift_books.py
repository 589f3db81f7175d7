"""What the raw input of a shift says must be true at its end; reads bytes and acts, never the product.

The bookkeeper has her own reading of HL7 (split at ``|`` and ``^``) and of clock times, so that a mistake of
the product's is not repeated here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone

from tests.support.shift_hospital import Sent
from tests.support.shift_nurse import Act
from tests.support.shift_play import Raw

WARD_TIME = timezone(timedelta(hours=8))
CLOSED = frozenset({"stopped", "cancelled", "completed"})
_FATES = {
    "given": "given", "refused": "refused", "held": "held", "started": "running", "completed": "completed",
    "stopped-early": "stopped-early",
}  # fmt: skip
_OPEN = frozenset({"pending", "due", "overdue"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBook:
    """An order as the messages leave it."""

    placer: str
    mrn: str
    start: datetime
    end: datetime | None = None
    times: tuple[str, ...] = ()  # HHMM on the ward; empty = once, at ``start``
    status: str = "active"
    version: int = 1
    amount: str = ""
    rate: str = ""
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StayBook:
    """A stay as the messages leave it."""

    mrn: str
    bed: str
    status: str = "in-progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One administration that has to stand in the store, once."""

    patient: str
    order: str
    slot: datetime
    outcome: str
    at: datetime
    operator: str
    flagged: str


@dataclass(slots=True)
class Books:
    """Everything that has to be true."""

    raw: Raw
    stays: dict[str, StayBook] = field(default_factory=dict)
    orders: dict[str, OrderBook] = field(default_factory=dict)
    fates: dict[tuple[str, datetime], frozenset[str]] = field(default_factory=dict)
    given: list[Given] = field(default_factory=list)

    @classmethod
    def keep(cls, raw: Raw) -> Books:
        """Read everything once, in the order it was sent."""
        books = cls(raw)
        for message in raw.messages:
            if b"MSA|AA" in message.answer:
                books._message(message)
        acts: dict[tuple[str, datetime], Act] = {}
        for act in raw.acts:
            if act.did in _FATES and act.slot is not None:
                acts[act.placer, act.slot] = act
                books.given.append(books._given(act, act.slot))
        for order in books.orders.values():
            for slot in _slots(order, raw):
                books.fates[order.placer, slot] = _fate(order, slot, acts.get((order.placer, slot)), raw.end)
        return books

    # ---- messages
    def _message(self, message: Sent) -> None:
        lines = [line.split("|") for line in message.raw.decode().split("\r") if line]
        found = {line[0]: line for line in lines}
        mrn = found["PID"][3].split("^")[0]
        kind = found["MSH"][8].split("^")[1]
        if kind in {"A01", "A02", "A03"}:
            self._stay(kind, mrn, found, message.at)
        else:
            self._order(found, mrn, message.at)

    def _stay(self, kind: str, mrn: str, found: dict[str, list[str]], at: datetime) -> None:
        place = found["PV1"][3].split("^") if len(found["PV1"]) > 3 else []
        match kind:
            case "A01":
                self.stays[mrn] = StayBook(mrn=mrn, bed=place[2])
            case "A02":
                self.stays[mrn] = replace(self.stays[mrn], bed=place[2])
            case _:
                self.stays[mrn] = replace(self.stays[mrn], status="finished")
                for order in [one for one in self.orders.values() if one.mrn == mrn]:
                    self._close(order, "completed", at)

    def _order(self, found: dict[str, list[str]], mrn: str, at: datetime) -> None:
        control, placer = found["ORC"][1], found["ORC"][2].split("^")[0]
        known = self.orders.get(placer)
        if control == "NW":
            self.orders[placer] = _new(found, placer, mrn)
        elif known is None:
            raise AssertionError(f"the hospital never ordered {placer}")
        elif control == "XO":
            told = _new(found, placer, mrn)
            self.orders[placer] = replace(
                known, amount=told.amount, rate=told.rate, version=known.version + 1
            )
        elif control in {"DC", "CA"}:
            self._close(known, "stopped" if control == "DC" else "cancelled", at)
        elif known.status not in CLOSED:
            status = "on-hold" if control == "HD" else "active"
            self.orders[placer] = replace(known, status=status, version=known.version + 1)

    def _close(self, order: OrderBook, status: str, at: datetime) -> None:
        if order.status not in CLOSED:
            closed = replace(order, status=status, version=order.version + 1, closed_at=at)
            self.orders[order.placer] = closed

    # ---- acts
    def _given(self, act: Act, slot: datetime) -> Given:
        order = self.orders[act.placer]
        against = (
            order.closed_at is not None and act.at >= order.closed_at and act.did in {"given", "started"}
        )
        return Given(
            patient=f"P-{act.mrn}", order=f"O-{act.placer}", slot=slot, outcome=_FATES[act.did], at=act.at,
            operator=act.nurse, flagged="accepted-exception" if against else "",
        )  # fmt: skip


def orders_told(raw: Raw) -> Iterator[tuple[datetime, str, str]]:
    """When the hospital said what of which order: time, control code and number."""
    for message in raw.messages:
        for line in message.raw.decode().split("\r"):
            if line.startswith("ORC|"):
                fields = line.split("|")
                yield message.at, fields[1], fields[2].split("^")[0]


def _new(found: dict[str, list[str]], placer: str, mrn: str) -> OrderBook:
    timing, give = found["TQ1"], found["RXE"]
    times = tuple(timing[4].split("~")) if timing[3] == "QID" else ()
    return OrderBook(
        placer=placer, mrn=mrn, start=_time(timing[7]), end=_time(timing[8]) if timing[8] else None,
        times=times, amount=give[3], rate=give[23] if len(give) > 23 else "",
    )  # fmt: skip


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M%S%z").astimezone(UTC)


def _slots(order: OrderBook, raw: Raw) -> Iterator[datetime]:
    """When an order falls due within the shift."""
    if not order.times:
        yield order.start
        return
    day = raw.begin.astimezone(WARD_TIME).replace(hour=0, minute=0, second=0, microsecond=0)
    for time in order.times:
        slot = (day + timedelta(hours=int(time[:2]), minutes=int(time[2:]))).astimezone(UTC)
        if order.start <= slot < raw.end:
            yield slot


def _fate(order: OrderBook, slot: datetime, act: Act | None, end: datetime) -> frozenset[str]:
    """What may have become of a slot; one word wherever the input decides it."""
    if act is not None:
        return frozenset({_FATES[act.did]})
    missed = order.end is not None and order.end < end and order.end < (order.closed_at or end)
    if missed:
        return frozenset({"missed"})
    if order.status in CLOSED:
        return frozenset({"cancelled" if order.status == "cancelled" else "stopped"})
    return _OPEN
