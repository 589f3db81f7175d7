"""What the wall shows of committed facts: masked names, no countdown of a stale drip, demo marked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from broker.messages import Wave
from clinical.bedside_check.model import Action
from clinical.errors import RefusedError, UnavailableError
from clinical.records import AlarmPriority, Flow, Generation, Validity
from server.alarms import service as alarms
from server.live import routes
from server.live.hub import Hub
from server.live.project import Projector, masked
from server.live.vitals import Shown
from server.live.waves import frame
from server.people.errors import SignInError
from server.sync.events import apply
from tests.support.server_process import WardProcess

WARD_FILE = Path(__file__).parents[2] / "data" / "ward.toml"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("王国", "王*"),
        ("王建国", "王*国"),
        ("欧阳晓梅", "欧**梅"),
        ("𠮷", "𠮷"),
        ("", ""),
        ("John Smith", "J*** S****"),
    ],
)
def test_a_name_on_the_wall_is_masked(name: str, shown: str) -> None:
    assert masked(name) == shown


@given(st.text(alphabet=st.characters(categories=["Lo"]), min_size=2, max_size=8))
def test_a_masked_name_never_shows_more_than_first_and_last(name: str) -> None:
    assert masked(name) != name


def shown_by(ward: Any) -> tuple[Hub, Projector]:
    loop = asyncio.new_event_loop()
    hub = Hub({"id": "W1"}, ward.clock)
    projector = Projector(hub, loop, "W1", ward.site.first.beds)
    projector.start(ward.store.picture)
    loop.close()
    return hub, projector


def test_an_occupied_bed_a_task_and_a_free_bed(ward: Any) -> None:
    ward.admit("1001", "01")
    ward.order("1001", "M1")
    hub, _ = shown_by(ward)
    bed = hub.state["beds"]["01"]
    assert (bed["occupied"], bed["name"], bed["age"], bed["demo"], bed["allergy"]) == (
        True,
        "张*国",
        67,
        True,
        "none",
    )
    assert bed["news2"] is None
    assert hub.state["beds"]["08"]["occupied"] is False
    assert [(task["bed"], task["text"]["en"]) for task in hub.state["tasks"].values()] == [
        ("01", "Paracetamol 500 mg tablet")
    ]


@pytest.mark.requirement("R-SRV-13")
@pytest.mark.hazard("H-SRV-06")
def test_a_stale_drip_shows_no_time_left(ward: Any) -> None:
    ward.admit("1001", "01")
    task = ward.task_of(ward.order_bag("1001", "B1"))
    event = ward.started("s1", task, ward.request("r1", Action.START))
    ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), event))
    flow = Flow(
        id="I-s1",
        effective=ward.clock(),
        validity=Validity.VALID,
        gtt_min=20.0,
        remaining_ml=50.0,
        time_left_min=50.0,
        state="flowing",
    )
    ward.store.write(lambda unit: unit.put(flow))
    hub, _ = shown_by(ward)
    row = hub.state["infusions"]["I-s1"]
    assert (row["bed"], row["ordered_gtt_min"], row["time_left_min"], row["end_at"]) == (
        "01",
        20.0,
        50.0,
        "2026-05-04T01:50:00Z",
    )
    assert row["device"] == "D-0101"


def test_a_vital_follows_the_patient_and_is_gone_when_the_bed_is_empty(ward: Any) -> None:
    ward.admit("1001", "01")
    hub, projector = shown_by(ward)
    value = Shown(
        encounter_id="E-V1001",
        code="MDC_PULS_OXIM_SAT_O2",
        value=Decimal("97.4"),
        unit="%",
        validity=Validity.VALID,
        effective=ward.clock(),
        generation=Generation.DEMO,
    )
    projector.vitals(ward.store.picture, [value])
    row = hub.state["vitals"]["01/MDC_PULS_OXIM_SAT_O2"]
    assert (row["value"], row["lo"], row["hi"], row["alarm"]) == ("97", 90.0, None, "")


def test_an_alarm_says_how_it_came_to_be_and_who_has_seen_it_by_name(ward: Any) -> None:
    ward.admit("1001", "01")
    seen = alarms.Condition(
        condition="limit-low",
        priority=AlarmPriority.HIGH,
        at=ward.clock(),
        encounter_id="E-V1001",
        generation=Generation.DEMO,
    )
    alarm = ward.store.write(lambda unit: alarms.begin(unit, seen))
    rows = shown_by(ward)[0].state["alarms"]
    assert (rows[alarm.id]["generation"], rows[alarm.id]["acknowledged_by"]) == ("Demo", "")
    ward.store.write(lambda unit: alarms.acknowledge(unit, alarm, "N20713", ward.clock()))
    assert shown_by(ward)[0].state["alarms"][alarm.id]["acknowledged_by"] == "王丽"


def test_a_wave_frame_is_what_the_canvas_reads() -> None:
    at = datetime.fromisoformat("2026-05-04T01:00:00+00:00")
    wave = Wave(
        node="bed-01",
        boot="b",
        outbox="o",
        seq=1,
        sent=at,
        id="w",
        device="d",
        effective=at,
        code="MDC_PULS_OXIM_PLETH",
        unit="1",
        rate_hz=75.0,
        gain=1.0,
        generation=Generation.DEMO,
        samples=struct.pack("<3h", 1, -2, 3),
    )
    data = frame(7, 9, wave)
    assert struct.unpack_from("<BBHIdH", data) == (1, 1, 7, 9, at.timestamp() * 1000, 3)
    assert struct.unpack_from("<3h", data, 18) == (1, -2, 3)


def closed_with(socket: ClientConnection) -> int | None:
    """Read until the server closes, and return its code."""
    with contextlib.suppress(ConnectionClosed):
        for _ in range(10):
            socket.recv(5)
    return socket.close_code


class StillSocket:
    """A socket whose peer says nothing; keeps the code it was closed with."""

    code: int | None = None

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(60)
        return {"type": "websocket.disconnect"}

    async def close(self, code: int) -> None:
        self.code = code


class StillScreen:
    async def run(self, epoch: str | None, seq: int) -> None:
        del epoch, seq
        await asyncio.sleep(60)


@pytest.mark.requirement("R-SRV-32")
@pytest.mark.hazard("H-SRV-11")
@pytest.mark.parametrize(
    ("error", "code"),
    [(SignInError("session", "it has ended"), 4401), (RefusedError("role", "another role"), 4403)],
)
def test_a_screen_closes_when_its_session_ends(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    answers: list[Exception] = [UnavailableError("storage", "it rests"), error]

    def session(_socket: Any) -> Any:
        raise answers.pop(0)

    monkeypatch.setattr(routes, "RECHECK_S", 0.01)
    monkeypatch.setattr(routes, "current_session", session)
    socket = StillSocket()
    asyncio.run(asyncio.wait_for(routes._serve(socket, StillScreen(), {"seq": 0}), 10))  # type: ignore[arg-type]
    assert (socket.code, answers) == (code, [])


@pytest.mark.requirement("R-SRV-32")
@pytest.mark.hazard("H-SRV-11")
def test_the_socket_wants_a_session_its_own_origin_and_a_hello(tmp_path: Path) -> None:
    server = WardProcess(tmp_path, WARD_FILE)
    server.start()
    address = server.base.replace("http", "ws") + "/ws/central"
    try:
        with connect(address) as nobody:
            assert closed_with(nobody) == 4401
        with server.client() as client:
            bearer = {"authorization": client.headers["authorization"]}
        evil = connect(address, additional_headers=bearer, origin="http://evil.test")  # type: ignore[arg-type]
        with evil as foreign:
            assert closed_with(foreign) == 4403
        with server.client("E90001", "9517") as client:
            engineer = {"authorization": client.headers["authorization"]}
        with connect(address, additional_headers=engineer) as curious:
            assert closed_with(curious) == 4403
        with connect(address, additional_headers=bearer) as rude:
            rude.send("[1]")
            assert closed_with(rude) == 4400
        with connect(address, additional_headers=bearer) as screen:
            screen.send(json.dumps({"t": "hello", "epoch": None, "seq": 0, "lanes": True}))
            kinds = {json.loads(screen.recv(5))["t"] for _ in range(2)}
            assert kinds == {"snap", "hb"}
            screen.send(json.dumps({"t": "ack", "m": 1, "w": 0, "seq": 0}))
            assert server.stop() == 0
    finally:
        server.kill()
