"""A hospital's day replayed: afterwards both sides say the same, and a broken message changed nothing."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hl7
import pytest

from bench.his import day, planted
from bench.his_day import START, Day
from clinical.records import Administration, Alarm, Order
from server import hospital_reconcile
from server.administrations.outbound import tell_hospital
from server.his.mllp import MllpSettings, serve
from server.his.stand_in import StandIn
from server.his_link import HospitalLink
from server.settings import His
from server.storage.store import Store, UnitOfWork
from tests.server.his.test_mutations import mutated, seeds

NOON = START + timedelta(hours=12)


class Hospital:
    """The hospital of several wards: what it sends, and what it hears back of each order."""

    def __init__(self, wards: int) -> None:
        self.days = [day(number, begin=START) for number in range(wards)]
        self.heard: Counter[str] = Counter()
        self._seen: set[str] = set()

    def take(self, raw: bytes, peer: str, too_long: bool = False) -> tuple[bytes, ...]:
        message = hl7.parse(raw.decode())
        if (control := str(message["MSH"][0][10])) not in self._seen:
            self._seen.add(control)
            self.heard[str(message["ORC"][0][2])] += 1
        return StandIn().handle(raw, peer, too_long)

    def side(self) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for one in self.days:
            found |= {("census", mrn): "^".join(place) for mrn, place in one.census.items()}
            found |= {("order", placer): status for placer, status in one.orders.items()}
        return found | {("administration", placer): str(count) for placer, count in self.heard.items()}


def give(store: Store, count: int) -> None:
    """Give so many doses of what was ordered, fifty in each commit."""
    orders, chance = [one for one in store.picture.all(Order) if one.placer_id], random.Random(3)

    def some(unit: UnitOfWork, first: int) -> None:
        for number in range(first, min(first + 50, count)):
            order = chance.choice(orders)
            act = Administration(
                id=f"act-{number:08d}", task_id="", order_id=order.id, patient_id=order.patient_id,
                outcome="given", at=unit.now, operator="N1",
            )  # fmt: skip
            unit.put(act)
            tell_hospital(unit, act, order)

    for first in range(0, count, 50):
        store.write(lambda unit, first=first: some(unit, first))


async def tell(store: Store, site: Any, hospital: Hospital) -> dict[str, int]:
    listener = await serve(MllpSettings(), hospital.take)
    link = HospitalLink(His(send_to=f"localhost:{listener.port}"), store, site)
    sending = asyncio.create_task(link.run_sender())
    while await asyncio.to_thread(link.tell):
        pass
    for _ in range(20_000):
        if not link.messages.counts().get("out-queued"):
            break
        await asyncio.sleep(0.05)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await listener.close()
    return link.messages.counts()


def replay(place: Path, *, wards: int, adt: int, orders: int, doses: int) -> None:
    store, site = planted(f"sqlite:///{place / 'day.db'}", wards, lambda: NOON)
    try:
        hospital, link = Hospital(wards), HospitalLink(His(), store, site)

        def send(one: Day) -> list[bytes]:
            sent = one.messages(adt // wards, orders // wards)
            return [answer for raw in sent for answer in link._receiver.handle(raw, "test")]

        with ThreadPoolExecutor(wards) as pool:
            answers = [answer for some in pool.map(send, hospital.days) for answer in some]
        assert len(answers) == adt + orders
        assert all(b"\rMSA|AA|" in answer for answer in answers)
        give(store, doses)
        counts = asyncio.run(tell(store, site, hospital))
        assert counts == {"in-applied": adt + orders, "out-accepted": doses}
        with store.reading() as connection:
            found = hospital_reconcile.compare(hospital.side(), hospital_reconcile.ward_side(connection))
        assert found.equal, found.differences[:5]
        assert found.compared["census"] > 0
        assert sum(hospital.heard.values()) == doses
    finally:
        store.close()


@pytest.mark.slow
@pytest.mark.requirement("R-HIS-25")
@pytest.mark.hazard("H-HIS-07")
def test_after_a_fiftieth_of_a_day_both_sides_are_equal(tmp_path: Path) -> None:
    replay(tmp_path, wards=2, adt=40, orders=120, doses=400)


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.requirement("R-HIS-25")
@pytest.mark.hazard("H-HIS-07")
def test_after_a_whole_day_both_sides_are_equal(tmp_path: Path) -> None:
    replay(tmp_path, wards=5, adt=2_000, orders=6_000, doses=20_000)


@pytest.fixture
def site_of_samples(tmp_path: Path) -> Iterator[tuple[Store, HospitalLink]]:
    store, site = planted(
        f"sqlite:///{tmp_path / 'fuzz.db'}", 1, lambda: datetime(2026, 11, 25, 2, tzinfo=UTC)
    )
    link = HospitalLink(His(), store, site)
    for raw in day(0, begin=START).messages(30, 60):
        link._receiver.handle(raw, "test")
    yield store, link
    store.close()


def broken(store: Store, link: HospitalLink, count: int, samples: Path) -> None:
    chance = random.Random(count)
    originals = [*seeds(samples), *day(0, seed=9, begin=START).messages(20, 60)]
    answered: Counter[str] = Counter()
    for _ in range(count):
        before = store.picture.kinds
        frames = link._receiver.handle(mutated(chance.choice(originals), chance), "test")
        code = next((frame.split(b"\rMSA|", 1)[1][:2].decode() for frame in frames), "none")
        answered[code] += 1
        after = store.picture.kinds
        if code in {"AE", "AR", "CR"}:
            assert all(b"\rERR|" in frame for frame in frames[-1:])
            changed = {kind for kind in after if after[kind] is not before.get(kind)}
            assert changed <= {"alarms"}  # of a message put aside
    assert answered["AE"] > 0 < answered["AR"]
    assert "internal" not in {str(one.params.get("reason", "")) for one in store.picture.all(Alarm)}


@pytest.mark.requirement("R-HIS-06")
@pytest.mark.hazard("H-HIS-01")
def test_broken_messages_change_nothing_in_a_real_store(
    site_of_samples: tuple[Store, HospitalLink], samples_dir: Path
) -> None:
    broken(*site_of_samples, 150, samples_dir)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.requirement("R-HIS-06")
@pytest.mark.hazard("H-HIS-01")
def test_ten_thousand_broken_messages_change_nothing_in_a_real_store(
    site_of_samples: tuple[Store, HospitalLink], samples_dir: Path
) -> None:
    broken(*site_of_samples, 10_000, samples_dir)


@pytest.fixture
def samples_dir() -> Path:
    return Path(__file__).resolve().parents[1] / "data" / "hl7"
