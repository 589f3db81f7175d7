"""Every screen, in both languages, both themes and all text sizes: nothing clipped, nothing too small."""

from __future__ import annotations

import gc
import itertools
import weakref

import pytest
from kivy.factory import Factory
from kivy.lang import Builder

from pda_app.theme import TEXT_SCALES
from pda_app.widgets.context import th
from tests.support.handheld_gallery import SCREENS, speak, top_of
from tests.support.kivy_driver import Driver
from tests.support.kivy_layout import faults

LARGE, SMALL = (480, 800), (360, 640)
EVERY = tuple(itertools.product(("en", "zh"), TEXT_SCALES))
SOME = (("en", 1.3), ("zh", 1.0))  # the tightest and the plainest
REST = tuple(variant for variant in EVERY if variant not in SOME)
MATRIX = (
    pytest.param(LARGE, SOME, id="480x800-quick"),
    pytest.param(LARGE, REST, id="480x800-rest", marks=pytest.mark.slow),
    pytest.param(SMALL, EVERY, id="360x640", marks=pytest.mark.slow),
)
CARE = ("specimen", "blood", "skin", "vitals", "fluids", "critical")
"""Screens made of the same parts: drawn plainest and tightest, and in full in the long run."""
TIGHTEST = (("en", 1.3),)
CARE_MATRIX = (
    MATRIX[0],
    pytest.param(SMALL, TIGHTEST, id="360x640-tightest"),
    pytest.param(LARGE, REST, id="480x800-rest", marks=pytest.mark.full),
    pytest.param(SMALL, EVERY, id="360x640", marks=pytest.mark.full),
)
DRUGS = [name for name in SCREENS if not name.startswith(CARE)]
OVERLAID = {"check_not_given", "round_finish", "check_second", "infusion_sites", "blood_pin"}
"""Pages that show a sheet of their own."""


@pytest.mark.parametrize(("size", "variants"), MATRIX)
@pytest.mark.parametrize("name", DRUGS)
@pytest.mark.requirement("R-PDU-01")
@pytest.mark.hazard("H-PDU-06")
def test_no_text_is_clipped_or_covered_and_every_target_fits_a_glove(
    driver: Driver, name: str, size: tuple[int, int], variants: tuple[tuple[str, float], ...]
) -> None:
    assert draw(driver, name, size, variants) == []


@pytest.mark.parametrize(("size", "variants"), CARE_MATRIX)
@pytest.mark.parametrize("name", [name for name in SCREENS if name not in DRUGS])
@pytest.mark.requirement("R-PDU-01")
@pytest.mark.hazard("H-PDU-06")
def test_no_text_of_care_and_forms_is_clipped_and_every_target_fits_a_glove(
    driver: Driver, name: str, size: tuple[int, int], variants: tuple[tuple[str, float], ...]
) -> None:
    assert draw(driver, name, size, variants) == []


def draw(
    driver: Driver, name: str, size: tuple[int, int], variants: tuple[tuple[str, float], ...]
) -> list[str]:
    """Lay one screen out in some variants, keep pictures of two of them, and return what is wrong."""
    driver.resize(*size)
    speak("zh")
    th.dark, th.scale, th.role = False, 1.0, "nurse"
    th.fit(*size)
    root = driver.show(SCREENS[name]())
    found = []
    for lang, scale in variants:
        speak(lang)
        th.scale = scale
        th.fit(*size)
        driver.settle()
        found += [f"{lang} {scale}: {fault}" for fault in faults(seen(root, name))]
        if (lang, scale) in SOME:  # the ink is read where it is written: the others need no frame
            save(driver, name, f"{lang}_{scale:g}_{size[0]}", dark=size == LARGE)
    return found


@pytest.mark.parametrize(
    "name",
    [
        "check_give",
        "check_stop",
        "check_check",
        "check_answered",
        "infusion_start",
        "round",
        "blood_match",
        "skin_place",
        "skin_read",
    ],
)
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.requirement("R-PDU-14")
def test_a_check_is_seen_whole_without_scrolling(driver: Driver, name: str, lang: str) -> None:
    driver.resize(*LARGE)
    speak(lang)
    th.dark, th.scale, th.role = False, 1.0, "nurse"
    th.fit(*LARGE)
    body = driver.show(SCREENS[name]()).ids.body
    assert body.viewport_size[1] <= body.height


def seen(root, name):
    if name in OVERLAID:
        return next(w for w in root.walk(restrict=True) if type(w).__name__ == "Sheet")
    return top_of(root)


def save(driver: Driver, name: str, variant: str, *, dark: bool) -> None:
    driver.picture(f"handheld_{name}_{variant}_light")
    if dark:
        th.dark = True
        driver.picture(f"handheld_{name}_{variant}_dark")
        th.dark = False


LEAVING = ("today_reading", "check_waiting", "infusion_start", "uploads", "alarm_high", "sign_in", "round")
"""Something that turns, a curve, buttons fitted to their words, a list, PIN dots."""


@pytest.mark.slow
def test_a_screen_that_was_left_is_freed(driver: Driver) -> None:
    driver.clear()
    chosen = {name: SCREENS[name] for name in LEAVING}
    left = {name: weakref.ref(build()) for name, build in chosen.items()}
    driver.settle()  # what was put off to the next frame lets go of them
    gc.collect()
    assert [name for name, screen in left.items() if screen() is not None] == []


@pytest.mark.parametrize("kind", ["Surface", "CurveBox", "TrendBox", "PinDots"])
def test_what_follows_the_theme_stops_listening_when_it_is_freed(driver: Driver, kind: str) -> None:
    driver.clear()
    before = listeners()
    drawn = Factory.get(kind)()
    assert listeners() > before
    del drawn
    gc.collect()
    assert listeners() == before


def listeners() -> int:
    return sum(len(list(th.get_property_observers(name))) for name in ("c", "fs", "box"))


LEFT = """
#:import churn tests.support.churn.churn
<Left@Label>:
    tint: 'ink'
    color: (churn(), th.c(self.tint))[1]
"""


def test_a_screen_that_was_left_may_become_garbage_while_the_theme_changes(driver: Driver) -> None:
    Builder.load_string(LEFT, filename="left.kv")
    usual = gc.get_threshold()
    try:
        gone = Factory.Left()
        gone.itself = gone  # a cycle: only the collector frees it
        gc.set_threshold(100, 1, 1)  # the collector is as eager as it can be
        del gone
        th.dark = True
    finally:
        gc.set_threshold(*usual)
        th.dark = False
        Builder.unload_file("left.kv")
        Factory.unregister("Left")
