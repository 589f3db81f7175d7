from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin

from broker.messages import Command, Reply, decode
from broker.topics import Up
from clinical.errors import UnavailableError
from clinical.records import Alarm, AlarmPriority, Generation
from edge_node.adapters.gpio import GpioAnnunciator
from edge_node.annunciate import PATTERNS, STEP_S, Colour, Look, Signals, look
from edge_node.node import Node
from edge_node.outbox import Outbox
from edge_node.settings import LampSection
from tests.support.edge_bench import NODE, START, Bench, events

PINS = LampSection(red_pin=17, yellow_pin=27, cyan_pin=22, buzzer_pin=23, button_pin=24)


def alarm(priority: AlarmPriority, signal: str = "on", *, name: str = "a", present: bool = True) -> Alarm:
    return Alarm(
        id=name,
        condition="no-flow",
        kind="physiological",
        priority=priority,
        present=present,
        signal=signal,
        started_at=START,
        generation=Generation.DEMO,
    )


def seen(alarms: list[Alarm], seconds: float) -> list[Look]:
    return [look(alarms, step) for step in range(int(seconds / STEP_S))]


@pytest.mark.requirement("R-EDGE-24")
@pytest.mark.parametrize(
    ("priority", "colour", "hertz", "pulses"),
    [
        (AlarmPriority.HIGH, Colour.RED, (1.4, 2.8), 10),
        (AlarmPriority.MEDIUM, Colour.YELLOW, (0.4, 0.8), 3),
        (AlarmPriority.LOW, Colour.CYAN, None, 2),
    ],
)
def test_each_priority_has_the_light_and_rhythm_of_the_standard(
    priority: AlarmPriority, colour: Colour, hertz: tuple[float, float] | None, pulses: int
) -> None:
    repeat_s = PATTERNS[priority].repeat * STEP_S
    shown = seen([alarm(priority)], repeat_s)
    lit = [one.colour is colour for one in shown]
    flashes = sum(now and not before for before, now in zip([False, *lit], lit, strict=False)) / repeat_s
    assert {one.colour for one in shown} <= {colour, Colour.NONE}
    assert all(lit) if hertz is None else hertz[0] <= flashes <= hertz[1]
    sounds = [one.sounds for one in shown]
    assert sum(now and not before for before, now in zip([False, *sounds], sounds, strict=False)) == pulses


def test_the_most_pressing_alarm_is_shown_and_an_acknowledged_one_is_steady_and_silent() -> None:
    both = [alarm(AlarmPriority.HIGH), alarm(AlarmPriority.LOW)]
    assert Colour.RED in {one.colour for one in seen(both, 1)}
    quiet = seen([alarm(AlarmPriority.HIGH, "acknowledged")], 8)
    assert {(one.colour, one.sounds) for one in quiet} == {(Colour.RED, False)}
    assert seen([], 1) == [Look()] * 8


@pytest.fixture
def factory() -> Iterator[Any]:
    made = MockFactory(pin_class=MockPWMPin)
    yield made
    made.reset()
    made.close()


@pytest.fixture
def node(bench: Bench, outbox: Outbox) -> Node:
    return Node(
        node_id=NODE,
        version="1",
        generation=Generation.DEMO,
        clock=bench.time.clock(),
        outbox=outbox,
        wire=None,  # type: ignore[arg-type]  # no broker here
    )


@pytest.mark.requirement("R-EDGE-24")
def test_the_lamp_shows_an_alarm_and_the_button_acknowledges_it(
    node: Node, outbox: Outbox, factory: Any
) -> None:
    lamp = GpioAnnunciator(PINS, factory)
    signals = Signals(lamp, lambda: node.alarms.standing, node.on_button)
    node.alarms.node("outbox-full", holds=True, priority=AlarmPriority.HIGH)
    signals.step()
    assert (factory.pin(17).state, factory.pin(27).state, factory.pin(23).state) == (1, 0, 1)
    factory.pin(24).drive_low()
    factory.pin(24).drive_high()
    for _ in range(4):
        signals.step()
    assert factory.pin(23).state == 0
    assert node.alarms.standing[0].acknowledged_by == "bedside-button"
    assert events(outbox, "button")[0].detail == {"alarm": node.alarms.standing[0].id}
    signals.close()
    assert factory.pin(17).state == 0


def test_a_node_that_is_asked_to_identify_itself_blinks_until_an_alarm_comes(
    node: Node, outbox: Outbox, factory: Any
) -> None:
    lamp = GpioAnnunciator(PINS, factory)
    signals = Signals(lamp, lambda: node.alarms.standing, node.on_button)
    node.identify = signals.identify
    node.on_command(Command(id="1", kind="identify"))
    colours = set()
    for _ in range(8):
        signals.step()
        colours.add(tuple(factory.pin(pin).state for pin in (17, 27, 22)))
    assert colours == {(1, 0, 0), (0, 1, 0), (0, 0, 1)}
    rows = outbox.store.span(1, 100, 100)
    assert [decode(row.payload, Reply).code for row in rows if row.kind is Up.REPLIES] == [""]
    node.alarms.node("outbox-full", holds=True, priority=AlarmPriority.HIGH)
    signals.step()
    assert factory.pin(17).state == 1
    signals.close()


def test_only_the_pins_that_are_named_are_used(factory: Any) -> None:
    lamp = GpioAnnunciator(LampSection(red_pin=17), factory)
    lamp.show(Look(colour=Colour.YELLOW, sounds=True))
    assert factory.pin(17).state == 0
    assert not lamp.pressed()
    lamp.close()


def test_without_gpiozero_the_settings_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    with pytest.raises(UnavailableError, match="install gpiozero"):
        GpioAnnunciator(PINS)


def test_an_alarm_of_no_priority_neither_lights_nor_sounds() -> None:
    silent = dataclasses.replace(alarm(AlarmPriority.LOW), priority=AlarmPriority.NONE)
    assert look([silent], 0) == Look()
