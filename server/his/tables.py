"""Code tables of the mapping, as data: what hospitals write and the word Wardlink uses for it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from clinical.errors import BadInputError

NAMES = (
    "frequency", "unit", "rate", "route", "sex", "severity", "care_level", "no_allergy", "observation",
    "measure_unit", "critical_flag", "blood", "blood_message", "blood_status", "blood_component",
    "blood_group", "blood_crossmatch",
)  # fmt: skip

READING = frozenset(NAMES) - {"frequency", "unit", "route", "observation"}
"""Tables that are only needed to read a message; the rest are looked up again when it is applied."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Named tables, each from a lower-case hospital word to ours."""

    rows: Mapping[str, Mapping[str, str]]

    def find(self, table: str, text: str) -> str:
        """Return our word for a hospital word, or an empty string."""
        return self.rows[table].get(" ".join(text.lower().split()), "")

    def find_or_same(self, table: str, text: str) -> str:
        """Return our word, or the hospital's own text when the table does not know it."""
        return self.find(table, text) or text

    def with_rows(self, rows: Mapping[str, Mapping[str, str]]) -> Tables:
        """Return these tables with rows of the ward's own on top.

        Raises:
            BadInputError: There is no such table.
        """
        return Tables(_merged(self.rows, rows))

    def with_site(self, path: Path) -> Tables:
        """Return these tables with a site's own rows on top.

        Raises:
            BadInputError: The file is not TOML, names a table that does not exist, or a row is no text.
        """
        return Tables(_merged(self.rows, _read(path)))


def _read(path: Path) -> Mapping[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInputError(
            "tables-unreadable", f"The mapping table file {path.name} cannot be read as TOML: {error}"
        ) from error


def _merged(
    rows: Mapping[str, Mapping[str, str]], extra: Mapping[str, object]
) -> dict[str, Mapping[str, str]]:
    merged = {name: dict(table) for name, table in rows.items()}
    for name, table in extra.items():
        if name not in merged or not isinstance(table, dict):
            raise BadInputError(
                "tables-unknown", f"There is no mapping table {name!r}; known are {', '.join(NAMES)}."
            )
        for key, word in table.items():
            if not isinstance(word, str):
                raise BadInputError("tables-row", f"In mapping table {name!r} every value must be a text.")
            merged[name][" ".join(str(key).lower().split())] = word
    return dict(merged)


@cache
def shipped() -> Tables:
    """Return the tables that come with the product."""
    text = resources.files("server.his").joinpath("tables.toml").read_text("utf-8")
    return Tables(_merged({name: {} for name in NAMES}, tomllib.loads(text)))
