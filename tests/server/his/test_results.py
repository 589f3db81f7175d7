"""Reports of laboratories and gateways as they are read: whose, which value, which unit, may it be used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from clinical.records import AlarmPriority, Generation, Validity
from server.his.mapping import facts_of
from server.his.message import parse
from server.his.port import GatewayAlive, ReportAlert, ReportMeasurements, ReportResults
from server.his.reading import Site
from server.his.refusal import RefusedMessageError
from server.his.reported import Place

Build = Callable[..., bytes]
PID = "PID|1||P1^^^HOSP^MR"
LAB = "OBR|1|O1|L1|K^血钾|||20261125090000|||||||||||||||20261125093000||LAB|F|||||||^李^检验"
AT = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)


def read(raw: bytes) -> tuple[object, ...]:
    return facts_of(parse(raw), Site())


def sample(samples: Path, name: str) -> object:
    (fact,) = read((samples / f"{name}.hl7").read_bytes())
    return fact


def results(message: Build, *obx: str) -> ReportResults:
    (fact,) = read(message("ORU^R01", PID, LAB, *obx))
    assert isinstance(fact, ReportResults)
    return fact


@pytest.mark.requirement("R-HIS-18")
def test_a_laboratory_result_says_what_of_whom_when_and_by_whom(message: Build) -> None:
    fact = results(message, "OBX|1|NM|2823-3^血钾^LN||6.9|mmol/L|3.5-5.3|HH|||F|||20261125090000")
    assert (fact.whom.mrn, fact.report, fact.reported_by) == ("P1", "L1", "李检验")
    (value,) = fact.values
    assert (value.code, value.name, value.text, value.number) == (
        "MDC_CONC_K_GEN",
        "血钾",
        "6.9",
        Decimal("6.9"),
    )
    assert (value.unit, value.critical, value.at) == ("mmol/L", True, AT)


@pytest.mark.parametrize(
    ("flags", "status", "critical", "withdrawn"),
    [
        ("H", "F", False, False), ("HH", "F", True, False), ("LL", "P", True, False),
        ("AA", "C", True, False), ("N~危急值", "F", True, False), ("HH", "D", False, True),
        ("HH", "W", False, True),
    ],
)  # fmt: skip
@pytest.mark.requirement("R-HIS-18")
def test_critical_flags_count_unless_the_result_is_withdrawn(
    message: Build, flags: str, status: str, critical: bool, withdrawn: bool
) -> None:
    (value,) = results(message, f"OBX|1|NM|XYZ^test||5|mg|1-2|{flags}|||{status}").values
    assert (value.critical, value.withdrawn) == (critical, withdrawn)


@pytest.mark.parametrize(
    ("kind", "said", "text", "number"),
    [
        ("NM", "182", "182", Decimal(182)),
        ("SN", "^182", "182", Decimal(182)),
        ("SN", ">^500", ">500", None),
        ("SN", "^1^:^160", "1:160", None),
        ("ST", "阳性", "阳性", None),
        ("CWE", "POS^阳性^L", "阳性", None),
    ],
)
def test_a_result_is_kept_as_a_person_reads_it(
    message: Build, kind: str, said: str, text: str, number: Decimal | None
) -> None:
    (value,) = results(message, f"OBX|1|{kind}|XYZ^test||{said}|mg|||||F").values
    assert (value.text, value.number) == (text, number)


def test_each_request_of_a_report_is_a_report_of_its_own(message: Build) -> None:
    obx = "OBX|1|NM|XYZ^test||5|mg|||||F"
    facts = read(message("ORU^R01", PID, LAB, obx, "OBR|2||L2|CBC", obx, obx, "OBR|3||L3|EMPTY"))
    assert [(fact.report, len(fact.values)) for fact in facts if isinstance(fact, ReportResults)] == [
        ("L1", 1),
        ("L2", 2),
    ]


def test_a_report_without_request_or_with_a_wrong_number_is_refused(message: Build) -> None:
    for lines, code in (((), "field-missing"), ((LAB, "OBX|1|NM|X||five"), "field-form")):
        with pytest.raises(RefusedMessageError) as caught:
            read(message("ORU^R01", PID, *lines))
        assert caught.value.code == code


@pytest.mark.requirement("R-HIS-19")
def test_a_monitor_of_the_standard_says_value_unit_time_and_equipment(samples: Path) -> None:
    fact = sample(samples, "pcd01_nibp_episodic")
    assert isinstance(fact, ReportMeasurements)
    assert (fact.whom.mrn, fact.whom.place, fact.gateway) == (
        "12345", Place(ward="COLWELL", bed="SOLAR"), "ACME_Gateway",
    )  # fmt: skip
    assert [(one.code, str(one.value), one.unit) for one in fact.values] == [
        ("MDC_PRESS_BLD_NONINV_SYS", "111", "mm[Hg]"),
        ("MDC_PRESS_BLD_NONINV_DIA", "60", "mm[Hg]"),
        ("MDC_PRESS_BLD_NONINV_MEAN", "80", "mm[Hg]"),
        ("MDC_PULS_RATE_NON_INV", "63", "/min"),
    ]
    assert {one.at for one in fact.values} == {datetime(2011, 6, 1, 20, 58, 42, tzinfo=UTC)}


@pytest.mark.requirement("R-HIS-19")
def test_a_row_without_time_has_that_of_the_report_and_a_value_beside_no_value_is_in_doubt(
    samples: Path,
) -> None:
    fact = sample(samples, "pcd01_monitor_periodic")
    assert isinstance(fact, ReportMeasurements)
    by_code = {one.code: one for one in fact.values}
    assert by_code["MDC_ECG_HEART_RATE"].value == Decimal(80)  # 147842, whatever its name
    assert by_code["MDC_RESP_RATE"].unit == "/min"
    assert by_code["MDC_PULS_OXIM_SAT_O2"].validity is Validity.QUESTIONABLE  # a value, and "no value" (X)
    assert fact.whom.device.startswith("e86c094f")
    cuff = by_code["MDC_PRESS_BLD_NONINV_SYS"].at
    assert cuff == datetime(2015, 1, 22, 3, 50, tzinfo=UTC)
    assert by_code["MDC_RESP_RATE"].at == datetime(2015, 1, 22, 10, 26, 56, tzinfo=UTC)


@pytest.mark.parametrize("name", ["oru_r01_benevision", "oru_r01_philips_local_codes", "oru_r01_vitals_news"])
@pytest.mark.requirement("R-HIS-19")
def test_plain_gateways_with_shifted_or_local_fields_are_read_too(samples: Path, name: str) -> None:
    fact = sample(samples, name)
    assert isinstance(fact, ReportMeasurements)
    pulse = next(one for one in fact.values if one.code == "MDC_ECG_HEART_RATE")
    assert (pulse.unit, pulse.validity) == ("/min", Validity.VALID)
    assert "MDC_PULS_OXIM_SAT_O2" in {one.code for one in fact.values}


@pytest.mark.parametrize(
    ("flags", "status", "validity"),
    [
        ("", "R", Validity.VALID), ("N", "F", Validity.VALID), ("INV", "X", Validity.INVALID),
        ("H~QUES", "R", Validity.QUESTIONABLE), ("NAV", "X", Validity.NOT_AVAILABLE),
        ("CAL", "R", Validity.CALIBRATING), ("BUSY", "X", Validity.ONGOING), ("", "X", Validity.QUESTIONABLE),
    ],
)  # fmt: skip
@pytest.mark.requirement("R-HIS-19")
def test_the_validity_of_a_value_is_what_its_device_says(
    message: Build, flags: str, status: str, validity: Validity
) -> None:
    obx = (
        f"OBX|1|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.1.1.1|97|262688^MDC_DIM_PERCENT^MDC||{flags}|||{status}"
    )
    (fact,) = read(message("ORU^R01", PID, "OBR|1||R1|69965^X^MDC|||20261125090000", obx))
    assert isinstance(fact, ReportMeasurements)
    assert fact.values[0].validity is validity


def test_an_unknown_patient_is_left_to_the_bed(message: Build) -> None:
    obx = "OBX|1|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.1.1.1|97|%|||||R"
    (fact,) = read(message("ORU^R01", "PID|||Unknown^^^^VN||^^^^^^U", "PV1||I|W1^^01", "OBR|1||R1", obx))
    assert isinstance(fact, ReportMeasurements)
    assert (fact.whom.mrn, fact.whom.place) == ("", Place(ward="W1", bed="01"))


@pytest.mark.parametrize(
    ("name", "event", "kind", "priority", "phase"),
    [
        ("pcd04_spo2_low_start", "MDC_EVT_LO", "physiological", AlarmPriority.MEDIUM, "update"),
        ("pcd04_occlusion_start", "MDC_EVT_FLUID_LINE_OCCL", "technical", AlarmPriority.LOW, "update"),
        ("pcd04_occlusion_end", "MDC_EVT_FLUID_LINE_OCCL", "technical", AlarmPriority.LOW, "end"),
        ("pcd04_sensor_disconnected", "MDC_EVT_SENSOR_DISCONN", "physiological", AlarmPriority.LOW, "update"),
        ("pcd04_advisory", "MDCX_DOCUMENTATION_ERROR", "technical", AlarmPriority.MEDIUM, "update"),
        (
            "pcd04_ge_hypertension_advisory",
            "MDCX_EVT_ALERT_ADVISORY",
            "technical",
            AlarmPriority.MEDIUM,
            "update",
        ),
    ],
)
@pytest.mark.requirement("R-HIS-20")
def test_alerts_of_several_makers_say_the_same_things(
    samples: Path, name: str, event: str, kind: str, priority: AlarmPriority, phase: str
) -> None:
    fact = sample(samples, name)
    assert isinstance(fact, ReportAlert)
    assert (fact.event, fact.kind, fact.priority, fact.phase) == (event, kind, priority, phase)
    assert fact.alert
    assert fact.text


@pytest.mark.requirement("R-HIS-20")
def test_start_and_end_of_an_alert_have_one_identity_and_a_limit_alarm_its_value(samples: Path) -> None:
    start, end = sample(samples, "pcd04_occlusion_start"), sample(samples, "pcd04_occlusion_end")
    low = sample(samples, "pcd04_spo2_low_start")
    assert isinstance(start, ReportAlert)
    assert isinstance(end, ReportAlert)
    assert isinstance(low, ReportAlert)
    assert start.alert == end.alert
    assert (low.code, low.measured, low.unit) == ("MDC_PULS_OXIM_SAT_O2", Decimal(88), "%")


@pytest.mark.requirement("R-HIS-20")
def test_the_watchdog_says_how_long_its_silence_may_last(samples: Path) -> None:
    fact = sample(samples, "pcd04_watchdog")
    assert isinstance(fact, GatewayAlive)
    assert (fact.timeout_s, fact.active, fact.generation) == (5, True, Generation.DEMO)
    raw = (samples / "pcd04_watchdog.hl7").read_bytes().replace(b"|active|", b"|inactive|")
    (last,) = read(raw)
    assert isinstance(last, GatewayAlive)
    assert not last.active


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        ((), "OBR"),
        (("OBR|1||A1|196616^MDC_EVT_ALARM^MDC",), "OBX"),
        (("OBR|1|||196616^MDC_EVT_ALARM^MDC", "OBX|1|ST|196670^MDC_EVT_LO^MDC|1.0.0.0.1|Low"), "OBR-3"),
        (("OBR|1||A1", "OBX|1|ST|196614^MDC_EVT_ACTIVE|1.0.0.1|x", "OBX|2|NM|67860|1.0.0.8|0"), "OBX-5"),
    ],
)
def test_an_alert_that_says_nothing_is_refused(message: Build, lines: tuple[str, ...], where: str) -> None:
    with pytest.raises(RefusedMessageError) as caught:
        read(message("ORU^R40", PID, *lines))
    assert caught.value.where == where
