"""The short way to an association finds exactly what the index finds."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.records import Association
from server.devices.service import AssociationIndex
from server.ingest.filing import Files
from tests.server.conftest import START

seconds = st.integers(-20, 20)


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def associations(periods: list[tuple[int, int | None]]) -> list[Association]:
    return [
        Association(
            id=f"A{number}", device_id="d", encounter_id=f"E{number % 2}", start=at(start),
            end=None if length is None else at(start + length), by="bed",
        )
        for number, (start, length) in enumerate(periods)
    ]  # fmt: skip


@pytest.mark.requirement("R-SRV-07")
@pytest.mark.hazard("H-SRV-02")
@given(st.lists(st.tuples(seconds, st.none() | st.integers(0, 20)), max_size=3), seconds, st.integers(0, 10))
def test_a_device_with_one_association_is_filed_as_the_index_files_it(
    periods: list[tuple[int, int | None]], measured: int, unsure: int
) -> None:
    known = associations(periods)
    unit = SimpleNamespace(grouped=lambda _kind, _by: {"d": known} if known else {})
    files = Files(cast("Any", unit))
    expected = AssociationIndex(known).file("d", at(measured), timedelta(seconds=unsure))
    assert files._found("d", at(measured), timedelta(seconds=unsure)) == expected
