"""N2: today's work, by patient or by time, with counters that are filters."""

from __future__ import annotations

from dataclasses import replace

from pda_app.presenters import tasks, words
from pda_app.presenters.desk import Desk
from pda_app.presenters.observable import Observable
from pda_app.presenters.states import Counter, Msg, Picture, TaskGroup, Text, TodayState, Tone
from pda_app.presenters.tasks import Standing

_FILTERS = {"all": tasks.OPEN, "overdue": tasks.OVERDUE, "due": tasks.DUE, "done": tasks.DONE}


class Today(Observable[TodayState]):
    """The list a nurse works from."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(TodayState())
        self._desk = desk
        self._filter = "all"

    def show(self, counter: str) -> None:
        """A counter was touched: all, overdue, due or done."""
        if counter in _FILTERS:
            self._filter = counter
            self.refresh()

    def arrange(self, how: str) -> None:
        """By ``patient`` or by ``time``."""
        if how in {"patient", "time"}:
            self._set(replace(self.state, arrangement=how))
            self.refresh()

    def search(self, text: str) -> None:
        """By name, its Latin spelling or initials, or bed."""
        self._set(replace(self.state, query=text))
        self.refresh()

    def reset(self) -> None:
        """Another nurse begins with the whole list."""
        self._filter = "all"
        self._set(TodayState())

    def refresh(self) -> None:
        """Draw again from the newest facts and time."""
        query = self.state.query
        everything = [
            one for one in tasks.standings(self._desk) if words.matches(one.patient, one.bed, query)
        ]
        shown = [one for one in everything if one.status in _FILTERS[self._filter]]
        by_time = self.state.arrangement == "time"
        self._set(
            replace(
                self.state,
                counters=self._counters(everything),
                groups=() if by_time else self._groups(shown),
                rows=tasks.rows(self._desk, sorted(shown, key=tasks.planned)) if by_time else (),
                empty="" if shown else self._empty(),
                picture=self._desk.picture,
            )
        )

    def _empty(self) -> Text:
        query = self.state.query.strip()
        found = Msg.of("today.empty-search", query=query) if query else Msg(f"today.empty-{self._filter}")
        return self._desk.unread() or found

    def _counters(self, everything: list[Standing]) -> tuple[Counter, ...]:
        tones = {"overdue": Tone.BAD, "due": Tone.WARN}
        known = self._desk.picture is Picture.HERE
        return tuple(
            Counter(
                id=name,
                count=sum(one.status in statuses for one in everything) if known else None,
                text=Msg(f"today.{name}"),
                selected=name == self._filter,
                tone=tones.get(name, Tone.PLAIN),
            )
            for name, statuses in _FILTERS.items()
        )

    def _groups(self, shown: list[Standing]) -> tuple[TaskGroup, ...]:
        by_patient: dict[str, list[Standing]] = {}
        for one in shown:
            by_patient.setdefault(one.patient.id, []).append(one)
        return tuple(self._group(group) for group in by_patient.values())

    def _group(self, group: list[Standing]) -> TaskGroup:
        first = group[0]
        return TaskGroup(
            patient_id=first.patient.id,
            bed=first.bed,
            name=first.patient.name,
            age=words.age(first.patient.birth_date, self._desk.now().date()),
            chips=words.chips(self._desk.book, first.patient)[:2],
            rows=tasks.rows(self._desk, group),
        )
