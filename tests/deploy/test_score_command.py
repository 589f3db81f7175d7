"""``wardlink score`` as a program uses it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from deploy.cli import main

pytestmark = [pytest.mark.requirement("R-CLIN-41"), pytest.mark.hazard("H-CLIN-10")]

CASES = json.loads(
    (Path(__file__).resolve().parents[1] / "data" / "news2" / "vectors.json").read_text(encoding="utf-8")
)["cases"]
GOOD = {"age": 60, "rr": 16, "spo2": 97, "on_oxygen": False, "sbp": 120, "pulse": 70, "consciousness": "A"}
GOOD |= {"temp_c": 37.0, "spo2_scale": 1}


@pytest.fixture
def score(monkeypatch, capsys):
    def call(name, items):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(items).encode())))
        assert main(["score", name, "--stdin"]) == 0
        return json.loads(capsys.readouterr().out)

    return call


def test_every_published_case_has_its_answer(score):
    found = score("news2", [case["input"] for case in CASES])
    for answer, case in zip(found, CASES, strict=True):
        assert answer["total"] == case["total"], case["id"]
        assert answer["status"] == case["status"]
        assert answer["tier"] == case.get("tier")


@pytest.mark.parametrize(
    "bad",
    [
        5, {"age": [60]}, GOOD | {"rr": "16"}, GOOD | {"rr": True}, GOOD | {"sbp": []},
        GOOD | {"pulse": [70]},
        GOOD | {"on_oxygen": "no"}, GOOD | {"rr_age_min": "old"}, GOOD | {"spo2": float("nan")}, {},
    ],
)  # fmt: skip
def test_a_bad_item_has_no_total_and_a_reason_and_leaves_the_others_alone(score, bad):
    found = score("news2", [bad, GOOD])
    assert found[0]["total"] is None
    assert found[0]["reason"]
    assert found[1]["total"] == 0


def test_mews_braden_and_morse_answer_too(score):
    vital = {"sbp": 70, "pulse": 70, "rr": 12, "temp_c": 37.0, "consciousness": "A"}
    found = score("mews", [vital, vital | {"rr": [1]}, vital | {"rr": "x"}, {}])
    assert [one["total"] for one in found] == [3, None, None, None]
    braden = dict.fromkeys(("sensory", "moisture", "activity", "mobility", "nutrition", "friction"), 3)
    found = score("braden", [braden, braden | {"friction": "3"}, braden | {"friction": True}, {}])
    assert [one["total"] for one in found] == [18, None, None, None]
    morse = {
        "fall_history": "yes",
        "secondary_diagnosis": "no",
        "aid": "none",
        "iv_access": "no",
        "gait": "normal",
    }
    found = score("morse", [morse | {"mental": "oriented"}, morse, morse | {"mental": None}])
    assert [one["total"] for one in found] == [25, None, None]
