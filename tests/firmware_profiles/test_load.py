from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from clinical.errors import BadInputError, ConflictError, NotFoundError
from firmware_profiles import registry
from firmware_profiles.load import load_file, parse
from firmware_profiles.plan import Profile, full_uuid
from firmware_profiles.pumps import PUMP_QUERIES
from firmware_profiles.sending import AllowList

Make = Callable[..., Profile]
OK = 'field = [{name="a", type="u8"}]\nvalue = [{name="v", source="a"}]'
F = "stream[0].field[0]"
V = "stream[0].value[0]"

WRONG = [
    (
        'field = [{name="a", type="sfloat", split={p=[0,1]}}]\nvalue = [{name="v", source="a"}]',
        f"{F}.split: sfloat has no bits",
    ),
    (
        'field = [{name="a", type="u9"}]\nvalue = [{name="v", source="a"}]',
        f"{F}.type: Invalid enum value 'u9'",
    ),
    (
        'field = [{name="a", type="u8", nope=1}]\nvalue = [{name="v", source="a"}]',
        f"{F}: Object contains unknown",
    ),
    (
        'field = [{name="a", type="u8"},{name="a", type="u8"}]\nvalue = [{name="v", source="a"}]',
        "a is defined twice",
    ),
    ('field = [{name="a", type="int"}]\nvalue = [{name="v", source="a"}]', f"{F}.type: int does not belong"),
    ('field = [{name="a", type="ascii"}]\nvalue = [{name="v", source="a"}]', f"{F}.length: needed for ascii"),
    (
        'field = [{name="a", type="u8", length=2}]\nvalue = [{name="v", source="a"}]',
        f"{F}.length: not for u8",
    ),
    ('field = [{name="a", type="uint_rest"}]\nvalue = [{name="v", source="a"}]', f"{F}.sizes: needed"),
    (
        'field = [{name="a", type="datetime7", repeat=2}]\nvalue = [{name="v", source="a"}]',
        f"{F}.repeat: a datetime7",
    ),
    (
        'field = [{name="a", type="u8", split={p=[7,2]}}]\nvalue = [{name="v", source="p"}]',
        f"{F}.split.p: bits 7 to 8",
    ),
    (
        'field = [{name="a", type="u8", split={a=[0,1]}}]\nvalue = [{name="v", source="a"}]',
        "a is defined twice",
    ),
    (
        'field = [{name="a", type="u8", when="b.1"}]\nvalue = [{name="v", source="a"}]',
        f"{F}.when: there is no field b",
    ),
    ('field = [{name="a", type="u8"}]\nvalue = [{name="v", source="a", when="a"}]', "a is not name.bit"),
    ('field = [{name="a", type="u8"}]\nvalue = [{name="v", source="a", when="a==x"}]', "x is not a number"),
    ('field = [{name="a", type="u8"}]\nvalue = [{name="v", source="b"}]', f"{V}.source: there is no field b"),
    ('field = [{name="a", type="u8"}]\nvalue = [{name="v"}]', f"{V}: give either source or date"),
    (
        'field = [{name="a", type="u8"}]\nvalue = [{name="v", source="a", scale=0}]',
        f"{V}.scale: must not be 0",
    ),
    (
        'field = [{name="a", type="u8"}]\nvalue = [{name="v", source="a", step=0}]',
        f"{V}.step: must be more than 0",
    ),
    (
        'field = [{name="a", type="sfloat"},{name="b", type="u8"}]\nvalue = [{name="v", source="a|b<<8"}]',
        "sfloat cannot be joined",
    ),
    (
        OK + '\nquality = [{when="a.0", validity="Inv", reason="r", values=["w"]}]',
        "quality[0].values: there is no value w",
    ),
    (OK + '\nquality = [{when="a.0", reason="r"}]', "quality[0]: give validity or demo"),
    (
        'field = [{name="a", type="utf8_rest"}]\n'
        'value = [{name="v", source="a"}]\n[stream.tags]\nobject=[{tag=1, field="a"}]',
        "tags.object[0]: a needs a fixed size",
    ),
    (
        'field = [{name="a", type="int"}]\n'
        'value = [{name="v", source="a"}]\n[stream.line]\nregex="(?P<a"\ntemplate=""',
        "line.regex: ",
    ),
    (
        'field = [{name="a", type="int"}]\n'
        'value = [{name="v", source="a"}]\n[stream.line]\nregex="x"\ntemplate=""',
        "there is no group a",
    ),
    (OK + '\nframing = {value="00"}', "framing: give length or start"),
    (OK + '\nframing = {start="00"}', "framing: give length, length_at or end"),
    (OK + '\nframing = {length=2, mask="00"}', "framing.mask: must be as long as value"),
    (
        OK + '\n[[stream]]\nid="s"\nsource="advert"\nmode="service-data"\n' + OK,
        "stream[1].id: s is defined twice",
    ),
    (
        OK + '\n[[test]]\nstream="t"\nsource="here"\nhex="00"\nexpect={}',
        "test[0].stream: there is no stream t",
    ),
    (OK + '\n[[test]]\nstream="s"\nsource="here"\nexpect={}', "test[0]: give either hex or text"),
    (OK + '\n[[test]]\nstream="s"\nsource="here"\nhex="00"', "test[0]: give either expect or reject"),
    (OK + '\n[[alarm]]\nvalue="w"\nkind="limit"\npriority="Hi"', "alarm[0].value: there is no value w"),
    (OK + '\n[[match]]\nname_regex="("', "match[0].name_regex: "),
    (OK + "\n[[match]]\npriority=3", "match[0]: says nothing"),
    (
        OK + '\n[[match]]\nmanufacturer_id=1\ndata_prefix="00 01"\ndata_mask="FF"',
        "match[0].data_mask: must be as long",
    ),
    (OK + '\n[[match]]\nname_regex="x"\nwith_id=true', "match[0].manufacturer_id: needed for with_id"),
    (OK + '\n[[match]]\nname_regex="x"\nmanufacturer_mask=255', "match[0].manufacturer_id: needed for"),
    (OK + '\n[[poll]]\nsend="x"', "poll[0].send: x is not in allow_send"),
]


@pytest.mark.requirement("R-DEV-07")
@pytest.mark.parametrize(("body", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_profile_says_where_in_one_line(make: Make, body: str, message: str) -> None:
    with pytest.raises(BadInputError) as caught:
        make(body)
    assert caught.value.message.startswith("t.toml: ")
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_what_a_transport_needs_is_checked(make: Make) -> None:
    with pytest.raises(BadInputError, match="characteristic: needed"):
        make(OK, source="gatt")
    with pytest.raises(BadInputError, match="needs framing or line"):
        make(OK, source="serial")
    with pytest.raises(BadInputError, match="serial: needed"):
        make(OK, transport="serial")
    with pytest.raises(BadInputError, match=r"q\.characteristic: needed to write"):
        make(OK + '\n[allow_send.q]\ntext = "q"\n[[poll]]\nsend = "q"\nstream = "x"', transport="ble-gatt")
    with pytest.raises(BadInputError, match="not TOML"):
        parse("= 1", path="t.toml")
    with pytest.raises(BadInputError, match=r"^t\.toml: Object missing"):
        parse("", path="t.toml")


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no file"):
        load_file(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInputError, match="cannot be read"):
        load_file(tmp_path / "latin.toml")


def test_two_files_with_one_id_are_a_conflict(tmp_path: Path) -> None:
    text = Path(registry.load().get("sig_battery").path).read_text()
    (tmp_path / "a.toml").write_text(text)
    assert len(registry.load_directory(tmp_path)) == 1
    (tmp_path / "b.toml").write_text(text)
    with pytest.raises(ConflictError, match="is also in"):
        registry.load_directory(tmp_path)


def test_profiles_are_found_by_id_and_characteristic() -> None:
    profiles = registry.load()
    assert "sig_plx" in profiles
    assert "nothing" not in profiles
    plx = profiles.get("sig_plx")
    found = plx.stream_for("00002a5f-0000-1000-8000-00805f9b34fb")
    assert found is not None
    assert found.id == "continuous"
    assert plx.stream_for("2A19") is None
    assert full_uuid("2A5F") == "00002a5f-0000-1000-8000-00805f9b34fb"
    with pytest.raises(NotFoundError, match="there is no profile nothing"):
        profiles.get("nothing")
    with pytest.raises(NotFoundError, match="it has continuous, spot"):
        plx.plan("nothing")


@pytest.mark.requirement("R-DEV-08")
@pytest.mark.hazard("H-DEV-03")
def test_no_pump_profile_may_send_anything_but_a_query() -> None:
    pumps = [profile for profile in registry.load() if profile.file.profile.kind == "pump"]
    assert pumps
    for profile in pumps:
        for message in AllowList(profile):
            assert message.data in PUMP_QUERIES
            assert not re.search(rb"START|STOP|CTRL|VTBI|SET|RUN|STP|PUR|=", message.data)


def test_forty_profiles_ship() -> None:
    assert len(registry.load()) >= 40
