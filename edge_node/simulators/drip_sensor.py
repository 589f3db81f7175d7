"""A simulated Wardlink drip sensor: the physics of :mod:`edge_node.simulators.drip` as a GATT peripheral.

It counts whether or not anybody is connected, as the real one does; its bytes are made by the very profile
that reads them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edge_node.settings import DripAdvertPeripheral, DripPeripheral
from edge_node.simulators.drip import Drip
from edge_node.simulators.peripherals import Characteristic, GattService, Notify
from edge_node.simulators.pseudo_terminal import every
from firmware_profiles import registry
from firmware_profiles.encode import encode
from firmware_profiles.hooks import seal_bthome_v2
from firmware_profiles.plan import full_uuid

PROFILE = "wardlink_drip"
PERIOD_S = 1.0
NO_INTERVAL_MS = 0xFFFF
U32 = 1 << 32
BATTERY_PERCENT = 95
BTHOME = "FCD2"
NO_AGE = 0xFFFFFF
"""Milliseconds since the last drop when there was none, or longer ago than 24 bits can say."""


class DripSensor:
    """One sensor on one drip chamber; see :class:`edge_node.simulators.peripherals.Device`.

    Args:
        settings: Address, name and physics.
        now_s: Seconds; its zero is the sensor's power-on.
    """

    def __init__(self, settings: DripPeripheral, now_s: Callable[[], float]) -> None:
        profile = registry.load().get(PROFILE)
        self._profile = profile
        self._stream = next(stream for stream in profile.streams.values() if stream.source == "gatt")
        self._now_s = now_s
        self._on_s = now_s()
        self.address = settings.address
        self.name = settings.name
        self._missed = 0
        self._off_at: int | None = None
        self.drip = Drip(drops_per_ml=settings.drops_per_ml, jitter=settings.jitter, seed=settings.seed)
        self.services: tuple[GattService, ...] = (
            GattService(
                uuid="180A",
                characteristics=(
                    Characteristic(uuid="2A29", flags=("read",), value=b"Wardlink"),
                    Characteristic(uuid="2A25", flags=("read",), value=settings.serial.encode()),
                ),
            ),
            GattService(
                uuid=full_uuid(self._stream.service or "FFFF"),
                characteristics=(
                    Characteristic(uuid=full_uuid(self._stream.characteristic or "FFFF"), flags=("notify",)),
                ),
            ),
        )

    @property
    def age_s(self) -> float:
        """Seconds since power-on."""
        return self._now_s() - self._on_s

    def hang(self, volume_ml: float, gtt_min: float) -> None:
        """Hang a bag and open the clamp."""
        self.drip.hang(volume_ml, gtt_min, self.age_s)

    def set_rate(self, gtt_min: float) -> None:
        """Turn the clamp; 0 closes it."""
        self.drip.set_rate(gtt_min, self.age_s)

    @property
    def counted(self) -> int:
        """Drops the sensor saw: those that fell while it was off the chamber are none of them."""
        if self._off_at is not None:
            return self._off_at
        return (self.drip.total_drops - self._missed) % U32

    def detach(self, *, on: bool) -> None:
        """Take the sensor off its chamber (``on``), or put it back."""
        self.drip.advance(self.age_s)
        if on and self._off_at is None:
            self._off_at = self.counted
        elif not on and self._off_at is not None:
            self._missed = self.drip.total_drops - self._off_at
            self._off_at = None

    def frame(self) -> bytes:
        """What the sensor says now."""
        now = self.age_s
        self.drip.advance(now)
        last, interval = self.drip.last_drop_s, self.drip.last_interval_s
        return encode(
            self._profile,
            self._stream.id,
            {
                "drops": self.counted,
                "motion": self._off_at is not None,
                "last_drop": int((last or 0.0) * 1000) % U32,
                "now": int(now * 1000) % U32,
                "interval": None if interval is None else min(int(interval * 1000), NO_INTERVAL_MS - 1),
                "battery": BATTERY_PERCENT,
            },
        )

    async def talk(self, notify: Notify) -> None:
        """Notify once a second while connected."""
        characteristic = full_uuid(self._stream.characteristic or "")
        while True:
            await every(PERIOD_S)
            notify(characteristic, self.frame())

    async def run_down(self) -> None:
        """Let drops fall also while nobody is connected."""
        while True:
            await asyncio.sleep(PERIOD_S)
            self.drip.advance(self.age_s)


class BroadcastDripSensor(DripSensor):
    """The same sensor in broadcast mode: sealed adverts, a new one each second, whoever listens.

    Args:
        settings: As for the other, and the key.
        now_s: As for the other.
    """

    def __init__(self, settings: DripAdvertPeripheral, now_s: Callable[[], float]) -> None:
        super().__init__(settings, now_s)
        self.services = ()
        self.counter = 0
        self._key = bytes.fromhex(settings.key)
        self._advert = b""
        self._made_s = -PERIOD_S

    def service_data(self) -> dict[str, bytes]:
        """The advert of this second."""
        if self.age_s - self._made_s >= PERIOD_S:
            self._made_s = self.age_s
            self._advert = self._sealed()
        return {full_uuid(BTHOME): self._advert}

    def _sealed(self) -> bytes:
        now = self.age_s
        self.drip.advance(now)
        last = self.drip.last_drop_s
        age_ms = NO_AGE if last is None else min(int((now - last) * 1000), NO_AGE - 1)
        objects = (
            bytes((0x40, 0x01, BATTERY_PERCENT, 0x0F, 0, 0x26, 0, 0x3E))
            + self.counted.to_bytes(4, "little")
            + b"\x42"
            + age_ms.to_bytes(3, "little")
        )
        self.counter += 1
        return seal_bthome_v2(objects, self.address, self._key, self.counter)
