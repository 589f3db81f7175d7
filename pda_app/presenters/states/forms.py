"""What a nurse writes down: vital signs with the score they make, intake and output, critical values."""

from __future__ import annotations

from dataclasses import dataclass

from pda_app.presenters.states.care import ChoiceGroup, NumberLine, QueueLine
from pda_app.presenters.states.common import (
    NO_BUTTON,
    AllergyStrip,
    Button,
    Choice,
    PatientBanner,
    Text,
    Tone,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreView:
    """A score as it is entered: its number, its word, and what is missing while there is none."""

    number: str
    word: Text
    detail: Text
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLine:
    """A line of text to type."""

    key: str
    label: Text
    value: str
    hint: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """What is read back aloud, big, and whether the caller has confirmed it."""

    what: Text
    number: str
    unit: str
    who: Text
    choice: Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class FormState:
    """One form of one patient; ``notice`` says when it cannot be saved now, or since when it waits."""

    kind: str = ""  # vitals, fluids, critical
    banner: PatientBanner | None = None
    allergy: AllergyStrip | None = None
    tabs: tuple[Choice, ...] = ()
    notice: Text = ""
    notice_tone: Tone = Tone.PLAIN
    score: ScoreView | None = None
    numbers: tuple[NumberLine, ...] = ()
    groups: tuple[ChoiceGroup, ...] = ()
    texts: tuple[TextLine, ...] = ()
    read_back: ReadBack | None = None
    lines_title: Text = ""
    lines: tuple[QueueLine, ...] = ()
    secondary: Button = NO_BUTTON
    primary: Button = NO_BUTTON
