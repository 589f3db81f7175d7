"""NEWS2 against its published cases; MEWS, Braden, Morse and pain at their edges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clinical.scores import braden, mews, morse, news2, pain

pytestmark = [pytest.mark.requirement("R-CLIN-09"), pytest.mark.hazard("H-CLIN-10")]

CASES = json.loads(
    (Path(__file__).resolve().parents[2] / "data" / "news2" / "vectors.json").read_text(encoding="utf-8")
)["cases"]
BASE = {
    "age": 60,
    "rr": 16,
    "spo2": 97,
    "on_oxygen": False,
    "sbp": 120,
    "pulse": 70,
    "consciousness": "A",
    "temp_c": 37.0,
    "spo2_scale": 1,
}
INPUTS = ("rr", "spo2", "sbp", "pulse", "temp_c")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_news2_equals_the_published_case(case):
    given = dict(case["input"])
    ages = {name: given.pop(f"{name}_age_min") for name in INPUTS if f"{name}_age_min" in given}
    doubted = frozenset(name for name in INPUTS if given.pop(f"{name}_quality", "") == "quarantined")
    found = news2(**given, ages_min=ages, quarantined=doubted)
    assert (found.total, found.status, found.tier) == (case["total"], case["status"], case.get("tier"))
    assert found.reason == case.get("reason", "")
    assert case.get("scores", {}).items() <= found.scores.items()
    assert set(case.get("red_params", [])) == set(found.red_params)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"age": None}, "missing_required_input:age"),
        ({"age": 15}, "out_of_population_scope"),
        ({"on_oxygen": None}, "missing_required_input:on_oxygen"),
        ({"consciousness": None}, "missing_required_input:consciousness"),
        ({"spo2_scale": 3}, "unmappable_code:spo2_scale"),
        ({"sbp": [100, 120]}, "discordant_input:sbp"),
        ({"sbp": []}, "missing_required_input:sbp"),
        ({"pulse": -1}, "implausible_value:pulse"),
    ],
)
def test_a_case_that_may_not_be_scored_has_no_total_and_says_why(changes, reason):
    found = news2(**(BASE | changes))
    assert (found.total, found.tier, found.reason, found.scores) == (None, None, reason, {})


def test_seven_is_high():
    found = news2(**(BASE | {"rr": 25, "spo2": 90, "on_oxygen": True}))
    assert (found.total, found.tier) == (8, "high")


def test_sixteen_is_enough_where_the_site_follows_the_rcp():
    assert news2(**(BASE | {"age": 16}), minimum_age=16).total == 0


def test_halves_round_towards_the_more_abnormal_band_on_both_sides():
    assert news2(**(BASE | {"temp_c": 36.05})).scores["temp"] == 1
    assert news2(**(BASE | {"temp_c": 38.04})).scores["temp"] == 0


MEWS = {"sbp": 120, "pulse": 70, "rr": 12, "temp_c": 37.0, "consciousness": "A"}


@pytest.mark.parametrize(
    ("changes", "total"),
    [
        ({}, 0),
        ({"sbp": 70}, 3),
        ({"sbp": 80}, 2),
        ({"sbp": 100}, 1),
        ({"sbp": 200}, 2),
        ({"pulse": 40}, 2),
        ({"pulse": 130}, 3),
        ({"rr": 8}, 2),
        ({"rr": 30}, 3),
        ({"temp_c": 34.9}, 2),
        ({"temp_c": 35.0}, 0),
        ({"temp_c": 38.5}, 2),
        ({"consciousness": "U"}, 3),
    ],
)
def test_mews_bands(changes, total):
    found = mews(**(MEWS | changes))
    assert (found.total, found.tier) == (total, "low")


def test_mews_calls_at_five_and_never_guesses():
    found = mews(**(MEWS | {"sbp": 70, "rr": 30}))
    assert (found.total, found.tier, found.red_params) == (6, "critical", ("sbp", "rr"))
    assert mews(**(MEWS | {"rr": None})).reason == "missing_required_input:rr"
    assert mews(**(MEWS | {"consciousness": None})).reason == "missing_required_input:consciousness"
    assert mews(**(MEWS | {"consciousness": "C"})).status == "invalid"
    assert mews(**(MEWS | {"temp_c": 370})).reason == "implausible_value:temp_c"
    assert mews(**(MEWS | {"pulse": 900})).reason == "implausible_value:pulse"


def answers(value, friction=None):
    return dict.fromkeys(("sensory", "moisture", "activity", "mobility", "nutrition"), value) | {
        "friction": friction or min(value, 3)
    }


@pytest.mark.parametrize(
    ("given", "total", "tier"),
    [
        (answers(4), 23, "none"),
        (answers(3), 18, "mild"),
        (answers(1), 6, "very_high"),
        (answers(2), 12, "high"),
        (answers(2, 3), 13, "moderate"),
    ],
)
def test_braden_tiers(given, total, tier):
    found = braden(given)
    assert (found.total, found.tier) == (total, tier)


def test_braden_without_an_answer_or_with_a_wrong_one_has_no_total():
    assert braden({}).reason == "missing_required_input:sensory"
    assert braden(answers(4) | {"friction": 4}).reason == "implausible_value:friction"


MORSE = {
    "fall_history": "no",
    "secondary_diagnosis": "no",
    "aid": "none",
    "iv_access": "no",
    "gait": "normal",
    "mental": "oriented",
}


@pytest.mark.parametrize(
    ("changes", "total", "tier"),
    [
        ({}, 0, "low"),
        ({"fall_history": "yes"}, 25, "moderate"),
        ({"fall_history": "yes", "iv_access": "yes"}, 45, "high"),
        ({"aid": "furniture", "gait": "impaired", "mental": "forgets_limits"}, 65, "high"),
    ],
)
def test_morse_tiers(changes, total, tier):
    found = morse(MORSE | changes)
    assert (found.total, found.tier) == (total, tier)


def test_morse_without_an_answer_or_with_an_unknown_one_has_no_total():
    assert morse({}).reason == "missing_required_input:fall_history"
    assert morse(MORSE | {"aid": "wings"}).reason == "unmappable_code:aid"


@pytest.mark.parametrize(
    ("nrs", "tier"), [(0, "none"), (3, "mild"), (4, "moderate"), (7, "severe"), (10, "severe")]
)
def test_pain_tiers(nrs, tier):
    assert pain(nrs).tier == tier


def test_pain_outside_its_scale_has_no_total():
    assert pain(None).status == "not_evaluated"
    assert pain(11).status == "invalid"
