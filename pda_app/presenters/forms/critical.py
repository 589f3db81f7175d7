"""A critical value from the laboratory: heard, written down, read back, and told to a doctor."""

from __future__ import annotations

from clinical.chart_records import CriticalValue
from clinical.exchange import Charted
from clinical.records import Practitioner
from pda_app.presenters import measures, words
from pda_app.presenters.care import plan
from pda_app.presenters.desk import Desk
from pda_app.presenters.forms.sheet import Sheet, save_button, written
from pda_app.presenters.states import (
    Choice,
    FormState,
    Msg,
    NumberLine,
    QueueLine,
    ReadBack,
    Text,
    TextLine,
    Tone,
)

TESTS: dict[str, str] = {
    "potassium": "mmol/L", "sodium": "mmol/L", "glucose": "mmol/L", "haemoglobin": "g/L",
    "platelets": "10*9/L", "inr": "", "troponin": "ng/mL", "lactate": "mmol/L", "other": "",
}  # fmt: skip
"""What is called most often, with the unit it is called in; anything else is typed as it was heard."""


class CriticalForm:
    """The form of a critical value; it is an event of the outbox, and alarms once the server has it."""

    offline_notice: Text = Msg("critical.offline")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def draw(self, sheet: Sheet) -> FormState:
        """Draw."""
        test = sheet.choice("test")
        tests = ((one, Msg(f"lab.{one}")) for one in TESTS)
        doctors = ((one.id, one.name) for one in self._doctors())
        texts = [
            TextLine(
                key="from",
                label=Msg("critical.from"),
                value=sheet.text("from"),
                hint=Msg("critical.from-hint"),
            )
        ]
        if test == "other":
            texts.insert(
                0,
                TextLine(
                    key="test",
                    label=Msg("critical.test"),
                    value=sheet.text("test"),
                    hint=Msg("critical.test-hint"),
                ),
            )
        number = NumberLine(
            key="value", label=Msg("critical.value"), number=sheet.text("value"), unit=TESTS.get(test, "")
        )
        return FormState(
            groups=(
                plan.group("test", Msg("critical.which"), tests, (test,)),
                plan.group(
                    "doctor",
                    Msg("critical.told"),
                    doctors,
                    (sheet.choice("doctor"),),
                    hint=Msg("critical.told-later"),
                ),
            ),
            numbers=(number,) if test else (),
            texts=tuple(texts),
            read_back=self._read_back(sheet) if not self._gap(sheet) else None,
            lines_title=Msg("critical.open") if self._lines(sheet.patient_id) else "",
            lines=self._lines(sheet.patient_id),
            primary=save_button(Msg("critical.record"), self._missing(sheet)),
        )

    async def save(self, sheet: Sheet) -> None:
        """Put it into the outbox; the server alarms until a doctor has answered."""
        test = sheet.choice("test")
        base = written(self._desk, sheet)
        critical = CriticalValue(
            id=base["id"],
            patient_id=sheet.patient_id,
            test=sheet.text("test").strip() if test == "other" else test,
            value=sheet.text("value"),
            unit=TESTS.get(test, ""),
            reported_by=sheet.text("from").strip(),
            received_by=base["operator"],
            received_at=base["at"],
            doctor=sheet.choice("doctor"),
        )
        await self._desk.sync.record(Charted(**base, critical=critical))

    def _gap(self, sheet: Sheet) -> Text:
        """What is still to be heard."""
        test = sheet.choice("test")
        if not test or (test == "other" and not sheet.text("test").strip()):
            return Msg("critical.choose-test")
        if measures.amount(sheet.text("value")) is None:
            return Msg("critical.enter-value")
        return "" if sheet.text("from").strip() else Msg("critical.enter-from")

    def _missing(self, sheet: Sheet) -> Text:
        gap = self._gap(sheet)
        return gap or (
            "" if sheet.choice("read-back") == self._said(sheet) else Msg("critical.read-back-first")
        )

    @staticmethod
    def _said(sheet: Sheet) -> str:
        """What was read back: when anything of it changes, it has to be read back again."""
        return "|".join((sheet.choice("test"), sheet.text("test"), sheet.text("value")))

    def _read_back(self, sheet: Sheet) -> ReadBack:
        test = sheet.choice("test")
        said = self._said(sheet)
        return ReadBack(
            what=sheet.text("test") if test == "other" else Msg(f"lab.{test}"),
            number=sheet.text("value"),
            unit=TESTS.get(test, ""),
            who=Msg.of("critical.say", name=sheet.text("from").strip()),
            choice=Choice(
                id=f"read-back:{said}",
                text=Msg("critical.confirmed"),
                selected=sheet.choice("read-back") == said,
            ),
        )

    def _doctors(self) -> list[Practitioner]:
        wanted = set(self._desk.book.policy.prescriber_roles)
        return [one for one in self._desk.book.all(Practitioner) if one.active and wanted & set(one.roles)]

    def _lines(self, patient_id: str) -> tuple[QueueLine, ...]:
        """Values of this patient, those without an answer first."""
        mine = [one for one in self._desk.book.all(CriticalValue) if one.patient_id == patient_id]
        mine.sort(key=lambda one: (one.acknowledged_at is not None, -one.received_at.timestamp()))
        return tuple(self._line(one) for one in mine[:3])

    def _line(self, one: CriticalValue) -> QueueLine:
        desk = self._desk
        name: Text = Msg(f"lab.{one.test}") if one.test in TESTS else one.test
        waits = one.acknowledged_at is None
        said = (
            Msg("critical.waits")
            if waits
            else words.joined("space", desk.person_name(one.acknowledged_by), one.action)
        )
        return QueueLine(
            id=one.id,
            number="",
            title=words.joined("space", name, one.value, one.unit),
            detail=Msg.of(
                "critical.taken", time=desk.hhmm(one.received_at), name=desk.person_name(one.received_by)
            ),
            trailing=said,
            tone=Tone.BAD if waits else Tone.OK,
        )
