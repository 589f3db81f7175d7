from __future__ import annotations

from datetime import date

import pytest

from clinical.records import Sex
from server.prints.texts import ROUTES, SEXES, UNITS, WORDS, age_text, route_word, sex_word, unit_word

TODAY = date(2026, 11, 25)


@pytest.mark.parametrize(
    ("born", "zh", "en"),
    [
        (date(1958, 6, 14), "68岁", "68 y"),
        (date(2024, 11, 26), "23月", "23 mo"),
        (date(2024, 11, 25), "2岁", "2 y"),
        (date(2026, 9, 26), "60天", "60 d"),
        (date(2026, 11, 25), "0天", "0 d"),
        (date(2027, 1, 1), "", ""),
        (None, "", ""),
    ],
)
def test_ages_of_small_children_are_in_months_and_days(born: date | None, zh: str, en: str) -> None:
    assert (age_text(born, TODAY, "zh"), age_text(born, TODAY, "en")) == (zh, en)


@pytest.mark.parametrize("table", [WORDS, ROUTES, UNITS, SEXES])
def test_every_word_exists_in_both_languages(table: dict[str, object]) -> None:
    assert all(label.zh and label.en for label in table.values())  # type: ignore[attr-defined]


def test_units_are_printed_without_braces_and_unknown_words_stay() -> None:
    assert [unit_word(unit, "zh") for unit in ("{tablet}", "mL", "{drop}", "ug")] == [
        "片",
        "mL",
        "drop",
        "µg",
    ]
    assert unit_word("ug", "en") == "mcg"  # µg is misread as mg in handwriting and small print
    assert (route_word("PO", "zh"), route_word("XX", "en"), sex_word(Sex.MALE, "en")) == (
        "口服",
        "XX",
        "Male",
    )
