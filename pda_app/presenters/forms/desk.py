"""The page of forms: which one is open, what is kept of each, and saving it.

Each is an event of the outbox with the time it was found at, and is saved without network. A critical value
then says that nobody is told before the network is back. A sheet stays until it was saved.
"""

from __future__ import annotations

from dataclasses import replace

from clinical.errors import WardlinkError
from clinical.records import Patient
from pda_app.ids import uuid7
from pda_app.ports import Cue
from pda_app.presenters import words
from pda_app.presenters.desk import Desk, error_text
from pda_app.presenters.forms.critical import CriticalForm
from pda_app.presenters.forms.fluids import FluidsForm
from pda_app.presenters.forms.sheet import Form, Sheet
from pda_app.presenters.forms.vitals import VitalsForm
from pda_app.presenters.observable import Observable
from pda_app.presenters.states import Button, Choice, FormState, Msg, Text, Tone

KINDS = ("vitals", "fluids", "critical")


class Forms(Observable[FormState]):
    """The forms of the ward's patients; one is shown."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(FormState())
        self._desk = desk
        self._forms: dict[str, Form] = {
            "vitals": VitalsForm(desk), "fluids": FluidsForm(desk), "critical": CriticalForm(desk),
        }  # fmt: skip
        self._sheets: dict[tuple[str, str, str], Sheet] = {}  # (nurse, form, patient)
        self._kind = self._patient_id = ""
        self._busy = False
        self._trouble: Text = ""

    @property
    def patient_id(self) -> str:
        """Whose form is open; empty when none."""
        return self._patient_id

    def open(self, kind: str, patient_id: str) -> None:
        """Show a form of a patient, with what was entered before."""
        if kind in self._forms:
            self._kind, self._patient_id, self._trouble = kind, patient_id, ""
            self.refresh()

    def clear(self) -> None:
        """Close the page. What a nurse has not saved waits until she is back, but on no retired handheld."""
        if self._desk.sync.wiped:
            self._sheets.clear()
        self._kind = self._patient_id = ""
        self._trouble, self._busy = "", False
        self._set(FormState())

    def show(self, kind: str) -> None:
        """Another form of the same patient."""
        self.open(kind, self._patient_id)

    def number(self, key: str, text: str) -> None:
        """A number or a text was typed."""
        self._change(self._sheet.typed(key, text if key in {"from", "test"} else text.strip()))

    def choose(self, key: str) -> None:
        """A chip was touched; the key is ``group:code``."""
        group, _, code = key.partition(":")
        self._change(self._sheet.choosing(group, code))

    def primary(self) -> None:
        """Save what was entered."""
        if self._busy or not self.state.primary.enabled or not self._desk.at_work:
            return
        self._busy = True
        self.refresh()
        self._desk.spawn(self._save(self._key(self._kind, self._patient_id), self._sheet))

    def secondary(self) -> None:
        """Empty the form."""
        if self.state.secondary.text and not self._busy:
            self._sheets.pop(self._key(self._kind, self._patient_id), None)
            self._trouble = ""
            self.refresh()

    def refresh(self) -> None:
        """Draw again from the newest facts and time."""
        desk, form = self._desk, self._forms.get(self._kind)
        patient = desk.book.get(Patient, self._patient_id)
        if form is None or patient is None:
            self._set(FormState())
            return
        drawn = form.draw(self._sheet)
        warns = "" if desk.sync.link.sends else form.offline_notice
        primary = drawn.primary
        if self._busy:
            primary = replace(primary, enabled=False, busy=True, missing=Msg("form.saving"))
        clear = Button() if self._sheet.is_empty or self._busy else Button(text=Msg("form.clear"))
        tone = Tone.BAD if self._trouble else Tone.WARN if warns else drawn.notice_tone
        self._set(
            replace(
                drawn,
                kind=self._kind,
                banner=words.banner(desk.book, patient, desk.now()),
                allergy=words.allergy_strip(desk.book, patient),
                tabs=tuple(
                    Choice(id=one, text=Msg(f"form.{one}"), selected=one == self._kind) for one in KINDS
                ),
                notice=self._trouble or warns or drawn.notice,
                notice_tone=tone,
                secondary=clear,
                primary=replace(primary, tone=Tone.ACT),
            )
        )

    @property
    def _sheet(self) -> Sheet:
        kept = self._sheets.get(self._key(self._kind, self._patient_id))
        return kept or Sheet(patient_id=self._patient_id)

    def _key(self, kind: str, patient_id: str) -> tuple[str, str, str]:
        session = self._desk.session
        return (session.practitioner.id if session is not None else "", kind, patient_id)

    def _change(self, sheet: Sheet) -> None:
        if self._busy or not self._patient_id:
            return
        self._trouble = ""
        if sheet.at is None:
            now = self._desk.now()
            sheet = replace(sheet, at=now, id=uuid7(now))
        if sheet.is_empty:
            self._sheets.pop(self._key(self._kind, self._patient_id), None)
        else:
            self._sheets[self._key(self._kind, self._patient_id)] = sheet
        self.refresh()

    async def _save(self, key: tuple[str, str, str], sheet: Sheet) -> None:
        try:
            await self._forms[key[1]].save(sheet)
        except WardlinkError as error:
            self._desk.cue(Cue.REFUSED)
            self._trouble = Msg.of("form.not-saved", why=error_text(error))
            return
        finally:
            self._busy = False
            self.refresh()
        self._sheets.pop(key, None)
        self._desk.cue(Cue.RECORDED if self._desk.sync.link.sends else Cue.QUEUED)
        self._desk.toast(self._desk.recorded_text(), Tone.OK)
        self.refresh()
