"""All simulated devices of one node, and the control socket through which a demo or a test moves them."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from clinical.errors import BadInputError, NotFoundError, WardlinkError
from edge_node.settings import (
    DripAdvertPeripheral,
    DripPeripheral,
    GlucosePeripheral,
    SimulationSettings,
)
from edge_node.simulators.bluez import SimulatedBluez
from edge_node.simulators.bluez_device import SimulatedPeripheral
from edge_node.simulators.drip_sensor import BroadcastDripSensor, DripSensor
from edge_node.simulators.glucose_meter import GlucoseMeter
from edge_node.simulators.oximeter import Oximeter
from edge_node.simulators.private_bus import private_bus

MAX_LINE = 4096


class World:
    """The simulated devices, running.

    Args:
        settings: Which devices.
        directory: Where port links and the control socket live.
    """

    def __init__(self, settings: SimulationSettings, directory: Path) -> None:
        now_s = asyncio.get_running_loop().time
        self.serial_dir = directory / "ports"
        self.control_path = directory / "control.sock"
        self.serial_dir.mkdir(parents=True, exist_ok=True)
        self.sensors = {
            one.address: BroadcastDripSensor(one, now_s)
            if isinstance(one, DripAdvertPeripheral)
            else DripSensor(one, now_s)
            for one in settings.peripherals
            if isinstance(one, DripPeripheral)
        }
        self.meters = {
            one.address: GlucoseMeter(one)
            for one in settings.peripherals
            if isinstance(one, GlucosePeripheral)
        }
        self.oximeters = {one.name: Oximeter(one, self.serial_dir, now_s) for one in settings.serials}
        self.bluez = SimulatedBluez([*self.sensors.values(), *self.meters.values()])
        self._actions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "drip": self._drip,
            "rate": self._rate,
            "close": self._close,
            "vitals": self._vitals,
            "drop-link": self._drop_link,
            "range": self._range,
            "mute": self._mute,
            "power": self._power,
            "unplug": self._unplug,
            "plug": self._plug,
            "measure": self._measure,
            "detach": self._detach,
            "state": lambda _request: self.state(),
        }

    # ---- the control socket's words
    def do(self, request: object) -> dict[str, Any]:
        """Do one thing.

        Raises:
            BadInputError: Not a request, or a wrong value in it.
            NotFoundError: No such device or action.
        """
        if not isinstance(request, dict):
            raise BadInputError("control-request", "one JSON object per line is expected")
        action = self._actions.get(str(request.get("do")))
        if action is None:
            raise NotFoundError(
                "control-action", f"there is no such action; known: {', '.join(self._actions)}"
            )
        try:
            return {"ok": True, **action(request)}
        except (KeyError, TypeError, ValueError) as error:
            raise BadInputError("control-value", f"a value is missing or wrong: {error}") from error

    def state(self) -> dict[str, Any]:
        """Everything one could see in the room."""
        drips = {}
        for address, sensor in self.sensors.items():
            sensor.drip.advance(sensor.age_s)
            seen = sensor.drip.state
            drips[address] = {
                "gtt_min": seen.gtt_min,
                "remaining_ml": seen.remaining_ml,
                "total_drops": seen.total_drops,
                "connected": self.bluez.peripherals[address].connected,
            }
        serials = {
            name: {"spo2": one.spo2, "pulse": one.pulse, "plugged": one.line.plugged}
            for name, one in self.oximeters.items()
        }
        return {"drips": drips, "serials": serials, "powered": self.bluez.powered}

    def _sensor(self, request: dict[str, Any]) -> DripSensor:
        address = str(request["device"]).upper()
        if address not in self.sensors:
            raise NotFoundError("control-device", "there is no drip sensor with this address")
        return self.sensors[address]

    def _peripheral(self, request: dict[str, Any]) -> SimulatedPeripheral:
        address = str(request["device"]).upper()
        if address not in self.bluez.peripherals:
            raise NotFoundError("control-device", "there is no Bluetooth device with this address")
        return self.bluez.peripherals[address]

    def _detach(self, request: dict[str, Any]) -> dict[str, Any]:
        """A sensor comes off its chamber or its finger, or is put back."""
        off, name = bool(request["on"]), str(request["device"]).removeprefix("serial:")
        if name in self.oximeters:
            oximeter = self.oximeters[name]
            oximeter.spo2, oximeter.pulse = (None, None) if off else oximeter.rested
        else:
            self._sensor(request).detach(on=off)
        return {}

    def _measure(self, request: dict[str, Any]) -> dict[str, Any]:
        address = str(request["device"]).upper()
        if address not in self.meters:
            raise NotFoundError("control-device", "there is no glucose meter with this address")
        self.meters[address].measure()
        return {}

    def _oximeter(self, request: dict[str, Any]) -> Oximeter:
        name = str(request["device"]).removeprefix("serial:")
        if name not in self.oximeters:
            raise NotFoundError("control-device", "there is no serial instrument with this name")
        return self.oximeters[name]

    def _drip(self, request: dict[str, Any]) -> dict[str, Any]:
        volume, rate = float(request["volume_ml"]), float(request["gtt_min"])
        if volume < 0 or rate < 0:
            raise ValueError("volume_ml and gtt_min must not be negative")
        self._sensor(request).hang(volume, rate)
        return {}

    def _rate(self, request: dict[str, Any]) -> dict[str, Any]:
        rate = float(request["gtt_min"])
        if rate < 0:
            raise ValueError("gtt_min must not be negative")
        self._sensor(request).set_rate(rate)
        return {}

    def _close(self, request: dict[str, Any]) -> dict[str, Any]:
        self._sensor(request).set_rate(0)
        return {}

    def _vitals(self, request: dict[str, Any]) -> dict[str, Any]:
        oximeter = self._oximeter(request)
        for name in ("spo2", "pulse"):
            if name in request:
                value = request[name]
                setattr(oximeter, name, None if value is None else int(value))
        return {}

    def _drop_link(self, request: dict[str, Any]) -> dict[str, Any]:
        self._peripheral(request).lose_link()
        return {}

    def _range(self, request: dict[str, Any]) -> dict[str, Any]:
        peripheral = self._peripheral(request)
        peripheral.radio.in_range = bool(request["in"])
        if not peripheral.radio.in_range:
            peripheral.lose_link()
        return {}

    def _mute(self, request: dict[str, Any]) -> dict[str, Any]:
        self._peripheral(request).radio.muted = bool(request["on"])
        return {}

    def _power(self, request: dict[str, Any]) -> dict[str, Any]:
        self.bluez.power(on=bool(request["on"]))
        return {}

    def _unplug(self, request: dict[str, Any]) -> dict[str, Any]:
        self._oximeter(request).line.unplug()
        return {}

    def _plug(self, request: dict[str, Any]) -> dict[str, Any]:
        line = self._oximeter(request).line
        if not line.plugged:
            line.plug()
        return {}

    # ---- running
    def tasks(self) -> list[Awaitable[None]]:
        """What runs beside the simulated BlueZ."""
        return [
            *(sensor.run_down() for sensor in self.sensors.values()),
            *(oximeter.run() for oximeter in self.oximeters.values()),
        ]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client of the control socket: one JSON object per line, in and out."""
        try:
            while line := await reader.readline():
                try:
                    reply = self.do(json.loads(line))
                except json.JSONDecodeError:
                    reply = {"ok": False, "code": "control-json", "message": "this line is not JSON"}
                except WardlinkError as error:
                    reply = {"ok": False, "code": error.code, "message": error.message}
                writer.write(json.dumps(reply).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the client went away or sent an endless line: only its own connection ends
        finally:
            writer.close()


@asynccontextmanager
async def running(settings: SimulationSettings) -> AsyncIterator[tuple[World, str]]:
    """Run every simulated device; yields the world and the address of its D-Bus."""
    async with AsyncExitStack() as stack:
        directory = settings.directory
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wardlink-devices-")))
        address = stack.enter_context(private_bus())
        world = World(settings, directory)
        await world.bluez.start(address)
        stack.push_async_callback(world.bluez.stop)
        world.control_path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(world.answer, world.control_path, limit=MAX_LINE)
        stack.callback(server.close)
        stack.callback(world.control_path.unlink, missing_ok=True)
        world.control_path.chmod(0o600)
        tasks = [asyncio.ensure_future(work) for work in world.tasks()]
        stack.push_async_callback(_cancelled, tasks)
        yield world, address


async def _cancelled(tasks: Sequence[asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
