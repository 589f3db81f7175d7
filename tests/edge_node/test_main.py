from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.local import LocalBroker
from broker.messages import AlarmMessage, Event, Readings
from broker.topics import Down
from clinical.errors import BadInputError, NotFoundError
from edge_node import main
from edge_node.settings import (
    DripPeripheral,
    EdgeSettings,
    SerialInstrument,
    SimulationSettings,
    load,
)
from edge_node.simulators.world import World, running
from tests.support.edge_programs import DRIP, DRIP_UID, NODE
from tests.support.pki import Pki
from tests.support.ward_server import WardServer

DEVICES = SimulationSettings(
    peripherals=(
        DripPeripheral(kind="wardlink_drip", address=DRIP),
        DripPeripheral(kind="wardlink_drip", address="C0:00:00:00:09:09"),
    ),
    serials=(
        SerialInstrument(kind="nonin_oem3", name="nonin-1"),
        SerialInstrument(kind="nonin_oem3", name="stranger-1"),
    ),
)


def settings(
    tmp_path: Path, pki: Pki, port: int, *, serial: Path | str = "", drip: str = "wardlink_drip"
) -> EdgeSettings:
    pair = pki.client(NODE)
    file = tmp_path / "node.toml"
    file.write_text(
        f"""
[node]
id = "{NODE}"
state_dir = "{tmp_path / "state"}"
generation = "Demo"
[mqtt]
host = "127.0.0.1"
port = {port}
ca_file = "{pki.ca_file}"
cert_file = "{pair.cert}"
key_file = "{pair.key}"
[bluetooth]
enabled = true
[serial]
directory = "{serial or tmp_path}"
poll_s = 0.1
[[serial.ports]]
glob = "nonin*"
profile = "nonin_oem3"
[[devices]]
uid = "{DRIP_UID}"
profile = "{drip}"
address = "{DRIP}"
"""
    )
    return load(file, EdgeSettings)


async def until(what: Callable[[], object], timeout_s: float = 20.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not what():  # noqa: ASYNC110 - what is waited for is any state of the ward
            await asyncio.sleep(0.05)


def kinds(server: WardServer) -> list[str]:
    return [one.kind for one in server.of(Event) if isinstance(one, Event)]


def lost(server: WardServer) -> list[tuple[str | None, str]]:
    found = [one for one in server.of(AlarmMessage) if isinstance(one, AlarmMessage)]
    return [(one.device, one.phase) for one in found if one.condition == "device-lost"]


async def lose_and_find(world: World, server: WardServer, app: main.App) -> None:
    sessions = app.node.sessions
    await until(lambda: len({one.device for one in server.of(Readings) if isinstance(one, Readings)}) == 2)
    world.do({"do": "unplug", "device": "nonin-1"})
    world.do({"do": "drop-link", "device": DRIP})
    await until(lambda: kinds(server).count("device-lost") == 2)
    server.tell_raw(NODE, Down.TARGETS, b"nonsense")
    await until(lambda: "down-refused" in kinds(server))
    await until(lambda: lost(server) == [("serial:nonin-1", "start")])
    world.do({"do": "plug", "device": "nonin-1"})
    await until(lambda: kinds(server).count("device-connected") == 4)
    await until(lambda: lost(server) == [("serial:nonin-1", "start"), ("serial:nonin-1", "end")])
    await until(lambda: set(server.statuses[-1].devices.values()) == {"streaming"})
    assert set(sessions) == {DRIP_UID, "serial:nonin-1"}
    assert kinds(server).count("device-unknown") == 2


@pytest.mark.slow
@pytest.mark.requirement("R-EDGE-08")
@pytest.mark.requirement("R-EDGE-14")
def test_lost_devices_are_told_withdrawn_and_found_again_and_strangers_never_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pki = Pki(tmp_path / "pki")

    async def scene(port: int) -> None:
        server = WardServer(pki, port)
        server.start()
        async with running(DEVICES) as (world, address):
            monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
            app = main.App(settings(tmp_path, pki, port, serial=world.serial_dir), "1.2.3")
            stop = asyncio.Event()
            task = asyncio.create_task(app.run(stop))
            try:
                await lose_and_find(world, server, app)
            finally:
                stop.set()
                await task
            await until(lambda: server.statuses[-1].state == "offline")
        server.stop()

    with LocalBroker(tmp_path / "broker", pki.ca_file, pki.server.cert, pki.server.key) as broker:
        asyncio.run(scene(broker.port))


def test_a_part_that_fails_is_told_and_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "RESTART_S", 0.01)
    app = main.App(settings(tmp_path, Pki(tmp_path / "pki"), 1), "1.2.3")
    tries: list[int] = []

    async def part() -> None:
        tries.append(1)
        raise RuntimeError("a fault of ours")

    async def scene() -> None:
        task = asyncio.create_task(app._supervised("broken", part))
        await until(lambda: len(tries) >= 3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())
    assert app.node.outbox.depth >= 2
    app.node.outbox.store.close()


@pytest.mark.parametrize(("profile", "error"), [("nonin_oem3", BadInputError), ("no_such", NotFoundError)])
def test_a_profile_that_cannot_be_is_found_before_anything_starts(
    tmp_path: Path, profile: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        main.App(settings(tmp_path, Pki(tmp_path / "pki"), 1, drip=profile), "1.2.3")
    assert not (tmp_path / "state").exists()


@pytest.mark.slow
def test_the_program_ends_on_a_signal_and_a_damaged_outbox_is_taken_over(tmp_path: Path) -> None:
    chosen = settings(tmp_path, Pki(tmp_path / "pki"), 1)
    chosen = chosen.model_copy(update={"bluetooth": chosen.bluetooth.model_copy(update={"enabled": False})})
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "outbox.db").write_bytes(b"this is no database" * 400)

    async def scene() -> main.App:
        app = main.App(chosen, "1.2.3")
        asyncio.get_running_loop().call_later(0.5, os.kill, os.getpid(), signal.SIGTERM)
        await main._until_signal(app)
        return app

    app = asyncio.run(scene())
    assert app.node.outbox.produced >= 2
    assert list((tmp_path / "state").glob("outbox.db.damaged-*"))
