"""The shift's sheet in a real browser: order of concern, notes that stay, giving over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.server.web.feed import Feed
from tests.server.web.test_station import CLIPPED, LOOKS, each_look

Open = Callable[..., Any]
Shoot = Callable[[Any, str], None]

pytestmark = [pytest.mark.slow, pytest.mark.requirement("R-CHART-07"), pytest.mark.hazard("H-CHART-02")]


def test_the_sheet_has_who_to_see_first_on_top_and_is_given_over_with_its_notes(
    small: tuple[str, Feed], open_page: Open, shoot: Shoot
) -> None:
    url, feed = small
    page = open_page(url)
    page.keyboard.press("F6")
    page.wait_for_selector(".hand-row.concern")
    beds = page.locator(".hand-row .hand-bed").all_inner_texts()
    assert beds[0] == sorted(beds)[3]  # the one with a critical value
    note = page.locator(".hand-row textarea").first
    note.fill("复查血钾，注意心律")
    for look in each_look(page, LOOKS):
        assert page.evaluate(CLIPPED) == [], look
        assert note.input_value() == "复查血钾，注意心律"
        shoot(page, f"handover_{look}")
    page.locator(".handover .stat-file").click()
    page.wait_for_function("() => document.querySelector('.hand-signed').innerText !== ''")
    assert feed.handovers[0]["notes"] == {f"E-{beds[0]}": "复查血钾，注意心律"}
    assert page.locator(".handover .stat-file").is_disabled()
    assert page.watch.complaints == []


def test_a_sheet_that_cannot_be_had_is_told_and_a_line_opens_its_bed(
    small: tuple[str, Feed], open_page: Open
) -> None:
    page = open_page(small[0])
    page.keyboard.press("F6")
    page.wait_for_selector(".hand-row")
    at_once = """() => {
        const line = document.querySelector('.hand-row .hand-bed');
        const bed = line.innerText;
        line.click();
        const head = document.querySelector('.page.bed-page:not([hidden]) .bed-head');
        return [bed, head.innerText];
    }"""
    bed, shown = page.evaluate(at_once)  # nothing is painted between the click and the reading
    assert bed in shown
    page.route("**/handover?*", lambda route: route.abort())
    page.keyboard.press("F6")
    page.locator("[data-hours='12']").click()
    page.wait_for_selector(".handover .stat-trouble:visible")
    page.watch.complaints.clear()
