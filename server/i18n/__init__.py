"""Sentences of problem documents in the language a person asks for."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

LANGUAGES = ("zh", "en")


@cache
def _catalogue() -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads((Path(__file__).parent / "problems.toml").read_text(encoding="utf-8"))


def wanted(accept_language: str) -> str:
    """Return the language of an ``Accept-Language`` header: the best liked of ours, else English."""
    liked: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language[:500].split(",")):
        tag, _, weight = part.strip().partition(";q=")
        language = tag.split("-")[0].strip().lower()
        try:
            liked.append((-float(weight or 1), place, language))
        except ValueError:
            continue
    return next((language for _, _, language in sorted(liked) if language in LANGUAGES), "en")


def title(status: int, language: str, english: str) -> str:
    """Return the title of a status in a language; the English one where there is no other."""
    return _catalogue()["titles"].get(str(status), {}).get(language, english)


def detail(code: str, language: str, english: str) -> str:
    """Return the sentence of a code in a language; the English one where there is no other."""
    return _catalogue()["details"].get(code, {}).get(language, english)


def codes() -> frozenset[str]:
    """Every code that has a sentence here."""
    return frozenset(_catalogue()["details"])
