"""A simulated ``org.bluez``: what a central sees of its adapters and of the peripherals in the room.

Order of signals, property sets, error names and error texts are those of bluetoothd 5.66. Pairing knows no
agent: it succeeds or fails as the device's radio says. Passive scanning and the acquire calls are left out,
and they are refused as BlueZ refuses what it has not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dbus_fast import Variant

from edge_node.simulators.bluez_device import Air, SimulatedPeripheral
from edge_node.simulators.bluez_objects import ADAPTER, BluezError, BusObject, ObjectServer
from edge_node.simulators.peripherals import Device


class SimulatedAdapter:
    """One adapter of the machine, and what it sees of every peripheral in the room.

    Args:
        name: Such as ``hci0``.
        number: Its place among the adapters.
        bluez: The daemon.
        airs: The peripherals.
    """

    def __init__(self, name: str, number: int, bluez: SimulatedBluez, airs: Sequence[Air]) -> None:
        self.name = name
        self.bluez = bluez
        self.server = bluez.server
        self.adapter = BusObject(
            path=f"/org/bluez/{name}",
            interface=ADAPTER,
            properties={
                "Address": f"02:00:00:00:00:{number + 1:02X}", "AddressType": "public", "Name": "demo",
                "Alias": "demo", "Powered": True, "Discovering": False, "Discoverable": False,
                "Pairable": False, "UUIDs": [], "Roles": ["central", "peripheral"],
            },
            methods={
                "SetDiscoveryFilter": self._set_filter,
                "StartDiscovery": self._start_discovery,
                "StopDiscovery": self._stop_discovery,
                "RemoveDevice": self._remove_device,
                "Set": self._set_property,
            },
        )  # fmt: skip
        self.peripherals = {air.device.address: SimulatedPeripheral(self, air) for air in airs}
        self._scanning: set[str] = set()

    @property
    def powered(self) -> bool:
        """Whether the radio is on."""
        return bool(self.adapter.properties["Powered"])

    @property
    def scanning(self) -> bool:
        """Whether anybody listens for advertisements."""
        return bool(self._scanning)

    def power(self, *, on: bool) -> None:
        """Switch the radio; going off, the devices are told first and scans end silently."""
        if on == self.powered:
            return
        if on:
            self.server.change(self.adapter, Powered=True)
            return
        for peripheral in self.peripherals.values():
            peripheral.lose_link()
        self._scanning.clear()
        self.server.change(self.adapter, Powered=False, Discovering=False)

    def need_power(self) -> None:
        """Refuse as BlueZ does while the radio is off."""
        if not self.powered:
            raise BluezError("NotReady", "Resource Not Ready")

    def _set_property(self, _sender: str, _interface: str, name: str, value: Variant) -> None:
        if name != "Powered":
            raise BluezError(
                "org.freedesktop.DBus.Error.PropertyReadOnly", f"Property '{name}' is not writable"
            )
        self.power(on=bool(value.value))

    def _set_filter(self, _sender: str, _filter: dict[str, Variant]) -> None:
        self.need_power()

    def _start_discovery(self, sender: str) -> None:
        self.need_power()
        if sender in self._scanning:
            raise BluezError("InProgress", "Operation already in progress")
        self._scanning.add(sender)
        self._discovering()

    def _stop_discovery(self, sender: str) -> None:
        self.need_power()
        if sender not in self._scanning:
            raise BluezError("Failed", "No discovery started")
        self._scanning.discard(sender)
        self._discovering()

    def _remove_device(self, _sender: str, path: str) -> None:
        self.need_power()
        for peripheral in self.peripherals.values():
            if peripheral.object.path == path and path in self.server.objects:
                peripheral.forget()
                return
        raise BluezError("DoesNotExist", "Does Not Exist")

    def _discovering(self) -> None:
        if not self._scanning:
            for peripheral in self.peripherals.values():
                peripheral.unheard()
        if self.adapter.properties["Discovering"] != self.scanning:
            self.server.change(self.adapter, Discovering=self.scanning)

    def client_gone(self, name: str) -> None:
        """A client left the bus: its scans and notify sessions end with it."""
        if name in self._scanning:
            self._scanning.discard(name)
            self._discovering()
        for peripheral in self.peripherals.values():
            peripheral.client_gone(name)


class SimulatedBluez:
    """The daemon, with one adapter or several.

    Args:
        devices: The peripherals in the room.
        adapters: Names of the adapters; what is said of ``the`` adapter means the first.
        absent_connect_s: How long Connect to a device out of range takes to fail (41 s in real life).
        disconnect_s: How long an own disconnect takes (2 s in real life).
    """

    def __init__(
        self,
        devices: Sequence[Device],
        *,
        adapters: Sequence[str] = ("hci0",),
        absent_connect_s: float = 41.0,
        disconnect_s: float = 0.05,
    ) -> None:
        self.server = ObjectServer()
        self.server.on_client_gone = self._client_gone
        self.absent_connect_s = absent_connect_s
        self.disconnect_s = disconnect_s
        airs = [Air(device=device) for device in devices]
        self.adapters = {
            name: SimulatedAdapter(name, number, self, airs) for number, name in enumerate(adapters)
        }
        self.first = next(iter(self.adapters.values()))
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, address: str) -> None:
        """Appear on the bus and begin to advertise."""
        await self.server.start(address, "org.bluez")
        for adapter in self.adapters.values():
            self.server.add(adapter.adapter)
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(one.advertise())
            for adapter in self.adapters.values()
            for one in adapter.peripherals.values()
        ]

    async def stop(self) -> None:
        """End as bluetoothd does on SIGTERM: power down, withdraw, leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for adapter in self.adapters.values():
            adapter.power(on=False)
            self.server.remove(adapter.adapter.path)
        await self.server.stop()

    def _client_gone(self, name: str) -> None:
        for adapter in self.adapters.values():
            adapter.client_gone(name)

    # ---- the first adapter
    @property
    def adapter(self) -> BusObject:
        """The first adapter's object."""
        return self.first.adapter

    @property
    def peripherals(self) -> dict[str, SimulatedPeripheral]:
        """What the first adapter sees, by address."""
        return self.first.peripherals

    @property
    def powered(self) -> bool:
        """Whether the first adapter is on."""
        return self.first.powered

    @property
    def scanning(self) -> bool:
        """Whether anybody listens through the first adapter."""
        return self.first.scanning

    def power(self, *, on: bool) -> None:
        """Switch the first adapter."""
        self.first.power(on=on)
