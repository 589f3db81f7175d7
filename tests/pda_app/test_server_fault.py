# ruff: noqa: F811 - fixtures of the server's tests are imported by name
"""A ward server that answers with a fault, over a real socket: it is said, work is kept, nothing is lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from clinical.chart_records import FluidRecord
from clinical.exchange import Charted
from pda_app.adapters.http import HttpApi
from pda_app.presenters.states import Connection, Screen
from server.app import create_app
from server.context import Context
from server.settings import Listener, ServerSettings, Storage, WardFiles
from server.sync.service import ChangeSignal
from tests.pda_app.test_care_against_server import at_work, fresh
from tests.server.conftest import WardBench, clock, open_store_at, store, ward  # noqa: F401 - fixtures
from tests.support.handheld import Rig

pytestmark = [pytest.mark.requirement("R-PDA-91"), pytest.mark.hazard("H-PDA-10")]


@dataclass
class Fault:
    """Stands before the ward server and answers some requests with a fault of its own."""

    app: Any
    status: int = 0  # what is answered; 0: everything goes through
    path: str = ""  # only requests whose address ends so
    body: bytes = b""  # only requests that hold this
    answered: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer with the fault, or pass the request on with the body that was read."""
        if scope["type"] != "http" or not self.status or not scope["path"].endswith(self.path):
            await self.app(scope, receive, send)
            return
        whole, more = b"", True
        while more:
            message = await receive()
            whole, more = whole + message.get("body", b""), message.get("more_body", False)
        if self.body not in whole:
            passed = iter([{"type": "http.request", "body": whole, "more_body": False}])

            async def again() -> Any:
                return next(passed, None) or await receive()

            await self.app(scope, again, send)
            return
        self.answered += 1
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b"<html>fault</html>"})


@contextmanager
def listening(bench: WardBench, directory: Path) -> Iterator[tuple[str, Fault]]:
    """The ward server's application on a free loopback port."""
    settings = ServerSettings(
        server=Listener(state_dir=directory),
        storage=Storage(url="sqlite://"),
        ward=WardFiles(seed=directory / "ward.toml"),
    )
    loop = asyncio.new_event_loop()
    context = Context(
        settings=settings, store=bench.store, site=bench.site, hubs={}, signal=ChangeSignal(loop)
    )
    fault = Fault(create_app(context))
    server = uvicorn.Server(uvicorn.Config(fault, host="127.0.0.1", port=0, log_level="critical", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", fault
    finally:
        server.should_exit = True
        thread.join(10)
        context.doors.pool.shutdown()
        loop.close()


def play(bench: WardBench, directory: Path, story: Any) -> None:
    """A nurse at work over a real socket."""
    bench.admit("1001", "01")

    async def connect() -> HttpApi:
        return HttpApi(url)

    with listening(bench, directory) as (url, fault):
        asyncio.run(at_work(bench, directory, lambda rig: story(rig, fault), connect))


async def write_down(rig: Rig, ml: int) -> Charted:
    """Record an amount of urine."""
    fluid = FluidRecord(
        id="", patient_id="P-1001", at=rig.clock.now(), by="", direction="out", kind="urine", ml=Decimal(ml)
    )
    event = Charted(**rig.app.desk.event_base(), fluid=fluid)
    await rig.app.desk.sync.record(event)
    return event


def amounts(bench: WardBench) -> list[int]:
    return sorted(int(one.ml) for one in bench.store.picture.all(FluidRecord))


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_with_a_fault_is_said_to_have_one_and_what_was_recorded_arrives_once_it_is_well(
    ward: WardBench, tmp_path: Path, status: int
) -> None:
    async def story(rig: Rig, fault: Fault) -> None:
        sync = rig.app.desk.sync
        fault.status = status
        sync.kick()
        await rig.until(lambda: sync.link.fault)
        await write_down(rig, 100)
        assert rig.text(rig.app.desk.recorded_text()) == "已存本机，服务器恢复后上传"
        await rig.until(lambda: fault.answered >= 3)
        rig.app.tick()
        bar = rig.app.state.status
        assert (bar.connection, bar.queued) == (Connection.FAULT, 1)
        assert rig.text(bar.fault, "en") == "The server has a fault: work is kept here and sent again"
        rig.app.go(Screen.UPLOADS)
        assert rig.text(rig.app.uploads.state.note).startswith("服务器有故障 · 病区数据截至")
        assert amounts(ward) == []
        fault.status = 0
        sync.kick()
        await fresh(rig)
        rig.app.tick()
        assert (rig.app.state.status.connection, rig.app.state.status.fault) == (Connection.ONLINE, "")
        assert amounts(ward) == [100]
        assert sync.returned == ()

    play(ward, tmp_path, story)


def test_one_event_the_server_stumbles_over_holds_up_no_other_and_makes_nobody_offline(
    ward: WardBench, tmp_path: Path
) -> None:
    async def story(rig: Rig, fault: Fault) -> None:
        sync = rig.app.desk.sync
        await rig.until(lambda: sync.link.online)
        fault.status, fault.path = 500, "/events"
        await write_down(rig, 1)
        await rig.until(lambda: fault.answered >= 1)
        bad = await write_down(rig, 2)
        await write_down(rig, 3)
        fault.body = bad.id.encode()
        sync.kick()
        await rig.until(lambda: sync.counts.queued == 1)
        assert amounts(ward) == [1, 3]
        assert sync.queue == (bad,)
        await rig.until(lambda: sync.link.online and sync.link.fault)
        fault.status = 0
        sync.kick()
        await fresh(rig)
        assert amounts(ward) == [1, 2, 3]
        assert not sync.link.fault

    play(ward, tmp_path, story)


def test_a_check_that_meets_a_fault_goes_on_with_what_is_known_here(ward: WardBench, tmp_path: Path) -> None:
    async def story(rig: Rig, fault: Fault) -> None:
        sync = rig.app.desk.sync
        fault.status, fault.path = 503, "/checks"
        request = ward.request("r1")
        assert await sync.check(request) is None
        assert sync.link.fault
        fault.status = 0
        rig.clock.utc += timedelta(seconds=1)
        await fresh(rig)
        assert not sync.link.fault

    play(ward, tmp_path, story)
