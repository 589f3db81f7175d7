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
RSSI_WEIGHT = 0.3
"""How much one advertisement moves the strength by which an adapter is chosen."""
BUSY_DB = 12.0
"""An adapter that is connecting to another device is as bad as this many dB."""
FAILURE_DB = 6.0
FAILURES_MAX = 5
DEVICE_INTERFACE = "org.bluez.Device1"
BUS_ANSWER_S = 10.0
"""A D-Bus daemon answers at once or never: a connection that was lost in the library would wait for ever."""
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


@dataclass(frozen=True, slots=True)
class _Seen:
    """When and how strongly a device was heard last."""

    device: BLEDevice
    at_s: float
    rssi: float


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
        held: Devices that this process connects to or holds, on any adapter; shared by all radios.
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
        held: set[str] | None = None,
    ) -> None:
        self.stamp = stamp
        self.adapter = adapter
        self.connecting = asyncio.Semaphore(1)
        self._bound = bound
        self._held: set[str] = set() if held is None else held
        self._failures: dict[str, int] = {}
        self._on_heard = on_heard
        self._on_radio = on_radio
        self._seen: dict[str, _Seen] = {}
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
        if self.adapter:
            args["adapter"] = self.adapter
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
            try:
                await self._free_orphans()
            except LIBRARY_ERRORS as error:
                log.warning("bus-unavailable", error=type(error).__name__)
                return "radio-unavailable"
            if loop.time() - self._heard_at > SCANNER_QUIET_S and not self._links:
                return "scanner-silent"

    def _advertised(self, device: BLEDevice, data: AdvertisementData) -> None:
        now = asyncio.get_running_loop().time()
        self._heard_at = now
        address = device.address.upper()
        before = self._seen.get(address)
        rssi = float(data.rssi)
        if before is not None and now - before.at_s < FRESH_S:
            rssi = before.rssi + RSSI_WEIGHT * (rssi - before.rssi)
        self._seen[address] = _Seen(device, now, rssi)
        if len(self._seen) > HEARD_MAX:
            oldest = min(self._seen, key=lambda known: self._seen[known].at_s)
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

    async def until_heard(self, address: str) -> None:
        """Wait until ``address`` was heard within the last seconds."""
        while self.heard(address) is None:
            self._news.clear()
            await self._news.wait()

    def heard(self, address: str) -> BLEDevice | None:
        """The device, if it was heard within the last seconds."""
        seen = self._seen.get(address)
        fresh = seen is not None and asyncio.get_running_loop().time() - seen.at_s < FRESH_S
        return seen.device if seen is not None and fresh else None

    def choose(self, address: str) -> BleRadio:
        """The adapter to connect through: the only one."""
        del address
        return self

    def score(self, address: str) -> float:
        """How good a way to a device this adapter is, in dB; minus infinity when it does not hear it."""
        if self.heard(address) is None:
            return float("-inf")
        busy = BUSY_DB if self.connecting.locked() else 0.0
        return self._seen[address].rssi - busy - FAILURE_DB * self._failures.get(address, 0)

    def failed(self, address: str) -> None:
        """A connect failed: the next one waits for a new advertisement, and other adapters are preferred."""
        self._seen.pop(address, None)
        self._failures[address] = min(self._failures.get(address, 0) + 1, FAILURES_MAX)

    def succeeded(self, address: str) -> None:
        """A connect succeeded: what failed before is forgotten."""
        self._failures.pop(address, None)

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
            async with asyncio.timeout(BUS_ANSWER_S):
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
            async with asyncio.timeout(BUS_ANSWER_S):
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
        elif message.member == "PropertiesChanged" and self._is_ours(message):
            powered = message.body[1].get("Powered")
            if powered is not None:
                self._all_lost("radio-on" if powered.value else "radio-off")

    def _is_ours(self, message: Message) -> bool:
        """Whether a signal speaks of this adapter."""
        named = not self.adapter or (message.path or "").endswith(f"/{self.adapter}")
        return named and bool(message.body[0] == "org.bluez.Adapter1")

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
