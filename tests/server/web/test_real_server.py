"""The page on the ward server itself, and the tests' feed held to what that server sends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clinical.bedside_check.model import Action
from clinical.records import Flow, Generation, Validity
from server.alarms import service as alarms
from server.live.hub import Hub
from server.live.project import Projector
from server.live.vitals import Shown
from server.sync.events import apply
from tests.server.web.scenario import small_ward
from tests.support.server_process import WardProcess

WARD_FILE = Path(__file__).parents[2] / "data" / "ward.toml"

Open = Callable[..., Any]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WardProcess]:
    running = WardProcess(tmp_path, WARD_FILE)
    running.start("--one-time", "N20713")
    yield running
    running.stop()


@pytest.mark.slow
@pytest.mark.requirement("R-WEB-09")
@pytest.mark.requirement("R-WEB-18")
@pytest.mark.hazard("H-WEB-03")
def test_a_killed_ward_server_veils_the_wall_and_its_return_lifts_it(
    server: WardProcess, open_page: Open
) -> None:
    page = open_page(server.base, code=server.ready["one_time_code"])
    assert page.locator(".tile").count() == 8
    assert page.locator(".person").inner_text() == "王丽"
    assert page.locator(".tile.empty").count() == 8
    page.wait_for_timeout(2600)
    assert page.locator(".veil").is_hidden()
    assert page.watch.complaints == []
    killed = time.monotonic()
    server.kill()
    page.wait_for_selector(".veil:visible", timeout=4000)
    assert time.monotonic() - killed <= 3.0
    server.start()
    page.wait_for_selector(".veil", state="hidden", timeout=10_000)


@pytest.mark.slow
@pytest.mark.requirement("R-WEB-18")
def test_badge_and_pin_sign_in_on_the_ward_server(server: WardProcess, open_page: Open) -> None:
    page = open_page(server.base, code="")
    page.fill("#badge", "N20488")
    page.keyboard.press("Enter")
    page.keyboard.type("1111")
    page.keyboard.press("Enter")
    page.wait_for_selector(".refusal:visible")
    assert "PIN" in page.locator(".refusal").inner_text()
    page.fill("#pin", "1470")
    page.keyboard.press("Enter")
    page.wait_for_selector(".tile")
    assert page.locator(".person").inner_text() == "陈静"
    page.locator(".person").click()
    page.locator(".signed-in button").last.click()
    page.wait_for_selector(".sign-form:visible")
    assert page.locator(".tile").count() == 0


def shown_by_the_server(ward: Any) -> dict[str, Any]:
    """One of everything, as the ward server shows it."""
    ward.admit("1001", "01")
    task = ward.task_of(ward.order_bag("1001", "B1"))
    event = ward.started("s1", task, ward.request("r1", Action.START))
    ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), event))
    flow = Flow(id="I-s1", effective=ward.clock(), validity=Validity.VALID, gtt_min=20.0, state="flowing")
    ward.store.write(lambda unit: unit.put(flow))
    ward.store.write(lambda unit: alarms.event_put_aside(unit, "pda-1"))
    ward.order("1001", "M1")
    loop = asyncio.new_event_loop()
    hub = Hub({"id": "W1"}, ward.clock)
    projector = Projector(hub, loop, "W1", ward.site.first.beds)
    projector.start(ward.store.picture)
    value = Shown(
        encounter_id="E-V1001",
        code="MDC_PULS_OXIM_SAT_O2",
        value=Decimal(97),
        unit="%",
        validity=Validity.VALID,
        effective=ward.clock(),
        generation=Generation.DEMO,
    )
    projector.vitals(ward.store.picture, [value])
    loop.close()
    return hub.state


@pytest.mark.requirement("R-WEB-13")
@pytest.mark.parametrize("section", ["beds", "vitals", "infusions", "alarms", "tasks"])
def test_the_feed_of_these_tests_has_the_shapes_of_the_ward_server(ward: Any, section: str) -> None:
    theirs = next(iter(shown_by_the_server(ward)[section].values()))
    ours = next(iter(small_ward().state[section].values()))
    assert ours.keys() == theirs.keys()
