"""N7: one step of bedside care that is no drug: a sample, a unit of blood, a skin test."""

from __future__ import annotations

from dataclasses import dataclass, field

from pda_app.presenters.states.check import FindingLine, ReasonSheet, SecondSheet, Verdict
from pda_app.presenters.states.common import (
    NO_BUTTON,
    AllergyStrip,
    Button,
    Choice,
    PatientBanner,
    Text,
    Tone,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMark:
    """One step of the way, numbered. ``mark``: done, now or later."""

    number: str
    text: Text
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CareLine:
    """One thing that is compared. ``mark``: ok, warn, stop or unjudged (a grey dash, never a tick)."""

    icon: str
    label: Text
    value: Text
    evidence: Text = ""
    mark: str = "unjudged"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceGroup:
    """Things to choose from; each choice's id is ``group:code``. ``many``: any number may be chosen."""

    title: Text
    hint: Text
    choices: tuple[Choice, ...]
    many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """One thing that both persons look at; ``first`` and ``second`` are marks: ok, now, later or none."""

    icon: str
    text: Text
    detail: Text
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonTable:
    """Two persons, one column each, headed by name and how much each has done."""

    first: str
    first_count: str
    second: Text
    second_count: str
    rows: tuple[PersonRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberLine:
    """A number to type or to take over from the monitor; ``note`` tells where it comes from."""

    key: str
    label: Text
    number: str
    unit: Text
    note: Text = ""
    error: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CareTimer:
    """A time that runs: ``share`` is the part that has passed, 0-1."""

    value: Text
    note: Text
    share: float
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """One of several things of this patient: a tube in the order of draw, with where it stands."""

    id: str
    number: str
    title: Text
    detail: Text
    trailing: Text
    tone: Tone = Tone.PLAIN
    current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CareState:
    """The page: facts in the middle, verdict and buttons at the bottom."""

    kind: str = ""  # specimen, transfusion, skin-test
    page_title: Text = ""
    banner: PatientBanner | None = None
    allergy: AllergyStrip | None = None
    steps: tuple[StepMark, ...] = ()
    hint: Text = ""  # what to do first, while nothing is known yet
    title: Text = ""
    detail: Text = ""
    time: str = ""
    instruction: Text = ""
    timer: CareTimer | None = None
    lines: tuple[CareLine, ...] = ()
    table: PersonTable | None = None
    numbers: tuple[NumberLine, ...] = ()
    groups: tuple[ChoiceGroup, ...] = ()
    queue_title: Text = ""
    queue: tuple[QueueLine, ...] = ()
    findings: tuple[FindingLine, ...] = ()
    reasons: ReasonSheet | None = None
    witness: Text = ""
    second: SecondSheet | None = None
    verdict: Verdict = field(default_factory=Verdict)
    secondary: Button = NO_BUTTON
    primary: Button = NO_BUTTON
