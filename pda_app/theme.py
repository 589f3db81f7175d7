"""Design tokens of the handhelds: colour, type, space. Plain data, no window.

Source: the look of the handhelds, §2-3. ``tests/pda_app/ui/test_theme.py`` computes every contrast in
:data:`TEXT_PAIRS` and :data:`MARK_PAIRS`, so a token cannot become unreadable unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

Rgba = tuple[float, float, float, float]

LIGHT: Mapping[str, str] = MappingProxyType({
    "bg": "#EEF2F6", "card": "#FFFFFF", "card2": "#F5F8FA", "line": "#DCE3EA", "hint": "#8494A3",
    "ink": "#14202B", "sub": "#4E5D6B",
    "brand": "#0B4F6C", "brand_dn": "#083B51", "brand_ink": "#FFFFFF", "brand_sub": "#BFD9E4",
    "brand_tile": "#FFFFFF", "brand_tile_ink": "#0B4F6C", "brand_warn": "#FFC063",
    "act": "#0B4F6C", "act_bg": "#E2EEF4", "act_ink": "#FFFFFF",
    "ok": "#12724A", "ok_bg": "#E3F4EB", "warn": "#8A4B00", "warn_bg": "#FFF1D6",
    "warn_solid": "#F5B72E", "warn_solid_ink": "#231700",
    "bad": "#B3141B", "bad_bg": "#FCE8E8", "low": "#0B6E80", "low_bg": "#DDF3F6",
    "solid_ink": "#FFFFFF", "dis": "#DDE4EA", "dis_ink": "#4E5D6B",
    "band": "#14202B", "band_ink": "#FFFFFF",
})  # fmt: skip

DARK: Mapping[str, str] = MappingProxyType({
    "bg": "#0E151B", "card": "#18222B", "card2": "#1E2A34", "line": "#2E3C48", "hint": "#73838F",
    "ink": "#EAF0F5", "sub": "#A7B5C1",
    "brand": "#0F2F3F", "brand_dn": "#0A2431", "brand_ink": "#EAF0F5", "brand_sub": "#8FB3C3",
    "brand_tile": "#DCEBF2", "brand_tile_ink": "#0F2F3F", "brand_warn": "#FFC063",
    "act": "#6CC2E2", "act_bg": "#13303D", "act_ink": "#0B1116",
    "ok": "#3FBF86", "ok_bg": "#12342A", "warn": "#FFC063", "warn_bg": "#3A2C12",
    "warn_solid": "#FFC063", "warn_solid_ink": "#231700",
    "bad": "#FF6B6B", "bad_bg": "#3D1A1D", "low": "#5FD3E3", "low_bg": "#10333A",
    "solid_ink": "#0B1116", "dis": "#2A3742", "dis_ink": "#A7B5C1",
    "band": "#EAF0F5", "band_ink": "#0E151B",
})  # fmt: skip

SCRIM = "#080D12"
SCRIM_SHEET = 0.78
SCRIM_ALARM = 0.94

TEXT_SCALES: tuple[float, ...] = (1.0, 1.15, 1.3)
FONT_SIZES: tuple[int, ...] = (12, 14, 16, 18, 20, 24, 28, 36, 40, 72)
LINE_BOX = 1.25  # line box in em; Noto Sans SC's own line is 1.448 em
FONT_LINE = 1.448
TARGET_DP = 56  # no touch target is smaller, so that gloved fingers hit it
COMPACT_BELOW_DP = 720  # screen height divided by the text factor
TIGHT_BELOW_DP = 600  # the same, for the alarm overlay, which must hold without scrolling
NARROW_BELOW_DP = 420  # screen width divided by the text factor

TEXT_PAIRS: tuple[tuple[str, str], ...] = (
    ("ink", "card"), ("ink", "card2"), ("ink", "bg"), ("sub", "card"), ("sub", "card2"), ("sub", "bg"),
    ("brand_ink", "brand"), ("brand_sub", "brand"), ("brand_ink", "brand_dn"), ("brand_sub", "brand_dn"),
    ("brand_tile_ink", "brand_tile"), ("act", "card"), ("act", "act_bg"), ("act_ink", "act"),
    ("ok", "card"), ("ok", "ok_bg"), ("solid_ink", "ok"), ("ink", "ok_bg"),
    ("warn", "card"), ("warn", "warn_bg"), ("warn_solid_ink", "warn_solid"), ("ink", "warn_bg"),
    ("bad", "card"), ("bad", "bad_bg"), ("solid_ink", "bad"), ("ink", "bad_bg"),
    ("low", "card"), ("low", "low_bg"), ("ink", "low_bg"), ("ink", "act_bg"),
    ("dis_ink", "dis"), ("band_ink", "band"),
)  # fmt: skip
"""Text token on surface token: contrast at least 4.5."""

MARK_PAIRS: tuple[tuple[str, str], ...] = (
    ("hint", "card"), ("brand_warn", "brand"), ("warn_solid", "brand"),
)  # fmt: skip
"""Icons and borders that carry meaning: contrast at least 3."""


def rgba(colour: str, alpha: float = 1.0) -> Rgba:
    """Turn ``#RRGGBB`` into four numbers between 0 and 1."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return (red, green, blue, alpha)


def luminance(colour: str) -> float:
    """Relative luminance of a colour, 0 to 1 (WCAG 2.2)."""

    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)

    red, green, blue, _ = rgba(colour)
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def darker(colour: Rgba, share: float = 0.12) -> Rgba:
    """The same colour, darker by ``share``: how a pressed button looks."""
    red, green, blue, alpha = colour
    return (red * (1 - share), green * (1 - share), blue * (1 - share), alpha)
