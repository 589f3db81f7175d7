"""N9: uploads and returned outcomes."""

from __future__ import annotations

from dataclasses import dataclass

from pda_app.presenters.states.common import Choice, Counter, Text, Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeCard:
    """Something came back: it leaves only by one of its answers."""

    event_id: str
    tone: Tone
    icon: str
    title: Text
    bed: str
    facts: Text
    system: Text
    answers: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRow:
    """One event still on this handheld."""

    event_id: str
    icon: str
    title: Text
    detail: Text
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadsState:
    """``counters`` ids: returned, queued, confirmed."""

    counters: tuple[Counter, ...] = ()
    note: Text = ""
    note_detail: Text = ""
    note_tone: Tone = Tone.PLAIN
    cards: tuple[OutcomeCard, ...] = ()
    queue: tuple[UploadRow, ...] = ()
    empty: Text = ""
