"""Every report we send: as agreed, read by an independent parser, and read back by ourselves as meant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.records import AlarmPriority, Validity
from server.his.mapping import facts_of
from server.his.message import parse
from server.his.port import ReportAlert, ReportMeasurements
from server.his.reading import Site
from server.his.telling import write
from server.his.told import (
    AlertReport,
    ChartedReport,
    DeviceReport,
    InfusionReport,
    Report,
    SpecimenReport,
    ToldValue,
)
from server.his.writing import Addresses, Subject

NOW = datetime(2026, 11, 25, 2, 30, tzinfo=UTC)
AT = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
WHO = Subject(mrn="P0012345678", name="张|建国", visit_number="ZY2400101", ward="W1", bed="01", demo=True)


def value(code: str, number: str | None, unit: str, validity: Validity = Validity.VALID) -> ToldValue:
    return ToldValue(
        code=code, value=Decimal(number) if number else None, unit=unit, at=AT, validity=validity
    )


REPORTS: dict[str, Report] = {
    "oru_r01_pcd01": DeviceReport(
        whom=WHO,
        device_id="serial:monitor-01",
        kind="monitor",
        values=(
            value("MDC_ECG_HEART_RATE", "80", "/min"),
            value("MDC_PRESS_BLD_NONINV_SYS", "117", "mm[Hg]"),
            value("MDC_PULS_OXIM_SAT_O2", "99", "%"),
            value("MDC_PULS_OXIM_PERF_REL", None, "%", Validity.NOT_AVAILABLE),
            value("MDC_RESP_RATE", "30", "/min", Validity.QUESTIONABLE),
            value("MDC_TEMP_BODY", "36.70", "Cel"),
            value("MDCX_DROP_RATE", "20", "{gtt}/min"),
        ),
    ),
    "oru_r40_pcd04": AlertReport(
        whom=WHO,
        id="a1b2",
        condition="limit-low",
        kind="physiological",
        priority=AlarmPriority.HIGH,
        phase="start",
        state="active",
        at=AT,
        text="limit low",
        device_id="serial:monitor-01",
        code="MDC_PULS_OXIM_SAT_O2",
        measured=Decimal(84),
        limit="90-",
        unit="%",
    ),
    "oru_r40_pcd04_technical_end": AlertReport(
        whom=WHO,
        id="c3d4",
        condition="no-flow",
        kind="technical",
        priority=AlarmPriority.MEDIUM,
        phase="end",
        state="latched",
        at=AT,
        text="no flow",
        acknowledged=True,
    ),
    "oru_r42_pcd10": InfusionReport(
        whom=WHO,
        infusion_id="I-1",
        placer_id="O-1002",
        filler_id="F-1",
        drug_code="NS500",
        drug="0.9% 氯化钠",
        event="start",
        flowing=True,
        at=AT,
        rate_ml_h=Decimal("60.0"),
        volume_ml=Decimal(500),
        infused_ml=Decimal(0),
        remaining_ml=Decimal(500),
        device_id="ble:01",
    ),
    "oml_o21_collected": SpecimenReport(
        whom=WHO,
        specimen_id="S7KQ2M4XPA",
        placer_id="O-9",
        filler_id="F-9",
        test_code="CBC",
        test="血常规",
        container="purple",
        collected_at=AT,
        by="N20713",
        by_name="王丽",
    ),
    "oru_r01_charted": ChartedReport(
        whom=WHO,
        id="charted-0001",
        at=AT,
        by="N20713",
        by_name="王丽",
        values=(value("MDC_TEMP_AXILLA", "37.2", "Cel"), value("MDCX_PAIN_NRS", "3", "{score}")),
    ),
}


def written(name: str) -> bytes:
    return write(REPORTS[name], Addresses(), now=NOW).raw


@pytest.mark.requirement("R-HIS-22")
@pytest.mark.parametrize("name", REPORTS)
def test_each_message_is_the_one_agreed(name: str) -> None:
    golden = Path(__file__).resolve().parents[2] / "data" / "hl7_out" / f"{name}.hl7"
    assert written(name).decode().replace("\r", "\n") == golden.read_text("utf-8")


@pytest.mark.requirement("R-HIS-22")
@pytest.mark.parametrize("name", REPORTS)
def test_an_independent_parser_reads_each_message_and_writes_it_again(name: str) -> None:
    message = hl7.parse(written(name).decode())
    assert str(message).rstrip("\r") == written(name).decode().rstrip("\r")
    pid = message.segments("PID")[0]
    assert (str(pid[3][0][0]), message.unescape(str(pid[5][0][0]))) == ("P0012345678", "张|建国")
    assert str(message["MSH"][0][11]) == "T"
    assert len(str(message["MSH"][0][10])) == 20


@pytest.mark.requirement("R-HIS-22")
def test_the_tree_of_a_device_says_system_virtual_device_channel_and_value() -> None:
    rows = [(str(one[4]), str(one[3][0][1])) for one in hl7.parse(written("oru_r01_pcd01").decode())["OBX"]]
    assert rows[:4] == [
        ("1.0.0.0", "MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS"), ("1.1.0.0", "MDC_DEV_ECG_VMD"),
        ("1.1.1.0", "MDC_DEV_ECG_CHAN"), ("1.1.1.1", "MDC_ECG_HEART_RATE"),
    ]  # fmt: skip
    places = [where for where, _ in rows]
    assert len(set(places)) == len(places)
    for where in places:  # every row has its parents before it
        parts = where.split(".")
        above = [".".join([*parts[:level], *["0"] * (4 - level)]) for level in range(1, 4)]
        assert all(up == where or up in places[: places.index(where)] for up in above)


@pytest.mark.requirement("R-HIS-22")
def test_our_own_reader_understands_what_we_say_of_a_device() -> None:
    (fact,) = facts_of(parse(written("oru_r01_pcd01")), Site())
    assert isinstance(fact, ReportMeasurements)
    report = REPORTS["oru_r01_pcd01"]
    assert isinstance(report, DeviceReport)
    said = {one.code: (one.value, one.unit, one.validity, one.at) for one in report.values if one.value}
    assert {one.code: (one.value, one.unit, one.validity, one.at) for one in fact.values} == said
    assert (fact.whom.mrn, fact.whom.device) == ("P0012345678", "serial:monitor-01")


@pytest.mark.requirement("R-HIS-22")
def test_our_own_reader_understands_what_we_say_of_an_alarm() -> None:
    (start,) = facts_of(parse(written("oru_r40_pcd04")), Site())
    (end,) = facts_of(parse(written("oru_r40_pcd04_technical_end")), Site())
    assert isinstance(start, ReportAlert)
    assert isinstance(end, ReportAlert)
    assert (start.event, start.kind, start.priority, start.phase) == (
        "MDC_EVT_LO", "physiological", AlarmPriority.HIGH, "update",
    )  # fmt: skip
    assert (start.code, start.measured, start.unit) == ("MDC_PULS_OXIM_SAT_O2", Decimal(84), "%")
    assert (end.kind, end.priority, end.phase) == ("technical", AlarmPriority.MEDIUM, "end")


def test_the_same_report_has_the_same_control_id_and_another_phase_another() -> None:
    report = REPORTS["oru_r40_pcd04"]
    assert isinstance(report, AlertReport)
    later = replace(report, phase="end", state="inactive")
    first, again, end = (write(one, Addresses(), now=NOW) for one in (report, report, later))
    assert first.control_id == again.control_id != end.control_id


@given(text=st.text(min_size=1, max_size=40), number=st.decimals("0.001", "9999", places=3))
def test_whatever_a_drug_is_called_the_message_keeps_its_shape(text: str, number: Decimal) -> None:
    report = REPORTS["oru_r42_pcd10"]
    assert isinstance(report, InfusionReport)
    raw = write(replace(report, drug=text, rate_ml_h=number), Addresses(), now=NOW).raw
    message = parse(raw)
    rows = {one.value(4): one for one in message.all("OBX")}
    assert Decimal(rows["1.1.2.2"].value(5)) == number
    assert rows["1.1.2.9"].value(3, 2) == "MDC_DRUG_NAME_LABEL"
