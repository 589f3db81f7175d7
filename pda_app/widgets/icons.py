"""The icon font's glyphs by name; one meaning per icon (look §3). Plain data, no window.

The shipped font holds exactly these glyphs: a new name needs a new subset (``pda_app/fonts/VENDOR.toml``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CODE_POINTS: Mapping[str, int] = MappingProxyType({
    "account": 0xF0004,
    "account-multiple-check": 0xF08C5,
    "account-switch": 0xF0019,
    "alert": 0xF0026,
    "alert-circle": 0xF0028,
    "alert-octagon": 0xF0029,
    "arrow-down": 0xF0045,
    "arrow-expand-all": 0xF004C,
    "arrow-up": 0xF005D,
    "backspace-outline": 0xF0B5C,
    "bacteria-outline": 0xF0ED6,
    "bandage": 0xF0DAF,
    "barcode-scan": 0xF0072,
    "battery": 0xF0079,
    "battery-20": 0xF007B,
    "battery-50": 0xF007E,
    "battery-80": 0xF0081,
    "battery-alert": 0xF0083,
    "bed": 0xF02E3,
    "bell-outline": 0xF009C,
    "bell-ring": 0xF009E,
    "blood-bag": 0xF0CEC,
    "calculator": 0xF00EC,
    "cancel": 0xF073A,
    "check": 0xF012C,
    "check-circle": 0xF05E0,
    "check-circle-outline": 0xF05E1,
    "chevron-double-up": 0xF013F,
    "chevron-left": 0xF0141,
    "chevron-right": 0xF0142,
    "clipboard-list-outline": 0xF10D5,
    "clock-alert-outline": 0xF05CE,
    "clock-outline": 0xF0150,
    "close": 0xF0156,
    "close-circle": 0xF0159,
    "cloud-alert": 0xF09E0,
    "cloud-check-outline": 0xF1BEC,
    "cloud-sync-outline": 0xF12D6,
    "cloud-upload-outline": 0xF0B7E,
    "comment-text-outline": 0xF0189,
    "content-copy": 0xF018F,
    "dots-horizontal": 0xF01D8,
    "eye-outline": 0xF06D0,
    "flag-checkered": 0xF023C,
    "food-off": 0xF05F3,
    "format-list-checks": 0xF0756,
    "gauge": 0xF029A,
    "gesture-tap": 0xF0741,
    "heart-pulse": 0xF05F6,
    "help-circle-outline": 0xF0625,
    "information-outline": 0xF02FD,
    "iv-bag": 0xF10B9,
    "lightning-bolt": 0xF140B,
    "loading": 0xF0772,
    "lock": 0xF033E,
    "logout": 0xF0343,
    "magnify": 0xF0349,
    "minus": 0xF0374,
    "pause-circle-outline": 0xF03E6,
    "pill": 0xF0402,
    "plus-circle-outline": 0xF0419,
    "progress-clock": 0xF0996,
    "pulse": 0xF0430,
    "routes": 0xF046A,
    "run": 0xF070E,
    "scale-balance": 0xF05D1,
    "shield-check": 0xF0565,
    "speedometer": 0xF04C5,
    "stethoscope": 0xF04D9,
    "stop-circle-outline": 0xF0667,
    "test-tube": 0xF0668,
    "thermometer": 0xF050F,
    "timer-sand": 0xF051F,
    "translate": 0xF05CA,
    "view-grid-outline": 0xF11D9,
    "volume-off": 0xF0581,
    "walk": 0xF0583,
    "water": 0xF058C,
    "water-outline": 0xF0E0A,
    "weather-night": 0xF0594,
    "white-balance-sunny": 0xF05A8,
    "wifi-off": 0xF05AA,
})  # fmt: skip


def glyph(name: str) -> str:
    """The character that draws an icon; an empty name draws nothing.

    Raises:
        KeyError: The font has no such icon; a programming error, found by the screen tests.
    """
    return chr(CODE_POINTS[name]) if name else ""
