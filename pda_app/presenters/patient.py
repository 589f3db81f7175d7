"""N4: one patient's page."""

from __future__ import annotations

from collections.abc import Callable

from clinical import resuscitation
from clinical.exchange import DeviceReleased, ResuscitationChanged
from clinical.records import FLOWING, Association, Encounter, Infusion, Patient
from pda_app.presenters import asking, infusions, tasks, words
from pda_app.presenters.desk import Desk
from pda_app.presenters.observable import Observable
from pda_app.presenters.states import Chip, Choice, Dialog, Msg, PatientState, Text, Tone
from pda_app.presenters.vitals import newest


class PatientPage(Observable[PatientState]):
    """Who the patient is, how they are, what runs and what is to be done."""

    def __init__(self, desk: Desk, ask: Callable[[Dialog, Callable[[str], None]], None]) -> None:
        super().__init__(PatientState())
        self._desk, self._ask = desk, ask
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
        called = self._called(stay)
        mine = [one for one in tasks.standings(desk) if one.patient.id == patient.id]
        vitals = newest(desk, patient.id)
        self._set(
            PatientState(
                banner=words.banner(book, patient, desk.now()),
                allergy=words.allergy_strip(book, patient),
                chips=(*called, *care, *(words.risk(one) for one in (stay.risks if stay else ()))),
                vitals=vitals,
                vitals_note="" if vitals else Msg("patient.no-vitals"),
                infusions=tuple(infusions.line(desk, one) for one in infusions.running(desk, patient.id)),
                tasks=tasks.rows(desk, (one for one in mine if one.status in tasks.OPEN)),
                resuscitation=self._button(stay),
                release=self._release(stay),
            )
        )

    def release(self) -> None:
        """Say that what was to come off a patient who was moved or sent home is off; asked first."""
        stay = words.encounter_of(self._desk.book, self._patient_id)
        if stay is None or not self._to_release(stay) or not self._desk.at_work:
            return
        dialog = Dialog(
            id="release",
            title=Msg("patient.release"),
            text=Msg("patient.release-text"),
            answers=(
                Choice(id="off", text=Msg("patient.release"), tone=Tone.ACT),
                Choice(id="leave", text=Msg("resuscitation.leave"), tone=Tone.PLAIN),
            ),
        )
        self._ask(dialog, lambda answer: self._is_off(answer, stay))

    def _is_off(self, answer: str, stay: Encounter) -> None:
        if answer == "off" and self._desk.at_work:
            for one in self._to_release(stay):
                event = DeviceReleased(**self._desk.event_base(), association_id=one.id)
                self._desk.spawn(self._write(event))

    def _to_release(self, stay: Encounter) -> list[Association]:
        """Devices to be confirmed as off; the sensor of a bag that hangs open comes off with the bag."""
        book = self._desk.book
        hanging = {one.id for one in book.all(Infusion) if one.state in FLOWING}
        return [
            one
            for one in book.all(Association)
            if one.encounter_id == stay.id
            and one.end is None
            and one.release_asked_at is not None
            and one.infusion_id not in hanging
        ]

    def _release(self, stay: Encounter | None) -> Text:
        return Msg("patient.release") if stay is not None and self._to_release(stay) else ""

    def resuscitate(self) -> None:
        """Call a resuscitation, or end the one that lasts; asked first, because it lowers a guard."""
        stay = words.encounter_of(self._desk.book, self._patient_id)
        if stay is None or not self._button(stay) or not self._desk.at_work:
            return
        action = resuscitation.END if self._lasts(stay) else resuscitation.BEGIN
        minutes = str(self._desk.book.policy.resuscitation_min)
        dialog = Dialog(
            id="resuscitation",
            title=Msg(f"resuscitation.{action}"),
            text=Msg.of(f"resuscitation.{action}-text", minutes=minutes),
            answers=(
                Choice(id=action, text=Msg(f"resuscitation.{action}"), tone=Tone.BAD),
                Choice(id="leave", text=Msg("resuscitation.leave"), tone=Tone.ACT),
            ),
        )
        self._ask(dialog, lambda answer: self._answered(answer, stay.id))

    def _answered(self, answer: str, encounter_id: str) -> None:
        if answer in {resuscitation.BEGIN, resuscitation.END} and self._desk.at_work:
            base = self._desk.event_base()
            event = ResuscitationChanged(**base, encounter_id=encounter_id, action=answer)
            self._desk.spawn(self._write(event))

    async def _write(self, event: ResuscitationChanged | DeviceReleased) -> None:
        if await asking.write(self._desk, event):
            self._desk.toast(self._desk.recorded_text(), Tone.OK)
        self.refresh()

    def _lasts(self, stay: Encounter) -> bool:
        return resuscitation.lasts(stay, self._desk.now(), self._desk.book.policy)

    def _called(self, stay: Encounter | None) -> tuple[Chip, ...]:
        """That the patient is being resuscitated, and until when."""
        if stay is None or not self._lasts(stay):
            return ()
        until = self._desk.hhmm(resuscitation.until(stay, self._desk.book.policy))
        return (Chip(text=Msg.of("resuscitation.until", time=until), tone=Tone.BAD),)

    def _button(self, stay: Encounter | None) -> Text:
        policy, session = self._desk.book.policy, self._desk.session
        may = {*policy.second_roles, *policy.prescriber_roles}
        if stay is None or session is None or not may & set(session.practitioner.roles):
            return ""
        return Msg(f"resuscitation.{resuscitation.END if self._lasts(stay) else resuscitation.BEGIN}")
