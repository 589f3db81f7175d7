"""What one kind of care adds to a step: which scans it takes, what it asks, what it records.

A plan decides nothing about safety: the bedside check does. It only says what is asked of the check, and what
the nurse still has to do before the step is hers to record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from clinical.bedside_check.model import CheckResult, Right, Scan, Severity
from clinical.exchange import CareRecorded, InfusionStarted
from clinical.identifiers import Kind, resolve
from clinical.records import Order, Patient, Task
from pda_app.presenters import check_words, words
from pda_app.presenters.asked import Asked
from pda_app.presenters.desk import Desk
from pda_app.presenters.draft import Draft
from pda_app.presenters.states import (
    CareLine,
    CareTimer,
    Choice,
    ChoiceGroup,
    Msg,
    NumberLine,
    PersonTable,
    QueueLine,
    StepMark,
    Text,
)

CareEvent = CareRecorded | InfusionStarted


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What of the page only this kind of care has."""

    page_title: Text
    word: Text  # the one big word while nothing stands against going on
    record: Text  # what the button says
    hint: Text = ""
    title: Text = ""
    detail: Text = ""
    steps: tuple[StepMark, ...] = ()
    timer: CareTimer | None = None
    lines: tuple[CareLine, ...] = ()
    table: PersonTable | None = None
    numbers: tuple[NumberLine, ...] = ()
    groups: tuple[ChoiceGroup, ...] = ()
    queue_title: Text = ""
    queue: tuple[QueueLine, ...] = ()
    item: Text = ""  # what to scan next, where it is no drug
    other: Text = ""  # what the left button says; empty when there is none
    alarming: bool = False  # what was found is recorded although the check says stop


class Plan(Protocol):
    """One kind of care."""

    kind: str

    def settle(self, draft: Draft) -> Draft:
        """Choose the action, the task and the infusion by the newest facts."""
        ...

    def item(self, draft: Draft, scan: Scan) -> Draft:
        """Something other than a wristband or a badge was read."""
        ...

    def band(self, draft: Draft, scan: Scan) -> Draft:
        """A wristband was read."""
        ...

    def choose(self, draft: Draft, group: str, code: str) -> Draft:
        """A chip was touched."""
        ...

    def second_ready(self, draft: Draft) -> bool:
        """Whether the second person has looked for herself and may type her PIN."""
        ...

    def missing(self, draft: Draft, result: CheckResult) -> Text:
        """What this plan still asks for beside the check; empty when nothing."""
        ...

    def parts(self, draft: Draft, asked: Asked) -> Parts:
        """Draw."""
        ...

    def event(self, draft: Draft, asked: Asked) -> CareEvent | None:
        """What is recorded; None when something is missing."""
        ...


def line(
    result: CheckResult, right: Right, icon: str, label: Text, value: Text, *, desk: Desk, evidence: Text = ""
) -> CareLine:
    """One compared thing with the mark of its right; what fails says why."""
    mark = next((row.mark for row in result.rows if row.right is right), "unjudged")
    failed = next(
        (one for one in result.findings if one.right is right and one.severity is not Severity.INFO), None
    )
    shown = check_words.sentence(desk, failed) if failed is not None else evidence
    return CareLine(icon=icon, label=label, value=value, evidence=shown, mark=mark)


def steps(*marks: tuple[Text, bool]) -> tuple[StepMark, ...]:
    """The way, step by step: what is done, the first that is not, and what comes later."""
    found, current = [], True
    for number, (text, done) in enumerate(marks, start=1):
        mark = "done" if done else "now" if current else "later"
        current = current and done
        found.append(StepMark(number=str(number), text=text, mark=mark))
    return tuple(found)


def group(
    name: str,
    title: Text,
    options: Iterable[tuple[str, Text]],
    chosen: Iterable[str],
    *,
    many: bool = False,
    hint: Text = "",
) -> ChoiceGroup:
    """A group of chips; one of them is required unless the hint says otherwise."""
    selected = set(chosen)
    required = Msg("bedside.choose-many") if many else Msg("check.required")
    return ChoiceGroup(
        title=title,
        hint=hint or required,
        choices=tuple(
            Choice(id=f"{name}:{code}", text=text, selected=code in selected) for code, text in options
        ),
        many=many,
    )


def toggled(before: tuple[str, ...], code: str) -> tuple[str, ...]:
    """Take a code in, or out when it was in."""
    return tuple(one for one in before if one != code) if code in before else (*before, code)


def entered(draft: Draft, **changes: object) -> Draft:
    """Change what was entered; reasons given before do not answer what is asked now."""
    return draft.unanswered(entered=replace(draft.entered, **changes))  # type: ignore[arg-type]


def patient_of(desk: Desk, scan: Scan) -> Patient | None:
    """Whose wristband a scan is."""
    found = resolve(scan.raw, symbology=scan.symbology, prefixes=desk.book.policy.prefixes)
    if found.kind != Kind.WRISTBAND or not found.valid:
        return None
    return next((one for one in desk.book.all(Patient) if one.mrn == found.value), None)


def scanned(desk: Desk, scan: Scan | None) -> Text:
    """When it was read."""
    return Msg.of("check.scanned-at", time=desk.hhmm(scan.at)) if scan is not None else ""


def order_of(desk: Desk, draft: Draft, result: CheckResult) -> Order | None:
    """The order it is about."""
    task = desk.book.get(Task, draft.task_id)
    return desk.book.get(Order, result.order_id or (task.order_id if task is not None else ""))


def heading(desk: Desk, order: Order | None) -> Text:
    """What was ordered."""
    return words.order_title(desk.book, order) if order is not None else ""


def recorded(desk: Desk, draft: Draft, asked: Asked, subject_id: str) -> CareRecorded:
    """One step of care as an event."""
    result = asked.result
    return CareRecorded(
        **desk.event_base(),
        request=asked.request,
        subject_id=subject_id,
        task_id=result.task_id or draft.task_id,
        order_id=result.order_id,
        order_version=result.order_version,
        infusion_id=draft.infusion_id,
    )
