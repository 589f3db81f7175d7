"""A real Chromium and the feed for the tests of the central screen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.web.feed import Feed, serving
from tests.server.web.scenario import large_ward, small_ward
from tests.support import chromium

SHOTS = Path(__file__).resolve().parents[3] / "build" / "screenshots"


@pytest.fixture(scope="module")  # its event loop must not outlive the file: other tests start their own
def browser() -> Iterator[Any]:
    program = chromium.program()
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium fonts-noto-cjk")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=chromium.ARGUMENTS)
        yield running
        running.close()
    assert [thread.name for thread in threading.enumerate() if "playwright" in thread.name.lower()] == []


@pytest.fixture
def small() -> Iterator[tuple[str, Feed]]:
    """Eight beds on a server of their own."""
    with serving(small_ward()) as running:
        yield running


@pytest.fixture
def large() -> Iterator[tuple[str, Feed]]:
    """Twenty-four beds on a server of their own."""
    with serving(large_ward()) as running:
        yield running


class Watch:
    """What a page complained about, and where it went."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.hosts: set[str] = set()

    def listen(self, said: Any) -> None:
        if said.type == "error":
            self.complaints.append(said.text)


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page that is signed in and live; it must not complain unless the test says so."""
    contexts: list[Any] = []
    watch = Watch()

    def open_(
        url: str, *, lang: str = "zh", size: tuple[int, int] = (1920, 1080), code: str = "good-code"
    ) -> Any:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="zh-CN")
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.watch = watch
        page.on("pageerror", lambda error: watch.complaints.append(str(error)))
        page.on("console", watch.listen)
        page.on("request", lambda request: watch.hosts.add(request.url.split("/")[2]))
        page.goto(f"{url}/?lang={lang}" + (f"#code={code}" if code else ""))
        page.wait_for_selector("body[data-ready=yes]")
        if code:
            page.wait_for_selector(".tile")
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture
def shoot() -> Callable[[Any, str], None]:
    """Keep a picture for people to look at."""

    def shoot_(page: Any, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SHOTS / f"central_{name}.png")

    return shoot_
