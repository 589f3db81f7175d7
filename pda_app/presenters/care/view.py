"""From a plan's parts and an answer to everything the page of a step of care shows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from clinical.bedside_check.model import CheckResult, Finding, Right, Word
from clinical.records import Order, Patient, Task
from pda_app.presenters import check_words, second, words
from pda_app.presenters.asked import Asked
from pda_app.presenters.care.plan import Parts
from pda_app.presenters.desk import Desk
from pda_app.presenters.draft import Draft
from pda_app.presenters.states import (
    Button,
    CareState,
    Choice,
    FindingLine,
    Msg,
    ReasonSheet,
    SecondSheet,
    Text,
    Tone,
    Verdict,
)

_PENDING = frozenset({"BLD-BASE", "BLD-SECOND", "SPC-CROSSMATCH", "SKT-SECOND", "SKT-DISAGREE"})
"""What is found for as long as the second person, or the first values, are not here: the next step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What is drawn beside draft and answer."""

    kind: str
    parts: Parts
    missing: Text
    busy: bool


def waits(asked: Asked, missing: Text, item: Text = "") -> Text:
    """What is asked for next; empty when something real speaks against going on, or nothing is missing.

    A second person who is not here yet is the next step, not a refusal.
    """
    if asked.phase != "settled" or not all(map(_is_pending, check_words.standing(asked.result))):
        return ""
    if not asked.result.needs:
        return missing
    need = asked.result.needs[0]
    return item if need == "item-scan" and item else Msg(f"need.{need}")


def _is_pending(finding: Finding) -> bool:
    reason = dict(finding.params).get("reason", "")
    return finding.code in _PENDING and reason in {"", "missing", "own-scans-missing"}


def stopped(asked: Asked) -> bool:
    """Whether it must not go on like this."""
    return asked.phase == "refused" or asked.result.word is Word.STOP


def records(parts: Parts, asked: Asked) -> bool:
    """Whether this answer lets the nurse record; what alarms is recorded although the check says stop."""
    if asked.phase != "settled":
        return False
    return asked.result.word is Word.GIVE or parts.alarming


def state(desk: Desk, draft: Draft, asked: Asked, drawn: Drawn) -> CareState:
    """Everything on the page; in doubt about the patient, nobody's data."""
    parts, result = drawn.parts, asked.result
    if in_doubt(result):
        parts = Parts(page_title=parts.page_title, word=parts.word, record=parts.record)
    patient = None if in_doubt(result) else _patient(desk, draft, result)
    task = desk.book.get(Task, result.task_id or draft.task_id)
    order = desk.book.get(Order, result.order_id or (task.order_id if task is not None else ""))
    return CareState(
        kind=drawn.kind,
        page_title=parts.page_title,
        banner=words.banner(desk.book, patient, desk.now()) if patient else None,
        allergy=words.allergy_strip(desk.book, patient) if patient else None,
        steps=parts.steps,
        hint=parts.hint if patient is None else "",
        title=parts.title,
        detail=parts.detail,
        time=desk.hhmm(task.planned_at) if task is not None and patient is not None else "",
        instruction=order.instruction if order is not None and patient is not None else "",
        timer=parts.timer,
        lines=parts.lines,
        table=parts.table,
        numbers=parts.numbers,
        groups=parts.groups,
        queue_title=parts.queue_title,
        queue=parts.queue,
        findings=_findings(desk, asked),
        reasons=_reasons(desk, draft, result),
        witness=second.line(desk, draft),
        second=_sheet(desk, draft, result),
        verdict=_verdict(desk, draft, asked, drawn),
        secondary=Button(text=parts.other, enabled=not drawn.busy) if parts.other else Button(),
        primary=_primary(draft, asked, drawn),
    )


def in_doubt(result: CheckResult) -> bool:
    """Whether who the patient is stands in doubt: nobody's data are shown."""
    worst = check_words.standing(result)[:1]
    return (
        result.word is Word.STOP
        and not result.patient_id
        and any(one.right is Right.PATIENT for one in worst)
    )


def _findings(desk: Desk, asked: Asked) -> tuple[FindingLine, ...]:
    """All but the one that is the verdict's own reason, and but a second person who is only not here yet."""
    said = [
        check_words.sentence(desk, one)
        for one in asked.result.findings
        if _is_pending(one) and not one.overridden
    ]
    if check_words.standing(asked.result):
        said.append(check_words.sentence(desk, check_words.standing(asked.result)[0]))
    return tuple(one for one in check_words.finding_lines(desk, asked.result) if one.text not in said)


def _patient(desk: Desk, draft: Draft, result: CheckResult) -> Patient | None:
    """The patient who was scanned; before that, whose task was chosen from the list."""
    task = desk.book.get(Task, draft.task_id)
    chosen = task.patient_id if task is not None and draft.patient_scan is None else ""
    return desk.book.get(Patient, result.patient_id or chosen)


def _reasons(desk: Desk, draft: Draft, result: CheckResult) -> ReasonSheet | None:
    answered = [one for one in result.findings if one.overridden]
    if not answered and not check_words.answerable(result, witness=draft.witness is not None):
        return None
    codes = desk.book.policy.override_reasons
    return ReasonSheet(
        title=Msg("check.why"),
        hint=Msg("check.required"),
        choices=tuple(
            Choice(id=code, text=Msg(f"reason.{code}"), selected=code == draft.reason) for code in codes
        ),
        text_open=draft.reason == "other",
        text=draft.reason_text,
    )


def _sheet(desk: Desk, draft: Draft, result: CheckResult) -> SecondSheet | None:
    sheet = second.sheet(desk, draft, result)
    return replace(sheet, how=Msg("bedside.pin-how")) if sheet is not None else None


def _verdict(desk: Desk, draft: Draft, asked: Asked, drawn: Drawn) -> Verdict:
    if asked.phase == "waiting":
        return Verdict(kind="waiting", reason=Msg("verdict.waiting"))
    if asked.phase == "refused":
        return Verdict(kind="stop", word=Msg("verdict.stop"), reason=asked.trouble)
    fetched = desk.hhmm(desk.book.fetched_at)
    note: Text = Msg.of("verdict.offline", time=fetched) if asked.offline else ""
    asks = waits(asked, drawn.missing, drawn.parts.item)
    if asks:
        return Verdict(kind="needs", reason=asks, note=note)
    word = asked.result.word
    if word is Word.STOP:
        note = words.joined("lines", second.hint(draft, asked.result), note)
    return Verdict(
        kind=word.lower(),
        word=drawn.parts.word if word is Word.GIVE else Msg(f"verdict.{word.lower()}"),
        reason=_reason(desk, asked),
        note=note,
    )


def _reason(desk: Desk, asked: Asked) -> Text:
    said = check_words.reason_line(desk, asked.result)
    return Msg("bedside.all-confirmed") if said == Msg("verdict.all-confirmed") else said


def _primary(draft: Draft, asked: Asked, drawn: Drawn) -> Button:
    record = drawn.parts.record
    if drawn.busy or asked.phase == "waiting":
        return Button(text=record, enabled=False, busy=True, tone=Tone.OK, missing=Msg("verdict.waiting"))
    asks = waits(asked, drawn.missing, drawn.parts.item)
    if asks and any(need.endswith("-scan") for need in asked.result.needs[:1]):
        return Button(text=Msg("check.scan"), tone=Tone.ACT, icon="scan")
    if asks:
        return Button(text=record, enabled=False, missing=asks)
    if records(drawn.parts, asked):
        tone = Tone.BAD if drawn.parts.alarming else Tone.OK
        return Button(text=record, tone=tone, icon="alarm" if drawn.parts.alarming else "GIVE")
    if stopped(asked):
        return Button(text=Msg("check.scan-again"), tone=Tone.ACT, icon="scan")
    if asked.result.needs:
        return Button(text=record, enabled=False, missing=Msg(f"need.{asked.result.needs[0]}"))
    answerable = check_words.answerable(asked.result, witness=draft.witness is not None)
    missing = Msg("check.choose-reason") if answerable else Msg("check.needs-other-person")
    return Button(text=record, enabled=False, missing=missing)
