"""What a profile may ask, set and claim; and that any mistake in one is told in one line."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical.errors import BadInputError, ConflictError
from firmware_profiles import registry
from firmware_profiles.load import parse
from firmware_profiles.plan import Profile, full_uuid
from firmware_profiles.sending import AllowList

Make = Callable[..., Profile]
OK = 'field = [{name="a", type="u8"}]\nvalue = [{name="v", source="a"}]\n'
GATT = 'characteristic = "2A19"\n' + OK
SEND = '[allow_send.q]\ntext = "q"\ncharacteristic = "FFF1"\n'

WRONG = [
    (SEND, "allow_send.q: is never sent"),
    (SEND + 'hex = "00"\n[[poll]]\nsend = "q"', "allow_send.q: give either text or hex"),
    ('[[poll]]\nsend = "q"', "poll[0].send: q is not in allow_send"),
    (SEND + '[[handshake]]\nsend = "q"\nstream = "x"', "handshake[0].stream: there is no stream x"),
    ("[[poll]]\nevery_s = 1.0", "poll[0]: give send, or a stream whose mode is read"),
    ('[link]\nmode = "poll"', "link.mode: poll needs a [[poll]] with every_s"),
    ('[link]\nbond = "per-session"', "link.bond: there are no keys to drop without pairing"),
    ('[clock]\nset = "cts"', "clock.set: changes the device; say read_only = false"),
    ('[clock]\nread = "stream"', "clock.read_stream: needed: which stream"),
    ('[clock]\nread_stream = "s"', "clock.read_stream: not for this way"),
    ('[clock]\nread = "stream"\nread_stream = "s"', "no stream s with a value of role clock"),
]


@pytest.mark.requirement("R-DEV-21")
@pytest.mark.parametrize(("body", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_may_be_said_to_a_device_is_checked(make: Make, body: str, message: str) -> None:
    with pytest.raises(BadInputError) as caught:
        make(GATT + body, source="gatt", transport="ble-gatt")
    assert message in caught.value.message


def test_a_cable_has_no_characteristic_and_an_advert_needs_its_mode(make: Make) -> None:
    line = (
        OK.replace("u8", "int") + '[stream.line]\nregex = "(?P<a>1)"\ntemplate = "1"\n[serial]\nbaud = 9600\n'
    )
    with pytest.raises(BadInputError, match=r"allow_send\.q\.characteristic: not for a cable"):
        make(line + SEND + '[[poll]]\nsend = "q"', source="serial", transport="serial")
    with pytest.raises(BadInputError, match=r"clock\.read: cts is a characteristic"):
        make(line + '[clock]\nread = "cts"', source="serial", transport="serial")
    with pytest.raises(BadInputError, match="escape: needs start"):
        make(OK + 'framing = {length = 2, escape = "7D"}')
    with pytest.raises(BadInputError, match=r"mode: must be notify or indicate or read"):
        changed("sig_battery", ('mode = "notify"', 'mode = "service-data"'))


def changed(profile_id: str, *pairs: tuple[str, str]) -> Profile:
    text = Path(registry.load().get(profile_id).path).read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return parse(text, path="t.toml")


@pytest.mark.requirement("R-DEV-08")
@pytest.mark.hazard("H-DEV-03")
def test_a_file_alone_cannot_make_a_node_drive_a_pump() -> None:
    for command in ("!INF_START|38F3\\r", "!INF_STOP|CD57\\r", "!INF|4961\\r\\r"):
        with pytest.raises(BadInputError, match=r"allow_send\.infusion: is not one of the queries"):
            changed("alaris_asena", ("!INF|4961\\r", command))
    with pytest.raises(BadInputError, match=r"profile\.read_only: a pump is only ever read"):
        changed("alaris_asena", ('kind = "pump"', 'kind = "pump"\nread_only = false'))


NOON = datetime(2026, 3, 1, 12, 34, 56, 500_000)  # noqa: DTZ001 - a device's own clock has no zone


def test_a_clock_is_set_only_in_the_ways_that_the_profile_allows() -> None:
    allowed = AllowList(registry.load().get("sig_blood_pressure"))
    current, date_time = allowed.clock_characteristics("any")
    assert (current, date_time) == (full_uuid("2A2B"), full_uuid("2A08"))
    assert allowed.clock_message(NOON, current).data == bytes.fromhex("EA070301 0C2238 07 80 02")
    assert allowed.clock_message(NOON, date_time).data == bytes.fromhex("EA0703010C2238")
    with pytest.raises(ConflictError):
        allowed.clock_message(NOON, full_uuid("2A19"))
    with pytest.raises(ConflictError):
        AllowList(registry.load().get("alaris_asena")).clock_message(NOON)


def test_a_clock_on_a_cable_is_set_by_bytes_that_the_profile_encodes() -> None:
    allowed = AllowList(registry.load().get("lifescan_ultra2"))
    assert allowed.clock_message(NOON).data == b"\x11\rDMT03/01/26 12:34:56\r"


def test_a_poll_may_read_a_characteristic() -> None:
    poll = '[[poll]]\nstream = "level"\nevery_s = 60.0\n\n[[stream]]\nid'
    profile = changed("sig_battery", ('mode = "notify"', 'mode = "read"'), ("[[stream]]\nid", poll))
    [question] = AllowList(profile).polls()
    assert (question.message, question.read) == (None, full_uuid("2A19"))


def test_questions_say_what_is_sent_and_what_answers() -> None:
    profile = registry.load().get("contec_cms50d_plus")
    start, *_ = AllowList(profile).handshake()
    assert start.message is not None
    assert (start.expect, start.attempts, start.waits) == (b"\x01", 3, True)
    [alive] = AllowList(profile).polls()
    assert alive.every_s == 5.0


# ---- any mistake is told in one line
FILES = [Path(profile.path) for profile in registry.load()]


def spots(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document, containers and leaves."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(spot for key, value in inner for spot in spots(value, (*path, key)))]


def quoted(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(str(key))} = {quoted(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(quoted, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char):08X}" for char in value) + '"'
    return str(value)


ODD = st.one_of(
    st.integers(-(2**40), 2**40), st.booleans(), st.text(max_size=6), st.floats(allow_nan=False),
    st.sampled_from([[], {}, "0", "(", "zz", "a.b"]),
)  # fmt: skip


@pytest.mark.requirement("R-DEV-07")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_any_mistake_in_a_profile_is_told_in_one_line_with_its_file(file: Path, data: st.DataObject) -> None:
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    place = data.draw(st.sampled_from([spot for spot in spots(document) if spot]))
    holder = document
    for key in place[:-1]:
        holder = holder[key]
    if data.draw(st.booleans()):
        del holder[place[-1]]
    else:
        holder[place[-1]] = data.draw(ODD)
    text = "\n".join(f"{quoted(key)} = {quoted(value)}" for key, value in document.items())
    told = ""
    try:
        parse(text, path="t.toml")
    except BadInputError as error:
        told = error.message
    assert not told or told.startswith("t.toml: ")
    assert "\n" not in told
