"""One unit of blood: taken in, checked by two at the bed, started, watched.

Which of these it is follows from where the unit stands. Both persons scan for themselves at the bed: the
first one wristband, unit and slip, then looks at the bag; the second one the same three, then types her PIN.
"""

from __future__ import annotations

from dataclasses import replace

from clinical.bedside_check.model import Action, CheckResult, Reading, Right, Scan, Witness
from clinical.care_policy import BloodPolicy
from clinical.care_records import BloodUnit
from clinical.exchange import InfusionStarted
from clinical.identifiers import Kind, resolve
from clinical.records import FLOWING, Infusion, Order, Patient, Practitioner, Task
from pda_app.ids import uuid7
from pda_app.presenters import check_words, measures, words
from pda_app.presenters import draft as drafts
from pda_app.presenters.asked import Asked
from pda_app.presenters.care import plan, timers
from pda_app.presenters.desk import Desk
from pda_app.presenters.draft import Draft
from pda_app.presenters.states import (
    CareLine,
    ChoiceGroup,
    Msg,
    NumberLine,
    PersonRow,
    PersonTable,
    StepMark,
    Text,
)

_ACTIONS = {
    "issued": Action.BLOOD_RECEIVE, "received": Action.BLOOD_CHECK, "checked": Action.BLOOD_START,
    "running": Action.BLOOD_OBS,
}  # fmt: skip
_TWO = frozenset({Action.BLOOD_RECEIVE, Action.BLOOD_CHECK})
WRONG = ("leak", "clot", "colour")
SYMPTOMS = ("chill", "fever", "rash", "dyspnoea", "back-pain", "dark-urine")
REACTION, BASELINE = "BLD-REACT", "BLD-BASE"
_WRONG_OPEN = "wrong"
_RATE = "rate"


class Blood:
    """The plan of one unit."""

    kind = "transfusion"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    # --- what is asked ------------------------------------------------------------------------------

    def settle(self, draft: Draft) -> Draft:
        """The unit tells which action it is, and the running transfusion."""
        unit = self._unit(draft)
        action = _ACTIONS.get(unit.state, Action.BLOOD_CHECK) if unit is not None else Action.BLOOD_CHECK
        running = self._infusion(unit) if unit is not None and action is Action.BLOOD_OBS else None
        draft = replace(draft, action=action, infusion_id=running.id if running is not None else "")
        vitals = self._vitals(draft)
        rate = drafts.volume(self._text(draft, _RATE)) if action is Action.BLOOD_START else None
        return replace(draft, entered=replace(draft.entered, vitals=vitals, rate_ml_h=rate))

    def band(self, draft: Draft, scan: Scan) -> Draft:
        """The first person's wristband scan, or the second one's own."""
        if self._second_turn(draft) and draft.witness is not None:
            return self._own(draft, draft.witness, scan, "wristband")
        return draft.another(patient_scan=scan)

    def item(self, draft: Draft, scan: Scan) -> Draft:
        """First the unit, then the slip; each person for herself."""
        number = self._donation(scan)
        if self._second_turn(draft) and draft.witness is not None:
            seen = {one.source for one in draft.witness.scans}
            return self._own(draft, draft.witness, scan, "slip" if "unit" in seen else "unit")
        have = {one.source for one in draft.items}
        if not number and have:  # product, group or expiry of the bag at hand
            return draft.another(items=(*draft.items, scan))
        slip = "unit" in have and "slip" not in have and draft.action in _TWO
        if slip:
            return draft.another(items=(*draft.items, replace(scan, source="slip")))
        return draft.another(items=(replace(scan, source="unit"),))

    def choose(self, draft: Draft, group: str, code: str) -> Draft:
        """What was looked at, what is wrong, what the patient shows, and where the line is."""
        entered = draft.entered
        match group:
            case "look":
                return plan.entered(draft, checks=plan.toggled(entered.checks, code))
            case "wrong" | "symptom":
                return plan.entered(draft, symptoms=plan.toggled(entered.symptoms, code))
            case "site":
                return draft.unanswered(site=code)
            case "other":
                return replace(draft, texts=(*draft.texts, (_WRONG_OPEN, "1")))
            case _:
                return draft

    def second_ready(self, draft: Draft) -> bool:
        """At the bed she has scanned wristband, unit and slip herself, and they are the same."""
        witness = draft.witness
        if witness is None or draft.action is not Action.BLOOD_CHECK:
            return bool(draft.items) or draft.patient_scan is not None
        own = {one.source: one for one in witness.scans}
        if not {"wristband", "unit", "slip"} <= own.keys() or draft.patient_scan is None:
            return False
        mine = plan.patient_of(self._desk, draft.patient_scan)
        same = {self._donation(own["unit"]), self._donation(own["slip"])}
        theirs = plan.patient_of(self._desk, own["wristband"])
        return mine is not None and theirs is mine and same == {self._donation(draft.items[0])}

    def missing(self, draft: Draft, result: CheckResult) -> Text:
        """The second person, and what she has not scanned yet."""
        if any(one.code == BASELINE for one in check_words.standing(result)):
            return Msg("need.vitals")
        if draft.action not in _TWO or result.needs or not draft.items:
            return ""
        if draft.witness is None:
            return Msg("bedside.second-badge")
        seen = {one.source for one in draft.witness.scans}
        todo = [one for one in ("wristband", "unit", "slip") if one not in seen]
        if draft.action is Action.BLOOD_CHECK and todo:
            return Msg.of(f"blood.second-scans-{todo[0]}", name=self._desk.person_name(draft.witness.id))
        return ""

    def event(self, draft: Draft, asked: Asked) -> plan.CareEvent | None:
        """The step of the unit; a start is that of an infusion."""
        if draft.action is Action.BLOOD_START:
            return self._start(draft, asked)
        unit = self._unit(draft)
        return plan.recorded(self._desk, draft, asked, unit.id) if unit is not None else None

    def _start(self, draft: Draft, asked: Asked) -> InfusionStarted | None:
        result, unit = asked.result, self._unit(draft)
        order = self._desk.book.get(Order, result.order_id)
        volume = (unit.volume_ml if unit is not None else None) or (order.volume_ml if order else None)
        if unit is None or order is None or result.rate_ml_h is None or volume is None:
            return None
        base = self._desk.event_base()
        return InfusionStarted(
            **base,
            request=asked.request,
            infusion_id=uuid7(base["at"]),
            task_id=result.task_id,
            order_id=order.id,
            order_version=order.version,
            bag_id=unit.id,
            rate_ml_h=result.rate_ml_h,
            drops_per_ml=order.drops_per_ml or self._desk.book.policy.care.infusion.drops_per_ml,
            volume_ml=volume,
            site=draft.site,
            lease_id=asked.lease.id if asked.lease else "",
        )

    # --- what is known ------------------------------------------------------------------------------

    @property
    def _policy(self) -> BloodPolicy:
        return self._desk.book.policy.care.blood

    def _unit(self, draft: Draft) -> BloodUnit | None:
        """The unit that was scanned; else the only open one of the task's order."""
        units = self._desk.book.all(BloodUnit)
        numbers = {self._donation(one) for one in draft.items} - {""}
        if numbers:
            mine = [one for one in units if one.donation in numbers]
            return mine[0] if len(mine) == 1 else None
        task = self._desk.book.get(Task, draft.task_id)
        open_now = [
            one
            for one in units
            if task is not None and one.order_id == task.order_id and one.state in _ACTIONS
        ]
        return open_now[0] if len(open_now) == 1 else None

    def _donation(self, scan: Scan) -> str:
        seen = resolve(scan.raw, symbology=scan.symbology, prefixes=self._desk.book.policy.prefixes)
        if seen.kind == Kind.ISBT128:
            return seen.value if seen.valid else ""
        known = {one.donation for one in self._desk.book.all(BloodUnit)}
        return scan.raw.strip() if scan.raw.strip() in known else ""

    def _infusion(self, unit: BloodUnit) -> Infusion | None:
        some = self._desk.book.all(Infusion)
        return next((one for one in some if one.bag_id == unit.id and one.state in FLOWING), None)

    @staticmethod
    def _second_turn(draft: Draft) -> bool:
        return draft.action is Action.BLOOD_CHECK and draft.witness is not None and not draft.confirmations

    @staticmethod
    def _own(draft: Draft, witness: Witness, scan: Scan, source: str) -> Draft:
        kept = tuple(one for one in witness.scans if one.source != source)
        return replace(draft, witness=replace(witness, scans=(*kept, replace(scan, source=source))))

    @staticmethod
    def _text(draft: Draft, key: str) -> str:
        return next((value for name, value in draft.texts if name == key), "")

    def _wrong(self, draft: Draft) -> bool:
        """Something about the bag was said to be wrong, or is about to be."""
        return bool(self._text(draft, _WRONG_OPEN))

    def _vitals(self, draft: Draft) -> tuple[Reading, ...]:
        """What was typed, each with the time it was typed at."""
        before = {(one.code, one.value): one for one in draft.entered.vitals}
        found = []
        for name, measure in measures.MEASURES.items():
            value = measures.read(name, self._text(draft, name)) if self._text(draft, name) else None
            if value is not None:
                made = Reading(code=measure.code, value=value, at=self._desk.now())
                found.append(before.get((measure.code, value), made))
        return tuple(found)

    # --- drawing ------------------------------------------------------------------------------------

    def parts(self, draft: Draft, asked: Asked) -> plan.Parts:
        """Draw the step the unit is at."""
        name = _NAMES[draft.action]
        order = plan.order_of(self._desk, draft, asked.result)
        reaction = any(one.code == REACTION for one in check_words.standing(asked.result))
        unit = self._unit(draft)
        return plan.Parts(
            page_title=Msg(f"blood.title-{name}"),
            word=Msg(f"blood.word-{name}"),
            record=Msg("blood.record-reaction" if reaction else f"blood.record-{name}"),
            hint=Msg("blood.hint"),
            item=Msg("blood.scan-unit"),
            title=plan.heading(self._desk, order),
            detail=self._detail(order, unit),
            steps=self._steps(unit),
            timer=timers.watch(self._desk, draft.infusion_id) if draft.infusion_id else None,
            lines=self._lines(asked.result, unit) if unit is not None else (),
            table=self._table(draft, asked.result) if draft.action in _TWO else None,
            numbers=self._numbers(draft, asked.result),
            groups=self._groups(draft, asked.result),
            other=self._other(draft),
            alarming=reaction and bool(asked.result.patient_id),
        )

    def _other(self, draft: Draft) -> Text:
        if draft.infusion_id:
            return Msg("blood.end")
        if draft.action in _TWO and draft.items and not self._wrong(draft):
            return Msg("blood.wrong")
        return ""

    def _steps(self, unit: BloodUnit | None) -> tuple[StepMark, ...]:
        states = tuple(_ACTIONS)
        at = states.index(unit.state) if unit is not None and unit.state in states else 1
        return plan.steps(*((Msg(f"blood.step-{state}"), index < at) for index, state in enumerate(states)))

    def _detail(self, order: Order | None, unit: BloodUnit | None) -> Text:
        volume = unit.volume_ml if unit is not None else order.volume_ml if order is not None else None
        amount = words.joined("space", words.number(volume), "mL") if volume is not None else ""
        rate = order.rate_ml_h if order is not None else None
        speed = words.joined("space", words.number(rate), "mL/h") if rate is not None else ""
        return words.joined("dot", amount, speed, unit.donation if unit is not None else "")

    def _lines(self, result: CheckResult, unit: BloodUnit) -> tuple[CareLine, ...]:
        """Who, which bag, group against group, and how long it lasts."""
        desk = self._desk
        patient = desk.book.get(Patient, result.patient_id)
        mine = patient.blood_group if patient is not None else ""
        group = Msg.of("blood.groups", patient=mine or "--", unit=unit.group) if patient is not None else ""
        fits = Msg(f"blood.crossmatch-{unit.crossmatch}") if unit.crossmatch else Msg("blood.crossmatch-none")
        until = unit.expires_at.astimezone(desk.zone).strftime("%Y-%m-%d %H:%M")
        issued = Msg.of("blood.issued", time=desk.hhmm(unit.issued_at)) if unit.issued_at else ""
        return (
            plan.line(result, Right.SAFETY, "blood", Msg("blood.group"), group, desk=desk, evidence=fits),
            plan.line(result, Right.DRUG, "planned", Msg("blood.expires"), until, desk=desk, evidence=issued),
        )

    def _table(self, draft: Draft, result: CheckResult) -> PersonTable | None:
        """One row a thing that is compared, one column a person."""
        desk, witness = self._desk, draft.witness
        if desk.session is None:
            return None
        at_bed = draft.action is Action.BLOOD_CHECK
        mine = {one.source for one in draft.items} | ({"wristband"} if draft.patient_scan else set())
        looked = not set(self._policy.unit_checks) - set(draft.entered.checks)
        mine |= {"look"} if looked else set()
        hers = {one.source for one in witness.scans} if witness is not None else set()
        hers |= {"look"} if draft.confirmations else set()  # her PIN says that she has looked
        first = ("wristband", "unit", "slip", "look") if at_bed else ("unit", "slip", "look")
        second = first if at_bed else ("look",)
        turn = witness is not None
        person = desk.book.get(Practitioner, witness.id) if witness is not None else None
        return PersonTable(
            first=desk.session.practitioner.name,
            first_count=f"{len(mine & set(first))}/{len(first)}",
            second=person.name if person is not None else Msg("blood.second"),
            second_count=f"{len(hers & set(second))}/{len(second)}",
            rows=tuple(
                PersonRow(
                    icon=_ICONS[name],
                    text=Msg(f"blood.row-{name}"),
                    detail=self._said(name, draft, result),
                    first=_mark(name, first, mine, turn=not turn),
                    second=_mark(name, second, hers, turn=turn),
                )
                for name in first
            ),
        )

    def _said(self, name: str, draft: Draft, result: CheckResult) -> Text:
        patient = self._desk.book.get(Patient, result.patient_id)
        if name == "wristband":
            return patient.mrn if patient is not None and draft.patient_scan is not None else ""
        scan = next((one for one in draft.items if one.source == name), None)
        return self._donation(scan) if scan is not None else ""

    def _numbers(self, draft: Draft, result: CheckResult) -> tuple[NumberLine, ...]:
        if draft.action not in {Action.BLOOD_START, Action.BLOOD_OBS} or not result.patient_id:
            return ()
        policy, starts = self._policy, draft.action is Action.BLOOD_START
        minutes = policy.baseline_max if starts else policy.monitor_fresh
        fields = tuple(
            measures.field(self._desk, result.patient_id, name, self._text(draft, name), minutes)
            for name in policy.baseline_codes
        )
        return (*fields, self._rate_field(draft, result)) if starts else fields

    def _rate_field(self, draft: Draft, result: CheckResult) -> NumberLine:
        """With what the order says until something else is typed."""
        text = self._text(draft, _RATE)
        order = plan.order_of(self._desk, draft, result)
        shown = text or (words.number(order.rate_ml_h) if order is not None and order.rate_ml_h else "")
        limit = Msg.of("blood.slow", limit=str(self._policy.slow_ml_h), minutes=str(self._policy.quarter))
        bad = bool(text) and drafts.volume(text) is None
        return NumberLine(
            key=_RATE, label=Msg("blood.rate"), number=shown, unit="mL/h", note=limit,
            error=Msg("blood.rate-bad") if bad else "",
        )  # fmt: skip

    def _groups(self, draft: Draft, result: CheckResult) -> tuple[ChoiceGroup, ...]:
        entered = draft.entered
        looked = not set(self._policy.unit_checks) - set(entered.checks)
        if draft.action in _TWO and draft.items and (not looked or entered.symptoms or self._wrong(draft)):
            looks = ((code, Msg(f"look.{code}")) for code in self._policy.unit_checks)
            found = [plan.group("look", Msg("blood.look"), looks, entered.checks, many=True)]
            if self._wrong(draft):
                wrong = ((code, Msg(f"look.{code}")) for code in WRONG)
                found.append(plan.group("wrong", Msg("blood.what-wrong"), wrong, entered.symptoms, many=True))
            return tuple(found)
        if draft.action is Action.BLOOD_START and result.patient_id:
            sites = ((code, Msg(f"site.{code}")) for code in self._desk.book.policy.care.infusion.sites)
            return (plan.group("site", Msg("blood.where"), sites, (draft.site,)),)
        if draft.action is Action.BLOOD_OBS and result.patient_id:
            seen = ((code, Msg(f"symptom.{code}")) for code in SYMPTOMS)
            return (plan.group("symptom", Msg("blood.symptoms"), seen, entered.symptoms, many=True),)
        return ()


_NAMES = {
    Action.BLOOD_RECEIVE: "receive", Action.BLOOD_CHECK: "check", Action.BLOOD_START: "start",
    Action.BLOOD_OBS: "watch",
}  # fmt: skip
_ICONS = {
    "wristband": "patient", "unit": "blood", "slip": "clipboard-list-outline", "look": "patrol",
}  # fmt: skip


def _mark(name: str, wanted: tuple[str, ...], done: set[str], *, turn: bool) -> str:
    """One cell: not this person's, done, the next one, or later."""
    if name not in wanted:
        return "none"
    if name in done:
        return "ok"
    first = next(one for one in wanted if one not in done)
    return "now" if turn and first == name else "later"
