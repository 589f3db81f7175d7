"""What a simulated Bluetooth device is: data, plus the one coroutine that makes it talk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

BASE_UUID = "0000{}-0000-1000-8000-00805f9b34fb"


def full_uuid(short: str) -> str:
    """Write a UUID in its long form: ``2902`` stands for one of the Bluetooth SIG's."""
    return BASE_UUID.format(short.lower()) if len(short) == 4 else short.lower()


Notify = Callable[[str, bytes], bool]
"""Send a notification of a characteristic; False when nobody has subscribed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Characteristic:
    """One characteristic; ``value`` is what a read returns, or ``read`` makes it anew each time.

    ``written`` takes what a central writes; ``protected`` lets only a paired central read or write.
    """

    uuid: str
    flags: tuple[str, ...]
    value: bytes = b""
    read: Callable[[], bytes] | None = None
    written: Callable[[bytes], None] | None = None
    protected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GattService:
    """One primary service."""

    uuid: str
    characteristics: tuple[Characteristic, ...]


class Device(Protocol):
    """A simulated device's own behaviour."""

    @property
    def address(self) -> str:
        """Its Bluetooth address."""

    @property
    def name(self) -> str:
        """What it calls itself in advertisements."""

    @property
    def services(self) -> tuple[GattService, ...]:
        """Its GATT services."""

    async def talk(self, notify: Notify) -> None:
        """Run while a central is connected; cancelled when the link ends."""


@runtime_checkable
class Broadcaster(Protocol):
    """A device whose adverts carry data."""

    def service_data(self) -> dict[str, bytes]:
        """What its next advert says, by service UUID in the long form."""


@dataclass(slots=True, kw_only=True)
class Radio:
    """How well a device can be reached; every field may be changed while it runs.

    ``connect_errors`` are the texts of the next failing connects; ``muted`` keeps the link up without data;
    ``repeat`` sends every notification that many times; ``pairs`` says whether pairing succeeds.
    ``rssi_at`` gives the strength at single adapters, None where one does not hear the device at all;
    what an adapter reports differs from it by up to ``rssi_shakes`` dB.
    """

    pairs: bool = True

    in_range: bool = True
    rssi: int = -60
    rssi_at: dict[str, int | None] = field(default_factory=dict)
    rssi_shakes: int = 3
    advertise_every_s: float = 0.3
    connect_s: float = 0.02
    resolve_s: float = 0.02
    connect_errors: deque[str] = field(default_factory=deque)
    muted: bool = False
    repeat: int = 1
