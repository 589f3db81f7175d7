"""Both screens of a running ward at once: the handheld's real window under X, the central page in Chromium.

A robot keyboard is the scanner, a robot mouse is the finger; what is asserted is what a person would see.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageGrab

from clinical.identifiers import hospital
from clinical.records import Infusion, InfusionState
from deploy.demo.nurse import BED, OTHER_PATIENTS_BAG, SALINE
from deploy.demo.program import Program
from deploy.demo.staff import CHARGE_NURSE, COLLEAGUE, NURSE, Colleague, pins, prepare_bags
from deploy.demo.ward import DemoWard, sensor_address
from pda_app import theme
from tests.support import chromium, x_server

SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
KEYS = {str(n): (84 + 155 * ((n - 1) % 3), 333 + 84 * ((n - 1) // 3)) for n in range(1, 10)} | {
    "0": (239, 584)
}
PRIMARY, VERDICT = (340, 768), (22, 700)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(bool(x_server.missing()), reason=f"{x_server.missing()} is not installed"),
    pytest.mark.skipif(chromium.program() is None, reason="chromium is not installed"),
]


class Hand:
    """A nurse's hand and eye at one X display."""

    def __init__(self, display: dict[str, str]) -> None:
        self.display = display

    def scan(self, code: str) -> None:
        x_server.press(self.display, code, delay_ms=2)

    def touch(self, where: tuple[int, int]) -> None:
        subprocess.run(
            ["xdotool", "mousemove", str(where[0]), str(where[1]), "sleep", "0.05", "click", "1"],
            env=self.display, check=True, timeout=20,
        )  # fmt: skip
        time.sleep(0.15)

    def picture(self, name: str = "") -> Image.Image:
        image = ImageGrab.grab(xdisplay=self.display["DISPLAY"])
        if name:
            SHOTS.mkdir(parents=True, exist_ok=True)
            image.save(SHOTS / f"ward_handheld_{name}.png")
        return image

    def sees(self, token: str, where: tuple[int, int]) -> bool:
        wanted = theme.LIGHT[token].lstrip("#")
        return self.picture().getpixel(where) == tuple(int(wanted[at : at + 2], 16) for at in (0, 2, 4))


async def until(condition: Callable[[], Any], what: str, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.1)


@pytest.mark.requirement("R-SYS-13")
def test_a_nurse_and_a_ward_manager_see_the_same_infusion(tmp_path: Path) -> None:
    with x_server.x_server() as display:
        asyncio.run(shift(tmp_path, Hand(display)))


async def shift(directory: Path, hand: Hand) -> None:
    async with DemoWard(directory) as ward:
        charge_nurse = await Colleague.sign_in(ward.url, ward.tls, CHARGE_NURSE)
        colleague = await Colleague.sign_in(ward.url, ward.tls, COLLEAGUE)
        bags = await prepare_bags(colleague, charge_nurse)
        arguments = ["--server", ward.url, "--ca", str(ward.ca_file), "--store", str(directory / "pda")]
        handheld = Program("handheld", ["pda", "nurse", *arguments, "--demo"], directory / "handheld.log")
        handheld.start(hand.display)
        try:
            await at_the_bedside(ward, charge_nurse, hand, bags)
            await at_the_wall(ward, charge_nurse, hand)
        finally:
            handheld.stop()
            await charge_nurse.close()
            await colleague.close()
        assert "Traceback" not in (directory / "handheld.log").read_text()


async def at_the_bedside(ward: DemoWard, server: Colleague, hand: Hand, bags: dict[str, Any]) -> None:
    """Sign in, STOP, GIVE, start: what the nurse does with scanner and fingers."""
    await until(lambda: hand.sees("brand", (240, 6)), "the sign-in page should appear")
    hand.scan(hospital.encode("badge", NURSE))
    await until(
        lambda: hand.sees("card", KEYS["5"]) or hand.sees("card", (60, 333)), "the PIN pad should appear"
    )
    for digit in pins()[NURSE]:
        hand.touch(KEYS[digit])
    await until(lambda: hand.sees("brand", (205, 740)), "badge and PIN should open the task list")
    hand.picture("today_zh")
    facts = (await server.changes()).facts
    stay = next(one for one in facts.encounters if one.bed == BED)
    patient = next(one for one in facts.patients if one.id == stay.patient_id)
    wristband = hospital.encode("wristband", patient.mrn, "1")
    hand.scan(wristband)
    await asyncio.sleep(1)
    hand.scan(hospital.encode("bag", bags[OTHER_PATIENTS_BAG].id))
    await until(lambda: hand.sees("bad", VERDICT), "another patient's bag should turn the panel red")
    hand.picture("stop_zh")
    hand.scan(wristband)
    await asyncio.sleep(1)
    hand.scan(hospital.encode("bag", bags[SALINE].id))
    await asyncio.sleep(0.5)
    hand.scan(hospital.encode("device", f"ble:{sensor_address(BED).lower().replace(':', '-')}"))
    await until(lambda: hand.sees("ok", VERDICT), "the right bag should turn the panel green")
    hand.picture("give_zh")
    hand.touch(PRIMARY)
    for _ in range(100):
        infusions = (await server.changes()).facts.infusions
        if any(one.bag_id == bags[SALINE].id and one.state is InfusionState.RUNNING for one in infusions):
            break
        await asyncio.sleep(0.1)
    else:
        raise AssertionError("the started infusion should reach the server")
    infusion: Infusion = next(one for one in infusions if one.bag_id == bags[SALINE].id)
    await ward.simulators[BED].do(
        do="drip", device=sensor_address(BED), gtt_min=67, volume_ml=float(infusion.volume_ml)
    )


async def at_the_wall(ward: DemoWard, server: Colleague, hand: Hand) -> None:
    """The central page shows the same bed, moving by itself, in both languages."""
    from playwright.async_api import async_playwright

    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.program(), args=chromium.ARGUMENTS
        )
        page = await browser.new_page(viewport={"width": 1920, "height": 1080}, locale="zh-CN")
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"{ward.plain_url}/?lang=zh#code={await server.one_time_code()}")
        tile = page.locator(f".tile[data-bed='{BED}']")
        await tile.wait_for()
        await asyncio.sleep(8)
        text = await tile.inner_text()
        assert "张*国" in text
        assert "张建国" not in await page.inner_text("body")
        await page.screenshot(path=SHOTS / "ward_central_zh.png")
        first = await tile.inner_text()
        await asyncio.sleep(3)
        assert await tile.inner_text() != first, "the tile should move by itself"
        await page.goto(f"{ward.plain_url}/?lang=en")
        await tile.wait_for()
        await asyncio.sleep(6)
        assert "Sodium chloride 0.9%" in await tile.inner_text()
        await page.screenshot(path=SHOTS / "ward_central_en.png")
        await browser.close()
    assert complaints == []
    hand.picture("after_start_zh")
