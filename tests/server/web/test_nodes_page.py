"""The engineers' page in a real browser: which node to walk to first, and what to do there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.server.web.feed import Feed
from tests.server.web.test_station import CLIPPED, LOOKS, each_look

Open = Callable[..., Any]
Shoot = Callable[[Any, str], None]

pytestmark = [pytest.mark.slow, pytest.mark.requirement("R-WEB-22")]


def test_nodes_with_trouble_come_first_and_say_what_to_do(
    small: tuple[str, Feed], open_page: Open, shoot: Shoot
) -> None:
    page = open_page(small[0])
    page.keyboard.press("F11")
    page.wait_for_selector(".node-row.well")
    order = page.locator(".node-row .node-node").all_inner_texts()
    assert order == ["wl-edge-03", "wl-edge-05", "wl-edge-99", "wl-edge-04", "wl-edge-02", "wl-edge-01"]
    page.locator(".node-row.device").click()
    page.wait_for_function("() => document.querySelector('.node-side h3').innerText === 'wl-edge-02'")
    assert page.locator(".node-device .warn").count() == 1
    for look in each_look(page, LOOKS):
        assert page.evaluate(CLIPPED) == [], look
        shoot(page, f"nodes_{look}")
    assert page.locator(".nodes").inner_text().count("*") == 0  # no patient, not even masked
    small[1].nodes[2].state = "online"
    small[1].nodes[2].waiting = 0
    page.wait_for_function("() => document.querySelector('.node-row .node-node').innerText !== 'wl-edge-03'")
    assert page.watch.complaints == []
