from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.his.message import parse
from server.his.refusal import RefusedMessageError

Build = Callable[..., bytes]


@pytest.mark.parametrize(
    ("charset", "codec"),
    [("UNICODE UTF-8", "utf-8"), ("GB 18030-2000", "gb18030"), ("GB2312", "gb18030"), ("", "utf-8")],
)
@pytest.mark.requirement("R-HIS-02")
def test_a_chinese_name_is_read_in_the_declared_characters(admit: Build, charset: str, codec: str) -> None:
    pid = parse(admit(charset=charset, codec=codec)).first("PID")
    assert pid is not None
    assert (pid.value(5, 1), pid.value(5, 2)) == ("张", "三")


def test_second_bytes_of_gb18030_that_look_like_separators_do_not_split_a_name(message: Build) -> None:
    han = (chr(code) for code in range(0x4E00, 0x9FA5))
    name = "".join(one for one in han if one.encode("gb18030")[1:2] in {b"|", b"^", b"~", b"\\"})
    assert len(name) > 100
    raw = message("ADT^A08", f"PID|||P1^^^H^MR||{name}", charset="GB18030", codec="gb18030")
    pid = parse(raw).first("PID")
    assert pid is not None
    assert pid.value(5) == name


@pytest.mark.parametrize(
    ("charset", "code"), [("UNICODE UTF-8", "charset-mismatch"), ("EBCDIC", "charset-unknown")]
)
@pytest.mark.requirement("R-HIS-02")
@pytest.mark.hazard("H-HIS-02")
def test_unreadable_characters_are_refused_and_never_guessed(admit: Build, charset: str, code: str) -> None:
    with pytest.raises(RefusedMessageError) as refused:
        parse(admit(charset=charset, codec="gb18030"))
    assert refused.value.code == code


def test_latin_characters_of_the_header_are_taken_from_iso_8859(message: Build) -> None:
    raw = message("ADT^A08", "PID|||P1^^^H^MR||Müller", charset="8859/1", codec="latin-1")
    pid = parse(raw).first("PID")
    assert pid is not None
    assert pid.value(5) == "Müller"


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_every_kind_of_line_end_is_taken(admit: Build, end: str) -> None:
    raw = admit().replace(b"\r", end.encode())
    assert [segment.name for segment in parse(raw).segments] == ["MSH", "EVN", "PID", "PV1"]


def test_a_byte_order_mark_is_skipped(admit: Build) -> None:
    assert parse(b"\xef\xbb\xbf" + admit()).type == ("ADT", "A01")


def test_other_separators_are_read_from_the_header() -> None:
    raw = b"MSH!@%$*!HIS!H!W!1!20260101!!ADT@A08!C1!P!2.6\rPID!!!P1@@@H@MR!!A$F$B@C\r"
    pid = parse(raw).first("PID")
    assert pid is not None
    assert (pid.value(5), pid.value(5, 2)) == ("A!B", "C")


def test_empty_and_deleted_are_told_apart(message: Build) -> None:
    pid = parse(message("ADT^A08", 'PID|||P1||""|')).first("PID")
    assert pid is not None
    assert (pid.is_deleted(5), pid.is_deleted(7), pid.value(5)) == (True, False, "")


def test_subcomponents_and_repetitions_are_reached(message: Build) -> None:
    pid = parse(message("ADT^A08", "PID|||A&1^^^X~B&2^^^Y")).first("PID")
    assert pid is not None
    assert [(part.component(1, 2), part.component(4)) for part in pid.repetitions(3)] == [
        ("1", "X"),
        ("2", "Y"),
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\r\r", b"PID|1", b"MSH", b"MSH|", b"MSH|||||", b"MSHAAAAAAAA", b"MSH|^^^^|x",
        b"MSH|^~\\&|A\rxx|1", b"MSH|^~\\&|A\rMSH|^~\\&|B", b"MSH|^~\\&|A\rPIDX|1", b"BHS|^~\\&|A",
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused_with_a_sentence(raw: bytes) -> None:
    with pytest.raises(RefusedMessageError) as refused:
        parse(raw)
    assert refused.value.message.endswith(".")


@given(st.binary(max_size=300))
def test_any_bytes_parse_or_are_refused(raw: bytes) -> None:
    with contextlib.suppress(RefusedMessageError):
        parse(b"MSH|^~\\&|" + raw)
