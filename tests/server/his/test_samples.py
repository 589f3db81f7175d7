from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clinical import frequencies
from clinical.errors import BadInputError
from clinical.policy import SitePolicy
from server.his.mapping import facts_of
from server.his.message import parse
from server.his.port import AdmitPatient, HospitalFact, PlaceOrder
from server.his.reading import Site
from server.his.samples import load, render

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "deploy" / "demo" / "hl7"
NOW = datetime(2026, 11, 25, 2, 0, 31, 500_000, tzinfo=UTC)


def demo_facts(now: datetime = NOW) -> list[HospitalFact]:
    return [
        fact
        for file in sorted(DEMO.glob("*.hl7"))
        for raw in load(file, now=now)
        for fact in facts_of(parse(raw), Site())
    ]


def test_times_are_relative_to_now_in_the_hospitals_zone() -> None:
    text = "MSH|{{now}}|{{now-75m}}|{{now+2d|%Y-%m-%d}}|{{now-30s|%H%M}}|{{run}}\n"
    assert render(text, now=NOW) == (
        b"MSH|20261125100000+0800|20261125084500+0800|2026-11-27|0959|261125100031500\r"
    )


@pytest.mark.parametrize("text", ["{{tomorrow}}", "{{now-5y}}", "{{now"])
def test_a_placeholder_that_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(BadInputError):
        render(text, now=NOW)


def test_a_file_without_placeholders_is_taken_byte_for_byte(samples: Path) -> None:
    file = samples / "adt_a01_admit_minimal.hl7"
    assert load(file, now=NOW) == [file.read_bytes()]


def test_a_file_may_hold_several_messages_in_frames(tmp_path: Path) -> None:
    file = tmp_path / "two.hl7"
    file.write_bytes(b"\x0bMSH|^~\\&|A\rPID|1\r\x1c\r\x0bMSH|^~\\&|B\r\x1c\r")
    assert [raw.split(b"\r")[0] for raw in load(file, now=NOW)] == [b"MSH|^~\\&|A", b"MSH|^~\\&|B"]


def test_a_file_that_is_missing_or_empty_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / "empty.hl7").write_bytes(b"\r\n")
    for name in ("empty.hl7", "missing.hl7"):
        with pytest.raises(BadInputError):
            load(tmp_path / name, now=NOW)


@pytest.mark.parametrize("now", [NOW, NOW + timedelta(hours=14), NOW + timedelta(hours=22)])
@pytest.mark.requirement("R-HIS-14")
def test_the_demo_ward_is_admitted_and_ordered_by_the_drugs_of_its_formulary(now: datetime) -> None:
    ward = tomllib.loads((ROOT / "deploy" / "demo" / "ward.toml").read_text("utf-8"))
    facts = demo_facts(now)
    admitted = {fact.place.bed for fact in facts if isinstance(fact, AdmitPatient) and fact.place}
    ordered = {item.code for fact in facts if isinstance(fact, PlaceOrder) for item in fact.items}
    assert admitted == {"01", "02", "03", "04", "05", "06", "A"}
    assert ordered <= {product["id"] for product in ward["products"]}


def test_demo_orders_can_be_scheduled_and_come_after_their_patients() -> None:
    policy, known = SitePolicy.default(), set()
    for fact in demo_facts():
        if isinstance(fact, AdmitPatient):
            known.add(fact.mrn)
        elif isinstance(fact, PlaceOrder):
            assert fact.mrn in known
            assert frequencies.parse(fact.frequency, fact.route, policy) is not None


def test_the_first_bed_has_a_late_dose_and_an_infusion_that_is_due() -> None:
    first, second = (
        fact for fact in demo_facts() if isinstance(fact, PlaceOrder) and fact.mrn == "P0012345678"
    )
    assert first.start is not None
    assert second.start is not None
    assert NOW - first.start > timedelta(minutes=120)
    assert (second.rate_ml_h, second.volume_ml, second.drops_per_ml) == (200, 500, 20)
    assert timedelta() < NOW - second.start < timedelta(minutes=10)


def test_the_public_sample_of_the_demo_is_unchanged(samples: Path) -> None:
    original = samples / "adt_a01_admit_minimal.hl7"
    assert (DEMO / "18_admit_bed_08.hl7").read_bytes() == original.read_bytes()
