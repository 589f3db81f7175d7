"""A store with charted values is whole: it verifies, its backup verifies, and the backup can be restored."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from broker.messages import Value
from clinical.records import Encounter, Generation
from server.observations import entries
from server.storage import care, dumps
from server.storage.restore import restore
from server.storage.store import UnitOfWork
from tests.server.conftest import WardBench

pytestmark = [pytest.mark.requirement("R-SRV-92"), pytest.mark.hazard("H-SRV-01")]


def chart(ward: WardBench, *ids: str) -> None:
    def write(unit: UnitOfWork) -> None:
        stay = next(iter(unit.all(Encounter)))
        for name in ids:
            value = Value(code="MDC_TEMP_AXILLA", n=Decimal(37), unit="Cel")
            entries.append(unit, name, unit.now, stay, Generation.DEMO, [value])

    ward.store.write(write)


def test_charted_sets_are_no_repeats_and_a_backup_of_them_is_restored(
    any_ward: WardBench, tmp_path: Path
) -> None:
    any_ward.admit("1001", "01")
    chart(any_ward, "set-1", "set-2")
    url = any_ward.store.engine.url.render_as_string(hide_password=False)
    assert care.verify(url)["problems"] == []
    on_file = url.startswith("sqlite")
    report = (care.backup if on_file else dumps.backup)(url, tmp_path / "copy")
    assert report["ok"], report
    any_ward.store.close()
    report = (restore if on_file else dumps.restore)(url, tmp_path / "copy", force=True)
    assert report["ok"], report


def test_a_set_that_is_stored_twice_is_told(any_ward: WardBench) -> None:
    any_ward.admit("1001", "01")
    chart(any_ward, "set-1", "set-1")
    report = care.verify(any_ward.store.engine.url.render_as_string(hide_password=False))
    assert "a charted set of values is stored more than once" in report["problems"]
