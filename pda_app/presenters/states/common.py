"""The parts every screen is made of: texts, tones, chips, buttons, the patient's banner."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from clinical.records import Label


@dataclass(frozen=True, slots=True)
class Msg:
    """One sentence of the catalog: its id and the values to fill in, sorted by name."""

    id: str
    params: tuple[tuple[str, Text], ...] = ()

    @staticmethod
    def of(id_: str, /, **params: Text) -> Msg:
        """Make a message from keyword parameters."""
        return Msg(id_, tuple(sorted(params.items())))


Text: TypeAlias = str | Label | Msg


class Tone(StrEnum):
    """What a colour means; the theme owns the colour."""

    PLAIN = "plain"
    ACT = "act"
    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    LOW = "low"


class Picture(StrEnum):
    """What this handheld knows of the ward: nothing yet, nothing and no way to ask, or a picture."""

    READING = "reading"
    MISSING = "missing"
    HERE = "here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A small label that is read, never touched; ``icon`` is a meaning of look/handheld (may be empty)."""

    text: Text
    tone: Tone = Tone.PLAIN
    icon: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of several things to choose by touch; ``id`` goes back to the presenter."""

    id: str
    text: Text
    selected: bool = False
    icon: str = ""
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A counter that is also a filter."""

    id: str
    count: int | None  # None: not known
    text: Text
    selected: bool = False
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A button: verb and object. Disabled ones name what is ``missing``; hidden when ``text`` is empty."""

    text: Text = ""
    enabled: bool = True
    busy: bool = False
    tone: Tone = Tone.PLAIN
    icon: str = ""
    missing: Text = ""  # shown instead of ``text`` while disabled


NO_BUTTON = Button()
"""A button that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientBanner:
    """Who this is about. ``mrn``, ``birth_date`` and ``name`` are never shortened."""

    patient_id: str
    bed: str
    name: str
    name_latin: str
    sex: Text
    age: Text
    birth_date: str
    mrn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllergyStrip:
    """Always below the banner: ``state`` is known, none or not-recorded."""

    state: str
    text: Text
