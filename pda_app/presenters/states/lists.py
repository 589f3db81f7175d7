"""N1 to N4: sign-in, today, the ward, one patient."""

from __future__ import annotations

from dataclasses import dataclass

from pda_app.presenters.states.common import AllergyStrip, Chip, Counter, PatientBanner, Picture, Text, Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonCard:
    """The nurse whose badge was read."""

    badge: str
    name: str
    role: Text
    initial: str
    note: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentPerson:
    """Someone who signed in on this handheld lately: one touch instead of a badge when unlocking."""

    badge: str
    name: str
    initial: str
    when: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInState:
    """Badge, then PIN. ``step``: badge (scan it), pin (pad active), working (asking the server)."""

    step: str = "badge"
    handheld: str = ""
    ward: Text = ""
    person: PersonCard | None = None
    digits: int = 0  # dots filled
    pin_length: int = 6
    message: Text = ""
    message_tone: Tone = Tone.PLAIN
    recent: tuple[RecentPerson, ...] = ()
    unlocking: bool = False  # the same session is only locked; its work is kept below
    offline: bool = False
    blocked_s: int = 0  # seconds until the pad works again


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """One planned execution. ``icon`` is a meaning: medicine, infusion, blood, specimen, vitals, patrol."""

    task_id: str
    patient_id: str
    bed: str
    name: str
    icon: str
    tone: Tone
    title: Text
    detail: Text
    time: str  # HH:MM, or empty for prn
    distance: Text
    status: str  # records.TaskStatus word


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskGroup:
    """The tasks of one patient."""

    patient_id: str
    bed: str
    name: str
    age: Text
    chips: tuple[Chip, ...]
    rows: tuple[TaskRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TodayState:
    """Today's work. ``counters`` ids: all, overdue, due, done. ``arrangement``: patient or time."""

    counters: tuple[Counter, ...] = ()
    arrangement: str = "patient"
    query: str = ""
    groups: tuple[TaskGroup, ...] = ()  # filled when arranged by patient
    rows: tuple[TaskRow, ...] = ()  # filled when arranged by time
    empty: Text = ""  # what to say when there is nothing
    picture: Picture = Picture.HERE


@dataclass(frozen=True, slots=True, kw_only=True)
class InfusionLine:
    """One infusion in a line with a bar. ``share`` is the infused part 0-1, None without live data."""

    infusion_id: str
    title: Text
    trailing: Text  # time left, or the fault with its number
    tone: Tone  # act: as planned, warn: off plan, bad: no flow or free flow, plain: no live data
    share: float | None
    site: Text = ""
    remaining: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BedCard:
    """One bed. Empty beds have no ``patient_id`` and are an outline only."""

    bed: str
    patient_id: str = ""
    name: str = ""
    demographics: Text = ""
    edge: Tone = Tone.PLAIN  # the worst open thing
    care_level: Text = ""
    news2: Chip | None = None
    risks: tuple[Chip, ...] = ()  # icons: fall, pressure, fasting, allergy, isolation
    infusion: InfusionLine | None = None
    next: Chip | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WardState:
    """The ward at a glance. ``counters`` ids: all, alarm, infusion, overdue."""

    counters: tuple[Counter, ...] = ()
    cards: tuple[BedCard, ...] = ()
    query: str = ""
    empty: Text = ""
    picture: Picture = Picture.HERE


@dataclass(frozen=True, slots=True, kw_only=True)
class VitalTile:
    """One newest value with its time; ``trend``: up, down or empty; ``stale``: greyed, not the present."""

    code: str
    label: Text
    value: str
    unit: Text
    at: Text
    tone: Tone = Tone.PLAIN
    trend: str = ""
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientState:
    """One patient's page."""

    banner: PatientBanner | None = None
    allergy: AllergyStrip | None = None
    chips: tuple[Chip, ...] = ()
    vitals: tuple[VitalTile, ...] = ()
    vitals_note: Text = ""
    infusions: tuple[InfusionLine, ...] = ()
    tasks: tuple[TaskRow, ...] = ()
    resuscitation: Text = ""  # what its button says; empty for whoever may not call one
    release: Text = ""  # what the button says that confirms devices as off; empty while none waits
    empty: Text = ""  # why there is no patient
    picture: Picture = Picture.HERE
