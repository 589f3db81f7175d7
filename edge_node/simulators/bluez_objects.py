"""A tree of D-Bus objects with the interfaces of BlueZ, served through one message handler.

dbus-fast's own service classes hide who calls and cannot invalidate a property; both matter here: scans
and notify sessions belong to callers, and RSSI comes and goes.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from dbus_fast import BusType, Message, MessageFlag, MessageType, Variant
from dbus_fast.aio import MessageBus

MANAGER = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
DBUS = "org.freedesktop.DBus"
ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
SERVICE = "org.bluez.GattService1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
DESCRIPTOR = "org.bluez.GattDescriptor1"

PROPERTY_TYPES: dict[str, dict[str, str]] = {
    ADAPTER: {
        "Address": "s", "AddressType": "s", "Name": "s", "Alias": "s", "Powered": "b", "Discovering": "b",
        "Discoverable": "b", "Pairable": "b", "UUIDs": "as", "Roles": "as",
    },
    DEVICE: {
        "Address": "s", "AddressType": "s", "Name": "s", "Alias": "s", "Paired": "b", "Bonded": "b",
        "Trusted": "b", "Blocked": "b", "LegacyPairing": "b", "RSSI": "n", "Connected": "b", "UUIDs": "as",
        "Adapter": "o", "ManufacturerData": "a{qv}", "ServiceData": "a{sv}", "ServicesResolved": "b",
    },
    SERVICE: {"UUID": "s", "Device": "o", "Primary": "b", "Includes": "ao"},
    CHARACTERISTIC: {
        "UUID": "s", "Service": "o", "Value": "ay", "Notifying": "b", "Flags": "as", "MTU": "q",
    },
    DESCRIPTOR: {"UUID": "s", "Characteristic": "o", "Value": "ay"},
}  # fmt: skip
SIGNATURES: dict[tuple[str, str], tuple[str, str]] = {
    (MANAGER, "GetManagedObjects"): ("", "a{oa{sa{sv}}}"),
    (PROPERTIES, "GetAll"): ("s", "a{sv}"),
    (PROPERTIES, "Get"): ("ss", "v"),
    (PROPERTIES, "Set"): ("ssv", ""),
    (ADAPTER, "SetDiscoveryFilter"): ("a{sv}", ""),
    (ADAPTER, "StartDiscovery"): ("", ""),
    (ADAPTER, "StopDiscovery"): ("", ""),
    (ADAPTER, "RemoveDevice"): ("o", ""),
    (DEVICE, "Connect"): ("", ""),
    (DEVICE, "Disconnect"): ("", ""),
    (DEVICE, "Pair"): ("", ""),
    (CHARACTERISTIC, "ReadValue"): ("a{sv}", "ay"),
    (CHARACTERISTIC, "WriteValue"): ("aya{sv}", ""),
    (CHARACTERISTIC, "StartNotify"): ("", ""),
    (CHARACTERISTIC, "StopNotify"): ("", ""),
    (DESCRIPTOR, "ReadValue"): ("a{sv}", "ay"),
    (DESCRIPTOR, "WriteValue"): ("aya{sv}", ""),
}


class BluezError(Exception):
    """An error reply: ``org.bluez.Error.<name>`` unless the name is already a whole one."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name if "." in name else f"org.bluez.Error.{name}"
        self.text = text


Handler = Callable[..., Any | Awaitable[Any]]


@dataclass(slots=True)
class BusObject:
    """One exported object: its properties, and what its methods do (called with the caller's name first)."""

    path: str
    interface: str
    properties: dict[str, Any]
    methods: dict[str, Handler] = field(default_factory=dict)

    def variants(self, names: set[str] | None = None) -> dict[str, Variant]:
        """Properties as D-Bus variants, all of them or those named."""
        types = PROPERTY_TYPES[self.interface]
        return {
            name: Variant(types[name], _plain(name, value))
            for name, value in self.properties.items()
            if names is None or name in names
        }


def _plain(name: str, value: Any) -> Any:
    if name in {"ManufacturerData", "ServiceData"}:
        return {key: Variant("ay", data) for key, data in value.items()}
    return value


class _PatientSocket:
    """A socket whose full buffer is no error: dbus-fast would give the connection up instead of waiting."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, data: memoryview) -> int:
        """Send what fits; nothing when the daemon is behind."""
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0


class ObjectServer:
    """Exports objects under a well-known name and answers calls on them."""

    def __init__(self) -> None:
        self.objects: dict[str, BusObject] = {}
        self.on_client_gone: Callable[[str], None] = lambda _name: None
        self._bus: MessageBus | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, address: str, name: str) -> None:
        """Connect, watch for clients that leave, and take the name."""
        bus = await MessageBus(bus_address=address, bus_type=BusType.SYSTEM).connect()
        self._bus = bus
        if bus._writer is not None and bus._sock is not None:  # there is no public way to reach them
            bus._writer.sock = _PatientSocket(bus._sock)  # type: ignore[assignment]  # it only sends
        bus.add_message_handler(self._received)
        match = "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'"
        await bus.call(
            Message(destination=DBUS, path="/org/freedesktop/DBus", interface=DBUS, member="AddMatch",
                    signature="s", body=[match])
        )  # fmt: skip
        await bus.request_name(name)

    async def stop(self) -> None:
        """Leave the bus."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._bus is not None:
            self._bus.disconnect()
            with suppress(EOFError, OSError):  # how the library reports that it did as asked
                await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # untyped in dbus-fast
            self._bus = None

    # ---- the tree
    def add(self, item: BusObject) -> None:
        """Export an object and announce it."""
        self.objects[item.path] = item
        body = [item.path, {item.interface: item.variants()}]
        self._signal("/", MANAGER, "InterfacesAdded", "oa{sa{sv}}", body)

    def remove(self, path: str) -> None:
        """Withdraw an object and everything under it, leaves first."""
        inside = [known for known in self.objects if known == path or known.startswith(path + "/")]
        for known in sorted(inside, reverse=True):
            item = self.objects.pop(known)
            self._signal("/", MANAGER, "InterfacesRemoved", "oas", [known, [item.interface]])

    def change(self, item: BusObject, invalidated: tuple[str, ...] = (), **changes: Any) -> None:
        """Change properties in one signal; a removed object changes silently."""
        item.properties.update(changes)
        for name in invalidated:
            item.properties.pop(name, None)
        if self.objects.get(item.path) is item:
            body = [item.interface, item.variants(set(changes)), list(invalidated)]
            self._signal(item.path, PROPERTIES, "PropertiesChanged", "sa{sv}as", body)

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        if self._bus is not None and self._bus.connected:
            self._bus.send(Message.new_signal(path, interface, member, signature, body))

    # ---- calls
    def _received(self, message: Message) -> bool | None:
        if message.message_type is MessageType.SIGNAL:
            if (
                message.member == "NameOwnerChanged"
                and message.body[0].startswith(":")
                and not message.body[2]
            ):
                self.on_client_gone(message.body[0])
            return None
        if message.message_type is not MessageType.METHOD_CALL or not (message.interface or "").startswith(
            ("org.bluez", MANAGER, PROPERTIES)
        ):
            return None
        task = asyncio.get_running_loop().create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _answer(self, message: Message) -> None:
        try:
            signature, result = await self._result(message)
            reply = Message.new_method_return(message, signature, [result] if signature else [])
        except BluezError as error:
            reply = Message.new_error(message, error.name, error.text)
        if self._bus is not None and not message.flags & MessageFlag.NO_REPLY_EXPECTED:
            await self._bus.send(reply)

    async def _result(self, message: Message) -> tuple[str, Any]:
        key = (message.interface or "", message.member or "")
        takes, gives = SIGNATURES.get(key, ("-", ""))
        handler = self._handler(message, key)
        if handler is None or takes != message.signature:
            known = message.path in self.objects or message.path == "/"
            word = "UnknownMethod" if known else "UnknownObject"
            raise BluezError(
                f"org.freedesktop.DBus.Error.{word}",
                f'Method "{key[1]}" with signature "{message.signature}" on interface '
                f'"{key[0]}" doesn\'t exist\n',  # the line feed is the real daemon's
            )
        result = handler(message.sender, *message.body)
        return gives, await result if inspect.isawaitable(result) else result

    def _handler(self, message: Message, key: tuple[str, str]) -> Handler | None:
        item = self.objects.get(message.path or "")
        match key:
            case (interface, "GetManagedObjects") if interface == MANAGER:
                return self._managed if message.path == "/" else None
            case (interface, member) if interface == PROPERTIES and item is not None:
                standard = {"GetAll": self._all_of(item), "Get": self._one_of(item)}
                return standard.get(member, item.methods.get(member))
            case (interface, member) if item is not None and interface == item.interface:
                return item.methods.get(member)
            case _:
                return None

    def _managed(self, _sender: str) -> dict[str, Any]:
        return {path: {item.interface: item.variants()} for path, item in self.objects.items()}

    @staticmethod
    def _all_of(item: BusObject) -> Handler:
        return lambda _sender, _interface: item.variants()

    @staticmethod
    def _one_of(item: BusObject) -> Handler:
        def get(_sender: str, _interface: str, name: str) -> Variant:
            if name not in item.properties:
                raise BluezError("org.freedesktop.DBus.Error.InvalidArgs", f"No such property '{name}'")
            return item.variants({name})[name]

        return get
