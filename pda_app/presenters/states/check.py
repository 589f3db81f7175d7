"""N5, N10: the medication check."""

from __future__ import annotations

from dataclasses import dataclass

from clinical.bedside_check.model import Right
from pda_app.presenters.states.common import (
    NO_BUTTON,
    AllergyStrip,
    Button,
    Choice,
    PatientBanner,
    Text,
    Tone,
)
from pda_app.presenters.states.lists import TaskRow


@dataclass(frozen=True, slots=True, kw_only=True)
class RightLine:
    """One of the rights. ``mark``: ok, warn, stop or unjudged (a grey dash, never a tick)."""

    right: Right
    icon: str
    label: Text
    value: Text
    evidence: Text
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingLine:
    """One finding in words, worst first; ``answered`` when a reason was accepted for it."""

    code: str
    tone: Tone
    text: Text
    override: str  # none, ack, second, prescriber, emerg
    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The panel above the buttons.

    ``kind``: needs (grey, says what to scan next), waiting (spinner: the server is re-checking), give,
    check, stop. ``word`` is empty for needs and waiting. ``note`` tells when it was checked offline.
    """

    kind: str = "needs"
    word: Text = ""
    reason: Text = ""
    note: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonSheet:
    """Reasons to choose from. The last choice, ``other``, opens the text field."""

    title: Text
    hint: Text
    choices: tuple[Choice, ...]
    text_open: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotGivenSheet:
    """Held, refused or not given: an outcome, then a reason, then record."""

    outcomes: tuple[Choice, ...]
    reasons: ReasonSheet
    record: Button


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondSheet:
    """The second person's own calculation or PIN, over everything that shows what the first one goes by."""

    title: Text
    unit: Text
    value: str  # as typed; of a PIN only dots
    error: Text
    record: Button
    secret: bool = False
    how: Text = ""  # what this person confirms; empty: patient, drug and dose


@dataclass(frozen=True, slots=True, kw_only=True)
class StartForm:
    """What opening a bag needs besides the rights: volume, sensor, site. Shown for infusions only."""

    volume_ml: str  # as typed; default is what the order says
    volume_error: Text
    device: Text  # label of the sensor, or what to do: scan it
    device_id: str
    ordered: Text  # "40 gtt/min · 120 mL/h · 20 gtt/mL"
    sites: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckState:
    """The medication check: facts in the middle, verdict and buttons at the bottom."""

    kind: str = "medication"  # medication or infusion
    banner: PatientBanner | None = None
    allergy: AllergyStrip | None = None
    title: Text = ""
    detail: Text = ""
    time: str = ""
    instruction: Text = ""
    rows: tuple[RightLine, ...] = ()
    findings: tuple[FindingLine, ...] = ()
    candidates: tuple[TaskRow, ...] = ()  # choose one when several tasks fit
    start: StartForm | None = None
    prn_reasons: ReasonSheet | None = None
    reasons: ReasonSheet | None = None
    not_given: NotGivenSheet | None = None
    witness: Text = ""
    second: SecondSheet | None = None
    verdict: Verdict = Verdict()
    secondary: Button = NO_BUTTON
    primary: Button = NO_BUTTON
    recorded: bool = False
