"""A simulated ``org.bluez``: what a central sees of one adapter and its peripherals.

Order of signals, property sets, error names and error texts are those of bluetoothd 5.66; only pairing,
passive scanning and the acquire calls are left out, and they are refused as BlueZ refuses what it has not.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from dbus_fast import Variant

from edge_node.simulators.bluez_objects import (
    ADAPTER,
    CHARACTERISTIC,
    DESCRIPTOR,
    DEVICE,
    SERVICE,
    BluezError,
    BusObject,
    ObjectServer,
)
from edge_node.simulators.peripherals import Characteristic, Device, GattService, Radio, full_uuid

MTU = 247
REPLY_GAP_S = 0.005
"""bluetoothd's Connect reply comes a little after the Connected signal, on another socket."""


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


class SimulatedPeripheral:
    """The BlueZ side of one device: its object, its link, its notify sessions."""

    def __init__(self, bluez: SimulatedBluez, device: Device) -> None:
        self.device = device
        self.radio = Radio()
        self.connects = 0
        self._bluez = bluez
        self._server = bluez.server
        self._characteristics: dict[str, BusObject] = {}
        self._sessions: dict[str, list[str]] = {}
        self._talk: asyncio.Task[None] | None = None
        self._connecting = False
        self.object = self._new_object()

    def _new_object(self) -> BusObject:
        address = self.device.address
        return BusObject(
            path=f"{self._bluez.adapter.path}/dev_{address.replace(':', '_')}",
            interface=DEVICE,
            properties={
                "Address": address, "AddressType": "public", "Name": self.device.name,
                "Alias": self.device.name, "Paired": False, "Bonded": False, "Trusted": False,
                "Blocked": False, "LegacyPairing": False, "Connected": False, "ServicesResolved": False,
                "Adapter": self._bluez.adapter.path,
                "UUIDs": [full_uuid(service.uuid) for service in self.device.services],
            },
            methods={"Connect": self._connect, "Disconnect": self._disconnect},
        )  # fmt: skip

    @property
    def connected(self) -> bool:
        """Whether a central holds the link."""
        return bool(self.object.properties["Connected"])

    @property
    def sessions(self) -> int:
        """Notify sessions that are open; more than one per characteristic means that values double."""
        return sum(len(senders) for senders in self._sessions.values())

    # ---- advertising
    async def advertise(self) -> None:
        """Be heard by whoever scans, for ever."""
        while True:
            await asyncio.sleep(self.radio.advertise_every_s * random.uniform(0.9, 1.1))
            if self._bluez.scanning and self.radio.in_range and not self.connected:
                self._heard()

    def _heard(self) -> None:
        rssi = self.radio.rssi + random.randint(-3, 3)
        if self.object.path in self._server.objects:
            self._server.change(self.object, RSSI=rssi)
        else:
            self.object.properties["RSSI"] = rssi
            self._server.add(self.object)

    def unheard(self) -> None:
        """Scanning ended: the signal strength is no longer known."""
        if "RSSI" in self.object.properties:
            self._server.change(self.object, ("RSSI",))

    def forget(self) -> None:
        """RemoveDevice: the object and its GATT tree go."""
        self.lose_link()
        self._server.remove(self.object.path)
        self._characteristics.clear()
        self.object = self._new_object()

    # ---- the link
    async def _connect(self, _sender: str) -> None:
        if not self._bluez.powered:
            raise BluezError("Failed", "Input/output error")
        if self._connecting:
            raise BluezError("InProgress", "In Progress")
        if self.connected:
            return
        self._connecting = True
        try:
            await self._page()
        finally:
            self._connecting = False
        self.connects += 1
        self._server.change(self.object, Connected=True)
        self._talk = asyncio.get_running_loop().create_task(self._resolve_and_talk())
        await asyncio.sleep(REPLY_GAP_S)

    async def _page(self) -> None:
        if not self.radio.in_range:
            await asyncio.sleep(self._bluez.absent_connect_s)
            raise BluezError("Failed", "le-connection-abort-by-local")
        await asyncio.sleep(self.radio.connect_s)
        if self.radio.connect_errors:
            raise BluezError("Failed", self.radio.connect_errors.popleft())
        if not self._bluez.powered:
            raise BluezError("Failed", "br-connection-canceled")

    async def _disconnect(self, _sender: str) -> None:
        if not self.connected:
            raise BluezError("NotConnected", "Not Connected")
        await asyncio.sleep(self._bluez.disconnect_s)
        self._end_talk()
        self._server.change(self.object, ServicesResolved=False)
        self._server.change(self.object, Connected=False)

    def lose_link(self) -> None:
        """The link breaks by itself: one signal says both, as bluetoothd does."""
        if self.connected:
            self._end_talk()
            self._server.change(self.object, ServicesResolved=False, Connected=False)

    def _end_talk(self) -> None:
        if self._talk is not None:
            self._talk.cancel()
            self._talk = None
        for path in list(self._sessions):
            self._end_sessions(path, self._sessions[path])

    async def _resolve_and_talk(self) -> None:
        await asyncio.sleep(self.radio.resolve_s)
        if not self._characteristics:
            handle = 0x0010
            for service in self.device.services:
                handle = self._publish(service, handle)
        self._server.change(self.object, UUIDs=self.object.properties["UUIDs"], ServicesResolved=True)
        await self.device.talk(self._notify)

    # ---- GATT
    def _publish(self, service: GattService, handle: int) -> int:
        path = f"{self.object.path}/service{handle:04x}"
        properties = {
            "UUID": full_uuid(service.uuid), "Device": self.object.path, "Primary": True, "Includes": [],
        }  # fmt: skip
        self._server.add(BusObject(path=path, interface=SERVICE, properties=properties))
        for characteristic in service.characteristics:
            handle += 1
            self._publish_characteristic(characteristic, path, handle)
            handle += 2
        return handle + 1

    def _publish_characteristic(self, characteristic: Characteristic, service: str, handle: int) -> None:
        notifies = {"notify", "indicate"} & set(characteristic.flags)
        item = BusObject(
            path=f"{service}/char{handle:04x}",
            interface=CHARACTERISTIC,
            properties={
                "UUID": full_uuid(characteristic.uuid), "Service": service, "Value": b"",
                "Flags": list(characteristic.flags), "MTU": MTU, **({"Notifying": False} if notifies else {}),
            },
        )  # fmt: skip
        item.methods = {
            "ReadValue": lambda _s, _o: self._read(item, characteristic),
            "WriteValue": lambda _s, _v, _o: self._refuse_write(),
            "StartNotify": lambda sender: self._start_notify(sender, item),
            "StopNotify": lambda sender: self._stop_notify(sender, item),
        }
        self._characteristics[full_uuid(characteristic.uuid)] = item
        self._server.add(item)
        if notifies:
            self._publish_cccd(item.path, handle + 2)

    def _publish_cccd(self, characteristic: str, handle: int) -> None:
        self._server.add(
            BusObject(
                path=f"{characteristic}/desc{handle:04x}",
                interface=DESCRIPTOR,
                properties={"UUID": full_uuid("2902"), "Characteristic": characteristic, "Value": b""},
                methods={
                    "ReadValue": lambda _s, _o: bytes(2),
                    "WriteValue": lambda _s, _v, _o: self._refuse_write(),
                },
            )
        )

    def _need_link(self) -> None:
        if not self.connected:
            raise BluezError("Failed", "Not connected")

    @staticmethod
    def _refuse_write() -> None:
        raise BluezError("NotPermitted", "Write not permitted")

    def _read(self, item: BusObject, characteristic: Characteristic) -> bytes:
        self._need_link()
        if "read" not in characteristic.flags:
            raise BluezError("NotPermitted", "Read not permitted")
        self._server.change(item, Value=characteristic.value)
        return characteristic.value

    def _start_notify(self, sender: str, item: BusObject) -> None:
        self._need_link()
        if "Notifying" not in item.properties:
            raise BluezError("NotSupported", "Operation is not supported")
        senders = self._sessions.setdefault(item.path, [])
        if sender not in senders:
            senders.append(sender)
            self._server.change(item, Notifying=True)

    def _stop_notify(self, sender: str, item: BusObject) -> None:
        self._need_link()
        if sender not in self._sessions.get(item.path, []):
            raise BluezError("Failed", "No notify session started")
        self._end_sessions(item.path, [sender])

    def _end_sessions(self, path: str, senders: Sequence[str]) -> None:
        left = [one for one in self._sessions.pop(path, []) if one not in senders]
        if left:
            self._sessions[path] = left
        elif path in self._server.objects:
            self._server.change(self._server.objects[path], Notifying=False)

    def client_gone(self, name: str) -> None:
        """A client left the bus: its notify sessions end with it."""
        for path in [path for path, senders in self._sessions.items() if name in senders]:
            self._end_sessions(path, [name])

    def _notify(self, uuid: str, value: bytes) -> bool:
        item: BusObject | None = self._characteristics.get(full_uuid(uuid))
        senders: list[Any] | tuple[()] = self._sessions.get(item.path, ()) if item else ()
        if item is None or self.radio.muted or not senders:
            return False
        for _session in senders:
            for _ in range(self.radio.repeat):
                self._server.change(item, Value=value)
        return True
