# ruff: noqa: F811 - fixtures of the server's tests are imported by name
"""Samples, blood, skin tests and forms on the real ward server: its checks, its proofs, its routes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from clinical.care_records import BloodUnit, RunningSkinTest, Specimen, TransfusionEntry
from clinical.chart_records import CriticalValue, FluidRecord
from clinical.records import Alarm, Infusion, Observation, SkinTest
from pda_app.adapters.http import HttpApi
from pda_app.adapters.local_store import EncryptedStore
from pda_app.ports import Ports
from pda_app.presenters.app import App
from pda_app.settings import HandheldSettings, Security, Server
from tests.server.conftest import WardBench, clock, open_store_at, store, ward  # noqa: F401 - fixtures
from tests.server.test_care import LOOKED, blood, order, tube  # noqa: F401 - fixtures
from tests.support.handheld import (
    FAST,
    FakeBattery,
    FakeClock,
    FakeServer,
    FakeSound,
    FakeSpeech,
    Rig,
    badge,
    wristband,
)
from tests.support.handheld_care import blood_label, pin, said, tube_label
from tests.support.ward_http import serving

NURSE, SECOND, SECOND_PIN = "N20713", "N20488", "1470"
Story = Callable[[Rig], Awaitable[None]]


class Wire:
    """The handheld's HTTP client over the server's application in this process."""

    def __init__(self, client: TestClient) -> None:
        self._client = client

    async def request(self, method: str, path: str, **options: Any) -> Any:
        options.pop("timeout", None)
        return await asyncio.to_thread(self._client.request, method, f"/api/v1{path}", **options)

    async def aclose(self) -> None:
        return None


async def in_this_process(client: TestClient) -> HttpApi:
    """The handheld's adapter without a socket."""
    api = HttpApi("http://ward")
    await api.close()
    api._client = Wire(client)
    return api


def play(bench: WardBench, directory: Path, story: Story) -> None:
    """A nurse at work on the real server, whose clock stands still."""
    with serving(bench.store, bench.site, directory) as client:
        asyncio.run(at_work(bench, directory, story, lambda: in_this_process(client)))


async def at_work(
    bench: WardBench, directory: Path, story: Story, connect: Callable[[], Awaitable[HttpApi]]
) -> None:
    """Let a nurse sign in over this connection, and play."""
    api = await connect()
    hands = FakeClock(bench.clock())
    kept = EncryptedStore(directory / "pda", cost=FAST)
    sound, speech = FakeSound(), FakeSpeech()
    server = Server(url="http://ward", check_silence_s=10, poll_s=0)
    settings = HandheldSettings(
        handheld="pda-1", state_dir=directory / "pda", server=server, security=Security(pin_length=4)
    )
    ports = Ports(api=api, store=kept, clock=hands, sound=sound, speech=speech, battery=FakeBattery())
    app = App(settings=settings, ports=ports)
    rig = Rig(
        app=app,
        server=FakeServer(clock=hands),
        api=api,
        clock=hands,
        sound=sound,
        speech=speech,
        store=kept,
    )
    await app.start()
    try:
        async with asyncio.timeout(60):
            await rig.sign_in(NURSE, "2580")
            await fresh(rig)
            await story(rig)
    finally:
        await app.stop()


async def fresh(rig: Rig) -> None:
    """Everything recorded is at the server, and its newest facts are here."""
    sync = rig.app.desk.sync
    await rig.until(lambda: sync.link.online and not sync.counts.queued)
    before = sync.link.last_time_sync
    rig.clock.mono += 1
    sync.kick()
    await rig.until(lambda: sync.link.synced_mono >= rig.clock.mono)
    assert before is not None or sync.link.last_time_sync is not None
    await rig.app.settle()


async def record(rig: Rig) -> None:
    assert said(rig)[0] == "give", said(rig)
    rig.app.care.primary()
    await rig.app.settle()
    await fresh(rig)
    assert rig.app.desk.sync.returned == ()


@pytest.mark.requirement("R-PDA-90")
def test_a_sample_taken_on_the_handheld_is_taken_at_the_server(
    ward: WardBench,
    tube: Specimen,
    tmp_path: Path,
) -> None:
    async def story(rig: Rig) -> None:
        await rig.scan(wristband("1001"), tube_label(tube.id))
        await record(rig)
        taken = ward.store.picture.get(Specimen, tube.id)
        assert taken is not None
        assert (taken.state, taken.collected_by) == ("collected", NURSE)

    play(ward, tmp_path, story)


@pytest.mark.requirement("R-PDA-90")
@pytest.mark.hazard("H-PDA-31")
def test_a_unit_goes_from_receipt_to_its_watch_with_two_proven_persons(
    ward: WardBench,
    blood: BloodUnit,
    tmp_path: Path,
) -> None:
    def unit() -> BloodUnit:
        found = ward.store.picture.get(BloodUnit, blood.id)
        assert found is not None
        return found

    async def look(rig: Rig) -> None:
        for one in LOOKED:
            rig.app.care.choose(f"look:{one}")
        await rig.app.settle()

    async def story(rig: Rig) -> None:
        care = rig.app.care
        await rig.scan(blood_label(), blood_label())
        await look(rig)
        await rig.scan(badge(SECOND))
        await pin(rig, SECOND_PIN)
        await record(rig)
        assert (unit().state, unit().received_by) == ("received", (NURSE, SECOND))
        await rig.scan(wristband("1001"), blood_label(), blood_label())
        await look(rig)
        await rig.scan(badge(SECOND), wristband("1001"), blood_label(), blood_label())
        await pin(rig, SECOND_PIN)
        await record(rig)
        assert (unit().state, unit().checked_by) == ("checked", (NURSE, SECOND))
        await rig.scan(wristband("1001"), blood_label())
        for name, value in (
            ("temperature", "36.6"), ("pulse", "80"), ("respiration", "16"), ("systolic", "120"),
            ("saturation", "97"),
        ):  # fmt: skip
            care.number(name, value)
        care.choose("site:left-forearm")
        await rig.app.settle()
        await record(rig)
        assert unit().state == "running"
        assert [one.bag_id for one in ward.store.picture.all(Infusion)] == [blood.id]
        await rig.scan(wristband("1001"), blood_label())
        care.number("temperature", "36.7")
        care.number("systolic", "118")
        care.choose("symptom:chill")
        await rig.app.settle()
        care.primary()
        await rig.app.settle()
        await fresh(rig)
        assert {one.kind for one in ward.store.picture.all(TransfusionEntry)} >= {"baseline"}
        assert "blood-reaction" in {one.condition for one in ward.store.picture.all(Alarm)}

    play(ward, tmp_path, story)


@pytest.mark.requirement("R-PDA-90")
@pytest.mark.hazard("H-PDA-32")
def test_a_skin_test_is_read_at_the_server_by_the_two_who_read_it_here(
    ward: WardBench,
    tmp_path: Path,
) -> None:
    ward.admit("1001", "01")
    order(ward, "skin-test", "CEF1", route="ID")
    task = ward.task_of("O-skin-test")
    test = RunningSkinTest(
        id="s-running", patient_id="P-1001", order_id=task.order_id, substance="ceftriaxone",
        started_at=ward.clock() - timedelta(minutes=21), started_by=NURSE, task_id=task.id,
    )  # fmt: skip
    ward.store.write(lambda unit: unit.put(test))

    async def story(rig: Rig) -> None:
        rig.app.open_task(task.id)
        await rig.scan(wristband("1001"))
        rig.app.care.choose("result:negative")
        await rig.scan(badge(SECOND))
        rig.app.care.choose("second:negative")
        await rig.app.settle()
        await pin(rig, SECOND_PIN)
        await record(rig)
        (read,) = ward.store.picture.all(SkinTest)
        assert (read.result, read.readers) == ("negative", (NURSE, SECOND))

    play(ward, tmp_path, story)


@pytest.mark.requirement("R-PDA-90")
def test_what_is_written_down_reaches_the_chart(ward: WardBench, tmp_path: Path) -> None:
    ward.admit("1001", "01")

    async def story(rig: Rig) -> None:
        forms = rig.app.forms
        rig.app.open_form("vitals", "P-1001")
        for name, value in (("temperature", "38.4"), ("systolic", "108"), ("diastolic", "70")):
            forms.number(name, value)
        forms.choose("oxygen:oxygen")
        forms.choose("consciousness:C")
        forms.primary()
        await rig.app.settle()
        await fresh(rig)
        kept = {one.code: one.value for one in ward.store.picture.all(Observation)}
        assert kept["MDC_TEMP_AXILLA"] == Decimal("38.4")
        assert (kept["MDCX_OXYGEN"], kept["MDCX_CONSCIOUSNESS"]) == (1, 1)
        forms.show("fluids")
        forms.choose("kind:urine")
        forms.number("ml", "300")
        forms.primary()
        await rig.app.settle()
        await fresh(rig)
        assert [one.ml for one in ward.store.picture.all(FluidRecord)] == [300]
        forms.show("critical")
        forms.choose("test:potassium")
        forms.number("value", "6.8")
        forms.number("from", "赵明")
        forms.choose(forms.state.read_back.choice.id)
        forms.primary()
        await rig.app.settle()
        await fresh(rig)
        (value,) = ward.store.picture.all(CriticalValue)
        assert (value.value, value.received_by) == ("6.8", NURSE)
        assert "critical-value" in {one.condition for one in ward.store.picture.all(Alarm)}

    play(ward, tmp_path, story)
