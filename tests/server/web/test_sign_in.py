"""Signing in on the ward server's own page: password, a new PIN with a code, and a screen that was locked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.server_process import WardProcess

WARD_FILE = Path(__file__).parents[2] / "data" / "ward.toml"
PASSWORD = "vier Enten im Regen"
Open = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.requirement("R-PEOPLE-02"), pytest.mark.hazard("H-PEOPLE-02")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WardProcess]:
    seed = tmp_path / "ward.toml"
    manager = '\n[[people]]\nid = "M50001"\nname = "孙护士长"\nroles = ["manager"]\n'
    manager += 'badge = "M50001"\npin = "8642"\n'
    seed.write_text(WARD_FILE.read_text(encoding="utf-8") + manager, encoding="utf-8")
    running = WardProcess(tmp_path, seed)
    running.start()
    yield running
    running.stop()


def new_pin_code(server: WardProcess) -> str:
    with server.client("M50001", "8642") as manager:
        answer = manager.post("/people/N20488/pin-codes", json={"why": "forgot the PIN"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["code"])


def test_a_new_pin_then_a_password_then_a_locked_screen(server: WardProcess, open_page: Open) -> None:
    page = open_page(server.base, code="")
    page.click("[data-mode='new-pin']")
    page.fill("#badge", "N20488")
    page.fill("#pin-code", new_pin_code(server))
    page.fill("#pin", "1234")
    page.keyboard.press("Enter")
    page.wait_for_selector(".refusal:visible")
    assert "太容易猜到" in page.locator(".refusal").inner_text()
    page.fill("#pin", "7319")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-mode='pin'][aria-pressed='true']")
    assert "新 PIN 已设置" in page.locator(".refusal").inner_text()
    page.fill("#badge", "N20488")
    page.fill("#pin", "7319")
    page.keyboard.press("Enter")
    page.wait_for_selector(".tile")

    page.locator(".person").click()
    page.fill("#own-pin", "7319")
    page.fill("#new-password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector(".refusal:visible")
    assert "口令已设置" in page.locator(".refusal").inner_text()
    page.locator(".signed-in button").last.click()
    page.wait_for_selector("#badge:visible")

    page.click("[data-mode='password']")
    assert page.locator(".keypad").is_hidden()
    page.fill("#badge", "N20488")
    page.fill("#pin", "wrong wrong wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector(".refusal:visible")
    assert "口令不对" in page.locator(".refusal").inner_text()
    page.fill("#pin", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector(".tile")

    page.evaluate("() => fetch('/api/v1/sessions/current/lock', { method: 'POST' })")
    page.reload()
    page.wait_for_selector("#pin:visible")
    assert page.locator("#badge").is_hidden()
    assert page.locator(".sign-form .big.primary").first.inner_text() == "解锁"
    page.fill("#pin", "7319")
    page.keyboard.press("Enter")
    page.wait_for_selector(".start", state="hidden")
    assert page.locator(".person").inner_text() == "陈静"
