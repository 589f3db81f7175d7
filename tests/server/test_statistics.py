"""The ward's figures: counted from what was recorded, on both stores, and never about one person."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from clinical.bedside_check.model import ScanMethod
from clinical.exchange import InfusionChanged
from clinical.identifiers import hospital
from clinical.records import Alarm, AlarmPriority, Dose
from server.administrations import service as administrations
from server.alarms import service as alarms
from server.statistics import service
from server.statistics.service import Figures
from server.statistics.store import Period
from server.sync import events
from tests.server.conftest import START, WardBench
from tests.support.server_process import WardProcess

pytestmark = pytest.mark.requirement("R-STAT-01")
WARD_FILE = Path(__file__).parents[1] / "data" / "ward.toml"


def figures(ward: WardBench, hours: float = 24) -> Figures:
    period = Period(since=START - timedelta(hours=1), until=START + timedelta(hours=hours))
    with ward.store.reading() as connection:
        return service.figures(connection, "W1", 8, period, ward.site.policy)


def give(ward: WardBench, placer: str, *, typed: bool = False, late: bool = False) -> None:
    order_id = ward.order("1001", placer, start=ward.clock())
    if late:
        ward.clock.move(minutes=150)
    task = ward.task_of(order_id)
    asked = ward.request(
        f"r-{placer}", items=("(01)06901234500066",), dose=Dose(value=Decimal(1), unit="{tablet}")
    )
    if typed:
        asked = replace(asked, items=tuple(replace(one, method=ScanMethod.KEY) for one in asked.items))
    session = ward.session()
    ward.store.write(lambda unit: administrations.answer(unit, ward.site, session, asked, "W1"))
    event = ward.given(f"e-{placer}", task, asked)
    ward.store.write(lambda unit: events.apply(unit, ward.site, session, event))


def test_of_an_empty_ward_nothing_is_claimed(any_ward: WardBench) -> None:
    found = figures(any_ward)
    assert (found.scan_compliance.of, found.scan_compliance.percent) == (0, None)
    assert (found.alarms.total, found.alarms.response_s_median) == (0, None)
    assert sum(found.administrations_by_hour) == 0


def test_scanning_punctuality_and_the_hours_of_the_day_are_counted(any_ward: WardBench) -> None:
    any_ward.admit("1001", "01")
    give(any_ward, "A")
    give(any_ward, "B", typed=True)
    give(any_ward, "C", late=True)
    found = figures(any_ward)
    assert (found.scan_compliance.count, found.scan_compliance.of, found.scan_compliance.percent) == (
        2,
        3,
        66.7,
    )
    assert found.bypasses == {"MKEY": 1}
    assert found.on_time.of in {0, 3}  # a one-time dose may have no window
    assert found.administrations_by_hour[9] == 2  # 09:00 on the ward, not 01:00 of the server
    assert sum(found.checks.values()) == 3
    assert len(found.delays) == len(service.DELAY_BINS) + 1
    assert [(str(one.day), one.scan_compliance.of) for one in found.days] == [("2026-05-04", 3)]


def test_a_stop_that_was_heeded_is_a_near_miss_and_one_that_was_not_is_none(any_ward: WardBench) -> None:
    any_ward.admit("1001", "01")
    any_ward.admit("1002", "02", "李秀英")
    any_ward.order("1001", "A")
    session = any_ward.session()
    wrong = any_ward.request("r-wrong", mrn="1002", items=("(01)06901234500066",))
    any_ward.store.write(lambda unit: administrations.answer(unit, any_ward.site, session, wrong, "W1"))
    found = figures(any_ward)
    assert found.near_misses == 1
    assert found.near_miss_codes[0].name.startswith(("ORD-", "MED-"))
    assert found.checks == {"STOP": 1}


def alarm(ward: WardBench, subject: str, bed: str = "01", **more: object) -> str:
    seen = alarms.Condition(
        condition="no-flow", priority=AlarmPriority.HIGH, at=ward.clock(), subject=subject,
    )  # fmt: skip
    made = ward.store.write(lambda unit: alarms.begin(unit, seen))
    ward.store.write(lambda unit: unit.put(replace(unit.get(Alarm, made.id), bed=bed, **more)))
    return made.id


def test_alarms_are_counted_per_bed_day_with_the_time_until_somebody_came(any_ward: WardBench) -> None:
    any_ward.admit("1001", "01")
    stay = any_ward.store.picture.facts("W1").encounters[0].id
    for seconds in (10, 20, 60):
        made = alarm(any_ward, f"s{seconds}", encounter_id=stay)
        any_ward.clock.move(seconds=seconds)
        any_ward.store.write(
            lambda unit, made=made: alarms.acknowledge(
                unit, unit.get(Alarm, made), "N20713", any_ward.clock()
            )
        )
    unseen = alarm(any_ward, "unseen", encounter_id=stay)
    any_ward.clock.move(seconds=5)
    any_ward.store.write(lambda unit: alarms.end(unit, unit.get(Alarm, unseen), any_ward.clock()))
    found = figures(any_ward, hours=23).alarms
    assert (found.total, found.per_bed_day, found.by_priority) == (4, 0.5, {"Hi": 4})
    assert (found.answered.count, found.unanswered_short.count) == (3, 1)
    assert (found.response_s_median, found.response_s_p90) == (20.0, 52.0)
    assert [(one.name, one.count) for one in found.top_beds] == [("01", 4)]
    assert figures(any_ward, hours=23).responses == {"Hi": (1, 2, 3, 3, 3, 3, 4)}


def test_a_bag_counts_as_planned_when_it_took_about_the_time_its_rate_says(any_ward: WardBench) -> None:
    any_ward.admit("1001", "01")
    for number, minutes in enumerate((100, 140)):
        order_id = any_ward.order_bag("1001", f"I{number}")
        task = any_ward.task_of(order_id)
        asked = any_ward.request(f"r{number}", items=(hospital.encode("bag", any_ward.bag(task.id).id),))
        begun = any_ward.started(f"s{number}", task, asked, device_id="")
        any_ward.store.write(
            lambda unit, begun=begun: events.apply(unit, any_ward.site, any_ward.session(), begun)
        )
        any_ward.clock.move(minutes=minutes)
        over = InfusionChanged(
            id=f"x{number}", at=any_ward.clock(), sent=any_ward.clock(), operator="N20713", handheld="pda-1",
            infusion_id=begun.infusion_id, action="complete",
        )  # fmt: skip
        any_ward.store.write(
            lambda unit, over=over: events.apply(unit, any_ward.site, any_ward.session(), over)
        )
    found = figures(any_ward)
    assert (found.infusions_as_planned.count, found.infusions_as_planned.of) == (1, 2)


def test_a_single_answered_alarm_has_a_median(any_ward: WardBench) -> None:
    made = alarm(any_ward, "one")
    any_ward.clock.move(seconds=7)
    any_ward.store.write(
        lambda unit: alarms.acknowledge(unit, unit.get(Alarm, made), "N20713", any_ward.clock())
    )
    assert figures(any_ward).alarms.response_s_median in {7.0, None}  # an alarm of no bed is every ward's


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WardProcess]:
    process = WardProcess(tmp_path_factory.mktemp("statistics"), WARD_FILE)
    process.start()
    yield process
    assert process.stop() == 0


def test_the_figures_are_read_as_numbers_and_as_a_table(server: WardProcess) -> None:
    until = datetime.now(UTC)
    period = {"since": (until - timedelta(days=1)).isoformat(), "until": until.isoformat()}
    with server.client() as nurse:
        assert nurse.get("/wards/W1/statistics", params=period).json()["beds"] == 8
        table = nurse.get("/wards/W1/statistics.csv", params=period)
        assert table.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.reader(io.StringIO(table.text.removeprefix("\ufeff"))))
        assert rows[0] == ["measure", "count", "of", "percent"]
        assert {"scan-compliance", "near-misses", "administrations:23"} <= {row[0] for row in rows}


@pytest.mark.parametrize(("back", "status"), [(timedelta(0), 422), (timedelta(days=93), 422)])
def test_a_period_that_cannot_be_is_refused(server: WardProcess, back: timedelta, status: int) -> None:
    until = datetime.now(UTC)
    period = {"since": (until - back).isoformat(), "until": until.isoformat()}
    with server.client() as nurse:
        answer = nurse.get("/wards/W1/statistics", params=period)
        assert answer.status_code in {400, status}
        assert answer.json()["code"] == "period"
