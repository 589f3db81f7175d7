from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.his.escapes import STANDARD, Delimiters, escape, unescape

OTHER = Delimiters(field="!", component="@", repetition="%", escape="$", subcomponent="*")


@given(st.text(), st.sampled_from([STANDARD, OTHER]))
def test_any_text_comes_back_as_it_was(text: str, marks: Delimiters) -> None:
    assert unescape(escape(text, marks), marks) == text


@given(st.text())
def test_escaped_text_holds_no_separator(text: str) -> None:
    assert not set(escape(text)) & set("|^~&\r\n")


@given(st.text(alphabet="\\FSTREXH.br0123456789ABz|"))
def test_reading_never_fails_on_broken_sequences(text: str) -> None:
    unescape(text)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"a\F\b", "a|b"),
        (r"\S\\T\\R\\E\ ", "^&~\\ "),
        (r"\XE5BCA0\三", "张三"),
        (r"line\.br\next", "line\nnext"),
        (r"\H\bold\N\ plain", "bold plain"),
        (r"odd \Q1\ kept", r"odd \Q1\ kept"),
        (r"half \X4\ kept", r"half \X4\ kept"),
    ],
)
def test_known_sequences_are_read_and_unknown_ones_kept(written: str, read: str) -> None:
    assert unescape(written) == read


def test_hexadecimal_bytes_are_read_in_the_messages_own_characters() -> None:
    assert unescape(r"\XD5C5\ ", codec="gb18030") == "张 "
