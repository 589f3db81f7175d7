"""What this system takes and sends, message by message, for the people who connect it.

The tables are made of the very tables that read messages, so that a message which is taken without being
described, or the other way round, is found by a test.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from server.his import adt, orders
from server.his.mapping import EVENTS
from server.his.tables import NAMES, shipped


class Row(NamedTuple):
    """One message: its type, the fields that are read or written, what happens."""

    message: str
    fields: str
    behaviour: str


@cache
def texts() -> Mapping[str, Any]:
    """Return what is said of each message."""
    text = resources.files("server.his").joinpath("conformance.toml").read_text("utf-8")
    return tomllib.loads(text)


def inbound() -> Iterator[Row]:
    """Give every message that is taken."""
    for event in sorted(adt.EVENTS):
        yield _row(f"ADT^{event}")
    for kind, events in EVENTS.items():
        for event in events:
            yield _row(f"{kind}^{event}")
    for name in shipped().rows["blood_message"]:
        yield Row(name.upper(), "as the table blood says", "A unit of blood was issued for an order.")


def _row(name: str) -> Row:
    said, who = texts()["inbound"][name], texts()["who"]
    order = texts()["order"].format(who=who)
    return Row(name, said["fields"].format(who=who, order=order), said["behaviour"])


def outbound() -> Iterator[Row]:
    """Give every message that is sent, the topic first."""
    for topic, said in texts()["outbound"].items():
        yield Row(f"{topic}: {said['message']}", said["fields"], said["behaviour"])


def markdown() -> str:
    """Write the conformance tables as they stand in the guide for interface engineers."""
    about = texts()["tables"]
    parts = [
        *_table(("we take", "fields that are read", "what happens"), inbound()),
        "",
        f"Rejected with AR: ADT {', '.join(sorted(adt.UNSAFE_TO_IGNORE))}, and every type or event that is",
        "not named here. Any other ADT event is accepted and changes nothing.",
        "",
        f"ORC-1 that are followed: {', '.join(sorted(orders.CONTROLS))}.",
        "",
        *_table(("we send", "fields that are written", "when"), outbound()),
        "",
        *_table(
            ("table", "rows as shipped", "words of"),
            (Row(name, str(len(shipped().rows[name])), about[name]) for name in NAMES),
        ),
    ]
    return "\n".join(parts) + "\n"


def _table(head: tuple[str, str, str], rows: Iterable[Row]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|---|---|---|"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]
