"""One form as filled so far, and what every kind of form gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from pda_app.presenters.desk import Desk, EventBase
from pda_app.presenters.states import Button, FormState, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Immutable; every touch makes the next one. ``id`` is made once, so that saving twice is saving once."""

    patient_id: str
    id: str = ""
    at: datetime | None = None  # when the first thing was entered: that is when it was found
    texts: tuple[tuple[str, str], ...] = ()  # numbers and words as typed, by field
    chosen: tuple[tuple[str, str], ...] = ()  # codes by group

    @property
    def is_empty(self) -> bool:
        """Nothing has been entered."""
        return not self.texts and not self.chosen

    def text(self, key: str) -> str:
        """What was typed into a field."""
        return next((value for name, value in self.texts if name == key), "")

    def choice(self, group: str) -> str:
        """What was chosen of a group."""
        return next((code for name, code in self.chosen if name == group), "")

    def typed(self, key: str, text: str) -> Sheet:
        """Type into a field; an empty text takes it back."""
        kept = tuple((name, value) for name, value in self.texts if name != key)
        return replace(self, texts=(*kept, (key, text)) if text else kept)

    def choosing(self, group: str, code: str) -> Sheet:
        """Choose one of a group; the same again takes it back."""
        again = self.choice(group) == code
        kept = tuple((name, value) for name, value in self.chosen if name != group)
        return replace(self, chosen=kept if again else (*kept, (group, code)))


class Form(Protocol):
    """One kind of form."""

    offline_notice: Text
    """What must be known without network; empty when it makes no difference to the patient."""

    def draw(self, sheet: Sheet) -> FormState:
        """Everything below the banner, with the primary button as it would be with network."""
        ...

    async def save(self, sheet: Sheet) -> None:
        """Write it down.

        Raises:
            WardlinkError: It could not be written on this handheld; the sheet stays.
        """
        ...


def written(desk: Desk, sheet: Sheet) -> EventBase:
    """Make the fields of an event of a sheet: its own id, and the time at which it was found."""
    base = desk.event_base()
    return EventBase(**(base | {"id": sheet.id or base["id"], "at": sheet.at or base["at"]}))


def save_button(text: Text, missing: Text) -> Button:
    """The button that saves, or names what is missing."""
    return Button(text=text, enabled=not missing, missing=missing, icon="GIVE")
