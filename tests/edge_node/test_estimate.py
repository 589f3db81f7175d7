from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.messages import FlowTarget, Targets
from clinical.errors import BadInputError
from edge_node.estimate import PROGRESS_KEY, TARGETS_KEY, DropReport, FlowWatch
from edge_node.simulators.drip import Drip
from tests.support.edge_bench import Time

SENSOR = "ble:c0-00-00-00-01-01"
FACTOR = 20


class Bedside:
    """A drip, a sensor that reports once a second, and the node's watch."""

    def __init__(self, time: Time | None = None) -> None:
        self.time = time or Time()
        self.drip = Drip(drops_per_ml=FACTOR, jitter=0.05, seed=4)
        self.on_s = self.time.mono_ns / 1e9
        self.watch = FlowWatch(lambda: self.time.clock().now())

    @property
    def age_s(self) -> float:
        return self.time.mono_ns / 1e9 - self.on_s

    def report(self) -> DropReport:
        self.drip.advance(self.age_s)
        last = self.drip.last_drop_s
        return DropReport(
            total=self.drip.total_drops,
            last_drop_ms=None if last is None else int(last * 1000),
            now_ms=int(self.age_s * 1000),
        )

    def seconds(self, count: int, *, heard: bool = True) -> None:
        for _ in range(count):
            self.time.pass_s(1)
            report = self.report()
            if heard:
                self.watch.observe(SENSOR, report, self.time.clock().now())

    def start(self, rate_ml_h: float = 120, volume_ml: float = 50, *, ago_s: float = 0) -> dict[str, bytes]:
        started = self.time.clock().now().utc - timedelta(seconds=ago_s)
        target = FlowTarget(
            infusion="inf-1",
            device=SENSOR,
            state="running",
            rate_ml_h=Decimal(str(rate_ml_h)),
            drops_per_ml=FACTOR,
            volume_ml=Decimal(str(volume_ml)),
            started=started,
        )
        return self.watch.set_targets(Targets(version=1, targets=[target]))

    def value(self, code: str) -> Decimal | None:
        report = self.watch.reports(self.time.mono_ns / 1e9)[0]
        return next(value.n for value in report.values() if value.code == code)


def test_rate_infused_and_remaining_follow_the_drip() -> None:
    bed = Bedside()
    bed.seconds(3)
    bed.start()
    bed.drip.hang(50, 40, bed.age_s)
    bed.seconds(300)
    assert float(bed.value("MDCX_DROP_RATE") or 0) == pytest.approx(40, rel=0.06)
    assert float(bed.value("MDC_FLOW_FLUID_PUMP") or 0) == pytest.approx(120, rel=0.06)
    assert bed.value("MDC_VOL_FLUID_DELIV_TOTAL") == Decimal(bed.drip.total_drops) / FACTOR
    assert bed.value("MDC_VOL_FLUID_TBI_REMAIN") == 50 - Decimal(bed.drip.total_drops) / FACTOR


@pytest.mark.requirement("R-EDGE-10")
def test_a_lost_link_neither_loses_nor_doubles_a_drop() -> None:
    bed = Bedside()
    bed.seconds(3)
    bed.start()
    bed.drip.hang(50, 60, bed.age_s)
    bed.seconds(30)
    bed.seconds(45, heard=False)
    bed.seconds(5)
    report = bed.report()
    for _ in range(3):
        bed.watch.observe(SENSOR, report, bed.time.clock().now())
    assert bed.value("MDC_VOL_FLUID_DELIV_TOTAL") == Decimal(bed.drip.total_drops) / FACTOR


@pytest.mark.requirement("R-EDGE-10")
def test_a_restarted_node_goes_on_with_the_bag_it_watched() -> None:
    bed = Bedside()
    bed.seconds(3)
    saved = bed.start()
    bed.drip.hang(50, 60, bed.age_s)
    bed.seconds(30)
    progress = bed.watch.progress()
    bed.seconds(20, heard=False)
    bed.watch = FlowWatch(lambda: bed.time.clock().now())
    bed.watch.restore(saved[TARGETS_KEY], progress)
    bed.seconds(10)
    assert bed.value("MDC_VOL_FLUID_DELIV_TOTAL") == Decimal(bed.drip.total_drops) / FACTOR
    assert [target.infusion for target in bed.watch.targets] == ["inf-1"]


def test_drops_between_the_start_and_the_arrival_of_the_target_are_counted() -> None:
    bed = Bedside()
    bed.drip.hang(100, 60, bed.age_s)
    bed.seconds(20)
    before = bed.drip.total_drops
    bed.seconds(8)
    bed.start(ago_s=8)
    bed.seconds(5)
    assert bed.value("MDC_VOL_FLUID_DELIV_TOTAL") == Decimal(bed.drip.total_drops - before) / FACTOR


def test_a_new_rate_keeps_what_the_bag_has_had() -> None:
    bed = Bedside()
    bed.seconds(2)
    bed.start()
    bed.drip.hang(50, 60, bed.age_s)
    bed.seconds(30)
    bed.start(rate_ml_h=240, ago_s=30)
    bed.seconds(5)
    assert bed.value("MDC_VOL_FLUID_DELIV_TOTAL") == Decimal(bed.drip.total_drops) / FACTOR


def test_a_sensor_that_is_swapped_in_the_middle_goes_on_counting_from_there() -> None:
    bed = Bedside()
    bed.seconds(2)
    bed.start()
    bed.drip.hang(50, 60, bed.age_s)
    bed.seconds(30)
    had = bed.drip.total_drops
    target = bed.watch.targets[0]
    other = FlowTarget(
        infusion="inf-1",
        device="ble:other",
        state="running",
        rate_ml_h=target.rate_ml_h,
        drops_per_ml=FACTOR,
        volume_ml=target.volume_ml,
        started=target.started,
    )
    bed.watch.set_targets(Targets(version=2, targets=[other]))
    for total, second in ((1000, 0), (1003, 3)):
        bed.time.pass_s(3)
        report = DropReport(total=total, last_drop_ms=second * 1000 + 1, now_ms=second * 1000 + 2)
        bed.watch.observe("ble:other", report, bed.time.clock().now())
    assert bed.value("MDC_VOL_FLUID_DELIV_TOTAL") == Decimal(had + 3) / FACTOR


def test_without_a_target_nothing_is_estimated() -> None:
    bed = Bedside()
    bed.seconds(5)
    assert bed.watch.reports(bed.time.mono_ns / 1e9) == []


def test_a_target_that_cannot_be_is_refused_and_the_old_ones_stay() -> None:
    bed = Bedside()
    bed.start()
    with pytest.raises(BadInputError):
        bed.start(volume_ml=0)
    with pytest.raises(BadInputError):
        bed.watch.set_targets(Targets(version=2, targets=[], thresholds={"free_flow_factor": 0.5}))
    assert len(bed.watch.targets) == 1


def test_unreadable_progress_is_told() -> None:
    with pytest.raises(BadInputError):
        FlowWatch(lambda: Time().clock().now()).restore(None, b"{")
    assert PROGRESS_KEY == "progress"


@settings(max_examples=40, deadline=None)
@given(
    heard=st.lists(st.booleans(), min_size=10, max_size=120),
    gtt_min=st.integers(10, 120),
)
def test_the_infused_volume_is_the_counter_whatever_reports_arrive(heard: list[bool], gtt_min: int) -> None:
    bed = Bedside()
    bed.seconds(2)
    bed.start(rate_ml_h=gtt_min * 3, volume_ml=500)
    bed.drip.hang(500, gtt_min, bed.age_s)
    for one in heard:
        bed.seconds(1, heard=one)
    bed.seconds(1)
    assert bed.value("MDC_VOL_FLUID_DELIV_TOTAL") == Decimal(bed.drip.total_drops) / FACTOR
