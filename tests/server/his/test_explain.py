from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from server.his import explain as explain_module
from server.his.explain import _catalog, explain
from server.his.port import HospitalFact
from server.his.reading import Site

Build = Callable[..., bytes]


@pytest.mark.requirement("R-HIS-13")
def test_an_order_is_explained_in_both_languages_without_doing_anything(order: Build) -> None:
    result = explain(order(), Site())
    assert (result["accepted"], result["answer"], result["reason"]) == (True, "AA", None)
    (effect,) = result["effects"]
    assert effect["fact"] == "PlaceOrder"
    assert effect["en"] == "New order O1: 头孢 2 g, route IV, frequency bid."
    assert effect["zh"].startswith("新医嘱 O1：")
    assert effect["fields"]["items"] == [
        {"code": "DRUG", "text": "头孢", "amount": "2", "unit": "g", "role": "drug"}
    ]
    json.dumps(result)


def test_each_field_is_named(admit: Build) -> None:
    segments = {one["segment"]: one for one in explain(admit(), Site())["segments"]}
    fields = {field["field"]: field for field in segments["PID"]["fields"]}
    assert fields["PID-7"]["label"] == {"zh": "出生日期", "en": "date of birth"}
    assert fields["PID-5"]["value"] == "张 三"


def test_a_refusal_says_the_answer_the_place_and_what_to_change(order: Build) -> None:
    result = explain(order(changes={"RXR": ""}), Site())
    assert (result["accepted"], result["answer"], result["effects"]) == (False, "AE", [])
    assert result["reason"]["where"] == "RXR-1"


def test_what_is_no_message_is_explained_too() -> None:
    result = explain(b"hello", Site())
    assert (result["accepted"], result["answer"], result["reason"]["code"]) == (False, "AR", "not-hl7")


def test_a_message_that_changes_nothing_says_so(message: Build) -> None:
    (effect,) = explain(message("ADT^A31", "PID|1||P1"), Site())["effects"]
    assert effect["fact"] == "nothing"


def test_deleted_fields_and_unknown_segments_are_shown(message: Build) -> None:
    result = explain(message("ADT^A08", 'PID|1||P1||""', "ZZZ|1|own"), Site())
    name = next(field for field in result["segments"][1]["fields"] if field["field"] == "PID-5")
    assert (name["deletes"], name["value"]) == (True, "")
    assert result["segments"][2]["fields"] == []


def test_every_kind_of_fact_has_its_sentence_in_both_languages() -> None:
    for kind in get_args(HospitalFact):
        assert set(_catalog("effects")[kind.__name__]) == {"zh", "en"}


def test_every_public_sample_is_explained(samples: Path) -> None:
    for file in samples.glob("*.hl7"):
        result = explain(file.read_bytes(), Site())
        assert result["accepted"] is (result["reason"] is None)
        assert json.loads(json.dumps(result)) == result


def test_every_refusal_has_its_chinese_sentence() -> None:
    source = "".join(file.read_text("utf-8") for file in Path(explain_module.__file__).parent.glob("*.py"))
    made = set(re.findall(r'RefusedMessageError\(\s*"([a-z0-9-]+)"', source))
    assert made - {"internal", "busy", "control-id-reused", "drill"} == set(_catalog("refusals"))
