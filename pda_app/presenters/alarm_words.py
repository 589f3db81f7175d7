"""Alarms in words: what, how much, against which limit."""

from __future__ import annotations

from clinical.codes import CODES
from clinical.records import Alarm, AlarmPriority, Device, Label
from pda_app.book import Book
from pda_app.presenters import words
from pda_app.presenters.states import Msg, Text, Tone

TONES = {
    AlarmPriority.HIGH: Tone.BAD,
    AlarmPriority.MEDIUM: Tone.WARN,
    AlarmPriority.LOW: Tone.LOW,
    AlarmPriority.NONE: Tone.PLAIN,
}
STARS = {AlarmPriority.HIGH: 3, AlarmPriority.MEDIUM: 2, AlarmPriority.LOW: 1, AlarmPriority.NONE: 0}

_SIDES = frozenset({"limit-low", "limit-high"})
_COUNTED = ("remaining_ml", "infused_ml", "silent_s", "age_s")


def is_open(alarm: Alarm) -> bool:
    """Tell whether anybody must still see it: the condition holds, or it latched and nobody came."""
    return alarm.present or alarm.signal == "latched"


def is_calling(alarm: Alarm) -> bool:
    """Tell whether it still calls somebody."""
    return is_open(alarm) and alarm.signal in {"on", "latched"} and not alarm.acknowledged_by


def parameter(alarm: Alarm, *names: str) -> str:
    """The first of these parameters that the alarm carries, as it is shown."""
    for name in names:
        value = alarm.params.get(name)
        if isinstance(value, int | float):
            return words.number(value, 1)
        if value:
            return value
    return ""


def value(alarm: Alarm) -> str:
    """The number that decides, to be drawn big; empty when the condition has none."""
    return parameter(alarm, "measured", "remaining_ml", "infused_ml", "silent_s", "age_s")


def unit(alarm: Alarm) -> Text:
    """The unit of :func:`value`; rates of drips come in drops per minute."""
    given = parameter(alarm, "unit")
    if given:
        return words.unit(given)
    units: dict[str, Text] = {
        "measured": Msg("unit.{gtt}/min"),
        "remaining_ml": "mL",
        "infused_ml": "mL",
        "silent_s": "s",
        "age_s": "s",
    }
    return next((text for name, text in units.items() if name in alarm.params), "")


def cause(book: Book, alarm: Alarm) -> Text:
    """What it is about."""
    code = CODES.get(str(alarm.params.get("code", "")))
    about = code.label if code is not None else ""
    return Msg.of(f"alarm.{alarm.condition}", about=about, detail=_detail(book, alarm))


def _detail(book: Book, alarm: Alarm) -> Text:
    """Which finding, which rule, or whose device; empty when the condition says all."""
    match alarm.condition:
        case "site-finding":
            finding = parameter(alarm, "finding")
            return Msg(f"finding-site.{finding}") if finding else ""
        case "given-against-order" | "possible-double-dose":
            rule = parameter(alarm, "code")
            return Msg(f"outcome-code.{rule}") if rule else ""
        case "screen-silent":
            named = Label(zh=parameter(alarm, "zh"), en=parameter(alarm, "en"))
            return named if named.zh and named.en else parameter(alarm, "screen")
        case _:
            device = book.get(Device, alarm.device_id)
            return device.label or device.id if device else parameter(alarm, "node", "handheld")


def limit(alarm: Alarm) -> Text:
    """Which bound it crossed, what was ordered, or what its number counts; empty when there is none."""
    for name in ("limit", "ordered"):
        bound = parameter(alarm, name)
        if bound:
            side = f"-{alarm.condition}" if name == "limit" and alarm.condition in _SIDES else ""
            return Msg.of(f"alarm.bound-{name}{side}", limit=words.joined("space", bound, unit(alarm)))
    counted = next((name for name in _COUNTED if name in alarm.params), "")
    return Msg(f"alarm.counts-{counted}") if counted else ""


def escalated(alarm: Alarm) -> Text:
    """Who else has been told because nobody came; empty when nobody."""
    told = [Msg(f"escalate.{name}") for name in str(alarm.params.get("escalated", "")).split(",") if name]
    return Msg.of("alarm.escalated", to=words.joined("list", *told)) if told else ""
