"""The one table of codes, and the limits that use it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from clinical.codes import CODES, by_loinc, by_mdc
from clinical.limits import ADULT
from clinical.policy import SitePolicy

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
