"""Public bytes of real devices, from projects under permissive licences, through the profile of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firmware_profiles import registry, vectors
from tests.firmware_profiles.public_vectors import decoded, differences, main

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "devices.json").read_text())["vectors"]


@pytest.mark.requirement("R-DEV-19")
@pytest.mark.parametrize("row", VECTORS, ids=lambda row: f"{row['profile']}-{row['id']}")
def test_the_public_bytes_of_a_device_mean_what_their_source_says(row: dict[str, Any]) -> None:
    answer = decoded(row["profile"], row["stream"], row["in"], row.get("context", {}))
    assert answer["accepted"] is row["valid"], answer
    if row["valid"]:
        assert not differences(row["records"], answer)


SHAPED = {"id": "x1", "device": "SIG Weight Scale", "hex_or_ascii": "00B036", "valid": True}


@pytest.mark.parametrize(
    ("entries", "status", "printed"),
    [
        ([SHAPED | {"expected": {"weight": 70.0, "unit": "kg"}}], 0, "agrees 1, differs 0, not-read 0"),
        ([SHAPED | {"expected": {"weight": 70.5}}], 1, "weight is 70, not 70.5"),
        ([SHAPED | {"expected": {"weight": 70.0, "unit": "lb"}}], 1, "differs"),
        ([SHAPED | {"expected": None, "valid": False}], 1, "accepted by weight"),
        ([SHAPED | {"expected": None, "valid": False, "hex_or_ascii": "00"}], 0, "agrees 1"),
        ([SHAPED | {"expected": None, "device": "Nobody's"}], 0, "not-read x1    Nobody's: no profile"),
    ],
)
def test_a_file_of_public_bytes_is_compared_entry_by_entry(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], entries: list[Any], status: int, printed: str
) -> None:
    file = tmp_path / "vectors.json"
    file.write_text(json.dumps({"vectors": entries}))
    assert main([str(file)]) == status
    assert printed in capsys.readouterr().out


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
