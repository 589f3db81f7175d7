"""The one table of codes, and the limits that use it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from clinical import limits
from clinical.codes import CODES, SOURCES, by_loinc, by_mdc
from clinical.limits import ADULT
from clinical.policy import SitePolicy
from clinical.records import AlarmPriority

pytestmark = [pytest.mark.requirement("R-CLIN-31"), pytest.mark.hazard("H-CLIN-10")]


def test_every_code_has_a_unit_and_a_label_in_both_languages():
    for ref, code in CODES.items():
        assert ref == code.ref_id
        assert code.ucum
        assert code.label.zh
        assert code.label.en
        assert (code.mdc is None) is ref.startswith("MDCX_")
    numbers = [code.mdc for code in CODES.values() if code.mdc]
    assert len(set(numbers)) == len(numbers)


def test_codes_are_found_by_loinc_and_by_number():
    assert by_loinc("59408-5") is CODES["MDC_PULS_OXIM_SAT_O2"]
    assert by_loinc("") is None
    assert by_mdc(157784) is CODES["MDC_FLOW_FLUID_PUMP"]
    assert by_mdc(1) is None


def test_everything_that_has_limits_or_conditions_is_in_the_table_with_its_unit():
    for code, limit in ADULT.items():
        assert CODES[code].ucum == limit.unit
        assert limit.absolute_low <= (limit.low or limit.absolute_low)
        assert (limit.high or limit.absolute_high) <= limit.absolute_high
        assert limit.source
    assert {condition.measure for condition in SitePolicy.default().conditions} <= set(CODES)


def test_every_row_names_who_defines_it_and_what_is_still_to_be_confirmed():
    for ref, code in CODES.items():
        assert code.source
        assert set(code.source) <= set(SOURCES), ref
        assert (code.source[0] == "LOCAL") is (code.mdc is None)
        assert not code.review or code.review.startswith("pending: ")
        assert code.review or not code.loinc or code.source[-1] in {"VS", "LN", "MII"}
    pending = {ref for ref, code in CODES.items() if code.review}
    assert pending == {"MDC_PULS_OXIM_PLETH", "MDCX_OXYGEN", "MDCX_SEDATION_RASS"}


@pytest.mark.parametrize(
    ("ref", "partition", "code"),
    [
        ("MDC_PULS_OXIM_PERF_REL", 2, 19376), ("MDC_TEMP_AXILLA", 2, 57380), ("MDC_CONC_GLU_GEN", 2, 28948),
        ("MDC_CONC_K_GEN", 2, 28944), ("MDC_VOL_FLUID_DELIV_TOTAL", 2, 26921), ("MDC_TEMP_ORAL", 2, 57352),
        ("MDC_ATTR_VAL_BATT_CHARGE", 1, 2460),
    ],
)  # fmt: skip
def test_a_number_is_its_partition_and_its_code(ref, partition, code):
    assert CODES[ref].mdc == partition * 65536 + code


def test_an_alarm_says_the_bound_that_was_crossed_and_how_loud_it_is():
    saturation = ADULT["MDC_PULS_OXIM_SAT_O2"]
    assert limits.priority(saturation, limits.LOW, Decimal(79)) is AlarmPriority.HIGH
    assert limits.priority(saturation, limits.LOW, Decimal(80)) is AlarmPriority.MEDIUM
    assert limits.priority(ADULT["MDC_CONC_K_GEN"], limits.HIGH, Decimal(1)) is AlarmPriority.MEDIUM
    said = limits.params(ADULT["MDC_PULS_RATE"], limits.HIGH, Decimal(130))
    assert said == {"code": "MDC_PULS_RATE", "unit": "/min", "measured": 130.0, "limit": 120.0}
    assert limits.params(saturation, limits.LOW, Decimal(85))["limit"] == 90.0
    assert limits.params(saturation, limits.HIGH, Decimal(101))["limit"] == 0.0


@pytest.mark.parametrize(
    ("born", "adult"), [(None, True), (date(2008, 3, 2), True), (date(2008, 3, 3), False)]
)
def test_limits_of_adults_begin_with_the_eighteenth_birthday(born, adult):
    assert limits.is_adult(born, date(2026, 3, 2)) is adult


@pytest.mark.parametrize(
    ("value", "standing", "expected"),
    [
        ("90", "", ""), ("89", "", "limit-low"), ("90", "limit-low", "limit-low"), ("91", "limit-low", ""),
        ("100", "", ""),
    ],
)  # fmt: skip
def test_a_low_saturation_alarms_below_its_limit_and_ends_above_the_hysteresis(value, standing, expected):
    assert ADULT["MDC_PULS_OXIM_SAT_O2"].judge(Decimal(value), standing=standing) == expected


def test_a_fast_pulse_alarms_above_its_limit_and_ends_below_the_hysteresis():
    limit = ADULT["MDC_PULS_RATE"]
    assert [limit.judge(Decimal(value)) for value in (120, 121)] == ["", "limit-high"]
    assert limit.judge(Decimal(119), standing="limit-high") == "limit-high"
    assert limit.judge(Decimal(118), standing="limit-high") == ""


def test_a_desaturation_is_critical_and_an_impossible_value_is_never_shown():
    limit = ADULT["MDC_PULS_OXIM_SAT_O2"]
    assert [limit.is_critical(Decimal(value)) for value in (80, 79)] == [False, True]
    assert not ADULT["MDC_PULS_RATE"].is_critical(Decimal(20))
    assert [limit.is_possible(Decimal(value)) for value in (0, 1, 100, 101)] == [False, True, True, False]
