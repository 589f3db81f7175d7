"""The keyboard scanner of the window: whole codes or nothing, whatever has the focus."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from kivy.uix.textinput import TextInput

from pda_app.ports import Broken, Read
from pda_app.widgets.wedge import WindowWedge
from tests.support.kivy_driver import Driver


class Ticks:
    """A clock that goes on by ``step`` at each look."""

    def __init__(self) -> None:
        self.at, self.step = 100.0, 0.002

    def __call__(self) -> float:
        self.at += self.step
        return self.at


@pytest.fixture
def scanner(driver: Driver) -> Iterator[tuple[WindowWedge, Ticks, list[Read | Broken]]]:
    driver.clear()
    ticks, got = Ticks(), []
    wedge = WindowWedge(driver.window, now=ticks)
    wedge.start(got.append)
    driver.frames(2)
    yield wedge, ticks, got
    wedge.stop()
    driver.clear()


@pytest.mark.requirement("R-PDU-12")
def test_a_burst_with_a_group_separator_arrives_whole(driver: Driver, scanner) -> None:
    _, _, got = scanner
    driver.type("]d20106901234567892\x1d10LOT-a_B9\n")
    assert [(one.symbology, one.raw) for one in got] == [("]d2", "0106901234567892\x1d10LOT-a_B9")]


def test_a_bracket_that_is_typed_is_a_bracket(driver: Driver, scanner) -> None:
    _, _, got = scanner
    driver.type("AB]CD]EF\n")
    assert [one.raw for one in got] == ["AB]CD]EF"]


def test_two_bursts_in_a_row_are_two_codes(driver: Driver, scanner) -> None:
    _, _, got = scanner
    driver.type("WL1:P:M000001:1:A\nWL1:B:b-o1:K\n")
    assert [one.raw for one in got] == ["WL1:P:M000001:1:A", "WL1:B:b-o1:K"]


@pytest.mark.hazard("H-PDU-05")
def test_a_hole_in_the_burst_is_reported_and_never_shortened(driver: Driver, scanner) -> None:
    _, ticks, got = scanner
    driver.type("P0012")
    ticks.at += 0.6
    driver.type("345678\n")
    assert [type(one) for one in got] == [Broken]


def test_slow_typing_is_not_a_scan(driver: Driver, scanner) -> None:
    _, ticks, got = scanner
    ticks.step = 0.12
    driver.type("hello\n")
    assert got == []


def test_a_focused_field_gets_its_text_back_after_a_scan(driver: Driver, scanner) -> None:
    _, _, got = scanner
    field = TextInput(multiline=False, text="reason")
    driver.show(field)
    field.focus = True
    driver.frames(2)
    driver.type("WL1:B:b-o1:K\n")
    assert [one.raw for one in got] == ["WL1:B:b-o1:K"]
    assert field.text == "reason"
    field.focus = False
    driver.frames(2)


def test_scans_still_arrive_after_a_field_had_the_focus(driver: Driver, scanner) -> None:
    wedge, _, got = scanner
    field = TextInput(multiline=False)
    driver.show(field)
    field.focus = True
    driver.frames(2)
    field.focus = False
    driver.frames(2)
    wedge._hold(0)
    driver.type("WL1:B:b-o1:K\n")
    assert [one.raw for one in got] == ["WL1:B:b-o1:K"]


@pytest.fixture
def focus(driver: Driver) -> Iterator[Callable[[bool], None]]:
    """Takes the window's focus away and gives it back, as the window system does."""

    def put(has: bool) -> None:
        driver.window._focus = has
        driver.frames(1)

    yield put
    driver.window._focus = True


@pytest.mark.requirement("R-PDU-12")
@pytest.mark.hazard("H-PDU-05")
def test_a_burst_that_the_window_missed_a_part_of_is_refused_and_the_next_one_is_read(
    driver: Driver, scanner, focus: Callable[[bool], None]
) -> None:
    _, ticks, got = scanner
    driver.type("WL1:P:M0")
    focus(False)
    assert [type(one) for one in got] == [Broken]  # told at once: the rest goes to another window
    focus(True)
    driver.type("0001:1:A\n")
    assert [type(one) for one in got] == [Broken, Broken]
    ticks.at += 1.0
    driver.type("WL1:B:b-o1:K\n")
    assert got[-1].raw == "WL1:B:b-o1:K"


@pytest.mark.requirement("R-PDU-12")
def test_a_field_gets_its_text_back_when_the_window_loses_a_burst(
    driver: Driver, scanner, focus: Callable[[bool], None]
) -> None:
    field = TextInput(multiline=False, text="reason")
    driver.show(field)
    field.focus = True
    driver.frames(2)
    driver.type("WL1:B:b")
    focus(False)
    assert field.text == "reason"
    focus(True)
    field.focus = False
    driver.frames(2)
