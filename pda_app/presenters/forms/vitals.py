"""Vital signs as they are measured by hand, with the NEWS2 they make while they are entered."""

from __future__ import annotations

from decimal import Decimal

from clinical.chart_records import Observed, ObservedSet
from clinical.codes import CODES
from clinical.errors import NotFoundError
from clinical.exchange import Charted
from clinical.records import Observation, Patient, age_years
from clinical.scores.model import Score
from clinical.scores.news2 import MAX_AGE_MIN, news2
from pda_app.presenters import measures, words
from pda_app.presenters.care import plan
from pda_app.presenters.desk import Desk
from pda_app.presenters.forms.sheet import Sheet, save_button, written
from pda_app.presenters.states import FormState, Msg, NumberLine, ScoreView, Text, Tone

FIELDS = ("temperature", "pulse", "respiration", "saturation", "systolic", "diastolic")
CONSCIOUSNESS = ("A", "C", "V", "P", "U")
"""In the order of their numbers in the table of codes: 0 to 4."""
OXYGEN = ("air", "oxygen")
_CODE_OF = {"oxygen": "MDCX_OXYGEN", "consciousness": "MDCX_CONSCIOUSNESS"}
_OPTIONS = {"oxygen": OXYGEN, "consciousness": CONSCIOUSNESS}
_INPUTS = {
    "rr": "respiration", "spo2": "saturation", "sbp": "systolic", "pulse": "pulse", "temp_c": "temperature",
}  # fmt: skip
_TONES = {"low": Tone.OK, "low_medium": Tone.WARN, "medium": Tone.WARN, "high": Tone.BAD}


class VitalsForm:
    """The form of vital signs; a set is one event of the outbox."""

    offline_notice: Text = ""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def draw(self, sheet: Sheet) -> FormState:
        """Draw."""
        return FormState(
            score=self._score(sheet),
            numbers=tuple(self._field(sheet, name) for name in FIELDS),
            groups=tuple(
                plan.group(
                    name, Msg(f"vitals.{name}"), ((one, Msg(f"vitals.{one}")) for one in options),
                    (self._code(sheet, name),),
                    hint=Msg("vitals.for-score"),
                )
                for name, options in _OPTIONS.items()
            ),
            primary=save_button(Msg("vitals.record"), self._missing(sheet)),
        )  # fmt: skip

    async def save(self, sheet: Sheet) -> None:
        """Put what was entered into the outbox, at the time it was found."""
        stay = words.encounter_of(self._desk.book, sheet.patient_id)
        if stay is None:
            raise NotFoundError("encounter", "this stay is not known; refresh the ward")
        observed = ObservedSet(encounter_id=stay.id, values=self._values(sheet))
        await self._desk.sync.record(Charted(**written(self._desk, sheet), observed=observed))

    def _values(self, sheet: Sheet) -> tuple[Observed, ...]:
        found = []
        for name in FIELDS:
            value = measures.read(name, sheet.text(name)) if sheet.text(name) else None
            if value is not None:
                found.append(_observed(measures.MEASURES[name].code, value))
        for name, options in _OPTIONS.items():
            if sheet.choice(name) in options:
                found.append(_observed(_CODE_OF[name], Decimal(options.index(sheet.choice(name)))))
        return tuple(found)

    def _missing(self, sheet: Sheet) -> Text:
        typed = [name for name in FIELDS if sheet.text(name)]
        if any(measures.read(name, sheet.text(name)) is None for name in typed):
            return Msg("vitals.correct")
        return "" if self._values(sheet) else Msg("vitals.enter")

    def _field(self, sheet: Sheet, name: str) -> NumberLine:
        return measures.field(self._desk, sheet.patient_id, name, sheet.text(name), MAX_AGE_MIN)

    # --- the score ----------------------------------------------------------------------------------

    def _score(self, sheet: Sheet) -> ScoreView:
        """The score of what is entered, and of what was measured within the last hour where nothing is."""
        patient = self._desk.book.get(Patient, sheet.patient_id)
        age = (
            age_years(patient.birth_date, self._desk.now().date()) if patient and patient.birth_date else None
        )
        values = {one: self._value(sheet, name) for one, name in _INPUTS.items()}
        oxygen, mind = self._code(sheet, "oxygen"), self._code(sheet, "consciousness")
        score = news2(
            age=age,
            rr=values["rr"],
            spo2=values["spo2"],
            sbp=values["sbp"],
            pulse=values["pulse"],
            temp_c=values["temp_c"],
            on_oxygen=oxygen == "oxygen" if oxygen else None,
            consciousness=mind or None,
        )
        missing = [name for one, name in _INPUTS.items() if values[one] is None]
        missing += [name for name, code in (("oxygen", oxygen), ("consciousness", mind)) if not code]
        return _view(score, missing)

    def _value(self, sheet: Sheet, name: str) -> float | None:
        text = sheet.text(name)
        if text:
            value = measures.read(name, text)
            return float(value) if value is not None else None
        seen = measures.monitored(self._desk, sheet.patient_id, name, MAX_AGE_MIN)
        return float(seen.value) if seen is not None and seen.value is not None else None

    def _code(self, sheet: Sheet, name: str) -> str:
        """What was chosen, else what was written down within the last hour."""
        if sheet.choice(name):
            return sheet.choice(name)
        now, options = self._desk.now(), _OPTIONS[name]
        known = (
            one
            for one in self._desk.book.all(Observation)
            if one.patient_id == sheet.patient_id and one.code == _CODE_OF[name] and one.value is not None
        )
        newest = max(known, key=lambda one: one.effective, default=None)
        if newest is None or newest.value is None:
            return ""
        old = not 0 <= (now - newest.effective).total_seconds() <= MAX_AGE_MIN * 60
        index = int(newest.value)
        return "" if old or not 0 <= index < len(options) else options[index]


def _view(score: Score, missing: list[str]) -> ScoreView:
    if score.total is None:
        names = (Msg(f"measure.{one}") if one in FIELDS else Msg(f"vitals.{one}-short") for one in missing)
        lacking = words.joined("list", *names)
        detail = Msg.of("vitals.lacking", list=lacking) if missing else Msg("vitals.not-for")
        return ScoreView(number="--", word=Msg("vitals.no-score"), detail=detail, tone=Tone.PLAIN)
    tier = score.tier or "low"
    red = words.joined(
        "list", *(Msg(f"measure.{_INPUTS[one]}") for one in score.red_params if one in _INPUTS)
    )
    alone: Text = Msg.of("vitals.red", list=red) if red else ""
    return ScoreView(
        number=str(score.total), word=Msg(f"vitals.tier-{tier}"), detail=alone, tone=_TONES[tier]
    )


def _observed(code: str, value: Decimal) -> Observed:
    return Observed(code=code, value=value, unit=CODES[code].ucum)
