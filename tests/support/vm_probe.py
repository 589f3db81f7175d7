"""The two devices of the fidelity scenario: one that has one of everything, and one that only broadcasts."""

from __future__ import annotations

import asyncio

from edge_node.simulators.bluez_objects import BluezError
from edge_node.simulators.peripherals import Characteristic, GattService, Notify, full_uuid

IMPROPER_CCCD = 0xFD
"""ATT error of the record services: indications are not switched on."""
RECORD = bytes.fromhex("000100")
RECORDS_DONE = bytes.fromhex("06000101")


class Probe:
    """A device with a characteristic of each kind; see :class:`edge_node.simulators.peripherals.Device`."""

    address = "C0:00:00:00:00:02"
    name = "WL-PROBE"

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.says: Notify = _deaf
        self.services = (
            GattService(
                uuid="1822",
                characteristics=(
                    Characteristic(uuid="2A5F", flags=("notify",)),
                    Characteristic(uuid="2A60", flags=("read",), value=b"\0\0"),
                    Characteristic(
                        uuid="2A21",
                        flags=("read", "write", "indicate"),
                        value=b"\x01\0",
                        written=self.written.append,
                    ),
                ),
            ),
            GattService(
                uuid="1808",
                characteristics=(
                    Characteristic(uuid="2A18", flags=("notify",)),
                    Characteristic(uuid="2A52", flags=("write", "indicate"), written=self._control),
                ),
            ),
            GattService(
                uuid="180A", characteristics=(Characteristic(uuid="2A24", flags=("read",), value=b"O1"),)
            ),
            GattService(
                uuid="181D",
                characteristics=(
                    Characteristic(uuid="2A9D", flags=("read",), value=b"\x5f", protected=True),
                ),
            ),
        )

    def _control(self, _request: bytes) -> None:
        if not self.says("2A18", RECORD):
            raise BluezError("Failed", f"Operation failed with ATT error: 0x{IMPROPER_CCCD:02x}")
        self.says("2A52", RECORDS_DONE)

    async def talk(self, notify: Notify) -> None:
        """Say nothing by itself: the scenario speaks through ``says``."""
        self.says = notify
        try:
            await asyncio.Event().wait()
        finally:
            self.says = _deaf


class Beacon:
    """A device whose adverts hold data that never changes."""

    address = "C0:00:00:00:00:03"
    name = "WL-BEACON"
    services: tuple[GattService, ...] = ()

    @staticmethod
    def service_data() -> dict[str, bytes]:
        """See :class:`edge_node.simulators.peripherals.Broadcaster`."""
        return {full_uuid("FCD2"): bytes.fromhex("40015f")}

    async def talk(self, _notify: Notify) -> None:
        """Nothing to say."""


def _deaf(_uuid: str, _value: bytes) -> bool:
    return False
