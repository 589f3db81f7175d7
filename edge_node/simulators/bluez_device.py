"""One peripheral of the simulated ``org.bluez``: its object, its link, its GATT tree and notify sessions."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dbus_fast import Variant

from edge_node.simulators.bluez_objects import (
    CHARACTERISTIC,
    DESCRIPTOR,
    DEVICE,
    SERVICE,
    BluezError,
    BusObject,
)
from edge_node.simulators.peripherals import (
    Broadcaster,
    Characteristic,
    Device,
    GattService,
    Radio,
    full_uuid,
)

if TYPE_CHECKING:
    from edge_node.simulators.bluez import SimulatedAdapter

MTU = 247
REPLY_GAP_S = 0.005
"""bluetoothd's Connect reply comes a little after the Connected signal, on another socket."""


def address_type(address: str) -> str:
    """``random`` for a static random address, whose two highest bits are set; else ``public``."""
    return "random" if int(address[:2], 16) >= 0xC0 else "public"


@dataclass(slots=True, kw_only=True)
class Air:
    """One device itself, whichever adapters see it: it has one radio and holds one link at a time."""

    device: Device
    radio: Radio = field(default_factory=Radio)
    held_by: SimulatedPeripheral | None = None


class SimulatedPeripheral:
    """What one adapter knows of one device: its object, its link, its notify sessions."""

    def __init__(self, adapter: SimulatedAdapter, air: Air) -> None:
        self.device = air.device
        self.radio = air.radio
        self.connects = 0
        self._air = air
        self._bluez = adapter
        self._server = adapter.server
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
                "Address": address, "AddressType": address_type(address), "Name": self.device.name,
                "Alias": self.device.name, "Paired": False, "Bonded": False, "Trusted": False,
                "Blocked": False, "LegacyPairing": False, "Connected": False, "ServicesResolved": False,
                "Adapter": self._bluez.adapter.path,
                "UUIDs": [full_uuid(service.uuid) for service in self.device.services],
            },
            methods={
                "Connect": self._connect,
                "Disconnect": self._disconnect,
                "Pair": self._pair,
                "Set": self._set_property,
            },
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
            if self._bluez.scanning and self._strength is not None and self._air.held_by is None:
                self._heard(self._strength)

    @property
    def _strength(self) -> int | None:
        """How strongly this adapter hears the device; None when it does not."""
        radio = self.radio
        return radio.rssi_at.get(self._bluez.name, radio.rssi) if radio.in_range else None

    def _heard(self, strength: int) -> None:
        shakes = self.radio.rssi_shakes
        rssi = strength + random.randint(-shakes, shakes)
        said: dict[str, Any] = {}
        if isinstance(self.device, Broadcaster):
            said = {"ServiceData": self.device.service_data()}
        if self.object.path in self._server.objects:
            self._server.change(self.object, RSSI=rssi, **said)
        else:
            self.object.properties |= {"RSSI": rssi, **said}
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
        self._sessions.clear()
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
        self._air.held_by = self
        self._server.change(self.object, Connected=True)
        self._talk = asyncio.get_running_loop().create_task(self._resolve_and_talk())
        await asyncio.sleep(REPLY_GAP_S)

    async def _page(self) -> None:
        if self._strength is None or self._air.held_by is not None:
            await asyncio.sleep(self._bluez.bluez.absent_connect_s)
            raise BluezError("Failed", "le-connection-abort-by-local")
        await asyncio.sleep(self.radio.connect_s)
        if self.radio.connect_errors:
            raise BluezError("Failed", self.radio.connect_errors.popleft())
        if not self._bluez.powered:
            raise BluezError("Failed", "br-connection-canceled")

    def _set_property(self, _sender: str, _interface: str, name: str, value: Variant) -> None:
        if name != "Trusted":
            raise BluezError(
                "org.freedesktop.DBus.Error.PropertyReadOnly", f"Property '{name}' is not writable"
            )
        self._server.change(self.object, Trusted=bool(value.value))

    async def _pair(self, _sender: str) -> None:
        self._need_link()
        await asyncio.sleep(self.radio.connect_s)
        if not self.radio.pairs:
            raise BluezError("AuthenticationFailed", "Authentication Failed")
        self.bond()

    def bond(self) -> None:
        """Keys are exchanged, by Pair or by an engineer beforehand."""
        self._server.change(self.object, Paired=True, Bonded=True)

    async def _disconnect(self, _sender: str) -> None:
        if not self.connected:
            return
        await asyncio.sleep(self._bluez.bluez.disconnect_s)
        self._end_talk()
        self._server.change(self.object, ServicesResolved=False)
        self._server.change(self.object, Connected=False)

    def lose_link(self) -> None:
        """The link breaks by itself: one signal says both, as bluetoothd does."""
        if self.connected:
            self._end_talk()
            self._server.change(self.object, ServicesResolved=False, Connected=False)

    def _end_talk(self) -> None:
        """The link is gone; notify sessions are not: they live as long as their clients' bus connections.

        BlueZ arms them again at the next connect. A client that connects anew without giving back its old
        connection gets every value twice.
        """
        self._air.held_by = None
        if self._talk is not None:
            self._talk.cancel()
            self._talk = None

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
            "WriteValue": lambda _s, value, options: self._write(characteristic, value, options),
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

    def _need_pairing(self, characteristic: Characteristic) -> None:
        if characteristic.protected and not self.object.properties["Paired"]:
            raise BluezError("NotPermitted", "Not paired")

    def _write(self, characteristic: Characteristic, value: bytes, options: dict[str, Variant]) -> None:
        """Write; BlueZ does not compare a write's type with the flags: a wrong one is lost in silence."""
        self._need_link()
        self._need_pairing(characteristic)
        if characteristic.written is None:
            self._refuse_write()
            return
        kind = options["type"].value if "type" in options else "request"
        wanted = "write-without-response" if kind == "command" else "write"
        if wanted in characteristic.flags:
            characteristic.written(bytes(value))

    def _read(self, item: BusObject, characteristic: Characteristic) -> bytes:
        self._need_link()
        if "read" not in characteristic.flags:
            raise BluezError("NotPermitted", "Read not permitted")
        self._need_pairing(characteristic)
        value = characteristic.read() if characteristic.read is not None else characteristic.value
        self._server.change(item, Value=value)
        return value

    def _start_notify(self, sender: str, item: BusObject) -> None:
        self._need_link()
        if "Notifying" not in item.properties:
            raise BluezError("NotSupported", "Operation is not supported")
        senders = self._sessions.setdefault(item.path, [])
        if sender not in senders:
            senders.append(sender)
            if not item.properties["Notifying"]:
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
