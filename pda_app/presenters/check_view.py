"""From draft and answer to everything the medication check shows."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from clinical.bedside_check.model import Action, CheckResult, Finding, Right, Word
from clinical.care_policy import InfusionPolicy
from clinical.infusion import arithmetic
from clinical.records import Device, Order, Patient, Task
from pda_app.presenters import check_words, second, tasks, words
from pda_app.presenters.desk import Desk
from pda_app.presenters.draft import Draft
from pda_app.presenters.states import (
    Button,
    CheckState,
    Choice,
    Msg,
    NotGivenSheet,
    ReasonSheet,
    StartForm,
    TaskRow,
    Text,
    Tone,
    Verdict,
)

if TYPE_CHECKING:
    from pda_app.presenters.asked import Asked

STARTS = frozenset({Action.START, Action.BLOOD_START})
"""What opens a bag, and is recorded as an infusion."""
_RECORD = {
    Action.START: "check.start", Action.BLOOD_START: "check.start-blood",
    Action.REMOVE: "check.record-removed", Action.PRN_EFFECT: "check.record-effect",
}  # fmt: skip
OUTCOMES = {"held": Action.HOLD, "refused": Action.REFUSE, "not-given": Action.NOT_GIVEN}


@dataclass(frozen=True, slots=True, kw_only=True)
class NotGiven:
    """The sheet as filled so far."""

    outcome: str = ""
    reason: str = ""
    text: str = ""

    @property
    def action(self) -> Action:
        """The action of this outcome."""
        return OUTCOMES[self.outcome]

    @property
    def complete(self) -> bool:
        """An outcome and a reason; "other" needs words."""
        return (
            self.outcome in OUTCOMES
            and bool(self.reason)
            and (self.reason != "other" or bool(self.text.strip()))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a bag starts with."""

    rate_ml_h: Decimal
    drops_per_ml: int
    volume_ml: Decimal


class CheckView:
    """Stateless: draws what it is given."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def gives(self, asked: Asked) -> bool:
        """Whether this answer lets the nurse record."""
        return asked.phase == "settled" and asked.result.word is Word.GIVE

    def needs_input(self, asked: Asked) -> bool:
        """Whether nothing speaks against going on yet, and something is still missing."""
        return (
            bool(asked.result.needs) and not check_words.standing(asked.result) and asked.phase == "settled"
        )

    def state(
        self, draft: Draft, asked: Asked | None, not_given: NotGiven | None, *, busy: bool, recorded: bool
    ) -> CheckState:
        """Everything on the screen."""
        if asked is None:
            return CheckState()
        result = asked.result
        order = self._order(draft, result)
        hidden = self._patient_stop(result)
        patient = None if hidden else self._patient(draft, result)
        now = self._desk.now()
        return CheckState(
            kind="infusion" if asked.request.action in STARTS else "medication",
            banner=words.banner(self._desk.book, patient, now) if patient else None,
            allergy=words.allergy_strip(self._desk.book, patient) if patient else None,
            title=words.order_title(self._desk.book, order) if order and not hidden else "",
            detail=words.order_detail(order) if order and not hidden else "",
            time=self._planned(draft, result) if not hidden else "",
            instruction=order.instruction if order and not hidden else "",
            rows=check_words.right_lines(self._desk, draft, result),
            findings=check_words.finding_lines(self._desk, result),
            candidates=self._candidates(result),
            start=self._start_form(draft, result, order) if order and not hidden else None,
            prn_reasons=self._prn(draft, result),
            reasons=self._reasons(draft, result),
            not_given=self._sheet(not_given) if not_given is not None else None,
            witness=second.line(self._desk, draft),
            second=second.sheet(self._desk, draft, result),
            verdict=self._verdict(draft, asked),
            secondary=self._secondary(order, hidden=hidden, busy=busy, recorded=recorded),
            primary=self._primary(draft, asked, busy=busy, recorded=recorded),
            recorded=recorded,
        )

    def shown_order(self, draft: Draft, result: CheckResult) -> Order | None:
        """The order whose text is on the screen; None while nothing of it may be shown."""
        return None if self._patient_stop(result) else self._order(draft, result)

    def goal(self, draft: Draft, result: CheckResult) -> Goal | None:
        """Rate, drop factor and volume to start with; None while one is missing."""
        order = self._desk.book.get(Order, result.order_id)
        rate = result.rate_ml_h or (order.rate_ml_h if order else None)
        volume = draft.volume_ml if draft.volume else result.volume_ml or (order.volume_ml if order else None)
        if rate is None or volume is None:
            return None
        drops = result.drops_per_ml or (order.drops_per_ml if order else None) or self._words.drops_per_ml
        return Goal(rate_ml_h=rate, drops_per_ml=drops, volume_ml=volume)

    @property
    def _words(self) -> InfusionPolicy:
        """What the ward hangs up, and what a nurse chooses from."""
        return self._desk.book.policy.care.infusion

    # --- parts --------------------------------------------------------------------------------------

    def _order(self, draft: Draft, result: CheckResult) -> Order | None:
        task = self._desk.book.get(Task, draft.task_id)
        return self._desk.book.get(Order, result.order_id or (task.order_id if task else ""))

    def _patient(self, draft: Draft, result: CheckResult) -> Patient | None:
        """The patient who was scanned; before that, whose task was chosen from the list."""
        task = self._desk.book.get(Task, draft.task_id)
        chosen = task.patient_id if task is not None and draft.patient_scan is None else ""
        return self._desk.book.get(Patient, result.patient_id or chosen)

    @staticmethod
    def _patient_stop(result: CheckResult) -> bool:
        """Who the patient is stands in doubt: nobody's data are shown."""
        worst = check_words.standing(result)[:1]
        return result.word is Word.STOP and not result.patient_id and any(_of_patient(one) for one in worst)

    def _planned(self, draft: Draft, result: CheckResult) -> str:
        task = self._desk.book.get(Task, result.task_id or draft.task_id)
        return self._desk.hhmm(task.planned_at) if task is not None else ""

    def _candidates(self, result: CheckResult) -> tuple[TaskRow, ...]:
        if result.task_id or not result.candidates:
            return ()
        wanted = set(result.candidates)
        return tasks.rows(self._desk, (one for one in tasks.standings(self._desk) if one.task.id in wanted))

    def _start_form(self, draft: Draft, result: CheckResult, order: Order) -> StartForm | None:
        if order.kind not in {"infusion", "transfusion"} or result.word is Word.STOP:
            return None
        default = result.volume_ml or order.volume_ml
        shown = draft.volume or (words.number(default) if default is not None else "")
        bad = bool(draft.volume) and draft.volume_ml is None
        device = self._desk.book.get(Device, draft.device_id)
        return StartForm(
            volume_ml=shown,
            volume_error=Msg("check.volume-bad") if bad else "",
            device=device.label if device is not None and device.label else Msg("check.scan-sensor"),
            device_id=draft.device_id,
            ordered=_ordered(order, result, self._words.drops_per_ml),
            sites=tuple(
                Choice(id=site, text=Msg(f"site.{site}"), selected=site == draft.site)
                for site in self._words.sites
            ),
        )

    def _prn(self, draft: Draft, result: CheckResult) -> ReasonSheet | None:
        if "prn-reason" not in result.needs and not draft.prn_reason:
            return None
        return ReasonSheet(
            title=Msg("check.why-prn"),
            hint=Msg("check.required"),
            choices=tuple(
                Choice(id=code, text=Msg(f"prn.{code}"), selected=code == draft.prn_reason)
                for code in self._desk.book.policy.prn_reasons
            ),
        )

    def _reasons(self, draft: Draft, result: CheckResult) -> ReasonSheet | None:
        if draft.action is Action.PRN_EFFECT:
            return self._effects(draft)
        answered = [one for one in result.findings if one.overridden]
        open_now = check_words.answerable(result, witness=draft.witness is not None)
        if not open_now and not answered:
            return None
        first = (open_now or answered)[0].code
        titled = {"TIME-LATE", "TIME-EARLY"}
        return ReasonSheet(
            title=Msg(f"check.why-{first.lower()}") if first in titled else Msg("check.why"),
            hint=Msg("check.required"),
            choices=_choices("reason", self._desk.book.policy.override_reasons, draft.reason),
            text_open=draft.reason == "other",
            text=draft.reason_text,
        )

    def _effects(self, draft: Draft) -> ReasonSheet:
        """What the as-needed drug did."""
        return ReasonSheet(
            title=Msg("check.which-effect"),
            hint=Msg("check.required"),
            choices=_choices("effect", self._desk.book.policy.prn_effects, draft.reason),
        )

    def _sheet(self, sheet: NotGiven) -> NotGivenSheet:
        missing: Text = ""
        if not sheet.complete:
            missing = Msg("not-given.choose-outcome") if not sheet.outcome else Msg("not-given.choose-reason")
        return NotGivenSheet(
            outcomes=_choices("outcome", tuple(OUTCOMES), sheet.outcome),
            reasons=ReasonSheet(
                title=Msg("not-given.why"),
                hint=Msg("check.required"),
                choices=_choices("not-given", self._desk.book.policy.not_given_reasons, sheet.reason),
                text_open=sheet.reason == "other",
                text=sheet.text,
            ),
            record=Button(
                text=Msg("not-given.record"),
                enabled=sheet.complete,
                tone=Tone.ACT,
                icon="GIVE",
                missing=missing,
            ),
        )

    def _verdict(self, draft: Draft, asked: Asked) -> Verdict:
        if asked.phase == "waiting":
            return Verdict(kind="waiting", reason=Msg("verdict.waiting"))
        if asked.phase == "refused":
            return Verdict(kind="stop", word=Msg("verdict.stop"), reason=asked.trouble)
        note: Text = ""
        if asked.offline:
            note = Msg.of("verdict.offline", time=self._desk.hhmm(self._desk.book.fetched_at))
        if self.needs_input(asked):
            return Verdict(kind="needs", reason=Msg(f"need.{asked.result.needs[0]}"), note=note)
        word = asked.result.word
        if word is Word.STOP:
            note = words.joined("lines", second.hint(draft, asked.result), note)
        return Verdict(
            kind=word.lower(),
            word=Msg(f"verdict.{word.lower()}"),
            reason=check_words.reason_line(self._desk, asked.result),
            note=note,
        )

    def _secondary(self, order: Order | None, *, hidden: bool, busy: bool, recorded: bool) -> Button:
        if order is None or hidden or recorded:
            return Button()
        return Button(text=Msg("check.not-given"), enabled=not busy, icon="STOP")

    def _primary(self, draft: Draft, asked: Asked, *, busy: bool, recorded: bool) -> Button:
        if recorded:
            return Button(text=Msg("check.recorded"), enabled=False, tone=Tone.OK, icon="GIVE")
        record = Msg(_RECORD.get(asked.request.action, "check.record-given"))
        if busy or asked.phase == "waiting":
            return Button(text=record, enabled=False, busy=True, tone=Tone.OK, missing=Msg("verdict.waiting"))
        if asked.phase == "refused" or asked.result.word is Word.STOP:
            return Button(text=Msg("check.scan-again"), tone=Tone.ACT, icon="scan")
        if self.gives(asked):
            return self._record(draft, asked, record)
        return self._missing(draft, asked.result, record)

    def _record(self, draft: Draft, asked: Asked, record: Text) -> Button:
        if asked.request.action in STARTS and self.goal(draft, asked.result) is None:
            return Button(text=record, enabled=False, missing=Msg("check.volume-bad"))
        return Button(text=record, tone=Tone.OK, icon="GIVE")

    def _missing(self, draft: Draft, result: CheckResult, record: Text) -> Button:
        """CHECK: scan what is missing, or name what must be chosen."""
        if any(need.endswith("-scan") for need in result.needs):
            return Button(text=Msg("check.scan"), tone=Tone.ACT, icon="scan")
        if result.needs:
            return Button(text=record, enabled=False, missing=Msg(f"need.{result.needs[0]}"))
        answerable = check_words.answerable(result, witness=draft.witness is not None)
        missing = Msg("check.choose-reason") if answerable else Msg("check.needs-other-person")
        return Button(text=record, enabled=False, missing=missing)


def _of_patient(finding: Finding) -> bool:
    return finding.right is Right.PATIENT


def _ordered(order: Order, result: CheckResult, standard: int) -> Text:
    rate = result.rate_ml_h or order.rate_ml_h
    if rate is None:
        return Msg("check.no-rate")
    drops = result.drops_per_ml or order.drops_per_ml or standard
    gtt = words.number(arithmetic.gtt_per_min(float(rate), drops), 0)
    return words.joined(
        "dot",
        words.joined("space", gtt, Msg("unit.{gtt}/min")),
        words.joined("space", words.number(rate), "mL/h"),
        words.joined("space", str(drops), Msg("unit.{gtt}/mL")),
    )


def _choices(family: str, codes: tuple[str, ...], selected: str) -> tuple[Choice, ...]:
    return tuple(Choice(id=code, text=Msg(f"{family}.{code}"), selected=code == selected) for code in codes)
