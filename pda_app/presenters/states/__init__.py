"""Everything a screen shows, as frozen values: the window draws these and knows nothing else.

Texts are ids with parameters (``Msg``) or texts in both languages (``Label``), so that a language switch
redraws old messages too. Words for colour are *tones*: the theme maps them to tokens and always adds an
icon and a word, because colour alone says nothing to one nurse in twelve.
"""

from clinical.bedside_check.model import Right
from clinical.records import AlarmPriority, Label
from pda_app.presenters.states.alarms import (
    AlarmRow,
    AlarmsState,
    AlarmView,
    Trend,
    TrendPoint,
)
from pda_app.presenters.states.check import (
    CheckState,
    FindingLine,
    NotGivenSheet,
    ReasonSheet,
    RightLine,
    SecondSheet,
    StartForm,
    Verdict,
)
from pda_app.presenters.states.common import (
    NO_BUTTON,
    AllergyStrip,
    Button,
    Chip,
    Choice,
    Counter,
    Msg,
    PatientBanner,
    Picture,
    Text,
    Tone,
)
from pda_app.presenters.states.frame import (
    AppState,
    Connection,
    Dialog,
    ScanSheet,
    Screen,
    StatusBar,
    Toast,
)
from pda_app.presenters.states.infusion import (
    Curve,
    CurvePoint,
    Deviation,
    FinishSheet,
    RatePair,
    RoundState,
)
from pda_app.presenters.states.lists import (
    BedCard,
    InfusionLine,
    PatientState,
    PersonCard,
    RecentPerson,
    SignInState,
    TaskGroup,
    TaskRow,
    TodayState,
    VitalTile,
    WardState,
)
from pda_app.presenters.states.uploads import (
    OutcomeCard,
    UploadRow,
    UploadsState,
)

__all__ = [
    "NO_BUTTON",
    "AlarmPriority",
    "AlarmRow",
    "AlarmView",
    "AlarmsState",
    "AllergyStrip",
    "AppState",
    "BedCard",
    "Button",
    "CheckState",
    "Chip",
    "Choice",
    "Connection",
    "Counter",
    "Curve",
    "CurvePoint",
    "Deviation",
    "Dialog",
    "FindingLine",
    "FinishSheet",
    "InfusionLine",
    "Label",
    "Msg",
    "NotGivenSheet",
    "OutcomeCard",
    "PatientBanner",
    "PatientState",
    "PersonCard",
    "Picture",
    "RatePair",
    "ReasonSheet",
    "RecentPerson",
    "Right",
    "RightLine",
    "RoundState",
    "ScanSheet",
    "Screen",
    "SecondSheet",
    "SignInState",
    "StartForm",
    "StatusBar",
    "TaskGroup",
    "TaskRow",
    "Text",
    "Toast",
    "TodayState",
    "Tone",
    "Trend",
    "TrendPoint",
    "UploadRow",
    "UploadsState",
    "Verdict",
    "VitalTile",
    "WardState",
]
