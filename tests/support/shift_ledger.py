"""The ledger of a shift: what went in against what the store holds, to the last event.

It reads the store with plain SQL and the standard library's JSON, and knows none of the product's code. Every
line is one promise; what does not add up is named.
"""

from __future__ import annotations

import json
import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from tests.support.shift_books import Books, OrderBook, orders_told
from tests.support.shift_nodes import DROPS, Said
from tests.support.shift_play import Raw

_TOLD = frozenset({"given", "refused", "held", "completed", "stopped-early"})


@dataclass(slots=True)
class Ledger:
    """Figures by name, and whatever is wrong in one sentence each."""

    figures: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def count(self, name: str, number: int) -> None:
        self.figures[name] = self.figures.get(name, 0) + number

    def same(self, what: str, wanted: Iterable[Any], found: Iterable[Any]) -> None:
        """Two heaps must hold the same things, each as often."""
        expected, stored = Counter(wanted), Counter(found)
        self.count(f"{what}, expected", sum(expected.values()))
        self.count(f"{what}, found", sum(stored.values()))
        for one, number in sorted((expected - stored).items(), key=str):
            self.problems.append(f"{what}: missing {number}x {one}")
        for one, number in sorted((stored - expected).items(), key=str):
            self.problems.append(f"{what}: too many, {number}x {one}")

    def text(self) -> str:
        """The ledger as it is printed."""
        width = max(map(len, self.figures), default=0)
        lines = [f"{name:<{width}}  {number:>8}" for name, number in self.figures.items()]
        verdict = ["everything adds up"] if not self.problems else [f"! {one}" for one in self.problems]
        return "\n".join(["The ledger of the shift", *lines, *verdict])


class Store:
    """The final store, as rows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._facts: dict[str, list[dict[str, Any]]] = {}

    def rows(self, table: str) -> list[dict[str, Any]]:
        return [dict(row._mapping) for row in self._connection.execute(text(f"SELECT * FROM {table}"))]  # noqa: S608

    def facts(self, kind: str) -> list[dict[str, Any]]:
        """Every record of a kind, also those no handheld sees any more."""
        if not self._facts:
            for row in self.rows("facts"):
                self._facts.setdefault(row["kind"], []).append(json.loads(row["body"]))
        return self._facts.get(kind, [])

    def samples(self) -> Iterator[dict[str, Any]]:
        """Every stored reading with its values by code."""
        layouts = {row["id"]: json.loads(row["codes"]) for row in self.rows("sample_layouts")}
        for row in self.rows("samples"):
            codes = [code for code, _unit in layouts[row["layout"]]]
            values = struct.unpack(f"<{len(codes)}d", row["vals"])
            yield row | {"values": dict(zip(codes, values, strict=True))}


def reconcile(raw: Raw, connection: Connection) -> Ledger:
    """Hold everything against everything."""
    books, store, ledger = Books.keep(raw), Store(connection), Ledger()
    _messages(raw, store, ledger)
    _stays(books, store, ledger)
    _orders(books, store, ledger)
    _tasks(books, store, ledger)
    _administrations(books, store, ledger)
    _events(raw, store, ledger)
    _readings(raw, store, ledger)
    _outboxes(raw, store, ledger)
    _node_alarms(raw, store, ledger)
    _alarms(raw, store, ledger)
    return ledger


def _messages(raw: Raw, store: Store, ledger: Ledger) -> None:
    sent = [message.raw.decode().split("|")[9] for message in raw.messages]
    stored = [row for row in store.rows("hl7_messages") if row["direction"] == "in"]
    ledger.same("hospital messages", sent, [row["control_id"] for row in stored])
    ledger.problems += [
        f"hospital message {row['control_id']} is {row['state']}"
        for row in stored
        if row["state"] != "applied"
    ]


def _stays(books: Books, store: Store, ledger: Ledger) -> None:
    wanted = [(f"P-{one.mrn}", one.bed, one.status) for one in books.stays.values()]
    found = [(one["patient_id"], one["bed"], one["status"]) for one in store.facts("encounters")]
    ledger.same("stays", wanted, found)


def _orders(books: Books, store: Store, ledger: Ledger) -> None:
    found = []
    for order in store.facts("orders"):
        rate = _number(order["rate_ml_h"])
        dose = _number(order["items"][0]["dose"]["value"])
        found.append((order["placer_id"], order["patient_id"], order["status"], order["version"], dose, rate))
    wanted = [_order(one) for one in books.orders.values()]
    ledger.same("orders", wanted, found)
    for status, number in Counter(one.status for one in books.orders.values()).items():
        ledger.count(f"  orders {status}", number)


def _order(one: OrderBook) -> tuple[Any, ...]:
    return (one.placer, f"P-{one.mrn}", one.status, one.version, _number(one.amount), _number(one.rate))


def _number(value: Any) -> float | None:
    return float(value) if value not in {None, ""} else None


def _tasks(books: Books, store: Store, ledger: Ledger) -> None:
    expected = dict(books.fates)
    found = Counter[str]()
    for task in store.facts("tasks"):
        placer = task["order_id"].removeprefix("O-")
        key = (placer, _moment(task["planned_at"]))
        order = books.orders.get(placer)
        if order is None or task["patient_id"] != f"P-{order.mrn}":
            ledger.problems.append(f"task of {placer} at {key[1]}: not this patient's, or nobody ordered it")
        if key not in expected:
            if key[1] is None or key[1] < books.raw.end:
                ledger.problems.append(f"task of {placer} at {key[1]}: twice, or never ordered")
            continue
        allowed = expected.pop(key)
        found[task["status"]] += 1
        if task["status"] not in allowed:
            ledger.problems.append(
                f"task of {placer} at {key[1]}: {task['status']}, expected {'/'.join(sorted(allowed))}"
            )
    ledger.problems += [f"task of {placer} at {slot}: missing" for placer, slot in expected]
    ledger.count("tasks, expected", len(books.fates))
    for status, number in sorted(found.items()):
        ledger.count(f"  tasks {status}", number)


def _administrations(books: Books, store: Store, ledger: Ledger) -> None:
    slots = {task["id"]: _moment(task["planned_at"]) for task in store.facts("tasks")}
    wanted = [
        (one.patient, one.order, str(one.slot), one.outcome, str(one.at), one.operator, one.flagged)
        for one in books.given
    ]
    stored = store.facts("administrations")
    found = [
        (
            one["patient_id"], one["order_id"], str(slots.get(one["task_id"])), one["outcome"],
            str(_moment(one["at"])), one["operator"], one["flagged"],
        )
        for one in stored
    ]  # fmt: skip
    ledger.same("administrations", wanted, found)
    to_tell = [one["id"] for one in stored if one["outcome"] in _TOLD]
    rows = store.rows("administrations_to_tell")
    ledger.same(
        "acts for the hospital", to_tell, [row["event_id"] for row in rows if row["told"] is not None]
    )
    ledger.same("reports the hospital got", range(len(to_tell)), range(len(set(books.raw.told))))
    ledger.count("  reports sent again", len(books.raw.told) - len(set(books.raw.told)))


def _events(raw: Raw, store: Store, ledger: Ledger) -> None:
    rows = store.rows("events")
    ledger.same("handheld events", raw.events, [row["id"] for row in rows])
    ledger.count("  events uploaded again", raw.uploads - len(raw.events))
    stops = [
        (row["operator"], _instant(row["at"])) for row in store.rows("evaluations") if row["word"] == "STOP"
    ]
    for act in raw.acts:
        if act.did == "stop-seen":
            ledger.count("near misses", 1)
            near = [who == act.nurse and abs(at - act.at) <= timedelta(seconds=1) for who, at in stops]
            if not any(near):
                ledger.problems.append(f"near miss of {act.nurse} at {act.at}: not kept")


def _readings(raw: Raw, store: Store, ledger: Ledger) -> None:
    said = [one for one in raw.said if one.kind == "reading"]
    wanted = [one for one in said if one.seq not in raw.forgotten[one.outbox]]
    rows = list(store.samples())
    ledger.same("readings", [one.id for one in wanted], [row["id"] for row in rows])
    ledger.count("  readings declared forgotten", len(said) - len(wanted))
    truth = {one.id: one for one in wanted}
    for row in rows:
        one = truth.get(row["id"])
        if one is not None:
            _reading(one, row, ledger)
    drops: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if DROPS in row["values"]:
            drops[row["infusion_id"]].append(row["values"][DROPS])
    heard: dict[str, list[float]] = defaultdict(list)
    for one in wanted:
        if one.drops is not None:
            heard[one.infusion].append(float(one.drops))
    for infusion in sorted(drops.keys() | heard.keys()):
        if sorted(drops[infusion]) != sorted(heard[infusion]):
            ledger.problems.append(f"drops of infusion {infusion}: not those that were counted")
        ledger.count("drops counted at the bedside", int(max(heard[infusion], default=0)))
        ledger.count("drops in the store", int(max(drops[infusion], default=0)))


def _reading(one: Said, row: dict[str, Any], ledger: Ledger) -> None:
    if (row["node"], row["device_id"]) != (one.node, one.device):
        ledger.problems.append(f"reading {one.id}: of another device or node")
    if _instant(row["effective"]) != one.effective:
        ledger.problems.append(f"reading {one.id}: measured at another time")
    wanted = f"E-V{one.mrn}" if one.mrn else ""
    if row["encounter_id"] and row["encounter_id"] != wanted:
        ledger.problems.append(f"reading {one.id}: on the wrong patient, {row['encounter_id']} for {wanted}")
    elif row["encounter_id"] != wanted:
        ledger.problems.append(f"reading {one.id}: nobody's ({row['unassigned']}), but it was {wanted}'s")
    ledger.count("  readings on their patient" if wanted else "  readings of an empty bed, kept apart", 1)


def _outboxes(raw: Raw, store: Store, ledger: Ledger) -> None:
    last: dict[str, int] = {}
    for one in raw.said:
        last[one.outbox] = max(last.get(one.outbox, 0), one.seq)
    found = [(row["outbox"], row["first"], row["last"]) for row in store.rows("ingest_intervals")]
    ledger.same("outboxes without a gap", [(box, 1, seq) for box, seq in last.items()], found)
    events = [one.id for one in raw.said if one.kind == "event"]
    ledger.same("node events", events, [row["id"] for row in store.rows("node_events")])


def _node_alarms(raw: Raw, store: Store, ledger: Ledger) -> None:
    alarms = {one["id"]: one for one in store.facts("alarms")}
    sources = {(row["source"], row["source_alarm_id"]): row for row in store.rows("alarm_sources")}
    ended = {one.id for one in raw.said if one.kind == "alarm" and one.phase == "end"}
    for one in raw.said:
        if one.kind != "alarm" or one.phase != "start":
            continue
        ledger.count("alarms raised by nodes", 1)
        row = sources.get((one.node, one.id))
        alarm = alarms.get(row["alarm_id"]) if row else None
        if row is None or alarm is None:
            ledger.problems.append(f"alarm {one.id} of {one.node}: not in the store")
        elif (alarm["patient_id"], alarm["infusion_id"]) != (f"P-{one.mrn}", one.infusion):
            ledger.problems.append(f"alarm {one.id} of {one.node}: on the wrong patient")
        elif one.id in ended and row["present"]:
            ledger.problems.append(f"alarm {one.id} of {one.node}: its end was not taken")


def _alarms(raw: Raw, store: Store, ledger: Ledger) -> None:
    lines = [(row["action"], row["entity"].removeprefix("alarm:")) for row in store.rows("audit")]
    heard = {action: Counter(entity for done, entity in lines if done == action) for action in _ACTIONS}
    for condition, number in sorted(Counter(one["condition"] for one in store.facts("alarms")).items()):
        ledger.count(f"  alarms {condition}", number)
    for alarm in store.facts("alarms"):
        ledger.count("alarms of every kind", 1)
        ledger.count("  escalated", bool(heard["alarm-escalate"][alarm["id"]]))
        ledger.count("  acknowledged", bool(heard["alarm-acknowledge"][alarm["id"]]))
        ledger.count("  cleared", alarm["signal"] == "off")
        if not heard["alarm-start"][alarm["id"]]:
            ledger.problems.append(f"alarm {alarm['condition']} {alarm['id']}: nobody wrote that it began")
        seen = heard["alarm-end"][alarm["id"]] or heard["alarm-acknowledge"][alarm["id"]]
        if alarm["signal"] != "off" or not seen:
            ledger.problems.append(f"alarm {alarm['condition']} {alarm['id']}: neither seen nor over")
    begun = heard["alarm-start"].keys() - {one["id"] for one in store.facts("alarms")}
    ledger.problems += [f"alarm {one}: began and is not in the store" for one in begun]
    _consequences(raw, store, ledger)
    _running_bags(raw, store, ledger)


def _was_held(raw: Raw, order_id: str, at: str) -> bool:
    """Whether an order was on hold when its dose was missed: nobody was to give it, and nobody is told."""
    moment = datetime.fromisoformat(at)
    said = [
        control for told, control, placer in orders_told(raw) if f"O-{placer}" == order_id and told <= moment
    ]
    return [one for one in said if one in {"HD", "RL"}][-1:] == ["HD"]


_ACTIONS = ("alarm-start", "alarm-escalate", "alarm-acknowledge", "alarm-end")


def _consequences(raw: Raw, store: Store, ledger: Ledger) -> None:
    """What must have alarmed, and nothing else of its kind."""
    alarms = store.facts("alarms")

    def subjects(condition: str) -> list[str]:
        return [one["params"].get("subject", "") for one in alarms if one["condition"] == condition]

    missed = [
        one["id"]
        for one in store.facts("tasks")
        if one["status"] == "missed" and not _was_held(raw, one["order_id"], one["changed_at"])
    ]
    ledger.same("alarms for missed doses", missed, subjects("dose-missed"))
    flagged = [one["id"] for one in store.facts("administrations") if one["flagged"]]
    ledger.same("alarms for flagged acts", flagged, subjects("given-against-order"))
    silent, heard = Counter(raw.silences), Counter(subjects("node-offline"))
    again = Counter({node: min(raw.broker_kills, heard[node] - silent[node]) for node in silent})
    again = (
        +again
    )  # a killed broker may repeat what it kept last: a node's old "offline" before its newer word
    ledger.same("alarms for silent nodes", silent.elements(), (heard - again).elements())
    ledger.count("  repeated by a killed broker", again.total())


def _running_bags(raw: Raw, store: Store, ledger: Ledger) -> None:
    """An order that was stopped, or given another rate, while its bag ran; what was set then."""
    ends = {act.infusion: act.at for act in raw.acts if act.did in {"completed", "stopped-early"}}
    begun = [act for act in raw.acts if act.did == "started"]
    wanted = []
    for at, control, placer in orders_told(raw):
        ran = [
            act for act in begun if act.placer == placer and act.at <= at < ends.get(act.infusion, raw.end)
        ]
        name = {"DC": "infusion-order-ended", "CA": "infusion-order-ended", "XO": "infusion-rate-changed"}
        wanted += [(name[control], act.infusion) for act in ran if control in name]
    found = [
        (one["condition"], one["infusion_id"])
        for one in store.facts("alarms")
        if one["condition"] in {"infusion-order-ended", "infusion-rate-changed"}
    ]
    ledger.same("alarms for bags against their orders", wanted, found)
    rates = {one["id"]: float(one["rate_ml_h"]) for one in store.facts("infusions")}
    set_to = [(act.infusion, float(act.saw)) for act in raw.acts if act.did == "rate-set"]
    ledger.same("rates set at the bedside", set_to, [(one, rates.get(one)) for one, _ in set_to])


def _moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _instant(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
