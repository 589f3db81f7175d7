"""Listening to one device at a bedside, to record its bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from clinical.errors import UnavailableError
from edge_node import bound
from edge_node.adapters.ble import BleRadio, Heard
from edge_node.adapters.serial_port import SerialDirectory
from edge_node.clock import Stamp
from edge_node.ports import Frame, Link, LinkLostError, Transport
from edge_node.records import RecordBook
from edge_node.settings import BoundDevice
from firmware_profiles.plan import Profile

LOOK_S = 0.2


async def serial(profile: Profile, port: Path, stamp: Callable[[], Stamp], seconds: float) -> list[Frame]:
    """Record what comes in on a serial port.

    Raises:
        BadInputError: The profile is not one for a serial port.
        UnavailableError: The port could not be opened in this time.
    """
    directory = SerialDirectory(port.parent, [(port.name, profile.id)], LOOK_S)
    transport = bound.cabled(directory, port, profile, stamp)
    looking = asyncio.ensure_future(directory.run(lambda _name, _profile: None, lambda _name: None))
    try:
        return await _record(transport, seconds)
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def bluetooth(
    profile: Profile, device: BoundDevice, stamp: Callable[[], Stamp], seconds: float
) -> list[Frame]:
    """Record what a Bluetooth device sends or broadcasts.

    Raises:
        BadInputError: The profile is not one for Bluetooth, or a key is missing.
        UnavailableError: The device was not heard, or the link did not come up.
    """
    bound.check(device, profile)
    listener = bound.listened_to(stamp, profile) if bound.broadcasts(profile) else None

    def heard(advert: Heard) -> None:
        if listener is not None and advert.address == device.address:
            listener.heard(advert)

    radio = BleRadio(
        stamp, adapter="", bound=[device.address], on_heard=heard, on_radio=lambda _on, _reason: None
    )
    transport: Transport = listener or bound.connected(radio, device, profile, RecordBook())
    listening = asyncio.ensure_future(radio.run())
    try:
        return await _record(transport, seconds)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def _record(transport: Transport, seconds: float) -> list[Frame]:
    frames: list[Frame] = []
    try:
        async with asyncio.timeout(seconds):
            await transport.available()
            async with transport.open() as link:
                await _until_lost(link, frames)
    except TimeoutError:
        pass  # the time that was given is over
    except LinkLostError as error:
        raise UnavailableError("capture", f"no link with the device: {error.reason}") from error
    if not frames:
        raise UnavailableError("capture", "the device sent nothing in this time; is it switched on and near?")
    return frames


async def _until_lost(link: Link, frames: list[Frame]) -> None:
    """Take frames until the link ends, which is also how a meter says that it has told all."""
    while not isinstance(item := await link.frames.get(), LinkLostError):
        frames.append(item)
