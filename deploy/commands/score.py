"""``wardlink score``: clinical scores for a JSON array on stdin, each item good or bad on its own."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

from clinical.scores import Score, braden, mews, morse, news2
from clinical.scores.scales import BRADEN_HIGHEST
from deploy.commands import _stdio

_NUMBERS = ("rr", "spo2", "sbp", "pulse", "temp_c")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("name", choices=sorted(SCORES), help="which score")
    parser.add_argument("--stdin", action="store_true", required=True, help="read a JSON array of inputs")


def run(args: argparse.Namespace) -> int:
    """Print one answer per input, in the same order; a case that may not be scored says why."""
    score = SCORES[args.name]
    _stdio.write([_one(score, item) for item in _stdio.read_items()])
    return 0


def _one(score: Callable[[Mapping[str, Any]], Score], item: Any) -> dict[str, Any]:
    found = score(item) if isinstance(item, dict) else _wrong("not_an_object")
    return {
        "total": found.total,
        "tier": found.tier,
        "scores": found.scores,
        "status": found.status,
        "red_params": list(found.red_params),
        "reason": found.reason,
    }


def _wrong(reason: str) -> Score:
    return Score(total=None, tier=None, status="invalid", reason=reason)


def _is_number(value: Any) -> bool:
    """Tell whether a value is a finite number; JSON knows ``true``, and Python reads ``NaN``."""
    return isinstance(value, Real) and not isinstance(value, bool) and abs(float(value)) < 1e9


def _is_reading(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_number(one) for one in value)
    return value is None or _is_number(value)


def _bad_reading(item: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((f"not_a_number:{name}" for name in names if not _is_reading(item.get(name))), "")


def _news2(item: Mapping[str, Any]) -> Score:
    wrong = _bad_reading(item, ("age", *_NUMBERS))
    ages = {name: item.get(f"{name}_age_min", 0) for name in _NUMBERS}
    if wrong or not all(_is_number(age) for age in ages.values()) or isinstance(item.get("age"), list):
        return _wrong(wrong or "not_a_number:age")
    single = next((name for name in _NUMBERS if name != "sbp" and isinstance(item.get(name), list)), "")
    oxygen, word = item.get("on_oxygen"), item.get("consciousness")
    if single or not isinstance(oxygen, bool | None):
        return _wrong(f"not_a_number:{single}" if single else "unmappable_code:on_oxygen")
    return news2(
        age=item.get("age"), on_oxygen=oxygen, consciousness=None if word is None else str(word),
        spo2_scale=item.get("spo2_scale", 1), pregnant=bool(item.get("pregnant")),
        ages_min=ages,
        quarantined=frozenset(name for name in _NUMBERS if item.get(f"{name}_quality") == "quarantined"),
        rr=item.get("rr"), spo2=item.get("spo2"), sbp=item.get("sbp"), pulse=item.get("pulse"),
        temp_c=item.get("temp_c"),
    )  # fmt: skip


def _mews(item: Mapping[str, Any]) -> Score:
    names = ("sbp", "pulse", "rr", "temp_c")
    listed = next((name for name in names if isinstance(item.get(name), list)), "")
    wrong = _bad_reading(item, names) or (f"not_a_number:{listed}" if listed else "")
    if wrong:
        return _wrong(wrong)
    word = item.get("consciousness")
    return mews(
        sbp=item.get("sbp"), pulse=item.get("pulse"), rr=item.get("rr"), temp_c=item.get("temp_c"),
        consciousness=None if word is None else str(word),
    )  # fmt: skip


def _braden(item: Mapping[str, Any]) -> Score:
    for name in BRADEN_HIGHEST:
        value = item.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            return _wrong(f"not_a_number:{name}")
    return braden(item)


def _morse(item: Mapping[str, Any]) -> Score:
    return morse({name: None if value is None else str(value) for name, value in item.items()})


SCORES: dict[str, Callable[[Mapping[str, Any]], Score]] = {
    "news2": _news2,
    "mews": _mews,
    "braden": _braden,
    "morse": _morse,
}
"""Scores by the names of the command line."""
