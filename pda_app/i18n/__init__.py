"""Everything a person reads on the handheld, in Chinese and English, by id.

``texts/*.toml`` hold one table per family: ``[verdict] give = ["可以给药", "GIVE"]`` is the text of
``verdict.give``. ``{name}`` is filled from a message's parameters; a part in square brackets disappears
when one of its parameters is missing. ``screens.toml`` holds the fixed words of the window.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TypeAlias

from clinical.records import Label
from pda_app.presenters.states import Msg, Text

LANGUAGES = ("zh", "en")
OPEN_FAMILIES = frozenset({
    "alarm",
    "class", "container", "effect", "error", "escalate", "finding-reason", "finding-site", "fluid", "form",
    "frequency", "kind", "lab", "look",
    "not-given", "outcome-code", "prn", "reason", "risk", "role", "route", "site", "stop-reason", "unit",
})  # fmt: skip
"""Families whose codes a hospital may add to: an unknown one is shown as its code."""

Texts: TypeAlias = Mapping[str, tuple[str, str]]

_SEPARATORS = {"dot": " · ", "plus": " + ", "space": " ", "lines": "\n"}
_LIST = {"zh": "、", "en": ", "}
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_FIELD = re.compile(r"\{([a-z_]+)\}")
_FOLDER = Path(__file__).parent / "texts"


@cache
def texts() -> Texts:
    """Every text by id, as (zh, en)."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(_FOLDER.glob("*.toml")):
        for family, entries in tomllib.loads(path.read_text(encoding="utf-8")).items():
            for name, (chinese, english) in entries.items():
                found[f"{family}.{name}"] = (chinese, english)
    return found


class Catalog:
    """The texts of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._index = LANGUAGES.index(language)
        self._texts = texts()

    def text(self, text: Text) -> str:
        """Translate a message, choose from a label, or pass a plain string."""
        match text:
            case Msg(id=id_, params=params):
                return self._message(id_, {name: self.text(value) for name, value in params})
            case Label():
                return text.zh if self.language == "zh" else text.en or text.zh
            case _:
                return text

    def _message(self, id_: str, params: Mapping[str, str]) -> str:
        family, _, name = id_.partition(".")
        if family == "join":
            return self._join(name, params)
        template = self._texts.get(id_)
        if template is None:
            return name if family in OPEN_FAMILIES else self._texts["missing.text"][self._index]
        return _fill(template[self._index], params)

    def _join(self, separator: str, params: Mapping[str, str]) -> str:
        between = _LIST[self.language] if separator == "list" else _SEPARATORS[separator]
        return between.join(value for _, value in sorted(params.items()) if value)


def _fill(template: str, params: Mapping[str, str]) -> str:
    def optional(match: re.Match[str]) -> str:
        wanted = _FIELD.findall(match[1])
        return match[1] if all(params.get(name) for name in wanted) else ""

    shown = _OPTIONAL.sub(optional, template)
    return _FIELD.sub(lambda match: params.get(match[1], "…"), shown)
