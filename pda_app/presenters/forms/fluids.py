"""Intake and output: one amount at a time, with the sums of this shift and this day."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from clinical import fluid_balance
from clinical.chart_records import FluidRecord
from clinical.exchange import Charted
from clinical.fluid_balance import INTAKE, OUTPUT, FluidEntry, Period
from clinical.records import Administration
from pda_app.presenters import draft, words
from pda_app.presenters.care import plan
from pda_app.presenters.desk import Desk
from pda_app.presenters.forms.sheet import Sheet, save_button
from pda_app.presenters.states import FormState, Msg, NumberLine, QueueLine, Text

KINDS = {
    INTAKE: ("oral", "tube-feed", "other-in"),
    OUTPUT: ("urine", "stool", "vomit", "drain", "other-out"),
}
_DIRECTION = {kind: direction for direction, kinds in KINDS.items() for kind in kinds}
_ENDED_BAGS = frozenset({"completed", "stopped-early"})
_SHOWN = 4


class FluidsForm:
    """The form of amounts; each is an event of the outbox."""

    offline_notice: Text = ""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def draw(self, sheet: Sheet) -> FormState:
        """Draw."""
        amount, bad = sheet.text("ml"), sheet.text("ml") and self._ml(sheet) is None
        field = NumberLine(
            key="ml", label=Msg("fluids.amount"), number=amount, unit="mL",
            error=Msg("fluids.amount-bad") if bad else "",
        )  # fmt: skip
        groups = tuple(
            plan.group(
                "kind", Msg(f"fluids.{direction}"), ((one, Msg(f"fluid.{one}")) for one in kinds),
                (sheet.choice("kind"),),
            )
            for direction, kinds in KINDS.items()
        )  # fmt: skip
        kind = sheet.choice("kind")
        text = Msg.of("fluids.record-kind", kind=Msg(f"fluid.{kind}")) if kind else Msg("fluids.record")
        return FormState(
            numbers=(field,),
            groups=groups,
            lines_title=self._sums(sheet.patient_id),
            lines=self._lines(sheet.patient_id),
            primary=save_button(text, self._missing(sheet)),
        )

    async def save(self, sheet: Sheet) -> None:
        """Put the amount into the outbox."""
        ml, kind = self._ml(sheet), sheet.choice("kind")
        if ml is None or kind not in _DIRECTION:
            return
        base = self._desk.event_base()
        fluid = FluidRecord(
            id=base["id"], patient_id=sheet.patient_id, at=base["at"], by=base["operator"],
            direction=_DIRECTION[kind], kind=kind.removesuffix("-in").removesuffix("-out"), ml=ml,
        )  # fmt: skip
        await self._desk.sync.record(Charted(**base, fluid=fluid))

    @staticmethod
    def _ml(sheet: Sheet) -> Decimal | None:
        return draft.volume(sheet.text("ml"))

    def _missing(self, sheet: Sheet) -> Text:
        if sheet.choice("kind") not in _DIRECTION:
            return Msg("fluids.choose")
        return Msg("fluids.amount-bad") if self._ml(sheet) is None else ""

    # --- sums ---------------------------------------------------------------------------------------

    def _mine(self, patient_id: str) -> list[FluidRecord]:
        """Every line of this patient that was not corrected since, newest first."""
        known = [one for one in self._desk.book.all(FluidRecord) if one.patient_id == patient_id]
        replaced = {one.replaces for one in known}
        return sorted((one for one in known if one.id not in replaced), key=lambda one: one.at, reverse=True)

    def _entries(self, patient_id: str) -> list[FluidEntry]:
        """What was written down, and the bags that ended with what really went in."""
        written = [
            FluidEntry(at=one.at, direction=one.direction, kind=one.kind, ml=one.ml)
            for one in self._mine(patient_id)
        ]
        bags = (one for one in self._desk.book.all(Administration) if one.patient_id == patient_id)
        return written + [
            FluidEntry(at=one.at, direction=INTAKE, kind="infusion", ml=max(one.dose.value, Decimal(0)))
            for one in bags
            if one.outcome in _ENDED_BAGS and one.dose is not None and one.dose.unit == "mL"
        ]

    def _sums(self, patient_id: str) -> Text:
        now, entries = self._desk.now(), self._entries(patient_id)
        shift = fluid_balance.balance(entries, self._shift(now))
        sign = "+" if shift.net_ml > 0 else ""
        return Msg.of(
            "fluids.shift",
            intake=words.number(shift.intake_ml),
            output=words.number(shift.output_ml),
            net=sign + words.number(shift.net_ml),
        )

    def _shift(self, now: datetime) -> Period:
        policy, today = self._desk.book.policy, now.astimezone(self._desk.zone).date()
        for day in (today, today.fromordinal(today.toordinal() - 1)):
            for shift in fluid_balance.shifts(day, policy.zone, policy.care.fluids):
                if shift.start <= now < shift.end:
                    return shift
        return fluid_balance.whole_day(today, policy.zone, policy.care.fluids)

    def _lines(self, patient_id: str) -> tuple[QueueLine, ...]:
        return tuple(
            QueueLine(
                id=one.id,
                number="",
                title=words.joined("space", Msg(f"fluids.{one.direction}-short"), Msg(f"fluid.{one.kind}")),
                detail=words.joined("dot", self._desk.hhmm(one.at), self._desk.person_name(one.by)),
                trailing=words.joined("space", words.number(one.ml), "mL"),
            )
            for one in self._mine(patient_id)[:_SHOWN]
        )
