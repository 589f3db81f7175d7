"""WCAG 2.1 A and AA by axe on every page, in both languages and both themes."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server.web.feed import Feed

AXE = Path(__file__).resolve().parents[2] / "data" / "axe"
Open = Callable[..., Any]
RUN = """() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }).then((found) =>
  found.violations.flatMap((rule) =>
    rule.nodes.map((node) => `${rule.id}: ${node.target} ${node.any[0]?.message ?? ''}`)))"""

pytestmark = [pytest.mark.slow, pytest.mark.requirement("R-WEB-21")]


def source() -> str:
    manifest = tomllib.loads((AXE / "SOURCE.toml").read_text(encoding="utf-8"))["package"][0]
    program = (AXE / "axe.min.js").read_bytes()
    assert hashlib.sha256(program).hexdigest() == manifest["sha256"]["axe.min.js"]
    return program.decode()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_page_breaks_a_rule_of_wcag_aa(small: tuple[str, Feed], open_page: Open, lang: str) -> None:
    page = open_page(small[0], lang=lang)
    page.evaluate(source())
    found = []
    for theme in ("dark", "light"):
        for key in ("F1", "F4", "F5", "F6", "F7", "F8", "F9", "F11"):
            page.keyboard.press(key)
            page.wait_for_timeout(350)
            found += [f"{theme} {key} {fault}" for fault in page.evaluate(RUN)]
        page.locator(".station .theme").click()
    assert "\n".join(sorted(set(found))) == ""


def test_the_start_page_breaks_no_rule_either(small: tuple[str, Feed], open_page: Open) -> None:
    page = open_page(small[0], code="")
    page.evaluate(source())
    assert page.evaluate(RUN) == []
