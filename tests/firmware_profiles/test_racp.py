from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_profiles import racp
from firmware_profiles.racp import Response

DELETE = 0x02


def test_the_requests_are_those_of_public_meter_drivers() -> None:
    """Bytes as tidepool-org/ble-glucose:index.js sends them."""
    assert racp.report_all().hex() == "0101"
    assert racp.report_since(0x0102).hex() == "0103010201"


@pytest.mark.requirement("R-EDGE-21")
@given(sequence=st.integers(0, 0xFFFF))
def test_no_request_can_delete_a_record(sequence: int) -> None:
    for request in (racp.report_all(), racp.report_since(sequence)):
        assert request[0] == racp.REPORT != DELETE


@pytest.mark.parametrize("sequence", [-1, 0x10000])
def test_a_number_no_record_can_have_is_refused(sequence: int) -> None:
    with pytest.raises(ValueError, match="16 bits"):
        racp.report_since(sequence)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("06000101", Response(request=1, code=1)),
        ("06000106", Response(request=1, code=6)),
        ("060001", None),
        ("05000201", None),
        ("06010101", None),
        ("", None),
    ],
)
def test_an_answer_is_read_or_is_none(data: str, expected: Response | None) -> None:
    assert racp.response(bytes.fromhex(data)) == expected
