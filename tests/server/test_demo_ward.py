"""The demo ward's own files: what the hospital says of an allergy reaches the bedside check."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clinical.bedside_check.model import Action
from clinical.identifiers import hospital
from clinical.records import Allergy
from server.administrations import service as administrations
from server.his.mapping import facts_of
from server.his.message import parse
from server.his.port import ItemFact, PlaceOrder
from server.his.reading import Site
from server.his.samples import load
from server.preparations import service as preparations

DEMO = Path(__file__).parents[2] / "deploy" / "demo"
MRN = "P0012345678"


@pytest.fixture
def demo(bench_of: Any, clock: Any) -> Any:
    bench = bench_of(DEMO / "ward.toml", DEMO / "policy.toml")
    (raw,) = load(DEMO / "hl7" / "11_admit_bed_01.hl7", now=clock())
    assert bench.hospital.apply_all(facts_of(parse(raw), Site())).ok
    return bench


def found(demo: Any, product: str, unit: str, route: str) -> set[str]:
    """Safety findings when a prepared dose of this product is given."""
    order = PlaceOrder(
        mrn=MRN,
        placer_id=f"T-{product}",
        items=(ItemFact(code=product, text="x", amount=Decimal(1), unit=unit),),
        route=route,
        frequency="once",
        start=demo.clock(),
        at=demo.clock() - timedelta(minutes=5),
        verified_by="N10021",
        encoded=True,
    )
    assert demo.hospital.apply(order).ok
    task = demo.task_of(f"O-T-{product}")
    bag = demo.store.write(lambda unit: preparations.label(unit, task.id, "N20488", demo.site.policy))
    demo.made_up(bag.id, checker="N10021")
    request = demo.request(product, Action.GIVE, mrn=MRN, items=(hospital.encode("bag", bag.id),))
    answer = demo.store.write(
        lambda unit: administrations.answer(unit, demo.site, demo.session(), request, "W1")
    )
    return {one.code for one in answer.result.findings if one.code.startswith("SAFE-ALLERGY")}


@pytest.mark.requirement("R-SRV-22")
@pytest.mark.hazard("H-SRV-10")
def test_the_allergy_of_the_first_bed_stops_a_penicillin_and_no_cephalosporin(demo: Any) -> None:
    assert [one.substance for one in demo.store.picture.all(Allergy)] == ["penicillin"]
    assert found(demo, "AMOXICILLIN-500", "{capsule}", "PO") == {"SAFE-ALLERGY-CLASS"}
    assert found(demo, "CEFTRIAXONE-1G", "g", "IVPB") == set()
