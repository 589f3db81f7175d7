"""Two rooms for one scenario: simulated BlueZ, and the real bluetoothd over emulated controllers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from edge_node.simulators.bluez import SimulatedBluez
from edge_node.simulators.peripherals import Device

BLUETOOTHD = "/usr/libexec/bluetooth/bluetoothd"
SETTLE_S = 2.0
ABSENT_S = 41.0


class Room(Protocol):
    """Bluetooth devices within reach of one adapter, and what can happen to them."""

    async def start(self) -> None:
        """Let everything appear."""

    async def stop(self) -> None:
        """End everything."""

    async def drop(self, address: str) -> None:
        """Break the link to a device."""

    async def absent(self, address: str, *, gone: bool) -> None:
        """Take a device out of range, or bring it back."""

    async def end_daemon(self) -> None:
        """End bluetoothd as an administrator does."""


class SimulatedRoom:
    """The product's own simulator, with the times of real life.

    Args:
        devices: Who is there.
        bus: Address of the private D-Bus.
    """

    def __init__(self, devices: Sequence[Device], bus: str) -> None:
        self._bluez = SimulatedBluez(devices, absent_connect_s=ABSENT_S, disconnect_s=2.0)
        self._bus = bus

    async def start(self) -> None:
        """See :class:`Room`."""
        await self._bluez.start(self._bus)

    async def stop(self) -> None:
        """See :class:`Room`."""
        await self._bluez.stop()

    async def drop(self, address: str) -> None:
        """See :class:`Room`."""
        self._bluez.peripherals[address].lose_link()

    async def absent(self, address: str, *, gone: bool) -> None:
        """See :class:`Room`."""
        self._bluez.peripherals[address].radio.in_range = not gone

    async def end_daemon(self) -> None:
        """See :class:`Room`."""
        await self._bluez.stop()


class BluetoothdRoom:
    """The real bluetoothd and kernel; the controllers and the air are Bumble's.

    Args:
        devices: Who is there.
        log: Where bluetoothd writes what it does.
    """

    def __init__(self, devices: Sequence[Device], log: Path) -> None:
        self._devices = devices
        self._log = log
        self._daemon: asyncio.subprocess.Process | None = None
        self._peripherals: dict[str, Any] = {}
        self._held: list[Any] = []
        self._agent: MessageBus | None = None

    async def start(self) -> None:
        """See :class:`Room`."""
        from bumble.link import LocalLink
        from bumble.transport import open_transport

        from tests.support.vm_bumble import BumblePeripheral, host_controller

        self._daemon = await asyncio.create_subprocess_exec(
            BLUETOOTHD, "-n", "-d", stderr=self._log.open("wb")
        )
        await asyncio.sleep(SETTLE_S)
        air = LocalLink()  # type: ignore[no-untyped-call]  # untyped in Bumble
        port = await open_transport("vhci")
        self._held = [port, host_controller(port, air)]
        for device in self._devices:
            self._peripherals[device.address] = BumblePeripheral(device, air)
        for peripheral in self._peripherals.values():
            await peripheral.start()
        await asyncio.sleep(SETTLE_S)
        self._agent = await pairing_agent()

    async def stop(self) -> None:
        """See :class:`Room`."""
        await self.end_daemon()
        if self._agent is not None:
            self._agent.disconnect()
        for peripheral in self._peripherals.values():
            await peripheral.stop()
        await self._held[0].close()

    async def drop(self, address: str) -> None:
        """See :class:`Room`."""
        await self._peripherals[address].connection.disconnect()

    async def absent(self, address: str, *, gone: bool) -> None:
        """See :class:`Room`."""
        peripheral = self._peripherals[address]
        if gone:
            await peripheral.bumble.stop_advertising()
        else:
            await peripheral.advertise()

    async def end_daemon(self) -> None:
        """See :class:`Room`."""
        if self._daemon is not None and self._daemon.returncode is None:
            self._daemon.terminate()
            await self._daemon.wait()


async def pairing_agent() -> MessageBus:
    """Let the adapter keep keys, and agree to every pairing, as ``bluetoothctl`` does for an engineer."""
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()

    def agree(message: Message) -> Message | None:
        if message.message_type is MessageType.METHOD_CALL and message.interface == "org.bluez.Agent1":
            return Message.new_method_return(message)
        return None

    bus.add_message_handler(agree)
    manager = ("/org/bluez", "org.bluez.AgentManager1")
    for path, interface, member, signature, body in (
        (*manager, "RegisterAgent", "os", ["/agent", "NoInputNoOutput"]),
        (*manager, "RequestDefaultAgent", "o", ["/agent"]),
        (
            "/org/bluez/hci0", "org.freedesktop.DBus.Properties", "Set", "ssv",
            ["org.bluez.Adapter1", "Pairable", Variant("b", True)],
        ),
    ):  # fmt: skip
        call = Message(destination="org.bluez", path=path, interface=interface, member=member,
                       signature=signature, body=body)  # fmt: skip
        reply = await bus.call(call)
        if reply is None or reply.message_type is MessageType.ERROR:
            raise RuntimeError(f"{member}: {reply.body if reply else 'no reply'}")
    return bus
