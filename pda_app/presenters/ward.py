"""N3: the ward as bed cards; the edge of a card tells the worst open thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from clinical.records import LEAVING, Alarm, AlarmPriority, Encounter, Patient
from pda_app.presenters import infusions, tasks, words
from pda_app.presenters.alarm_words import cause, is_open
from pda_app.presenters.desk import Desk
from pda_app.presenters.observable import Observable
from pda_app.presenters.states import BedCard, Chip, Counter, Msg, Picture, Tone, WardState
from pda_app.presenters.tasks import Standing

_FILTERS = ("all", "alarm", "infusion", "overdue")


class Ward(Observable[WardState]):
    """All beds in walking order."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(WardState())
        self._desk = desk
        self._filter = "all"

    def show(self, counter: str) -> None:
        """A counter was touched: all, alarm, infusion or overdue."""
        if counter in _FILTERS:
            self._filter = counter
            self.refresh()

    def search(self, text: str) -> None:
        """By name, its Latin spelling or initials, or bed."""
        self._set(replace(self.state, query=text))
        self.refresh()

    def reset(self) -> None:
        """Another nurse begins with the whole ward."""
        self._filter = "all"
        self._set(WardState())

    def refresh(self) -> None:
        """Draw again from the newest facts and time."""
        if self._desk.picture is not Picture.HERE:
            self._set(replace(self.state, cards=(), empty=self._desk.unread(), picture=self._desk.picture,
                              counters=self._counters(dict.fromkeys(_FILTERS))))  # fmt: skip
            return
        cards = self._cards()
        members = {
            "all": [bed for bed, card in cards.items() if card.patient_id],
            "alarm": self._alarm_beds(),
            "infusion": [bed for bed, card in cards.items() if card.infusion is not None],
            "overdue": self._overdue_beds(),
        }
        query = self.state.query.strip()
        shown = [
            card
            for bed, card in cards.items()
            if (self._filter == "all" or bed in members[self._filter]) and self._meant(card, query)
        ]
        empty = Msg.of("ward.empty-search", query=query) if query else Msg(f"ward.empty-{self._filter}")
        self._set(
            replace(
                self.state,
                counters=self._counters({name: len(set(beds)) for name, beds in members.items()}),
                cards=tuple(shown),
                empty="" if shown else empty,
                picture=Picture.HERE,
            )
        )

    def _counters(self, counts: Mapping[str, int | None]) -> tuple[Counter, ...]:
        return tuple(
            Counter(
                id=name,
                count=count,
                text=Msg(f"ward.{name}"),
                selected=name == self._filter,
                tone=Tone.BAD if name in {"alarm", "overdue"} and count else Tone.PLAIN,
            )
            for name, count in counts.items()
        )

    def _meant(self, card: BedCard, query: str) -> bool:
        patient = self._desk.book.get(Patient, card.patient_id)
        if patient is None:
            return not query or card.bed.lstrip("0") == query.lstrip("0")
        return words.matches(patient, card.bed, query)

    def _cards(self) -> dict[str, BedCard]:
        here = {"in-progress", LEAVING}
        stays = {stay.bed: stay for stay in self._desk.book.all(Encounter) if stay.status in here}
        by_patient: dict[str, list[Standing]] = {}
        for one in tasks.standings(self._desk):
            by_patient.setdefault(one.patient.id, []).append(one)
        beds = list(self._desk.book.ward.beds)
        beds += sorted(bed for bed in stays if bed and bed not in beds)
        return {bed: self._card(bed, stays.get(bed), by_patient) for bed in beds}

    def _card(self, bed: str, stay: Encounter | None, by_patient: dict[str, list[Standing]]) -> BedCard:
        patient = self._desk.book.get(Patient, stay.patient_id) if stay else None
        if stay is None or patient is None:
            return BedCard(bed=bed, demographics=Msg("ward.empty-bed"))
        standings = by_patient.get(patient.id, [])
        running = infusions.running(self._desk, patient.id)
        line = infusions.line(self._desk, running[0]) if running else None
        alarm = self._worst_alarm(bed)
        age = words.age(patient.birth_date, self._desk.now().date())
        return BedCard(
            bed=bed,
            patient_id=patient.id,
            name=patient.name,
            demographics=words.joined(
                "dot", words.joined("space", words.sex(patient.sex), age), stay.diagnosis
            ),
            edge=_edge(alarm, line.tone if line else Tone.PLAIN, standings),
            care_level=Msg(f"care.{stay.care_level}") if stay.care_level else "",
            risks=words.chips(self._desk.book, patient),
            infusion=line,
            next=self._next_thing(alarm, standings),
        )

    def _next_thing(self, alarm: Alarm | None, standings: list[Standing]) -> Chip | None:
        if alarm is not None:
            return Chip(text=cause(self._desk.book, alarm), tone=Tone.BAD, icon="alarm")
        todo = sorted((one for one in standings if one.status in tasks.OPEN - {"running"}), key=tasks.planned)
        if not todo:
            return None
        row = tasks.row(self._desk, todo[0])
        return Chip(text=words.joined("space", row.time, row.title), tone=row.tone, icon=row.icon)

    def _worst_alarm(self, bed: str) -> Alarm | None:
        rank = [AlarmPriority.HIGH, AlarmPriority.MEDIUM]
        open_here = [one for one in self._desk.book.all(Alarm) if one.bed == bed and is_open(one)]
        return min(
            (one for one in open_here if one.priority in rank),
            key=lambda one: rank.index(one.priority),
            default=None,
        )

    def _alarm_beds(self) -> list[str]:
        return [one.bed for one in self._desk.book.all(Alarm) if is_open(one) and one.bed]

    def _overdue_beds(self) -> list[str]:
        return [one.bed for one in tasks.standings(self._desk) if one.status in tasks.OVERDUE]


def _edge(alarm: Alarm | None, infusion: Tone, standings: list[Standing]) -> Tone:
    statuses = {one.status for one in standings}
    if alarm is not None or infusion is Tone.BAD or statuses & tasks.OVERDUE:
        return Tone.BAD
    return Tone.WARN if infusion is Tone.WARN or statuses & tasks.DUE else Tone.PLAIN
