"""Links to Bluetooth LE devices: connected ones, and those that only broadcast.

Every attempt is a new ``BleakClient`` that is disconnected in ``finally``: a lost link that is not given
back keeps its notify session, and after the next connect every value arrives twice. Before anything a
device says is used, it has shown that it is the one that was bound: paired if its profile wants that, and
with the serial number that was written down for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.exc import BleakDBusError, BleakDeviceNotFoundError, BleakError

from edge_node.adapters.ble import BUS_ANSWER_S, LIBRARY_ERRORS, BleRadio, Heard
from edge_node.clock import Stamp
from edge_node.dialogue import Dialogue, Outlet
from edge_node.ports import Frame, LinkLostError
from edge_node.records import RecordSource, download
from firmware_profiles.plan import full_uuid
from firmware_profiles.sending import Message

QUEUE_FRAMES = 4096
SERIAL_NUMBER = full_uuid("2A25")
MODEL, FIRMWARE, HARDWARE = full_uuid("2A24"), full_uuid("2A26"), full_uuid("2A27")
REPEAT_S = 2.0
"""The same advert again counts as a sign of life no more often than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPlan:
    """How a link with one device is made; all of it from its profile and from what was bound.

    ``streams`` are the characteristics to subscribe to (long UUIDs) and the profile's stream of each; those
    a device does not have are left out, as long as it has one. ``reads`` are read once. ``sort`` says which
    stream a notification belongs to where several share a characteristic, and whether it is accepted.
    ``fits`` judges model, firmware and hardware revision. ``serial`` is compared with the device's own,
    empty for not compared. ``gap_s`` is the pause after each write.
    """

    streams: Mapping[str, str]
    reads: Mapping[str, str] = field(default_factory=dict)
    sort: Callable[[str, bytes], tuple[str, bool]] | None = None
    fits: Callable[[str, str, str], bool] | None = None
    talk: Callable[[Outlet], Dialogue] | None = None
    gap_s: float = 0.0
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
        self.dialogue: Dialogue | None = None

    def received(self, frame: Frame) -> None:
        """Take one notification; a reader that falls far behind loses the link rather than the order."""
        if self.frames.qsize() >= QUEUE_FRAMES:
            self.lost("overrun", "broken")
        else:
            self.frames.put_nowait(frame)

    def lost(self, reason: str, kind: str) -> None:
        """End the link for its reader."""
        self.frames.put_nowait(LinkLostError(reason, kind))


class Radios(Protocol):
    """One adapter or several."""

    async def until_heard(self, address: str) -> None:
        """Wait until an adapter hears a device."""

    def choose(self, address: str) -> BleRadio:
        """The adapter to connect through: the one that hears the device best."""


class BleTransport:
    """One bound device; see :class:`edge_node.ports.Transport`.

    Args:
        radios: The adapters.
        address: The device's address, upper case with colons.
        plan: How a link with it is made.
    """

    def __init__(self, radios: Radios, address: str, plan: LinkPlan) -> None:
        self._radios = radios
        self._address = address
        self._plan = plan

    async def available(self) -> None:
        """Return once the device was heard."""
        await self._radios.until_heard(self._address)

    def open(self) -> AbstractAsyncContextManager[BleLink]:
        """Connect and subscribe."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[BleLink]:
        radio = self._radios.choose(self._address)
        with radio.holding(self._address):
            async with self._linked(radio) as link:
                yield link

    @asynccontextmanager
    async def _linked(self, radio: BleRadio) -> AsyncIterator[BleLink]:
        link = BleLink()
        async with radio.connecting:
            device = radio.heard(self._address)
            if device is None:  # it went while another device was connecting
                raise LinkLostError("device-gone", "missing")
            client = BleakClient(
                device,
                disconnected_callback=lambda _client: link.lost("link-lost", "transient"),
                timeout=self._plan.connect_timeout_s,
            )
            outlet = _Outlet(client, link, radio, self._plan)
            try:
                await self._connect(radio, client, device, outlet)
            except BaseException:
                await _finished(self._give_back(client))
                raise
        radio.enter(link)
        talking = asyncio.ensure_future(self._conduct(outlet, link))
        try:
            yield link
        finally:
            radio.leave(link)
            talking.cancel()
            await _finished(self._end(talking, client))

    async def _connect(
        self, radio: BleRadio, client: BleakClient, device: BLEDevice, outlet: _Outlet
    ) -> None:
        try:
            async with asyncio.timeout(2 * self._plan.connect_timeout_s):
                await client.connect()  # its own limit does not cover the bus and the list of services
            await self._prove(client, device)
            async with asyncio.timeout(self._plan.connect_timeout_s):
                await outlet.subscribe()
        except LIBRARY_ERRORS as error:
            radio.failed(self._address)
            raise LinkLostError(*_classified(error)) from error
        except LinkLostError:
            radio.failed(self._address)
            raise
        radio.succeeded(self._address)

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
        if plan.serial and await _text(client, SERIAL_NUMBER) != plan.serial:
            raise LinkLostError("wrong-serial", "broken")
        if plan.fits is not None:
            about = [await _text(client, one) for one in (MODEL, FIRMWARE, HARDWARE)]
            if not plan.fits(*about):
                raise LinkLostError("wrong-model", "broken")

    async def _conduct(self, outlet: _Outlet, link: BleLink) -> None:
        """Read, ask, compare clocks, fetch what is stored; a fault in it ends the link for its reader."""
        source = self._plan.records
        try:
            await outlet.read_once()
            if link.dialogue is not None:
                await link.dialogue.begin()
            if source is not None:
                await download(source, outlet.ask_records, link.answers)
                link.lost("done", "done")
            elif link.dialogue is not None:
                await link.dialogue.go_on()
        except LinkLostError as error:
            link.lost(error.reason, error.kind)

    async def _end(self, talking: asyncio.Future[None], client: BleakClient) -> None:
        await asyncio.gather(talking, return_exceptions=True)
        await self._give_back(client)

    async def _give_back(self, client: BleakClient) -> None:
        """Close the D-Bus connection and the link, whatever state they are in."""
        with suppress(*LIBRARY_ERRORS):
            if self._plan.bond == "per-session" and client.is_connected:
                async with asyncio.timeout(BUS_ANSWER_S):
                    await client.unpair()
        with suppress(*LIBRARY_ERRORS, AssertionError):  # bleak asserts that its bus is still there
            async with asyncio.timeout(2 * BUS_ANSWER_S):
                await client.disconnect()


async def _finished(work: Coroutine[None, None, None]) -> None:
    """Wait until some work is done, however often the waiting is cancelled; only then be cancelled.

    The work must come to an end by itself. A link that was not given back stays open in the daemon, and its
    device, which does not advertise while it is connected, would never be heard again.
    """
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
    task.result()
    if cancelled:
        raise asyncio.CancelledError


class _Outlet:
    """What is done on one open connection; see :class:`edge_node.dialogue.Outlet`."""

    def __init__(self, client: BleakClient, link: BleLink, radio: BleRadio, plan: LinkPlan) -> None:
        self._client = client
        self._link = link
        self._stamp = radio.stamp
        self._plan = plan
        if plan.talk is not None:
            link.dialogue = plan.talk(self)

    def _has(self, uuid: str) -> bool:
        return self._client.services.get_characteristic(uuid) is not None

    async def subscribe(self) -> None:
        """Subscribe to what the device has of the profile's characteristics; one at least."""
        plan = self._plan
        present = [uuid for uuid in plan.streams if self._has(uuid)]
        if not present and not any(map(self._has, plan.reads)):
            raise LinkLostError("wrong-device", "broken")
        for uuid in present:
            await self._client.start_notify(uuid, self._receiver(uuid))
        if plan.records is not None:
            await self._client.start_notify(plan.records_uuid, _answers(self._link))

    def _receiver(self, uuid: str) -> Callable[[BleakGATTCharacteristic, bytearray], None]:
        default, sort = self._plan.streams[uuid], self._plan.sort

        def receive(_characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
            frame = bytes(data)
            stream, accepted = sort(uuid, frame) if sort is not None else (default, False)
            self._take(stream, frame, accepted=accepted)

        return receive

    def _take(self, stream: str, data: bytes, *, accepted: bool) -> None:
        self._link.received(Frame(stream=stream, data=data, stamp=self._stamp()))
        if self._link.dialogue is not None:
            self._link.dialogue.heard(data)
            if accepted:
                self._link.dialogue.frame(stream, data)

    async def read_once(self) -> None:
        """Read what is only there to be read."""
        for uuid, stream in self._plan.reads.items():
            await self.read(uuid, stream)

    async def send(self, message: Message) -> None:
        """Write one message, with the type of write that its characteristic wants."""
        with _library_errors():
            await self._client.write_gatt_char(
                message.characteristic, message.data, response=message.with_response
            )
        await asyncio.sleep(self._plan.gap_s)

    async def read(self, characteristic: str, stream: str = "") -> bytes | None:
        """Read a characteristic; None when the device has none such."""
        if not self._has(characteristic):
            return None
        with _library_errors():
            data = bytes(await self._client.read_gatt_char(characteristic))
        if stream:
            self._take(stream, data, accepted=True)
        return data

    async def ask_records(self, request: bytes) -> None:
        """Write to the record access control point."""
        with _library_errors():
            await self._client.write_gatt_char(self._plan.records_uuid, request, response=True)


@contextmanager
def _library_errors() -> Iterator[None]:
    try:
        yield
    except LIBRARY_ERRORS as error:
        raise LinkLostError(*_classified(error)) from error


async def _text(client: BleakClient, uuid: str) -> str:
    """What a text characteristic says; empty when the device has none such."""
    if client.services.get_characteristic(uuid) is None:
        return ""
    return bytes(await client.read_gatt_char(uuid)).rstrip(b"\0 ").decode("utf-8", "replace")


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
