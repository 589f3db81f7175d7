"""Colours that can be read, fonts that know every name, words in both languages."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from pda_app import theme
from pda_app.widgets import icons, tones, words
from tests.support.font_characters import characters

ROOT = Path(__file__).resolve().parents[3]
APP = ROOT / "pda_app"
FONTS = APP / "fonts"
KV = sorted(path for folder in ("widgets", "nurse", "doctor") for path in (APP / folder).glob("*.kv"))
HARD_NAMES = "镕喆堃䶮㛃𬭊啰靐龘々·éüß"


@pytest.mark.parametrize("tokens", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "surface"), theme.TEXT_PAIRS)
@pytest.mark.requirement("R-PDU-10")
def test_every_text_reaches_a_contrast_of_four_and_a_half(tokens: dict, ink: str, surface: str) -> None:
    assert theme.contrast(tokens[ink], tokens[surface]) >= 4.5


@pytest.mark.parametrize("tokens", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("mark", "surface"), theme.MARK_PAIRS)
def test_marks_that_mean_something_reach_a_contrast_of_three(tokens: dict, mark: str, surface: str) -> None:
    assert theme.contrast(tokens[mark], tokens[surface]) >= 3


def test_both_themes_have_the_same_tokens() -> None:
    assert set(theme.LIGHT) == set(theme.DARK)


def test_verdicts_differ_in_lightness_not_only_in_colour() -> None:
    ink = {kind: theme.LIGHT[tones.VERDICTS[kind][1]] for kind in ("give", "check", "stop")}
    assert theme.luminance(ink["check"]) < 0.05 < theme.luminance(ink["stop"])
    assert len({tones.VERDICTS[kind][2] for kind in ink}) == 3


def test_vendored_fonts_are_the_ones_described_and_stay_small() -> None:
    vendor = tomllib.loads((FONTS / "VENDOR.toml").read_text(encoding="utf-8"))["font"]
    for font in vendor:
        data = (FONTS / font["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == font["sha256"], font["file"]
        assert (FONTS / font["licence_file"]).stat().st_size > 1000
    assert {font["file"] for font in vendor} == {
        p.name for p in FONTS.iterdir() if p.suffix in (".otf", ".ttf")
    }
    assert sum(path.stat().st_size for path in FONTS.iterdir()) < 20_000_000


@pytest.mark.requirement("R-PDU-11")
@pytest.mark.hazard("H-PDU-04")
def test_a_name_never_shows_a_box_in_either_weight() -> None:
    every_hanzi_of_gbk = {
        bytes((high, low)).decode("gbk", "ignore") for high in range(0x81, 0xFF) for low in range(0x40, 0xFF)
    }
    wanted = {ord(c) for c in HARD_NAMES} | {
        ord(c[0]) for c in every_hanzi_of_gbk if "\u4e00" <= c[:1] <= "\u9fff"
    }
    for file in ("NotoSansSC-Regular.otf", "NotoSansSC-Bold.otf"):
        assert wanted <= characters(FONTS / file), file


def test_the_icon_font_holds_exactly_the_icons_that_have_names() -> None:
    in_font = {c for c in characters(FONTS / "MaterialDesignIcons.ttf") if c >= 0xF0000}
    assert in_font == set(icons.CODE_POINTS.values())


def test_every_meaning_has_an_icon_and_an_unknown_one_is_seen() -> None:
    assert all(tones.icon_of(meaning) in icons.CODE_POINTS for meaning in tones.MEANINGS)
    assert tones.icon_of("nobody-drew-this") == "help-circle-outline"


def test_every_icon_named_in_the_screens_exists() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in KV)
    lines = re.findall(r"\bicon: (.*)", text)
    named = {name for line in lines for name in re.findall(r"'([a-z][a-z0-9-]+)'", line)}
    assert len(named) > 30
    known = set(icons.CODE_POINTS) | set(tones.MEANINGS) | {"none", "up", "down", "uploads", "zh", "doctor"}
    assert named <= known, named - known


@pytest.mark.requirement("R-PDU-06")
def test_every_fixed_word_of_the_screens_exists_in_both_languages() -> None:
    used = {
        name
        for path in [*KV, *(APP / "nurse").glob("*.py"), *(APP / "doctor").glob("*.py")]
        for asked in re.findall(r"tr\.w\(([^()]*)\)", path.read_text(encoding="utf-8"))
        for name in re.findall(r"['\"]([a-z-]+)['\"]", asked)
    }
    table = words.table()
    assert used <= set(table), used - set(table)
    assert all(set(entry) == {"zh", "en"} and all(entry.values()) for entry in table.values())
    assert set(table) <= used, f"words nobody shows: {set(table) - used}"


def test_no_screen_file_holds_chinese_or_clinical_arithmetic() -> None:
    for path in KV:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"[\u4e00-\u9fff]", text), path
        assert not re.search(r"(rate|volume|dose|gtt|ml)\w*\s*[-*/]\s*\d", text.lower()), path


def test_words_stay_with_their_numbers() -> None:
    from pda_app.widgets.context import keep_together

    assert keep_together("Ceftazidime 1 g, 200 mL/h") == "Ceftazidime 1\u00a0g, 200\u00a0mL/h"
    assert keep_together("bed 12A now") == "bed 12A now"
