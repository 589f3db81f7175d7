from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical.errors import NotFoundError
from clinical.records import Validity
from firmware_profiles import registry
from firmware_profiles.decode import Decoded, decode
from firmware_profiles.encode import encode
from firmware_profiles.plan import Profile

Make = Callable[..., Profile]
HEX = bytes.fromhex


def shipped(profile: str, stream: str, text: str) -> Decoded:
    return decode(registry.load().get(profile), stream, HEX(text))


@pytest.mark.requirement("R-DEV-09")
@pytest.mark.hazard("H-DEV-04")
@pytest.mark.parametrize(
    ("word", "validity", "reason"),
    [
        ("FF07", "NA", "NaN"),
        ("0008", "Inv", "NRes"),
        ("FE07", "Oflw", "+INF"),
        ("0208", "Uflw", "-INF"),
        ("0108", "Inv", "reserved"),
    ],
)
def test_a_special_word_never_becomes_a_number(word: str, validity: str, reason: str) -> None:
    spo2 = shipped("sig_plx", "continuous", f"00 {word} 4800").values["spo2"]
    assert (spo2.value, spo2.validity, spo2.reason) == (None, validity, reason)


def test_a_value_outside_its_plausible_range_is_kept_and_questioned() -> None:
    spo2 = shipped("sig_plx", "continuous", "00 1E00 4800").values["spo2"]
    assert (spo2.value, spo2.validity, spo2.reason) == (30, Validity.QUESTIONABLE, "implausible")


@pytest.mark.hazard("H-DEV-04")
def test_the_worst_word_about_a_value_stands() -> None:
    spo2 = shipped("sig_plx", "continuous", "0C 6100 4800 0040 002000").values[
        "spo2"
    ]  # questionable + displaced
    assert (spo2.validity, spo2.reason) == (Validity.INVALID, "sensor-displaced")
    better = shipped("sig_plx", "continuous", "0C 1E00 4800 4000 000000").values[
        "spo2"
    ]  # implausible + early
    assert better.validity is Validity.QUESTIONABLE


def test_the_device_says_itself_that_it_is_a_demonstration() -> None:
    assert shipped("sig_plx", "continuous", "04 6100 4800 0004").demo
    assert not shipped("sig_plx", "continuous", "04 6100 4800 0000").demo


@pytest.mark.requirement("R-DEV-10")
def test_the_time_of_a_result_is_base_time_plus_offset() -> None:
    decoded = shipped("sig_glucose", "measurement", "1B 0100 E307021B0B0A1E FBFF 1E00 12 0501")
    assert decoded.device_time == datetime(2019, 2, 27, 11, 5, 30)  # noqa: DTZ001
    assert decoded.sequence == 1


def test_a_clock_that_is_not_set_or_not_known_gives_no_time() -> None:
    assert shipped("sig_plx", "spot", "11 6000 5000 E9070B170E0500").device_time is None
    assert shipped("sig_current_time", "date_time", "00000B170E0500").device_time is None
    late = shipped("sig_glucose", "measurement", "01 0100 0F270C1F170000 FF7F")
    assert late.accepted
    assert late.device_time is None  # the year after 9999


def test_the_code_follows_the_site_of_the_thermometer() -> None:
    values = {
        site: shipped("sig_thermometer", "temperature", f"04 6D0100FF {site}").values for site in ("01", "02")
    }
    assert values["01"]["temperature"].code == "MDC_TEMP_AXILLA"
    assert values["02"]["temperature"].code == "MDC_TEMP_BODY"


@pytest.mark.requirement("R-DEV-11")
def test_control_solution_is_not_a_patient_result() -> None:
    glucose = shipped("sig_glucose", "measurement", "02 2B00 E9070B17070500 63B0 1A").values["glucose"]
    assert (glucose.validity, glucose.reason) == (Validity.NOT_AVAILABLE, "control-solution")


def test_glucose_comes_in_the_unit_a_meter_shows() -> None:
    mass = shipped("sig_glucose", "measurement", "02 2B00 E9070B17070500 63B0 11").values["glucose"]
    moles = shipped("sig_glucose", "measurement", "06 2B00 E9070B17070500 37C0 11").values["glucose"]
    assert (mass.value, mass.unit, mass.code) == (99, "mg/dL", "MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD")
    assert (moles.value, moles.unit) == (Decimal("5.5"), "mmol/L")


def test_an_oximeter_packet_yields_its_wave_with_its_rate() -> None:
    vector = registry.load().get("nonin_oem3").vectors[0]
    pleth = shipped("nonin_oem3", "packet", vector.hex or "").values["pleth"]
    assert pleth.rate_hz == 75.0
    assert pleth.value == (Decimal(1),) * 25


@pytest.mark.hazard("H-DEV-04")
def test_a_lone_warning_octet_of_a_glucose_sensor_is_read_as_a_warning() -> None:
    values = shipped("sig_cgm", "measurement", "07 20 3C00 0600 05").values
    assert values["status"].value == ("below_low", "below_hypo")


def test_a_frame_too_short_for_its_checksum_is_refused() -> None:
    assert shipped("vitafit_vt701", "weight", "5AAA").reject == "checksum"


def test_a_big_endian_date_is_read_as_such(make: Make) -> None:
    profile = make('endian="big"\nfield=[{name="t", type="datetime7"}]\nvalue=[{name="t", source="t"}]')
    decoded = decode(profile, "s", HEX("07E90B170E0500"))
    assert decoded.values["t"].value == "2025-11-23T14:05:00"
    assert encode(profile, "s", {"t": "2025-11-23T14:05:00"}).hex() == "07e90b170e0500"


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300))
def test_noise_is_decoded_or_rejected_by_every_stream_and_never_raises(data: bytes) -> None:
    for profile in registry.load():
        for stream in profile.streams:
            decoded = decode(profile, stream, data)
            assert decoded.accepted is (decoded.reject == "")


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=80))
def test_any_text_is_decoded_or_rejected(text: str) -> None:
    for profile in registry.load():
        for stream in profile.streams:
            decode(profile, stream, text)


def test_an_unknown_stream_is_the_callers_mistake() -> None:
    with pytest.raises(NotFoundError):
        shipped("sig_plx", "nothing", "00")


def test_a_frame_beyond_any_size_is_refused_unread() -> None:
    assert decode(registry.load().get("sig_plx"), "continuous", bytes(5000)).reject == "length"
    assert decode(registry.load().get("ivy_450c"), "rr", "R" * 5000).reject == "length"


BINARY = [
    ('field=[{name="a", type="u16", endian="big", min=2, max=300}]\nvalue=[{name="v", source="a"}]',
     {"0102": 258, "0001": "value", "FFFF": "value"}),
    ('lengths=[2,3]\ntrailing="ignore"\nfield=[{name="a", type="i8"}]\nvalue=[{name="v", source="a"}]',
     {"FF00": -1, "FF": "length"}),
    ('field=[{name="a", type="bcd", length=2}]\n'
     'value=[{name="v", source="a"}]', {"1234": 1234, "1A00": "value"}),
    ('field=[{name="a", type="ascii", length=4}]\nvalue=[{name="v", source="a"}]',
     {"41420000": "AB", "FF000000": "value"}),
    ('field=[{name="a", type="u8"}]\n'
     'value=[{name="v", source="a", map={1="one"}}]', {"01": "one", "02": "value"}),
    ('field=[{name="a", type="u8", repeat=2, stride=2}]\nvalue=[{name="v", source="a", invalid=[0]}]',
     {"01FF02FF": (1, 2), "01FF": "short", "00FF02FF": (None, 2)}),
    ('records={size=2}\nfield=[{name="a", type="u16"}]\nvalue=[{name="v", source="a"}]',
     {"01000200": 2, "010002": "length", "": "short"}),
    ('records={size_at=1}\nfield=[{name="a", type="u8"},{name="b", type="u8"}]\n'
     'value=[{name="v", source="a"}]',
     {"0502": 5, "05": "short", "0500": "length"}),
    ('checksum={alg="sum8"}\nfield=[{name="a", type="u8"}]\n'
     'value=[{name="v", source="a"},{name="c", source="crc_ok"}]',
     {"0505": 5, "0506": "checksum", "05": "short", "050505": "trailing"}),
    ('field=[{name="y", type="u8"},{name="m", type="u8"},{name="d", type="u8"}]\n'
     'value=[{name="v", date={year="y", month="m", day="d", year_base=2000}}]',
     {"1A0601": "2026-06-01T00:00:00", "1A0D01": "time"}),
    ('field=[{name="a", type="u8"},{name="b", type="datetime7", when="a==1"}]\n'
     'value=[{name="v", source="a"},{name="t", date={year="b", month="b", day="b"}}]',
     {"00": 0, "01E9070B170E0500": "time"}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "cases"), BINARY)
def test_the_language_reads_bytes_as_it_says(make: Make, body: str, cases: dict[str, object]) -> None:
    profile = make(body)
    for text, wanted in cases.items():
        decoded = decode(profile, "s", HEX(text))
        assert (decoded.values["v"].value if decoded.accepted else decoded.reject) == wanted, text


def test_the_language_reads_lines_as_it_says(make: Make) -> None:
    body = """
field = [
  {name="n", type="decimal", max=10}, {name="h", type="hex"}, {name="t", type="text", one_of=["A", "B"]},
  {name="l", type="text", lookup={X=1}}, {name="w", type="int", when="t==A"},
]
value = [
  {name="n", source="n", scale=2}, {name="h", source="h"}, {name="t", source="t"}, {name="l", source="l"},
  {name="w", source="w", when="t!=B"},
]
line = {regex="(?P<n>[^,]*),(?P<h>[^,]*),(?P<t>.),(?P<l>.),(?P<w>.*)", template="{n},{h},{t},{l},{w}"}
"""
    profile = make(body)
    values = decode(profile, "s", "1.5,ff,A,X,7").values
    assert [values[name].value for name in "nhtlw"] == [Decimal("3.0"), 255, "A", 1, 7]
    assert "w" not in decode(profile, "s", "1.5,ff,B,X,7").values
    assert decode(profile, "s", b",ff,A,X,7").values["n"].value is None
    for bad in (
        "11,ff,A,X,7",
        "1,gg,A,X,7",
        "1,ff,C,X,7",
        "1,ff,A,Y,7",
        "1,ff,A,X,x",
        "NaN,ff,A,X,7",
        "x,1,A,X,7",
    ):
        assert decode(profile, "s", bad).reject == "value"
    assert decode(profile, "s", b"\xff").reject == "not-text"
    assert decode(profile, "s", "nothing").reject == "pattern"


def test_every_record_of_a_frame_has_its_own_number_and_time(make: Make) -> None:
    profile = make(
        """
records = {size = 8}
field = [{name="n", type="u8"}, {name="t", type="datetime7"}]
value = [{name="seq", source="n", role="sequence"}, {name="when", source="t", role="device_time"}]
"""
    )
    times = bytes.fromhex("07EA0703010A1E2D08EA0703010B1E2D")
    decoded = decode(profile, "s", times)
    assert decoded.sequences == (7, 8)
    assert [str(one) for one in decoded.device_times] == ["2026-03-01 10:30:45", "2026-03-01 11:30:45"]
    assert (decoded.sequence, decoded.device_time) == (8, decoded.device_times[1])
