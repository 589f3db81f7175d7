"""The fixed words of the screens, read once from ``pda_app/i18n/screens.toml``. No window."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "i18n" / "screens.toml"


@cache
def table() -> Mapping[str, Mapping[str, str]]:
    """Every word by its id, then by its language."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def word(lang: str, name: str) -> str:
    """One word of the screens.

    Raises:
        KeyError: There is no such word; a programming error, found by the screen tests.
    """
    return table()[name][lang]
