"""Links to Bluetooth LE devices: connected ones, and those that only broadcast.

Every attempt is a new ``BleakClient`` that is disconnected in ``finally``: a lost link that is not given
back keeps its notify session, and after the next connect every value arrives twice. Before anything a
device says is used, it has shown that it is the one that was bound: paired if its profile wants that, and
with the serial number that was written down for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.exc import BleakDBusError, BleakDeviceNotFoundError, BleakError

from edge_node.adapters.ble import LIBRARY_ERRORS, BleRadio, Heard
from edge_node.clock import Stamp
from edge_node.ports import Frame, LinkLostError
from edge_node.records import RecordSource, download
from firmware_profiles.plan import full_uuid

QUEUE_FRAMES = 4096
SERIAL_NUMBER = full_uuid("2A25")
REPEAT_S = 2.0
"""The same advert again counts as a sign of life no more often than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPlan:
    """How a link with one device is made; all of it from its profile and from what was bound.

    ``streams`` are the characteristics to subscribe to (long UUIDs) and the profile's stream of each;
    ``serial`` is compared with the device's own, empty for not compared.
    """

    streams: Mapping[str, str]
    serial: str = ""
    pairing: str = "none"
    bond: str = "none"
    connect_timeout_s: float = 20.0
    records: RecordSource | None = None
    records_uuid: str = ""


class BleLink:
    """One open connection; see :class:`edge_node.ports.Link`."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[Frame | LinkLostError] = asyncio.Queue()
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()

    def received(self, frame: Frame) -> None:
        """Take one notification; a reader that falls far behind loses the link rather than the order."""
        if self.frames.qsize() >= QUEUE_FRAMES:
            self.lost("overrun", "broken")
        else:
            self.frames.put_nowait(frame)

    def lost(self, reason: str, kind: str) -> None:
        """End the link for its reader."""
        self.frames.put_nowait(LinkLostError(reason, kind))


class BleTransport:
    """One bound device; see :class:`edge_node.ports.Transport`.

    Args:
        radio: The adapter.
        address: The device's address, upper case with colons.
        plan: How a link with it is made.
    """

    def __init__(self, radio: BleRadio, address: str, plan: LinkPlan) -> None:
        self._radio = radio
        self._address = address
        self._plan = plan

    async def available(self) -> None:
        """Return once the device was heard."""
        await self._radio.fresh(self._address)

    def open(self) -> AbstractAsyncContextManager[BleLink]:
        """Connect and subscribe."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[BleLink]:
        with self._radio.holding(self._address):
            async with self._linked() as link:
                yield link

    @asynccontextmanager
    async def _linked(self) -> AsyncIterator[BleLink]:
        link = BleLink()
        async with self._radio.connecting:
            device = self._radio.heard(self._address)
            if device is None:  # it went while another device was connecting
                raise LinkLostError("device-gone", "missing")
            client = BleakClient(
                device,
                disconnected_callback=lambda _client: link.lost("link-lost", "transient"),
                timeout=self._plan.connect_timeout_s,
            )
            try:
                await self._connect(client, device, link)
            except BaseException:
                await self._give_back(client)
                raise
        self._radio.enter(link)
        fetching = self._fetch_records(client, link)
        try:
            yield link
        finally:
            self._radio.leave(link)
            if fetching is not None:
                fetching.cancel()
                await asyncio.gather(fetching, return_exceptions=True)
            await self._give_back(client)

    async def _connect(self, client: BleakClient, device: BLEDevice, link: BleLink) -> None:
        try:
            await client.connect()
            await self._prove(client, device)
            for uuid, stream in self._plan.streams.items():
                await client.start_notify(uuid, self._receiver(link, stream))
            if self._plan.records is not None:
                await client.start_notify(self._plan.records_uuid, _answers(link))
        except LIBRARY_ERRORS as error:
            self._radio.forget(self._address)
            raise LinkLostError(*_classified(error)) from error

    async def _prove(self, client: BleakClient, device: BLEDevice) -> None:
        """Let the device show that it is the bound one, before a byte of its data is used."""
        plan = self._plan
        if plan.pairing == "passkey" and not _is_bonded(device):
            # Pairing without the key that stands on the device would let anybody in between.
            raise LinkLostError("not-bonded", "broken")
        if plan.pairing != "none":
            try:
                await client.pair()
            except BleakDBusError as error:
                raise LinkLostError("pairing-failed", "broken") from error
        if plan.serial:
            found = bytes(await client.read_gatt_char(SERIAL_NUMBER))
            if found.rstrip(b"\0 ").decode("utf-8", "replace") != plan.serial:
                self._radio.forget(self._address)
                raise LinkLostError("wrong-serial", "broken")

    def _fetch_records(self, client: BleakClient, link: BleLink) -> asyncio.Task[None] | None:
        """Begin to fetch what the device has stored, if it stores anything."""
        source = self._plan.records
        if source is None:
            return None

        async def send(request: bytes) -> None:
            try:
                await client.write_gatt_char(self._plan.records_uuid, request, response=True)
            except LIBRARY_ERRORS as error:
                raise LinkLostError(*_classified(error)) from error

        async def fetch() -> None:
            try:
                await download(source, send, link.answers)
            except LinkLostError as error:
                link.lost(error.reason, error.kind)
            else:
                link.lost("done", "done")

        return asyncio.get_running_loop().create_task(fetch())

    async def _give_back(self, client: BleakClient) -> None:
        """Close the D-Bus connection and the link, whatever state they are in."""
        with suppress(*LIBRARY_ERRORS):
            if self._plan.bond == "per-session" and client.is_connected:
                await client.unpair()
        with suppress(*LIBRARY_ERRORS):
            await client.disconnect()

    def _receiver(self, link: BleLink, stream: str) -> Callable[[BleakGATTCharacteristic, bytearray], None]:
        def receive(_characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
            link.received(Frame(stream=stream, data=bytes(data), stamp=self._radio.stamp()))

        return receive


class AdvertTransport:
    """One bound device that only broadcasts; see :class:`edge_node.ports.Transport`.

    Args:
        stamp: Stamps each advert as it arrives.
        frames_of: What an advert holds for the device's profile: stream id and bytes.
    """

    def __init__(
        self, stamp: Callable[[], Stamp], frames_of: Callable[[Heard], Iterable[tuple[str, bytes]]]
    ) -> None:
        self._stamp = stamp
        self._frames_of = frames_of
        self._news = asyncio.Event()
        self._link: BleLink | None = None
        self._last: dict[str, tuple[bytes, float]] = {}

    def heard(self, heard: Heard) -> None:
        """Take one advertisement of the device."""
        stamp = self._stamp()
        for stream, data in self._frames_of(heard):
            self._news.set()
            before, at_s = self._last.get(stream, (b"", 0.0))
            if self._link is None or (data == before and stamp.mono_s - at_s < REPEAT_S):
                continue
            self._last[stream] = (data, stamp.mono_s)
            self._link.received(Frame(stream=stream, data=data, stamp=stamp))

    async def available(self) -> None:
        """Return once the device is heard anew."""
        self._news.clear()
        await self._news.wait()

    def open(self) -> AbstractAsyncContextManager[BleLink]:
        """Listen; there is nothing to connect to."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[BleLink]:
        self._link = BleLink()
        self._last.clear()
        try:
            yield self._link
        finally:
            self._link = None


def _answers(link: BleLink) -> Callable[[BleakGATTCharacteristic, bytearray], None]:
    def receive(_characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
        link.answers.put_nowait(bytes(data))

    return receive


def _is_bonded(device: BLEDevice) -> bool:
    """Whether the daemon holds keys for this device, as told with its last advertisement."""
    return bool(device.details["props"].get("Paired", False))


def _classified(error: BaseException) -> tuple[str, str]:
    """Name a failed connect and its class for the backoff."""
    match error:
        case BleakDeviceNotFoundError():
            return "device-gone", "missing"
        case BleakDBusError() if error.dbus_error.endswith(".InProgress"):
            return "radio-busy", "busy"
        case TimeoutError():
            return "connect-timeout", "transient"
        case EOFError():
            return "bus-closed", "broken"
        case BleakError() if "Characteristic" in str(error):
            return "wrong-device", "broken"
        case _:
            return "connect-failed", "transient"
