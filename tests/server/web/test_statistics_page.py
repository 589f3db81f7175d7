"""The statistics page in a real browser: what the figures say, and how an empty ward looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.server.web.feed import Feed
from tests.server.web.test_station import CLIPPED, LOOKS, each_look

Open = Callable[..., Any]
Shoot = Callable[[Any, str], None]
CUT = """() => [...document.querySelectorAll(
  '.stat-card .stat-value, .stat-row-name, .stat-panel h3 span, .stat-head *')]
  .filter((one) => one.offsetParent && one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.className + ' ' + one.textContent)"""

pytestmark = [pytest.mark.slow, pytest.mark.requirement("R-STAT-02")]


def test_the_figures_show_in_both_languages_and_sizes_and_a_change_of_period_asks_anew(
    small: tuple[str, Feed], open_page: Open, shoot: Shoot
) -> None:
    page = open_page(small[0])
    page.keyboard.press("F9")
    page.wait_for_selector(".stat-card.met, .stat-card.missed")
    for look in each_look(page, LOOKS):
        assert page.evaluate(CLIPPED) == [], look
        assert page.evaluate(CUT) == [], look
        shoot(page, f"statistics_{look}")
    assert page.locator(".stat-panel .chart .line").count() >= 4
    compliance = page.locator("[data-card=compliance] .stat-value").inner_text()
    with page.expect_response("**/statistics?*"):
        page.locator("[data-days='30']").click()
    page.wait_for_function(
        "(before) => document.querySelector('[data-card=compliance] .stat-value').innerText !== before",
        arg=compliance,
    )
    assert page.locator(".statistics .stat-file").get_attribute("href").startswith("/api/v1/wards/")
    assert page.watch.complaints == []


def test_a_quiet_ward_claims_nothing(small: tuple[str, Feed], open_page: Open, shoot: Shoot) -> None:
    small[1].busy = False
    page = open_page(small[0])
    page.keyboard.press("F9")
    page.wait_for_function(
        "() => document.querySelectorAll('.stat-panel .none-line:not([hidden])').length === 9"
    )
    page.wait_for_function(
        "() => document.querySelector('[data-card=compliance] .stat-value').innerText === '–'"
    )
    shoot(page, "statistics_quiet")


def test_figures_that_cannot_be_had_are_told_on_the_page_alone(
    small: tuple[str, Feed], open_page: Open
) -> None:
    page = open_page(small[0])
    page.route("**/statistics?*", lambda route: route.abort())
    page.keyboard.press("F9")
    page.wait_for_selector(".stat-trouble:visible")
    page.keyboard.press("F1")
    assert page.locator(".tile").first.is_visible()
    page.watch.complaints.clear()  # the browser's own word for the request that was cut
