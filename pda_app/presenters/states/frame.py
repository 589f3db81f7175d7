"""What lies around and over every screen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pda_app.presenters.states.common import NO_BUTTON, Button, Choice, Text, Tone


class Screen(StrEnum):
    """The page below everything else."""

    SIGN_IN = "sign-in"
    TODAY = "today"
    WARD = "ward"
    PATIENT = "patient"
    CHECK = "check"
    CARE = "care"
    FORM = "form"
    ROUND = "round"
    ALARMS = "alarms"
    UPLOADS = "uploads"
    MORE = "more"


class Connection(StrEnum):
    """The cloud icon: ``trying`` before the first answer, ``attention`` when something came back."""

    TRYING = "trying"
    ONLINE = "online"
    OFFLINE = "offline"
    FAULT = "fault"  # the server answers, and has a fault
    ATTENTION = "attention"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusBar:
    """The right end of the app bar, and the badges of the navigation."""

    ward: Text = ""
    ward_code: str = ""
    user: str = ""
    connection: Connection = Connection.OFFLINE
    data_at: Text = ""  # how old the picture is
    clock: Text = ""  # the handheld's clock is wrong; empty when right
    fault: Text = ""  # the server has a fault; empty when it has none
    sound: Text = ""  # this handheld cannot be heard; empty when it can
    battery_percent: int | None = None
    time: str = ""
    queued: int = 0
    returned: int = 0
    alarms: int = 0
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """A question over the screen. While it is open every scan is refused with a sound."""

    id: str
    title: Text
    text: Text
    answers: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Toast:
    """A short word at the bottom; gone after a few seconds."""

    text: Text
    tone: Tone = Tone.PLAIN
    icon: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSheet:
    """The scan button's sheet: camera picture above, typing with a reason below."""

    typed: str = ""
    reasons: tuple[Choice, ...] = ()
    error: Text = ""
    enter: Button = NO_BUTTON
    camera: bool = False  # the camera should run


@dataclass(frozen=True, slots=True, kw_only=True)
class AppState:
    """The frame: which screen, what lies over it, and how it is shown."""

    screen: Screen = Screen.SIGN_IN
    can_go_back: bool = False
    status: StatusBar = field(default_factory=StatusBar)
    locked: bool = False  # the sign-in page lies over ``screen``, whose work is kept
    dialog: Dialog | None = None
    scan_sheet: ScanSheet | None = None
    toast: Toast | None = None
    language: str = "zh"
    dark: bool = False
    text_scale: float = 1.0
