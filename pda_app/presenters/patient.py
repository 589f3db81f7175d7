"""N4: one patient's page."""

from __future__ import annotations

from clinical.records import Patient
from pda_app.presenters import infusions, tasks, words
from pda_app.presenters.desk import Desk
from pda_app.presenters.observable import Observable
from pda_app.presenters.states import Chip, Msg, PatientState
from pda_app.presenters.vitals import newest


class PatientPage(Observable[PatientState]):
    """Who the patient is, how they are, what runs and what is to be done."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(PatientState())
        self._desk = desk
        self._patient_id = ""

    @property
    def patient_id(self) -> str:
        """Whose page it is; empty when none is open."""
        return self._patient_id

    def open(self, patient_id: str) -> None:
        """Show this patient; empty closes the page."""
        self._patient_id = patient_id
        self.refresh()

    def refresh(self) -> None:
        """Draw again from the newest facts and time."""
        desk, book = self._desk, self._desk.book
        patient = book.get(Patient, self._patient_id)
        if patient is None:
            gone = self._desk.unread() or Msg("patient.gone")
            self._set(PatientState(empty=gone if self._patient_id else "", picture=desk.picture))
            return
        stay = words.encounter_of(book, patient.id)
        care = (Chip(text=Msg(f"care.{stay.care_level}")),) if stay and stay.care_level else ()
        mine = [one for one in tasks.standings(desk) if one.patient.id == patient.id]
        vitals = newest(desk, patient.id)
        self._set(
            PatientState(
                banner=words.banner(book, patient, desk.now()),
                allergy=words.allergy_strip(book, patient),
                chips=(*care, *(words.risk(one) for one in (stay.risks if stay else ()))),
                vitals=vitals,
                vitals_note="" if vitals else Msg("patient.no-vitals"),
                infusions=tuple(infusions.line(desk, one) for one in infusions.running(desk, patient.id)),
                tasks=tasks.rows(desk, (one for one in mine if one.status in tasks.OPEN)),
            )
        )
