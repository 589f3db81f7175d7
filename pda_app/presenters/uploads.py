"""N9: what waits to be sent, and what came back; a returned outcome leaves only by an answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from clinical.errors import WardlinkError
from clinical.exchange import (
    AdministrationRecorded,
    CareRecorded,
    Charted,
    Event,
    InfusionChanged,
    InfusionStarted,
    Outcome,
    ResuscitationChanged,
)
from clinical.records import Encounter, Infusion, Order, Patient
from pda_app.ports import Cue, Returned
from pda_app.presenters import words
from pda_app.presenters.desk import Desk
from pda_app.presenters.observable import Observable
from pda_app.presenters.states import Choice, Counter, Msg, OutcomeCard, Text, Tone, UploadRow, UploadsState

ANSWERS = {
    "accepted-exception": ("doctor-told", "explained"),
    "duplicate": ("gave-once", "gave-twice"),
    "refused": ("support-told",),
}
_ICONS = {"administration": "medicine", "infusion-started": "infusion", "infusion-changed": "infusion",
          "patrol": "patrol", "alarm-acknowledged": "alarm", "charted": "instruction",
          "resuscitation": "alarm"}  # fmt: skip
_SILENT = frozenset({"check-evaluated", "scan-refused"})
"""Events a nurse did not record herself: they are sent, but not listed one by one."""


class Uploads(Observable[UploadsState]):
    """Queue, outcomes and how old the picture is."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(UploadsState())
        self._desk = desk

    def answer(self, event_id: str, answer: str) -> None:
        """One of a card's two answers was chosen."""
        card = next((one for one in self._desk.sync.returned if one.event.id == event_id), None)
        if card is not None and answer in ANSWERS.get(card.outcome.status, ()):
            self._desk.spawn(self._write(event_id, answer))

    def refresh(self) -> None:
        """Draw again from the newest counts."""
        sync = self._desk.sync
        offline = not sync.link.sends
        cards = tuple(self._card(one) for one in sync.returned)
        queue = tuple(self._row(one) for one in sync.queue if one.type not in _SILENT)
        self._set(
            replace(
                self.state,
                counters=self._counters(),
                note=self._note(),
                note_detail=Msg(f"uploads.{self._word()}-detail") if offline else "",
                note_tone=Tone.WARN if offline else Tone.OK,
                cards=cards,
                queue=queue,
                empty="" if cards or queue else Msg("uploads.empty"),
            )
        )

    def _word(self) -> str:
        return "fault" if self._desk.sync.link.fault else "offline"

    def _note(self) -> Text:
        link = self._desk.sync.link
        if link.sends:
            return Msg("uploads.online")
        fetched = self._desk.hhmm(self._desk.book.fetched_at)
        return self._desk.unread() or Msg.of(f"uploads.{self._word()}", time=fetched)

    def _counters(self) -> tuple[Counter, ...]:
        counts = self._desk.sync.counts
        numbers = {"returned": counts.returned, "queued": counts.queued, "confirmed": counts.confirmed}
        return tuple(
            Counter(
                id=name, count=count, text=Msg(f"uploads.{name}"), selected=name == "returned",
                tone=Tone.BAD if name == "returned" and count else Tone.PLAIN,
            )
            for name, count in numbers.items()
        )  # fmt: skip

    async def _write(self, event_id: str, answer: str) -> None:
        try:
            await self._desk.sync.answer(event_id, answer)
        except WardlinkError as error:
            self._desk.failed(error)
            return
        self._desk.cue(Cue.RECORDED)
        self.refresh()

    def _card(self, one: Returned) -> OutcomeCard:
        status, code = one.outcome.status, one.outcome.code
        duplicate = status == "duplicate"
        return OutcomeCard(
            event_id=one.event.id,
            tone=Tone.WARN if duplicate else Tone.BAD,
            icon="duplicate" if duplicate else "STOP",
            title=Msg(f"outcome.{status}"),
            bed=self._bed(one.event),
            facts=words.joined(
                "dot",
                self._what(one.event),
                Msg.of("outcome.recorded-at", time=self._desk.hhmm(one.event.at)),
            ),
            system=Msg.of(
                f"outcome.{status}-system",
                why=Msg(f"outcome-code.{code}") if code else "",
                before=self._before(one.outcome),
            ),
            answers=tuple(Choice(id=answer, text=Msg(f"answer.{answer}")) for answer in ANSWERS[status]),
        )

    def _before(self, outcome: Outcome) -> Text:
        """Who did the same before, and when, where the server knows."""
        by, at = outcome.params.get("by", ""), outcome.params.get("at", "")
        if not by or not at:
            return ""
        time = self._desk.hhmm(datetime.fromisoformat(at))
        return Msg.of("outcome.before", who=self._desk.person_name(by), time=time)

    def _row(self, event: Event) -> UploadRow:
        return UploadRow(
            event_id=event.id,
            icon=_ICONS.get(event.type) or words.task_icon(self._order(event)),
            title=words.joined("space", self._bed(event), self._name(event), Msg(f"event.{event.type}")),
            detail=self._what(event),
            at=self._desk.hhmm(event.at),
        )

    def _patient_id(self, event: Event) -> str:
        if isinstance(event, Charted):
            lines = (event.fluid, event.assessment, event.round, event.critical)
            owner = next((line.patient_id for line in lines if line is not None), "")
            return owner or self._of_stay(event.observed.encounter_id if event.observed else "")
        if isinstance(event, ResuscitationChanged):
            return self._of_stay(event.encounter_id)
        order = self._order(event)
        return order.patient_id if order is not None else ""

    def _of_stay(self, encounter_id: str) -> str:
        stay = self._desk.book.get(Encounter, encounter_id)
        return stay.patient_id if stay is not None else ""

    def _name(self, event: Event) -> str:
        patient = self._desk.book.get(Patient, self._patient_id(event))
        return patient.name if patient is not None else ""

    def _bed(self, event: Event) -> str:
        patient_id = self._patient_id(event)
        stays = (one for one in self._desk.book.all(Encounter) if one.patient_id == patient_id)
        return next((one.bed for one in stays), "")

    def _order(self, event: Event) -> Order | None:
        book = self._desk.book
        if isinstance(event, AdministrationRecorded | InfusionStarted | CareRecorded):
            return book.get(Order, event.order_id)
        infusion_id = getattr(event, "infusion_id", "")
        infusion = book.get(Infusion, infusion_id)
        return book.get(Order, infusion.order_id) if infusion is not None else None

    def _what(self, event: Event) -> Text:
        order = self._order(event)
        title = words.order_title(self._desk.book, order) if order is not None else ""
        if isinstance(event, AdministrationRecorded):
            return words.joined("space", title, words.dose(event.dose), Msg(f"status.{event.outcome}"))
        if isinstance(event, InfusionChanged):
            return words.joined("space", title, Msg(f"mode.{event.action}"))
        if isinstance(event, Charted):
            return _line(event)
        if isinstance(event, ResuscitationChanged):
            return Msg(f"resuscitation.{event.action}")
        return title


def _line(event: Charted) -> Text:
    """What was written into the chart, as short as a row has room for."""
    if event.fluid is not None:
        amount = words.joined("space", words.number(event.fluid.ml), "mL")
        return words.joined("space", Msg(f"fluid.{event.fluid.kind}"), amount)
    if event.observed is not None:
        return Msg("form.vitals")
    if event.critical is not None:
        return words.joined("space", Msg("form.critical"), event.critical.value, event.critical.unit)
    return ""
