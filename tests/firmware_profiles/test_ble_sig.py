"""The shared Bluetooth SIG vectors, through the profile of their characteristic."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clinical.records import Validity
from firmware_profiles import registry
from firmware_profiles.decode import DecodedValue, decode

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "ble_sig.json").read_text())["vectors"]
UNITS = {"degF": "[degF]"}  # the vectors' word → UCUM
MEASURED = {"temperature", "systolic", "diastolic", "mean", "cuff", "conc", "weight"}


def find(characteristic: str) -> tuple[str, str]:
    for profile in registry.load():
        stream = profile.stream_for(characteristic)
        if profile.id.startswith("sig_") and stream is not None:
            return profile.id, stream.id
    raise AssertionError(characteristic)


def agrees(values: dict[str, DecodedValue], expected: dict[str, Any]) -> None:
    unit = expected.pop("unit", None)
    for name, wanted in expected.items():
        got = values[name]
        if wanted is None or wanted == "NaN":
            assert got.value is None
            assert got.validity is not Validity.VALID
        elif isinstance(wanted, list):
            assert list(got.value) == wanted  # type: ignore[arg-type]
        elif isinstance(wanted, float):
            assert got.value == Decimal(str(wanted))
        else:
            assert got.value == wanted
        if unit and name in MEASURED:
            assert got.unit == UNITS.get(unit, unit)


@pytest.mark.requirement("R-DEV-06")
@pytest.mark.parametrize(
    "row", VECTORS, ids=lambda row: f"{row['characteristic']}-{row['hex'].replace(' ', '')}"
)
def test_the_shared_vector_decodes_to_what_it_says(row: dict[str, Any]) -> None:
    profile_id, stream_id = find(row["characteristic"])
    decoded = decode(registry.load().get(profile_id), stream_id, bytes.fromhex(row["hex"]))
    assert decoded.accepted is row["valid"]
    if row["valid"]:
        expected = row["decoded"] if isinstance(row["decoded"], list) else [row["decoded"]]
        assert len(decoded.records) == len(expected)
        for record, wanted in zip(decoded.records, expected, strict=True):
            agrees(dict(record), dict(wanted))
