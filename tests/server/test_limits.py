"""The server's own limits of vital signs: with the policy's delays, in one alarm with the node's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from broker.messages import AlarmMessage, Clock, Readings, Value
from clinical.errors import UnavailableError
from clinical.records import Alarm, AlarmPriority, Generation, Patient
from server.his.port import Demographics, DischargePatient, UpdatePatient
from server.infusions.flow import FlowWatch
from server.ingest.commit import BatchWriter
from server.ingest.decode import Decoded
from server.observations.limits import LimitWatch
from server.ticker import Ticker

OXIMETER = "serial:oximeter-01"
SPO2, PRESSURE = "MDC_PULS_OXIM_SAT_O2", "MDC_PRESS_BLD_NONINV_SYS"
UNITS = {SPO2: "%", PRESSURE: "mm[Hg]"}


class Bed:
    """Bed 01 with its oximeter: a reading each second, and the server's seconds passing with them."""

    def __init__(self, ward: Any) -> None:
        self.ward = ward
        self.seq = 0
        self.restart()

    def restart(self) -> None:
        policy = self.ward.site.policy
        limits = LimitWatch(policy)
        self.writer = BatchWriter(FlowWatch(policy), limits)
        self.ticker = Ticker(
            self.ward.store, self.ward.site, FlowWatch(policy), (), timedelta(hours=1), limits=limits
        )

    def head(self) -> dict[str, Any]:
        self.seq += 1
        return {"node": "bed-01", "boot": "b", "outbox": "o", "seq": self.seq, "sent": self.ward.clock()}

    def write(self, message: Any, *, history: bool = False) -> None:
        self.ward.store.write(lambda unit: self.writer.write(unit, [Decoded(message, history)]))

    def reads(self, number: float | None, code: str = SPO2, *, history: bool = False, **said: Any) -> None:
        value = Value(code=code, n=None if number is None else Decimal(str(number)), unit=UNITS[code])
        fields: dict[str, Any] = {
            "id": f"r{self.seq + 1}", "device": OXIMETER, "profile": "nonin_oem3",
            "effective": self.ward.clock(), "mono_ns": 0, "clock": Clock(state="synchronised"),
            "generation": Generation.DEMO, "values": [value],
        }  # fmt: skip
        self.write(Readings(**(self.head() | fields | said)), history=history)

    def second(self) -> None:
        self.ward.clock.move(seconds=1)
        self.ward.store.write(self.ticker.step)

    def for_seconds(self, seconds: int, number: float, **said: Any) -> None:
        for _ in range(seconds):
            self.reads(number, **said)
            self.second()

    def node_says(self, phase: str) -> None:
        message = AlarmMessage(
            **self.head(), id="al-1", condition="limit-low", kind="physiological",
            priority=AlarmPriority.MEDIUM, phase=phase, effective=self.ward.clock(), device=OXIMETER,
            generation=Generation.DEMO, params={"code": SPO2, "measured": 86.0, "limit": 90.0, "unit": "%"},
        )  # type: ignore[arg-type]  # fmt: skip
        self.write(message)

    @property
    def alarms(self) -> list[Alarm]:
        return [one for one in self.ward.store.picture.all(Alarm) if one.signal != "off"]


@pytest.fixture
def bed(ward: Any) -> Bed:
    ward.admit("1001", "01")
    return Bed(ward)


@pytest.mark.requirement("R-SRV-25")
@pytest.mark.hazard("H-SRV-06")
def test_a_value_outside_its_limits_alarms_after_the_delay_and_ends_after_it_is_back(bed: Bed) -> None:
    bed.for_seconds(9, 86)
    assert bed.alarms == []
    bed.for_seconds(3, 86)
    (alarm,) = bed.alarms
    assert (alarm.condition, alarm.kind, alarm.priority) == (
        "limit-low",
        "physiological",
        AlarmPriority.MEDIUM,
    )
    assert (alarm.bed, alarm.device_id, alarm.generation) == ("01", OXIMETER, Generation.DEMO)
    assert alarm.params == {"code": SPO2, "unit": "%", "measured": 86.0, "limit": 90.0}
    bed.for_seconds(3, 95)
    assert bed.alarms == [alarm]
    bed.for_seconds(4, 95)
    assert bed.alarms == []


@pytest.mark.requirement("R-SRV-25")
def test_a_touch_on_the_probe_is_no_alarm_and_a_desaturation_is_a_loud_one(bed: Bed) -> None:
    bed.for_seconds(8, 70)
    bed.for_seconds(2, 97)
    bed.for_seconds(8, 70)
    assert bed.alarms == []
    bed.for_seconds(4, 85)
    assert [one.priority for one in bed.alarms] == [AlarmPriority.MEDIUM]
    bed.for_seconds(1, 78)
    assert [one.priority for one in bed.alarms] == [AlarmPriority.HIGH]
    bed.for_seconds(3, 85)
    assert [one.priority for one in bed.alarms] == [AlarmPriority.HIGH]


@pytest.mark.requirement("R-SRV-25")
@pytest.mark.hazard("H-SRV-06")
@pytest.mark.parametrize("first", ["node", "server"])
def test_node_and_server_speak_into_one_alarm_and_it_ends_when_neither_sees_it(bed: Bed, first: str) -> None:
    if first == "node":
        bed.node_says("start")
    bed.for_seconds(12, 86)
    if first == "server":
        bed.node_says("start")
    assert len(bed.alarms) == 1
    bed.node_says("end")
    assert len(bed.alarms) == 1
    bed.for_seconds(8, 96)
    assert bed.alarms == []


@pytest.mark.requirement("R-SRV-25")
@pytest.mark.hazard("H-SRV-06")
def test_a_silent_oximeter_alarms_no_longer_and_one_measured_pressure_holds(bed: Bed) -> None:
    bed.for_seconds(12, 86)
    bed.reads(70, PRESSURE)
    for _ in range(31):
        bed.second()
    assert [one.params["code"] for one in bed.alarms] == [PRESSURE]
    bed.reads(120, PRESSURE)
    for _ in range(7):
        bed.second()
    assert bed.alarms == []


@pytest.mark.requirement("R-SRV-25")
@pytest.mark.hazard("H-SRV-06")
def test_after_a_restart_the_alarm_goes_on_and_can_end(bed: Bed) -> None:
    bed.for_seconds(12, 86)
    (before,) = bed.alarms
    bed.restart()
    bed.for_seconds(3, 86)
    assert bed.alarms == [before]
    bed.restart()
    bed.for_seconds(7, 96)
    assert bed.alarms == []


@pytest.mark.hazard("H-SRV-01")
def test_an_alarm_whose_transaction_failed_is_raised_again(bed: Bed) -> None:
    bed.for_seconds(9, 86)
    bed.ward.clock.move(seconds=3)

    def fails(unit: Any) -> None:
        bed.ticker.step(unit)
        raise UnavailableError("storage", "the disk is full")

    with pytest.raises(UnavailableError):
        bed.ward.store.write(fails)
    assert bed.alarms == []
    bed.second()
    assert [one.condition for one in bed.alarms] == ["limit-low"]


NOT_JUDGED: dict[str, Callable[[Bed], dict[str, Any]]] = {
    "history": lambda _bed: {"history": True},
    "old": lambda bed: {"effective": bed.ward.clock() - timedelta(minutes=5)},
    "no number": lambda _bed: {"number": None},
}


@pytest.mark.requirement("R-SRV-25")
@pytest.mark.parametrize("why", NOT_JUDGED)
def test_what_is_not_of_now_is_not_judged(bed: Bed, why: str) -> None:
    for _ in range(13):
        bed.reads(**({"number": 80} | NOT_JUDGED[why](bed)))
        bed.second()
    assert bed.alarms == []


@pytest.mark.requirement("R-SRV-25")
def test_limits_of_adults_are_not_used_for_a_child_and_end_with_the_stay(bed: Bed) -> None:
    bed.for_seconds(12, 86)
    bed.ward.hospital.apply(DischargePatient(mrn="1001", visit_number="V1001"))
    bed.ward.off()
    bed.second()
    assert bed.alarms == []
    bed.ward.admit("1002", "01", "小明")
    child = Demographics(birth_date=date(2020, 1, 1))
    bed.ward.hospital.apply(UpdatePatient(mrn="1002", visit_number="", who=child))
    bed.for_seconds(13, 86)
    assert bed.alarms == []


@pytest.mark.requirement("R-SRV-11")
@pytest.mark.hazard("H-SRV-02")
def test_demo_values_never_alarm_on_a_real_patient(ward: Any) -> None:
    ward.admit("1001", "01")
    real = replace(ward.store.picture.get(Patient, "P-1001"), generation=Generation.REAL)
    ward.store.write(lambda unit: unit.put(real))
    bed = Bed(ward)
    bed.for_seconds(13, 70)
    assert bed.alarms == []
