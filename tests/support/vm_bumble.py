"""The product's simulated peripherals on real controllers of an emulated radio (Bumble).

The same :class:`edge_node.simulators.peripherals.Device` that the simulated BlueZ shows is served here over
real HCI, link layer, ATT and SMP. This file needs Bumble; only the emulated machine imports it.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any

from bumble.att import ATT_Error, ErrorCode
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import (
    Address,
    HCI_ErrorCode,
    HCI_LE_Set_Random_Address_Command,
    HCI_StatusReturnParameters,
    LeFeatureMask,
)
from bumble.link import LocalLink
from bumble.transport.common import Transport

from edge_node.simulators.bluez_objects import BluezError
from edge_node.simulators.peripherals import Broadcaster, full_uuid
from edge_node.simulators.peripherals import Characteristic as Told
from edge_node.simulators.peripherals import Device as ToldDevice

PROPERTY = {
    "read": Characteristic.Properties.READ,
    "write": Characteristic.Properties.WRITE,
    "write-without-response": Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
    "notify": Characteristic.Properties.NOTIFY,
    "indicate": Characteristic.Properties.INDICATE,
}
BASE_TAIL = full_uuid("0000")[8:]
ADVERT_MS = 100
ADVERT_BYTES = 31


class HostController(Controller):
    """The controller of the machine that listens; it keeps its address while it holds links.

    The kernel takes a new random address for each scan. Bumble's air would then lose the links that are
    open, because it finds them by address; a real controller keeps the address of each link.
    """

    def on_hci_le_set_random_address_command(
        self, command: HCI_LE_Set_Random_Address_Command
    ) -> HCI_StatusReturnParameters:
        """Take a new address only while nobody is connected."""
        if self.le_connections:
            return HCI_StatusReturnParameters(status=HCI_ErrorCode.SUCCESS)
        done: HCI_StatusReturnParameters = super().on_hci_le_set_random_address_command(command)
        return done


def host_controller(port: Transport, air: LocalLink) -> HostController:
    """The controller that the kernel sees on ``port``."""
    host = HostController("HOST", host_source=port.source, host_sink=port.sink, link=air)
    # Bumble answers a connect with the older event; with these features the kernel waits for the newer.
    host.le_features &= ~(LeFeatureMask.LL_PRIVACY | LeFeatureMask.LE_EXTENDED_ADVERTISING)
    return host


class BumblePeripheral:
    """One simulated device as a GATT server behind its own controller.

    Args:
        device: What it is and says.
        link: The air.
    """

    def __init__(self, device: ToldDevice, link: LocalLink) -> None:
        controller = Controller(device.name, link=link)
        configuration = DeviceConfiguration(
            name=device.name,
            address=Address(device.address),
            advertising_interval_min=ADVERT_MS,
            advertising_interval_max=ADVERT_MS,
        )
        self.device = device
        self.connection: Connection | None = None
        self.bumble = Device.from_config_with_hci(configuration, controller, controller)
        self._subscribed: set[str] = set()
        self._characteristics: dict[str, Characteristic[Any]] = {}
        self._said: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        for service in device.services:
            items = [self._characteristic(one) for one in service.characteristics]
            self.bumble.add_service(Service(UUID(service.uuid), items))
        self.bumble.on("connection", self._connected)

    async def start(self) -> None:
        """Switch on and advertise."""
        self._tasks.append(asyncio.create_task(self._send()))
        await self.bumble.power_on()
        await self.advertise()

    async def stop(self) -> None:
        """Fall silent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def advertise(self) -> None:
        """Advertise whenever nobody is connected; broadcasters' data is that of this moment."""
        name = (AdvertisingData.COMPLETE_LOCAL_NAME, self.device.name.encode())
        data: list[tuple[int, bytes]] = [(AdvertisingData.FLAGS, b"\x06"), name]
        if isinstance(self.device, Broadcaster):
            for uuid, value in self.device.service_data().items():
                data.append((AdvertisingData.SERVICE_DATA, bytes.fromhex(uuid[4:8])[::-1] + value))
        uuids = [full_uuid(one.uuid) for one in self.device.services]
        longs = [one for one in uuids if not one.endswith(BASE_TAIL)]
        shorts = [one for one in uuids if one.endswith(BASE_TAIL)]
        if longs:
            packed = b"".join(bytes(UUID(one)) for one in longs)
            data.append((AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, packed))
        if shorts:
            packed = b"".join(struct.pack("<H", int(one[4:8], 16)) for one in shorts)
            data.append((AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, packed))
        while len(bytes(AdvertisingData(data))) > ADVERT_BYTES:  # Bumble's air has no scan response
            data.pop()
        self.bumble.advertising_data = bytes(AdvertisingData(data))
        await self.bumble.start_advertising(auto_restart=True)

    def notify(self, uuid: str, value: bytes) -> bool:
        """Send a notification or indication; see :data:`edge_node.simulators.peripherals.Notify`."""
        name = full_uuid(uuid)
        if self.connection is None or name not in self._subscribed:
            return False
        self._said.put_nowait((name, value))
        return True

    def _characteristic(self, told: Told) -> Characteristic[Any]:
        kinds = Characteristic.Permissions
        name = full_uuid(told.uuid)
        permissions = kinds(0)
        if "read" in told.flags:
            permissions |= kinds.READABLE
        if told.written is not None:
            permissions |= kinds.WRITEABLE
        if told.protected:
            permissions |= kinds.READ_REQUIRES_ENCRYPTION | kinds.WRITE_REQUIRES_ENCRYPTION
        properties = Characteristic.Properties(0)
        for flag in told.flags:
            properties |= PROPERTY[flag]
        value = CharacteristicValue(read=_reader(told), write=_writer(told))
        made: Characteristic[Any] = Characteristic(UUID(told.uuid), properties, permissions, value)
        made.on("subscription", lambda _from, notify, indicate: self._subscribe(name, notify or indicate))
        self._characteristics[name] = made
        return made

    def _subscribe(self, name: str, wanted: bool) -> None:
        if wanted:
            self._subscribed.add(name)
        else:
            self._subscribed.discard(name)

    def _connected(self, connection: Connection) -> None:
        self.connection = connection
        talk = asyncio.ensure_future(self.device.talk(self.notify))
        self._tasks.append(talk)

        def gone(_reason: int) -> None:
            talk.cancel()
            self.connection = None
            self._subscribed.clear()

        connection.on("disconnection", gone)

    async def _send(self) -> None:
        while True:
            name, value = await self._said.get()
            one = self._characteristics[name]
            if self.connection is None:
                continue
            if Characteristic.Properties.INDICATE in one.properties:
                await self.bumble.indicate_subscribers(one, value)
            else:
                await self.bumble.notify_subscribers(one, value)


def _reader(told: Told) -> Callable[[Any], bytes]:
    """Bumble does not compare a request with the flags; devices do."""

    def read(_connection: Any) -> bytes:
        if "read" not in told.flags:
            raise ATT_Error(ErrorCode.READ_NOT_PERMITTED)
        return told.value if told.read is None else told.read()

    return read


def _writer(told: Told) -> Callable[[Any, bytes], None]:
    """Refuse with the ATT error that a simulated device names in BlueZ's words."""

    def write(_connection: Any, value: bytes) -> None:
        if told.written is None:
            raise ATT_Error(ErrorCode.WRITE_NOT_PERMITTED)
        try:
            told.written(bytes(value))
        except BluezError as error:
            raise ATT_Error(ErrorCode(int(error.text.rpartition("0x")[2], 16))) from error

    return write
