"""Labels printed by the server: read back, with serial and time, each print a fact."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from clinical.care_records import Specimen
from clinical.errors import BadInputError, ConflictError
from clinical.identifiers import hospital
from clinical.records import Bag, LabelPrint
from server.chart.tidy import tidy_chart
from server.preparations import service as preparations
from server.prints import labels, service
from server.prints.service import Kind, Wish
from server.prints.symbols import read_all
from tests.server.conftest import START, WardBench
from tests.support.ward_http import bearer, serving, token_of

pytestmark = [pytest.mark.requirement("R-PREP-04"), pytest.mark.hazard("H-PREP-03")]


@pytest.fixture
def printing(ward: WardBench, tmp_path: Path) -> Iterator[tuple[WardBench, TestClient]]:
    ward.admit("1001", "01")
    with serving(ward.store, ward.site, tmp_path) as client:
        client.headers.update(bearer(token_of(ward.store, "N20713")))
        yield ward, client


def labelled(ward: WardBench, order_id: str) -> Bag:
    task = ward.task_of(order_id)
    return ward.store.write(lambda unit: preparations.label(unit, task.id, "N20713", ward.site.policy))


def codes_of(answer: Any) -> set[str]:
    assert answer.status_code == 201, answer.text
    return set(read_all(Image.open(io.BytesIO(answer.content))))


def prints(ward: WardBench) -> list[tuple[str, int]]:
    return [(one.id, one.serial) for one in ward.store.picture.all(LabelPrint)]


def test_every_kind_of_label_is_drawn_with_the_code_of_its_own(
    printing: tuple[WardBench, TestClient],
) -> None:
    ward, client = printing
    drip, pill = labelled(ward, ward.order_bag("1001", "B1")), labelled(ward, ward.order("1001", "M1"))
    stay = ward.store.picture.stays_of("P-1001")[0].id
    wanted = {
        f"wristband/{stay}": hospital.encode("wristband", "1001", "1"),
        f"bag/{drip.id}": hospital.encode("bag", drip.id),
        f"oral/{pill.id}": hospital.encode("bag", pill.id),
        "bed/W1": hospital.encode("bed", "W1", "03"),
    }
    for path, code in wanted.items():
        for language in ("zh", "en"):
            query = {"format": "png", "language": language} | (
                {"bed": "03"} if path.startswith("bed") else {}
            )
            assert codes_of(client.post(f"/api/v1/labels/{path}", params=query)) == {code}, (path, language)


def test_a_tube_is_printed_while_it_waits_to_be_filled(printing: tuple[WardBench, TestClient]) -> None:
    ward, client = printing
    task = ward.task_of(ward.order("1001", "S1"))
    tube = Specimen(
        id="T2611250042", order_id="O-S1", patient_id="P-1001", encounter_id=task.encounter_id,
        container="purple", task_id=task.id,
    )  # fmt: skip
    ward.store.write(lambda unit: unit.put(tube))
    code = hospital.encode("tube", tube.id)
    assert codes_of(client.post(f"/api/v1/labels/tube/{tube.id}", params={"format": "png"})) == {code}
    now = ward.store.picture.get(Specimen, tube.id)
    assert now is not None
    assert (now.state, now.printed_at) == ("printed", ward.clock())
    ward.store.write(lambda unit: unit.put(replace(now, state="collected")))
    assert client.post(f"/api/v1/labels/tube/{tube.id}").json()["code"] == "task-closed"


def test_every_print_is_a_fact_with_its_serial_time_and_person(
    printing: tuple[WardBench, TestClient],
) -> None:
    ward, client = printing
    bag = labelled(ward, ward.order_bag("1001", "B1"))
    first = client.post(f"/api/v1/labels/bag/{bag.id}")
    assert (first.headers["label-serial"], first.headers["content-type"]) == ("1", "application/pdf")
    assert first.content.startswith(b"%PDF")
    at = ward.clock.move(minutes=5)
    assert client.post(f"/api/v1/labels/bag/{bag.id}").headers["label-serial"] == "2"
    noted = ward.store.picture.get(LabelPrint, f"bag/{bag.id}")
    assert noted == LabelPrint(
        id=f"bag/{bag.id}", kind="bag", subject=bag.id, serial=2, at=at, by="N20713", patient_id="P-1001"
    )
    kept = ward.store.picture.get(Bag, bag.id)
    assert kept is not None
    assert kept.printed_at == at


def test_a_serial_goes_on_when_the_print_has_left_the_picture(printing: tuple[WardBench, TestClient]) -> None:
    ward, client = printing
    client.post("/api/v1/labels/bed/W1", params={"bed": "01"})
    ward.clock.move(hours=49)
    ward.store.write(lambda unit: tidy_chart(unit, timedelta(hours=48)))
    assert prints(ward) == []
    token = bearer(token_of(ward.store, "N20713"))
    again = client.post("/api/v1/labels/bed/W1", params={"bed": "01"}, headers=token)
    assert again.headers["label-serial"] == "2"


def test_two_prints_at_once_get_two_serials(
    printing: tuple[WardBench, TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    ward, _client = printing
    wish = Wish(kind=Kind.BED, subject="W1/01", by="N20713")
    drawn, others = service._drawn, [1]

    def slow(*args: Any) -> service.Printed:
        made = drawn(*args)
        if others:
            others.pop()
            service.print_label(ward.store, ward.site, wish)
        return made

    monkeypatch.setattr(service, "_drawn", slow)
    assert service.print_label(ward.store, ward.site, wish).print.serial == 2
    monkeypatch.setattr(service, "_noted", lambda *_: False)
    with pytest.raises(ConflictError) as busy:
        service.print_label(ward.store, ward.site, wish)
    assert busy.value.code == "label-busy"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("wristband/none", 404, "encounter"),
        ("bag/none", 404, "unknown-bag"),
        ("oral/none", 404, "unknown-bag"),
        ("tube/none", 404, "unknown-specimen"),
        ("bed/W1?bed=99", 404, "unknown-bed"),
        ("bed/W1?bed=01&format=gif", 422, "request"),
        ("bed/W1?bed=01&language=fr", 422, "request"),
    ],
)
def test_what_is_not_there_is_not_printed_and_leaves_no_fact(
    printing: tuple[WardBench, TestClient], path: str, status: int, code: str
) -> None:
    ward, client = printing
    answer = client.post(f"/api/v1/labels/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert prints(ward) == []


def test_a_void_bag_gets_no_label(printing: tuple[WardBench, TestClient]) -> None:
    ward, client = printing
    bag = labelled(ward, ward.order_bag("1001", "B1"))
    ward.store.write(lambda unit: unit.put(replace(bag, state="void")))
    assert client.post(f"/api/v1/labels/bag/{bag.id}").json()["code"] == "bag-closed"


@pytest.mark.parametrize(("lines", "code"), [(0, "label-no-drug"), (9, "label-too-many-lines")])
def test_an_oral_label_shows_every_drug_legibly_or_is_not_printed(lines: int, code: str) -> None:
    one = labels.DrugLine(text="阿司匹林肠溶片", amount=Decimal(1), unit="{tablet}")
    content = labels.OralLabel(
        bag_id="BOVARIA6A4", bed="01", name="张建国", mrn="1001", lines=(one,) * lines,
        planned_at=START, printed_at=START,
    )  # fmt: skip
    with pytest.raises(BadInputError) as caught:
        labels.render(content)
    assert caught.value.code == code


def test_an_oral_label_of_three_drugs_of_high_alert_is_read_back() -> None:
    one = labels.DrugLine(text="地高辛片", amount=Decimal("0.125"), unit="mg")
    content = labels.OralLabel(
        bag_id="BOVARIA6A4", bed="12", name="欧阳建国", mrn="P0012345678", lines=(one,) * 3, planned_at=START,
        printed_at=START, frequency="bid", serial="2", high_alert=True, demo=True,
    )  # fmt: skip
    assert set(read_all(labels.render(content).image)) == {hospital.encode("bag", "BOVARIA6A4")}
