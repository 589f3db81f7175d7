"""From the words of the presenters to tokens and icons: plain data, no window."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from clinical.records import AlarmPriority
from pda_app.presenters.states import Connection, Picture, Tone
from pda_app.widgets.icons import CODE_POINTS

INK: Mapping[str, str] = MappingProxyType({
    Tone.PLAIN: "sub", Tone.ACT: "act", Tone.OK: "ok", Tone.WARN: "warn", Tone.BAD: "bad", Tone.LOW: "low",
})  # fmt: skip
TINT: Mapping[str, str] = MappingProxyType({
    Tone.PLAIN: "bg", Tone.ACT: "act_bg", Tone.OK: "ok_bg", Tone.WARN: "warn_bg", Tone.BAD: "bad_bg",
    Tone.LOW: "low_bg",
})  # fmt: skip
SOLID: Mapping[str, str] = MappingProxyType({
    Tone.PLAIN: "", Tone.ACT: "act", Tone.OK: "ok", Tone.WARN: "warn_solid", Tone.BAD: "bad",
    Tone.LOW: "low",
})  # fmt: skip

MEANINGS: Mapping[str, str] = MappingProxyType({
    # what is to be done
    "medicine": "pill", "infusion": "iv-bag", "blood": "blood-bag", "specimen": "test-tube",
    "vitals": "thermometer", "skin-test": "timer-sand", "glucose": "water-outline", "patrol": "eye-outline",
    "instruction": "comment-text-outline",
    # the rights
    "patient": "account", "dose": "scale-balance", "route": "gesture-tap", "planned": "clock-outline",
    "two-persons": "account-multiple-check",
    # risks
    "fall": "walk", "pressure": "bandage", "fasting": "food-off", "isolation": "bacteria-outline",
    "allergy": "alert", "overdue": "clock-alert-outline",
    # judgements, and tones where they stand alone
    "GIVE": "check-circle", "CHECK": "alert", "STOP": "alert-octagon", "ok": "check-circle", "warn": "alert",
    "bad": "alert-octagon", "low": "information-outline", "act": "information-outline",
    "plain": "information-outline",
    # actions
    "scan": "barcode-scan", "stop": "stop-circle-outline", "hold": "pause-circle-outline",
    "rate": "speedometer", "new": "plus-circle-outline", "go": "run", "sound-off": "volume-off",
    "escalation": "chevron-double-up",
    # things and states
    "alarm": "bell-ring", "queued": "cloud-upload-outline", "duplicate": "content-copy", "live": "pulse",
    "device": "gauge", "locked": "lock",
    # the puncture site
    "normal": "check-circle", "redness": "alert-circle", "swelling": "arrow-expand-all", "leak": "water",
    "pain": "lightning-bolt", "blocked": "cancel", "other": "dots-horizontal",
})  # fmt: skip
"""Meaning → icon; a name of the icon font is its own meaning."""

VERDICTS: Mapping[str, tuple[str, str, str]] = MappingProxyType({
    "needs": ("card2", "ink", "barcode-scan"), "waiting": ("card2", "ink", "loading"),
    "give": ("ok", "solid_ink", "check-circle"), "check": ("warn_solid", "warn_solid_ink", "alert"),
    "stop": ("bad", "solid_ink", "alert-octagon"),
})  # fmt: skip
"""Verdict kind → surface, ink, icon."""

MARKS: Mapping[str, tuple[str, str, str]] = MappingProxyType({
    "ok": ("check-circle", "ok", ""), "warn": ("alert", "warn", "warn_bg"),
    "stop": ("close-circle", "bad", "bad_bg"), "unjudged": ("minus", "hint", ""),
})  # fmt: skip
"""Mark of a right → icon, ink, row tint."""

STEPS: Mapping[str, tuple[str, str, str]] = MappingProxyType({
    "done": ("ok", "solid_ink", "check"), "now": ("act", "act_ink", ""), "later": ("dis", "dis_ink", ""),
})  # fmt: skip
"""Where a step stands → surface and ink of its disc, icon (none: its number)."""

CELLS: Mapping[str, tuple[str, str]] = MappingProxyType({
    "ok": ("check-circle", "ok"), "now": ("barcode-scan", "act"), "later": ("minus", "hint"),
    "none": ("", ""),
})  # fmt: skip
"""What one person has done of one thing → icon, ink."""

PRIORITIES: Mapping[str, tuple[str, str]] = MappingProxyType({
    AlarmPriority.HIGH: ("bad", "solid_ink"), AlarmPriority.MEDIUM: ("warn_solid", "warn_solid_ink"),
    AlarmPriority.LOW: ("low", "solid_ink"), AlarmPriority.NONE: ("low", "solid_ink"),
})  # fmt: skip
"""Alarm priority → surface and ink of the head band."""

PRIORITY_INK: Mapping[str, str] = MappingProxyType({
    AlarmPriority.HIGH: "bad", AlarmPriority.MEDIUM: "warn", AlarmPriority.LOW: "low",
    AlarmPriority.NONE: "low",
})  # fmt: skip
"""Alarm priority → ink of its value on a card."""

PRIORITY_TINT: Mapping[str, str] = MappingProxyType({
    AlarmPriority.HIGH: "bad_bg", AlarmPriority.MEDIUM: "warn_bg", AlarmPriority.LOW: "low_bg",
    AlarmPriority.NONE: "low_bg",
})  # fmt: skip
"""Alarm priority → tint behind its value."""

PICTURES: Mapping[str, str] = MappingProxyType({
    Picture.HERE: "check-circle-outline", Picture.READING: "loading", Picture.MISSING: "wifi-off",
})  # fmt: skip
"""What an empty list means, by what is known of the ward."""

CONNECTIONS: Mapping[str, tuple[str, str]] = MappingProxyType({
    Connection.TRYING: ("cloud-sync-outline", "brand_sub"),
    Connection.ONLINE: ("cloud-check-outline", "brand_sub"), Connection.OFFLINE: ("wifi-off", "brand_warn"),
    Connection.ATTENTION: ("cloud-alert", "brand_warn"), Connection.FAULT: ("alert-octagon", "brand_warn"),
})  # fmt: skip


def icon_of(meaning: str) -> str:
    """Icon name for a meaning; a question mark for one nobody has drawn, so that it is seen."""
    name = MEANINGS.get(meaning, meaning)
    return name if not name or name in CODE_POINTS else "help-circle-outline"


def battery_icon(percent: int | None) -> str:
    """The battery glyph nearest to a charge; empty when the device does not tell."""
    if percent is None:
        return ""
    steps = ((15, "battery-alert"), (35, "battery-20"), (65, "battery-50"), (95, "battery-80"))
    return next((name for limit, name in steps if percent < limit), "battery")
