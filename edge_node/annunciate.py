"""The node's own lamp and buzzer: what the most pressing alarm looks and sounds like at the bed.

Priorities, colours and rhythms follow IEC 60601-1-8:2006+A1: high red flashing at 1.4 to 2.8 Hz with a
burst of ten pulses, medium yellow at 0.4 to 0.8 Hz with three pulses, low cyan or yellow and steady with
one or two. An acknowledged alarm keeps its steady light and is silent. Knows no pins: see
:class:`Annunciator`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from clinical.records import Alarm, AlarmPriority

STEP_S = 0.125
"""How often the lamp and buzzer are set; all rhythms are whole multiples of it."""

IDENTIFY_S = 10.0


class Colour(StrEnum):
    """Lamp colours of IEC 60601-1-8."""

    NONE = "none"
    RED = "red"
    YELLOW = "yellow"
    CYAN = "cyan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a person sees and hears at one instant."""

    colour: Colour = Colour.NONE
    sounds: bool = False


class Annunciator(Protocol):
    """A lamp, a buzzer and a button at the bed."""

    def show(self, look: Look) -> None:
        """Set lamp and buzzer."""

    def pressed(self) -> bool:
        """Whether the acknowledge button was pressed since the last question."""

    def close(self) -> None:
        """Dark and silent; give the pins back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One priority's light and sound, in steps of :data:`STEP_S`.

    ``burst`` names the steps of one burst in which the buzzer sounds; it repeats every ``repeat`` steps.
    """

    colour: Colour
    lit: int  # steps on
    dark: int  # steps off
    burst: tuple[int, ...]
    repeat: int


PATTERNS = {
    # 2 Hz; ten pulses in two groups of 3 + 2 with their pauses, again every 8 s
    AlarmPriority.HIGH: Pattern(
        colour=Colour.RED, lit=2, dark=2, burst=(0, 2, 4, 7, 9, 15, 17, 19, 22, 24), repeat=64
    ),
    # 0.5 Hz; three pulses, again every 16 s
    AlarmPriority.MEDIUM: Pattern(colour=Colour.YELLOW, lit=8, dark=8, burst=(0, 2, 4), repeat=128),
    # steady; two pulses, again every 32 s
    AlarmPriority.LOW: Pattern(colour=Colour.CYAN, lit=1, dark=0, burst=(0, 2), repeat=256),
}


def look(alarms: Sequence[Alarm], step: int) -> Look:
    """What lamp and buzzer show in one step.

    Args:
        alarms: Those that stand, most pressing first.
        step: Counts up by one every :data:`STEP_S`.
    """
    speaking = next((one for one in alarms if one.signal == "on" and one.priority in PATTERNS), None)
    if speaking is not None:
        pattern = PATTERNS[speaking.priority]
        lit = step % (pattern.lit + pattern.dark) < pattern.lit
        return Look(
            colour=pattern.colour if lit else Colour.NONE, sounds=step % pattern.repeat in pattern.burst
        )
    standing = next((one for one in alarms if one.present and one.priority in PATTERNS), None)
    return Look(colour=PATTERNS[standing.priority].colour) if standing is not None else Look()


class Signals:
    """Plays the standing alarms on an annunciator.

    Args:
        annunciator: Lamp, buzzer, button.
        standing: The alarms that stand, most pressing first.
        acknowledge: Called with each speaking alarm when the button is pressed.
    """

    def __init__(
        self,
        annunciator: Annunciator,
        standing: Callable[[], Sequence[Alarm]],
        acknowledge: Callable[[str], None],
    ) -> None:
        self._annunciator = annunciator
        self._standing = standing
        self._acknowledge = acknowledge
        self._step = 0
        self._speaking = ""
        self._identify = 0

    def identify(self) -> bool:
        """Blink in all colours for a while, so that a person finds this node; an alarm goes before it."""
        self._identify = int(IDENTIFY_S / STEP_S)
        return True

    def step(self) -> None:
        """Set the lamp; call it every :data:`STEP_S`."""
        if self._annunciator.pressed():
            for alarm in self._standing():
                if alarm.signal == "on":
                    self._acknowledge(alarm.id)
        alarms = self._standing()
        first = next((one.id for one in alarms if one.signal == "on"), "")
        if first != self._speaking:  # a new alarm begins with its whole burst
            self._speaking, self._step = first, 0
        self._annunciator.show(self._shown(alarms))
        self._step += 1

    def _shown(self, alarms: Sequence[Alarm]) -> Look:
        if self._identify and not self._speaking:
            self._identify -= 1
            colours = (Colour.RED, Colour.YELLOW, Colour.CYAN)
            return Look(colour=colours[self._identify // 2 % len(colours)])
        return look(alarms, self._step)

    def close(self) -> None:
        """Dark and silent."""
        self._annunciator.close()
