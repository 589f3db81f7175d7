"""How many hospital messages a second the ward takes: stored, applied, committed and answered.

Admissions, moves, discharges and orders of a synthetic day over real MLLP connections to a real listener and
a real store; the senders are processes of their own and send the next message when the last is answered, as
the protocol says.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from bench.his_day import BEDS, Day
from clinical.exchange import Ward
from clinical.policy import SitePolicy
from clinical.records import Generation, Label, Product
from server import sites
from server.his_link import HospitalLink
from server.settings import His
from server.sites import Site
from server.storage.engine import open_engine, upgrade
from server.storage.store import Store

GOAL = 300.0
"""Messages a second, sustained, with commit before the answer."""
_END = b"\x1c\r"


def measure(seconds: int = 10) -> list[dict[str, Any]]:
    """Send for so many seconds on one connection, then on ten."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    return [_measured(connections, seconds) for connections in (1, 10)]


def _measured(connections: int, seconds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="wardlink-his-") as place, _listening(place, connections) as port:
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        senders = [
            context.Process(target=_send, args=(port, number, seconds, results))
            for number in range(connections)
        ]
        for sender in senders:
            sender.start()
        found = [results.get(timeout=seconds + 60) for _ in senders]
        for sender in senders:
            sender.join(10)
    count = sum(one["count"] for one in found)
    refused = sum(one["refused"] for one in found)
    delays = sorted(delay for one in found for delay in one["delays"])
    rate = count / max(one["seconds"] for one in found)
    return {
        "id": f"his.messages.{connections}-connections", "unit": "messages/s", "median": round(rate, 1),
        "limit": GOAL, "limit_of": "at least", "ok": rate >= GOAL and not refused, "count": count,
        "refused": refused, "answer_ms_median": round(statistics.median(delays) * 1000, 2),
        "answer_ms_p99": round(delays[int(len(delays) * 0.99)] * 1000, 2),
    }  # fmt: skip


def _present() -> datetime:
    return datetime.now(UTC)


def _put(store: Store, product: Product) -> None:
    store.write(lambda unit: unit.put(product))


def planted(url: str, wards: int, now: Callable[[], datetime] = _present) -> tuple[Store, Site]:
    """Return an empty store of so many wards of 40 beds, with the drugs of the day."""
    engine = open_engine(url)
    upgrade(engine)
    store = Store(engine, now)
    names = [f"W{number}" for number in range(wards)]
    policy = SitePolicy.default()
    site = Site(
        wards={
            name: Ward(id=name, display=Label(zh=name, en=name), zone="Asia/Shanghai", beds=_beds())
            for name in names
        },
        generations=dict.fromkeys(names, Generation.DEMO),
        policy=policy,
        policy_document=policy.to_dict(),
    )
    store.write(lambda unit: sites.save(unit.connection, site))
    for code, unit_of_use, form in (("MET25", "{tablet}", "tablet"), ("PCT500", "{tablet}", "tablet"),
                                    ("CEF1", "{vial}", "injection")):  # fmt: skip
        product = Product(id=code, display=Label(zh=code, en=code), unit=unit_of_use, form=form)
        _put(store, product)
    return store, site


def _beds() -> tuple[str, ...]:
    return tuple(f"{number:02d}" for number in range(1, BEDS + 1))


def day(number: int, seed: int = 1, begin: datetime | None = None) -> Day:
    """Return the day of one ward, told by a sender of its own."""
    return Day(
        ward=f"W{number}", sender=f"HIS{number}", beds=_beds(), seed=seed + number,
        begin=begin or datetime.now(UTC),
    )  # fmt: skip


@contextmanager
def _listening(place: str, wards: int) -> Iterator[int]:
    """Run the link's listener on an event loop of its own, as the server does."""
    store, site = planted(f"sqlite:///{Path(place) / 'his.db'}", wards)
    ready, stop = threading.Event(), threading.Event()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])

    async def run() -> None:
        link = HospitalLink(His(mllp_port=port), store, site)
        await link.start()
        ready.set()
        await asyncio.to_thread(stop.wait)
        await link.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    ready.wait(10)
    try:
        yield port
    finally:
        stop.set()
        thread.join(10)
        store.close()


def _send(port: int, number: int, seconds: int, results: Any) -> None:
    """Send one ward's day, each message after the answer to the last (runs in a process of its own)."""
    messages = list(day(number).messages(seconds * 150, seconds * 450))
    delays, refused = [], 0
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begin = time.perf_counter()
        for message in messages:
            sent = time.perf_counter()
            if sent - begin > seconds:
                break
            link.sendall(b"\x0b" + message + _END)
            answer = b""
            while not answer.endswith(_END):
                answer += link.recv(4096)
            delays.append(time.perf_counter() - sent)
            refused += b"\rMSA|AA|" not in answer
    spent = time.perf_counter() - begin
    results.put({"count": len(delays), "refused": refused, "seconds": spent, "delays": delays})
