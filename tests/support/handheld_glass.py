"""A handheld's window over the real presenters and a server in memory: what hands and scanner do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pda_app.doctor.scans import PatientFinder
from pda_app.ports import ScanSource
from pda_app.widgets.context import th
from pda_app.widgets.wedge import WindowWedge
from tests.support.handheld import PINS, Rig, badge, handheld
from tests.support.kivy_driver import Driver, box_of


class Glass:
    """The window over one rig: what a person does with hands and scanner."""

    def __init__(self, driver: Driver, rig: Rig, window: Any) -> None:
        self.driver, self.rig = driver, rig
        driver.resize(480, 800)
        th.dark, th.scale = False, 1.0
        self.wedge: ScanSource = WindowWedge(driver.window)
        if window.role == "doctor":
            self.wedge = PatientFinder(self.wedge, lambda: rig.app)
        self.wedge.start(rig.app.scan)
        self.root = window(rig.app)
        driver.show(self.root)

    async def settle(self) -> None:
        await self.rig.app.settle()
        self.driver.settle()
        self.driver.frames(1)

    async def scan(self, *codes: Any) -> None:
        for code in codes:
            self.driver.type(f"{code.raw}\n")
            await self.settle()

    async def tap(self, kind: str, **wanted: Any) -> None:
        self.driver.tap(self.driver.find(kind, **wanted))
        await self.settle()

    async def sign_in(self, number: str = "N20713") -> None:
        """Badge and PIN, with scanner and fingers."""
        await self.scan(badge(number))
        for digit in PINS[number]:
            await self.tap("Key", key=digit)
        await self.rig.synced()
        await self.settle()

    def says(self, text: str) -> bool:
        return any(text in one.replace("\u00a0", " ") for one in self.driver.texts())

    def colour_of(self, kind: str) -> str:
        """The colour a few pixels inside a widget's left edge."""
        left, bottom, _, top = box_of(self.driver.find(kind))
        image = self.driver.picture()
        red, green, blue = image.getpixel((int(left) + 8, image.height - int((bottom + top) / 2)))
        return f"#{red:02X}{green:02X}{blue:02X}"

    def close(self) -> None:
        self.wedge.stop()
        self.root.close()
        self.driver.clear()


def at_the_glass(
    driver: Driver,
    directory: Path,
    window: Any,
    scenario: Callable[[Glass], Awaitable[None]],
    *,
    person: str = "N20713",
) -> None:
    """Run a scenario on a fresh handheld; ``person`` signs in first, nobody when empty."""

    async def main() -> None:
        async with handheld(directory) as rig:
            glass = Glass(driver, rig, window)
            try:
                if person:
                    await glass.sign_in(person)
                await scenario(glass)
            finally:
                glass.close()

    asyncio.run(main())
