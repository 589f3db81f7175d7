"""Public bytes of real devices, from projects under permissive licences, through the profile of each."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deploy.commands import profile as command
from firmware_profiles import registry, vectors
from firmware_profiles.reading import Context

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "devices.json").read_text())["vectors"]


def decoded(row: dict[str, Any]) -> dict[str, Any]:
    """Decode as ``wardlink profile decode`` does."""
    known = row.get("context", {})
    context = Context(mac=known.get("mac", ""), key=bytes.fromhex(known.get("bindkey", "")))
    profile = registry.load().get(row["profile"])
    return command._decode_one(profile, row["stream"], row["in"], context)


def same(wanted: Any, got: Any) -> bool:
    if isinstance(wanted, list):
        return sorted(map(str, wanted)) == sorted(map(str, got))
    if isinstance(wanted, str) and isinstance(got, str):
        return got.startswith(wanted)  # the vectors leave out seconds that a frame does not carry
    if isinstance(wanted, bool) or isinstance(got, bool):
        return wanted is got
    if isinstance(wanted, int | float) and isinstance(got, int | float):
        return Decimal(str(wanted)) == Decimal(str(got))
    return bool(wanted == got)


@pytest.mark.requirement("R-DEV-19")
@pytest.mark.parametrize("row", VECTORS, ids=lambda row: f"{row['profile']}-{row['id']}")
def test_the_public_bytes_of_a_device_mean_what_their_source_says(row: dict[str, Any]) -> None:
    answer = decoded(row)
    assert answer["accepted"] is row["valid"], answer
    if not row["valid"]:
        return
    records = answer.get("records") or [answer["values"]]
    assert len(records) == len(row["records"])
    for wanted, record in zip(row["records"], records, strict=True):
        wrong = {
            name: record[name]["value"]
            for name, value in wanted.items()
            if not same(value, record[name]["value"])
        }
        assert not wrong


def test_no_vector_comes_from_a_source_under_a_copyleft_licence() -> None:
    assert not [row["id"] for row in VECTORS if row["licence"].startswith("GPL")]


@pytest.mark.requirement("R-DEV-20")
def test_forty_models_have_bytes_to_accept_and_reject_from_outside_our_own_encoder() -> None:
    counted = [profile.id for profile in registry.load() if vectors.is_counted(profile)]
    assert len(counted) >= 40, counted


def test_our_own_devices_and_disabled_ones_are_listed_but_not_counted() -> None:
    own = registry.load().get("wardlink_drip")
    assert vectors.outside(own).accept == 0
    assert not vectors.is_counted(own)
    assert not vectors.is_counted(registry.load().get("philips_intellivue"))
