"""A ward in files: asked for, waited for, fetched by the same token alone, and removed."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from server.fhir import exports
from server.fhir.settings import Fhir as Settings
from tests.support.fhir import Fhir, check, second_patient

ASYNC = {"prefer": "respond-async"}


@pytest.fixture
def office(fhir_as: Any) -> Fhir:
    client: Fhir = fhir_as(scopes=("system/*.rs?ward=W1",))
    return client


def started(client: Fhir, query: str = "", ward: str = "W1") -> str:
    answer = client.ask("GET", f"/Group/{ward}/$export{query}", headers=ASYNC)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["content-location"]).partition("/fhir/R4")[2]


def finished(client: Fhir, status: str) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while (answer := client.ask("GET", status)).status_code == 202:
        assert "types" in answer.headers["x-progress"]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.requirement("R-FHR-08")
@pytest.mark.hazard("H-FHR-01")
def test_a_ward_is_exported_whole_and_every_line_is_valid(full: Any, office: Fhir, tmp_path: Path) -> None:
    full.hospital.apply(second_patient())
    status = started(office)
    manifest = finished(office, status)
    assert manifest["requiresAccessToken"] is True
    counts = {one["type"]: one["count"] for one in manifest["output"]}
    assert counts["Patient"] == 1
    assert counts["Observation"] == 7
    assert counts["Location"] == 9
    assert "AuditEvent" not in counts
    for one in manifest["output"]:
        answer = office.ask("GET", one["url"].partition("/fhir/R4")[2])
        assert answer.headers["content-type"] == "application/fhir+ndjson"
        lines = answer.text.splitlines()
        assert len(lines) == one["count"]
        for line in lines:
            assert check(json.loads(line))["resourceType"] == one["type"]
    folder = next((tmp_path / "fhir-exports").iterdir())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert office.ask("DELETE", status).status_code == 202
    assert office.refused("GET", status) == (404, "fhir-export")
    assert not folder.exists()


@pytest.mark.requirement("R-FHR-08")
def test_types_and_period_narrow_an_export(full: Any, office: Fhir) -> None:
    query = "?_type=Observation,Patient&start=2026-05-04T08:59:30%2B08:00&end=2026-05-04T10:00:00%2B08:00"
    counts = {one["type"]: one["count"] for one in finished(office, started(office, query))["output"]}
    assert counts == {"Patient": 1, "Observation": 5}
    full.clock.move(hours=1)
    later = full.clock().isoformat().replace("+", "%2B")
    assert finished(office, started(office, f"?_type=Patient&_since={later}"))["output"] == []


@pytest.mark.requirement("R-FHR-08")
@pytest.mark.hazard("H-FHR-01")
def test_an_export_is_refused_to_others_and_when_it_is_not_asked_for_rightly(
    full: Any, http: Any, office: Fhir, fhir_as: Any
) -> None:
    assert office.refused("GET", "/Group/W1/$export") == (400, "fhir-async")
    for query, code in (
        ("?_type=Nothing", "fhir-parameter"),
        ("?foo=1", "fhir-parameter"),
        ("?_outputFormat=csv", "fhir-parameter"),
        ("?start=x", "fhir-date"),
        ("?start=2026-01-01", "fhir-period"),
        ("?end=2020-01-01&start=2020-01-02", "fhir-period"),
    ):
        assert office.refused("GET", f"/Group/W1/$export{query}", headers=ASYNC) == (400, code), query
    assert office.refused("GET", "/Group/W2/$export", headers=ASYNC) == (403, "role")
    assert office.refused("GET", "/Group/W9/$export", headers=ASYNC) == (404, "ward")
    assert fhir_as("N10001").refused("GET", "/Group/W1/$export", headers=ASYNC) == (403, "role")
    narrow = fhir_as(scopes=("system/Patient.rs",), name="narrow")
    assert narrow.refused("GET", "/Group/W1/$export?_type=Task", headers=ASYNC) == (403, "role")
    status = started(office, "?_type=Patient")
    finished(office, status)
    assert narrow.refused("GET", status) == (404, "fhir-export")
    file = status.replace("$export-status", "$export-file")
    assert narrow.refused("GET", f"{file}/Patient") == (404, "fhir-export")
    assert office.refused("GET", f"{file}/Task") == (404, "fhir-export")


@pytest.mark.requirement("R-FHR-08")
def test_an_export_that_the_end_of_the_server_cut_off_says_so_and_old_ones_are_removed(
    full: Any, http: Any, office: Fhir, tmp_path: Path
) -> None:
    status = started(office, "?_type=Patient")
    finished(office, status)
    job = status.rpartition("/")[2]
    http.app.state.fhir.exports = exports.Exports()  # as after a restart
    assert finished(office, status)["output"][0]["count"] == 1
    record = tmp_path / "fhir-exports" / job / "job.json"
    record.write_text(record.read_text().replace('"done"', '"running"'))
    assert office.refused("GET", status) == (503, "fhir-export-failed")
    full.clock.now += timedelta(hours=25)
    finished(office, started(office, "?_type=Location"))
    assert office.refused("GET", status) == (404, "fhir-export")


@pytest.mark.requirement("R-FHR-08")
def test_one_token_exports_once_at_a_time_and_can_stop(
    full: Any, http: Any, office: Fhir, monkeypatch: Any
) -> None:
    monkeypatch.setattr(exports, "_write", _never_done)
    status = started(office)
    assert office.refused("GET", "/Group/W1/$export", headers=ASYNC) == (429, "fhir-export-busy")
    assert office.ask("GET", status).status_code == 202
    assert office.ask("DELETE", status).status_code == 202
    assert office.refused("GET", status) == (404, "fhir-export")


def _never_done(_store: Any, _view: Any, _path: Path, _order: Any, _kind: str, job: Any) -> int:
    assert job.cancelled.wait(10)
    return 0


@pytest.mark.requirement("R-FHR-08")
def test_an_export_that_fails_says_so(full: Any, office: Fhir, monkeypatch: Any) -> None:
    monkeypatch.setattr(exports, "MOST_LINES", 2)
    status = started(office, "?_type=Location")
    deadline = time.monotonic() + 10
    while office.ask("GET", status).status_code == 202 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert office.refused("GET", status) == (503, "fhir-export-failed")
    assert Settings().export_days == 31
