"""How much a handheld loads when it opens a full ward."""

from __future__ import annotations

import gzip
from dataclasses import replace

import msgspec
import pytest

from clinical.exchange import Changes
from clinical.records import Encounter, Order, Patient, Task
from server.sync.routes import _packed
from server.sync.service import Cursor, changes
from tests.server.conftest import WardBench

LARGEST = 300_000


def fill(ward: WardBench, patients: int, orders: int) -> None:
    """Make a ward of many from one patient whose orders came over the real way."""
    ward.admit("1000", "01")
    for number in range(orders):
        ward.order("1000", f"1000-{number}", frequency="q8h")

    def copy(unit) -> None:  # type: ignore[no-untyped-def]
        patient, stay = unit.get(Patient, "P-1000"), next(iter(unit.all(Encounter)))
        known = [*unit.all(Order)], [*unit.all(Task)]
        for number in range(1, patients):
            mine = f"P-{number}"
            unit.put(replace(patient, id=mine, name=f"病人{number:02}"))
            unit.put(replace(stay, id=f"E-{number}", patient_id=mine, bed=f"{number:02}"))
            for order in known[0]:
                unit.put(
                    replace(order, id=f"{order.id}-{number}", patient_id=mine, encounter_id=f"E-{number}")
                )
            for task in known[1]:
                unit.put(
                    replace(
                        task, id=f"{task.id[:-4]}{number:04}", order_id=f"{task.order_id}-{number}",
                        patient_id=mine, encounter_id=f"E-{number}",
                    )
                )  # fmt: skip

    ward.store.write(copy)


@pytest.mark.requirement("R-CHART-06")
def test_a_ward_of_forty_with_twelve_orders_each_is_under_300_kilobytes_on_the_wire(ward: WardBench) -> None:
    fill(ward, 40, 12)
    answer = changes(ward.store.picture, ward.site, "W1", Cursor(), ward.clock())
    packed = _packed(answer, packs=True)
    assert len(answer.facts.orders) == 480
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < LARGEST
    assert msgspec.json.decode(gzip.decompress(packed.body), type=Changes) == answer


def test_a_small_answer_and_one_for_who_cannot_unpack_stay_as_they_are(ward: WardBench) -> None:
    answer = changes(ward.store.picture, ward.site, "W1", Cursor(), ward.clock())
    assert "content-encoding" not in _packed(answer, packs=False).headers
    small = changes(
        ward.store.picture, ward.site, "W1",
        Cursor(since=ward.store.picture.cursor, epoch=ward.store.picture.epoch), ward.clock(),
    )  # fmt: skip
    assert "content-encoding" not in _packed(small, packs=True).headers
