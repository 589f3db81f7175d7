"""N4: one patient's page."""

from __future__ import annotations

from clinical.codes import CODES
from clinical.records import Observation, Patient
from pda_app.presenters import infusions, tasks, words
from pda_app.presenters.desk import Desk
from pda_app.presenters.observable import Observable
from pda_app.presenters.states import Chip, Msg, PatientState, Tone, VitalTile

_VITALS = (
    "MDC_PULS_OXIM_PULS_RATE", "MDC_ECG_HEART_RATE", "MDC_PULS_RATE", "MDC_PULS_OXIM_SAT_O2", "MDC_RESP_RATE",
    "MDC_PRESS_BLD_NONINV_SYS", "MDC_PRESS_BLD_NONINV_DIA", "MDC_TEMP_BODY", "MDC_CONC_GLU_GEN",
)  # fmt: skip


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
            self._set(PatientState())
            return
        stay = words.encounter_of(book, patient.id)
        care = (Chip(text=Msg(f"care.{stay.care_level}")),) if stay and stay.care_level else ()
        mine = [one for one in tasks.standings(desk) if one.patient.id == patient.id]
        vitals = self._vitals(patient.id)
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

    def _vitals(self, patient_id: str) -> tuple[VitalTile, ...]:
        newest: dict[str, Observation] = {}
        for one in self._desk.book.all(Observation):
            known = newest.get(one.code)
            if one.patient_id == patient_id and (known is None or known.effective < one.effective):
                newest[one.code] = one
        return tuple(self._tile(newest[code]) for code in _VITALS if code in newest)

    def _tile(self, one: Observation) -> VitalTile:
        code = CODES[one.code]
        reliable = one.value is not None and one.validity in {"Vld", "Vldated"}
        shown = words.number(one.value, code.decimals) if reliable and one.value is not None else "--"
        return VitalTile(
            code=one.code,
            label=code.label,
            value=shown,
            unit=words.unit(one.unit),
            at=self._desk.hhmm(one.effective),
            tone=Tone.PLAIN if reliable else Tone.WARN,
        )
