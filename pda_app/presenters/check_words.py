"""The verdict, the findings and the rights in words; the screen's whole middle comes from here."""

from __future__ import annotations

from clinical.bedside_check.model import (
    CheckResult,
    Finding,
    OverrideClass,
    Right,
    Severity,
    Word,
)
from clinical.records import Order, Patient, Task
from pda_app.presenters import words
from pda_app.presenters.desk import Desk
from pda_app.presenters.draft import Draft
from pda_app.presenters.finding_words import readable
from pda_app.presenters.states import FindingLine, Msg, RightLine, Text, Tone

ROWS = (Right.PATIENT, Right.DRUG, Right.DOSE, Right.ROUTE, Right.TIME)
ICONS = {
    Right.PATIENT: "patient", Right.DRUG: "medicine", Right.DOSE: "dose", Right.ROUTE: "route",
    Right.TIME: "planned", Right.SAFETY: "allergy", Right.WITNESS: "two-persons", Right.SYSTEM: "instruction",
    Right.DOCUMENTATION: "instruction",
}  # fmt: skip
_STRICTNESS = {Word.GIVE: 0, Word.CHECK: 1, Word.STOP: 2}
_TONES = {
    Severity.INFO: Tone.PLAIN,
    Severity.WARN: Tone.WARN,
    Severity.STOP: Tone.BAD,
    Severity.REFRESH: Tone.BAD,
}


def stricter(mine: CheckResult, theirs: CheckResult) -> CheckResult:
    """Of two verdicts on one question the stricter; the server's when both say the same."""
    return mine if _STRICTNESS[mine.word] > _STRICTNESS[theirs.word] else theirs


def standing(result: CheckResult) -> list[Finding]:
    """Findings that still speak against going on, worst first."""
    return [one for one in result.findings if one.severity is not Severity.INFO and not one.overridden]


def answerable(result: CheckResult, *, witness: bool) -> list[Finding]:
    """Findings this nurse can answer here: with a reason, or with a second nurse and a reason."""
    classes = {OverrideClass.ACK} | ({OverrideClass.SECOND} if witness else set())
    return [one for one in standing(result) if one.override in classes]


def sentence(desk: Desk, finding: Finding) -> Msg:
    """One finding as a sentence; ids in its values become names, drugs their names in both languages."""
    params = {name: readable(desk, name, value) for name, value in finding.params}
    return Msg(f"finding.{finding.code}", tuple(sorted(params.items())))


def finding_lines(desk: Desk, result: CheckResult) -> tuple[FindingLine, ...]:
    """All findings, worst first."""
    return tuple(
        FindingLine(
            code=one.code,
            tone=Tone.PLAIN if one.overridden else _TONES[one.severity],
            text=sentence(desk, one),
            override=one.override.value,
            answered=one.overridden,
        )
        for one in result.findings
    )


def reason_line(desk: Desk, result: CheckResult) -> Text:
    """The one line below the big word."""
    worst = standing(result)
    if worst:
        return sentence(desk, worst[0])
    if any(one.overridden for one in result.findings):
        return Msg("verdict.reason-given")
    return Msg("verdict.all-confirmed")


def right_lines(desk: Desk, draft: Draft, result: CheckResult) -> tuple[RightLine, ...]:
    """The rights, each with its mark; a right that was not judged is a dash."""
    marks = {row.right: row.mark for row in result.rows}
    extra = [right for right in marks if right not in ROWS and marks[right] in {"warn", "stop"}]
    return tuple(_line(desk, draft, result, right, marks.get(right, "unjudged")) for right in (*ROWS, *extra))


def _line(desk: Desk, draft: Draft, result: CheckResult, right: Right, mark: str) -> RightLine:
    failed = next(
        (one for one in result.findings if one.right is right and one.severity is not Severity.INFO), None
    )
    evidence = sentence(desk, failed) if failed is not None else _evidence(desk, draft, right)
    return RightLine(
        right=right,
        icon=ICONS[right],
        label=Msg(f"right.{right}"),
        value=_value(desk, result, right),
        evidence=evidence,
        mark=mark,
    )


def _evidence(desk: Desk, draft: Draft, right: Right) -> Text:
    if right is Right.PATIENT and draft.patient_scan is not None:
        return Msg.of("check.scanned-at", time=desk.hhmm(draft.patient_scan.at))
    if right is Right.DRUG and draft.items:
        return Msg.of("check.scanned-at", time=desk.hhmm(draft.items[-1].at))
    return ""


def _value(desk: Desk, result: CheckResult, right: Right) -> Text:
    order = desk.book.get(Order, result.order_id)
    match right:
        case Right.PATIENT:
            return _mrn(desk, result)
        case Right.DRUG:
            return words.order_title(desk.book, order) if order else ""
        case Right.DOSE:
            return _dose(result, order)
        case Right.ROUTE:
            return words.route_of(order, result.route) if order else words.route(result.route)
        case Right.TIME:
            return _time(desk, result)
        case _:
            return ""


def _mrn(desk: Desk, result: CheckResult) -> str:
    patient = desk.book.get(Patient, result.patient_id)
    return patient.mrn if patient is not None else ""


def _dose(result: CheckResult, order: Order | None) -> Text:
    if order is not None and order.kind == "infusion":
        volume = result.volume_ml or order.volume_ml
        rate = result.rate_ml_h or order.rate_ml_h
        parts = [words.joined("space", words.number(volume), "mL")] if volume is not None else []
        parts += [words.joined("space", words.number(rate), "mL/h")] if rate is not None else []
        return words.joined("dot", *parts)
    return words.dose(result.dose) or (words.dose(order.items[0].dose) if order and order.items else "")


def _time(desk: Desk, result: CheckResult) -> Text:
    task = desk.book.get(Task, result.task_id)
    if task is None or task.planned_at is None:
        return Msg("check.no-plan") if task is not None else ""
    planned, now = desk.hhmm(task.planned_at), desk.hhmm(desk.now())
    if task.earliest is None or task.latest is None:
        return planned
    return Msg.of(
        "check.window",
        planned=planned,
        now=now,
        earliest=desk.hhmm(task.earliest),
        latest=desk.hhmm(task.latest),
    )
