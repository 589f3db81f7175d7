"""A simulated ``org.bluez``: what a central sees of one adapter and its peripherals.

Order of signals, property sets, error names and error texts are those of bluetoothd 5.66. Pairing knows no
agent: it succeeds or fails as the device's radio says. Passive scanning and the acquire calls are left out,
and they are refused as BlueZ refuses what it has not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dbus_fast import Variant

from edge_node.simulators.bluez_device import SimulatedPeripheral
from edge_node.simulators.bluez_objects import ADAPTER, BluezError, BusObject, ObjectServer
from edge_node.simulators.peripherals import Device


class SimulatedBluez:
    """One adapter, ``hci0``.

    Args:
        devices: The peripherals in the room.
        absent_connect_s: How long Connect to a device out of range takes to fail (41 s in real life).
        disconnect_s: How long an own disconnect takes (2 s in real life).
    """

    def __init__(
        self, devices: Sequence[Device], *, absent_connect_s: float = 41.0, disconnect_s: float = 0.05
    ) -> None:
        self.server = ObjectServer()
        self.server.on_client_gone = self._client_gone
        self.absent_connect_s = absent_connect_s
        self.disconnect_s = disconnect_s
        self.adapter = BusObject(
            path="/org/bluez/hci0",
            interface=ADAPTER,
            properties={
                "Address": "02:00:00:00:00:01", "AddressType": "public", "Name": "demo", "Alias": "demo",
                "Powered": True, "Discovering": False, "Discoverable": False, "Pairable": False, "UUIDs": [],
                "Roles": ["central", "peripheral"],
            },
            methods={
                "SetDiscoveryFilter": self._set_filter,
                "StartDiscovery": self._start_discovery,
                "StopDiscovery": self._stop_discovery,
                "RemoveDevice": self._remove_device,
                "Set": self._set_property,
            },
        )  # fmt: skip
        self.peripherals = {device.address: SimulatedPeripheral(self, device) for device in devices}
        self._scanning: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, address: str) -> None:
        """Appear on the bus and begin to advertise."""
        await self.server.start(address, "org.bluez")
        self.server.add(self.adapter)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(one.advertise()) for one in self.peripherals.values()]

    async def stop(self) -> None:
        """End as bluetoothd does on SIGTERM: power down, withdraw, leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.power(on=False)
        self.server.remove(self.adapter.path)
        await self.server.stop()

    # ---- the adapter
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

    def _client_gone(self, name: str) -> None:
        if name in self._scanning:
            self._scanning.discard(name)
            self._discovering()
        for peripheral in self.peripherals.values():
            peripheral.client_gone(name)
