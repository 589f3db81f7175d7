"""Bluetooth LE through bleak: one scanner for the whole process, and a watch over the daemon under it.

Links are made by :mod:`edge_node.adapters.ble_link`, only to what was just heard and one at a time. The
daemon's death and the radio's power are watched on a D-Bus connection of our own, because bleak notices
neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

import structlog
from bleak import BleakScanner
from bleak.args.bluez import BlueZScannerArgs
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError

from edge_node.clock import Stamp

FRESH_S = 10.0
"""Connect only to a device heard this recently: BlueZ tries an absent one for 41 s."""
SCANNER_QUIET_S = 60.0
RADIO_RETRY_S = 2.0
HEARD_MAX = 512
DEVICE_INTERFACE = "org.bluez.Device1"
LIBRARY_ERRORS = (BleakError, DBusError, TimeoutError, EOFError, OSError)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One advertisement, in plain words."""

    address: str
    name: str
    service_uuids: tuple[str, ...]
    manufacturer_data: Mapping[int, bytes]
    service_data: Mapping[str, bytes]
    rssi: int


class Losable(Protocol):
    """An open link, as the radio sees it: something that can be told that it is over."""

    def lost(self, reason: str, kind: str) -> None:
        """End the link for its reader."""


class BleRadio:
    """The adapter and everything heard on it.

    Args:
        stamp: Stamps each notification as it arrives.
        adapter: Name such as ``hci0``; empty for the first.
        bound: Addresses of the devices that are ours alone.
        on_heard: Called for every advertisement.
        on_radio: Called when the radio starts or stops to listen, with the reason.
    """

    def __init__(
        self,
        stamp: Callable[[], Stamp],
        *,
        adapter: str,
        bound: Collection[str],
        on_heard: Callable[[Heard], None],
        on_radio: Callable[[bool, str], None],
    ) -> None:
        self.stamp = stamp
        self.connecting = asyncio.Semaphore(1)
        self._adapter = adapter
        self._bound = bound
        self._held: set[str] = set()
        self._on_heard = on_heard
        self._on_radio = on_radio
        self._seen: dict[str, tuple[BLEDevice, float]] = {}
        self._news = asyncio.Event()
        self._restart = asyncio.Event()
        self._heard_at = 0.0
        self._links: set[Losable] = set()

    async def run(self) -> None:
        """Listen for ever; a radio that is off or missing is tried again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_bus())
            while True:
                reason = await self._listen()
                self._on_radio(False, reason)
                await asyncio.sleep(RADIO_RETRY_S)

    async def _listen(self) -> str:
        args: BlueZScannerArgs = {"filters": {"DuplicateData": True, "RSSI": -127}}
        if self._adapter:
            args["adapter"] = self._adapter
        scanner = BleakScanner(self._advertised, bluez=args)
        self._restart.clear()
        try:
            await self._free_orphans()
            await scanner.start()
        except LIBRARY_ERRORS as error:
            log.warning("scan-failed", error=type(error).__name__)
            return "radio-unavailable"
        self._on_radio(True, "")
        try:
            return await self._until_silent()
        finally:
            with suppress(*LIBRARY_ERRORS):
                await scanner.stop()

    async def _until_silent(self) -> str:
        loop = asyncio.get_running_loop()
        self._heard_at = loop.time()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SCANNER_QUIET_S / 4):
                    await self._restart.wait()
                return "radio-restarted"
            await self._free_orphans()
            if loop.time() - self._heard_at > SCANNER_QUIET_S and not self._links:
                return "scanner-silent"

    def _advertised(self, device: BLEDevice, data: AdvertisementData) -> None:
        now = asyncio.get_running_loop().time()
        self._heard_at = now
        address = device.address.upper()
        self._seen[address] = (device, now)
        if len(self._seen) > HEARD_MAX:
            oldest = min(self._seen, key=lambda known: self._seen[known][1])
            del self._seen[oldest]
        self._news.set()
        self._on_heard(
            Heard(
                address=address,
                name=data.local_name or "",
                service_uuids=tuple(data.service_uuids),
                manufacturer_data=data.manufacturer_data,
                service_data=data.service_data,
                rssi=data.rssi,
            )
        )

    async def fresh(self, address: str) -> BLEDevice:
        """Wait until ``address`` was heard within the last seconds."""
        while (device := self.heard(address)) is None:
            self._news.clear()
            await self._news.wait()
        return device

    def heard(self, address: str) -> BLEDevice | None:
        """The device, if it was heard within the last seconds."""
        device, at = self._seen.get(address, (None, 0.0))
        fresh = device is not None and asyncio.get_running_loop().time() - at < FRESH_S
        return device if fresh else None

    def forget(self, address: str) -> None:
        """The next connect must wait for a new advertisement."""
        self._seen.pop(address, None)

    @contextmanager
    def holding(self, address: str) -> Iterator[None]:
        """While a device is being connected or is connected by this process."""
        self._held.add(address)
        try:
            yield
        finally:
            self._held.discard(address)

    def enter(self, link: Losable) -> None:
        """Remember an open link, to end it when the daemon dies."""
        self._links.add(link)

    def leave(self, link: Losable) -> None:
        """Forget a link that was closed."""
        self._links.discard(link)

    async def _free_orphans(self) -> None:
        """Disconnect our devices that the daemon holds for a process that is gone.

        A connected device does not advertise: after a crash of the node it would never be heard again.
        """
        bus = MessageBus(bus_type=BusType.SYSTEM)
        try:
            await bus.connect()
            reply = await bus.call(_call("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"))
            objects = reply.body[0] if reply and reply.message_type is MessageType.METHOD_RETURN else {}
            for path, interfaces in objects.items():
                device = interfaces.get(DEVICE_INTERFACE, {})
                if _is_connected(device) and self._is_orphan(device["Address"].value):
                    log.warning("orphan-disconnected", path=path)
                    await bus.call(_call(path, DEVICE_INTERFACE, "Disconnect"))
        finally:
            bus.disconnect()

    def _is_orphan(self, address: str) -> bool:
        return address.upper() in self._bound and address.upper() not in self._held

    # ---- what bleak does not notice
    async def _watch_bus(self) -> None:
        while True:
            try:
                await self._follow_daemon()
            except LIBRARY_ERRORS as error:
                log.warning("bus-watch-failed", error=type(error).__name__)
            await asyncio.sleep(RADIO_RETRY_S)

    async def _follow_daemon(self) -> None:
        bus = MessageBus(bus_type=BusType.SYSTEM)
        try:
            await bus.connect()
            bus.add_message_handler(self._bus_message)
            for rule in (
                "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.bluez'",
                "type='signal',sender='org.bluez',member='PropertiesChanged',arg0='org.bluez.Adapter1'",
            ):
                await bus.call(
                    Message(
                        destination="org.freedesktop.DBus",
                        path="/org/freedesktop/DBus",
                        interface="org.freedesktop.DBus",
                        member="AddMatch",
                        signature="s",
                        body=[rule],
                    )
                )
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # untyped in dbus-fast
        finally:
            bus.disconnect()

    def _bus_message(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "NameOwnerChanged" and message.body[0] == "org.bluez":
            self._all_lost("bluetooth-daemon-gone" if not message.body[2] else "bluetooth-daemon-back")
        elif message.member == "PropertiesChanged" and message.body[0] == "org.bluez.Adapter1":
            powered = message.body[1].get("Powered")
            if powered is not None:
                self._all_lost("radio-on" if powered.value else "radio-off")

    def _all_lost(self, reason: str) -> None:
        log.warning("radio-changed", reason=reason)
        self._seen.clear()
        self._restart.set()
        if reason in {"bluetooth-daemon-gone", "radio-off"}:
            for link in list(self._links):
                link.lost(reason, "missing")


def _call(path: str, interface: str, member: str) -> Message:
    return Message(destination="org.bluez", path=path, interface=interface, member=member)


def _is_connected(device: Mapping[str, Variant]) -> bool:
    return bool(device and device["Connected"].value)
