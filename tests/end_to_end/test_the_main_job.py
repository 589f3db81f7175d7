"""The one case, whole: every part as its own program, a nurse by script, and power cuts in between."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest

from deploy.demo.nurse import ScriptedNurse
from deploy.demo.rehearsal import Disturbance, rehearse
from deploy.demo.report import Report
from deploy.demo.ward import DemoWard

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PATIENTS = ("张建国", "李秀兰", "ZHANG Jianguo", "LI Xiulan", "P0012345678", "P0012345686")


def run(directory: Path, during: Disturbance | None = None) -> Report:
    return asyncio.run(
        rehearse(directory, seconds=5, started=time.monotonic(), say=lambda _text: None, during=during)
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    directory = tmp_path_factory.mktemp("ward")
    return run(directory), directory


@pytest.mark.requirement("R-SYS-10")
def test_a_ward_runs_from_admission_to_the_report_back(undisturbed: tuple[Report, Path]) -> None:
    report, _ = undisturbed
    assert report.surprises == ()
    assert report.passed
    assert report.stops >= 2
    assert report.administrations >= 1
    assert report.orders == 8
    assert report.alarms >= 2
    assert report.his_sent >= 1


@pytest.mark.requirement("R-SYS-11")
def test_nothing_that_entered_an_outbox_is_lost(undisturbed: tuple[Report, Path]) -> None:
    report, _ = undisturbed
    assert report.lost == 0
    assert report.readings_stored == report.readings_produced > 50


@pytest.mark.requirement("R-SYS-12")
@pytest.mark.hazard("H-SYS-03")
def test_no_patient_is_named_in_logs_on_nodes_or_in_the_broker(undisturbed: tuple[Report, Path]) -> None:
    """Looks into every byte that a node, the broker or a log keeps."""
    _, directory = undisturbed
    kept = [*directory.glob("*.log"), *directory.glob("node-*/**/*"), *directory.glob("broker/*")]
    files = [path for path in kept if path.is_file()]
    assert len(files) > 8
    pattern = re.compile("|".join(re.escape(name) for name in PATIENTS).encode())
    assert [str(path.name) for path in files if pattern.search(path.read_bytes())] == []


@pytest.mark.requirement("R-SYS-11")
@pytest.mark.hazard("H-SYS-04")
def test_server_and_broker_killed_in_the_middle_lose_nothing(tmp_path: Path) -> None:
    async def power_cuts(ward: DemoWard, nurse: ScriptedNurse) -> None:
        await nurse.after("start_infusion")
        ward.server.kill()
        await asyncio.sleep(2)
        await ward.restart_server()
        await asyncio.sleep(4)
        assert ward.broker is not None
        ward.broker.kill()
        await asyncio.sleep(2)
        await asyncio.to_thread(ward.broker.start)

    report = run(tmp_path, power_cuts)
    assert report.surprises == ()
    assert report.lost == 0
    assert report.readings_stored == report.readings_produced
