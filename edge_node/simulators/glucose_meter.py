"""A simulated glucose meter: results in a memory that a central downloads, and that nothing can delete.

The bytes are made by the profile that reads them. It speaks only when its record control point is asked,
as real meters do, and only to a central it is paired with.
"""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from decimal import Decimal

from edge_node.settings import GlucosePeripheral
from edge_node.simulators.peripherals import Characteristic, GattService, Notify
from firmware_profiles import racp, registry
from firmware_profiles.encode import Given, encode

PROFILE = "sig_glucose"
FIRST_RESULT = datetime(2026, 3, 1, 6, 30)  # noqa: DTZ001 - a meter's own clock has no zone
BETWEEN_RESULTS = timedelta(hours=4)
RECORD_GAP_S = 0.005
MEASUREMENT, CONTEXT, CONTROL = "2A18", "2A34", "2A52"
NOT_SUPPORTED = 2


class GlucoseMeter:
    """One meter; see :class:`edge_node.simulators.peripherals.Device`.

    Args:
        settings: Address, name, serial number and how many results it holds.
    """

    def __init__(self, settings: GlucosePeripheral) -> None:
        self._profile = registry.load().get(PROFILE)
        self._chance = random.Random(settings.seed)
        self.address = settings.address
        self.name = settings.name
        self.requests: list[bytes] = []
        self.stop_after: int | None = None
        self.records: list[tuple[int, datetime, Decimal]] = []
        self._asked: asyncio.Queue[bytes] = asyncio.Queue()
        for _ in range(settings.records):
            self.measure()
        control = Characteristic(
            uuid=CONTROL, flags=("write", "indicate"), written=self._write, protected=True
        )
        self.services = (
            GattService(
                uuid="180A",
                characteristics=(
                    Characteristic(uuid="2A25", flags=("read",), value=settings.serial.encode()),
                ),
            ),
            GattService(
                uuid="1808",
                characteristics=(
                    Characteristic(uuid=MEASUREMENT, flags=("notify",)),
                    Characteristic(uuid=CONTEXT, flags=("notify",)),
                    control,
                ),
            ),
        )

    def measure(self) -> None:
        """One more result."""
        number = self.records[-1][0] + 1 if self.records else 1
        when = self.records[-1][1] + BETWEEN_RESULTS if self.records else FIRST_RESULT
        self.records.append((number, when, Decimal(self._chance.randint(40, 160)) / 10))

    def reset(self) -> None:
        """Its memory is cleared on the meter itself: numbers begin again, time goes on."""
        when = self.records[-1][1]
        self.records = []
        self.measure()
        number, _, value = self.records[0]
        self.records[0] = (number, when + BETWEEN_RESULTS, value)

    def _write(self, request: bytes) -> None:
        self.requests.append(request)
        self._asked.put_nowait(request)

    async def talk(self, notify: Notify) -> None:
        """Answer requests while connected."""
        self._asked = asyncio.Queue()
        while True:
            await self._answer(await self._asked.get(), notify)

    async def _answer(self, request: bytes, notify: Notify) -> None:
        since = self._since(request)
        if since is None:
            notify(CONTROL, bytes((racp.RESPONSE, 0, request[0], NOT_SUPPORTED)))
            return
        found = [record for record in self.records if record[0] >= since]
        for sent, record in enumerate(found):
            if self.stop_after is not None and sent >= self.stop_after:
                return  # the test lets the link break here
            notify(MEASUREMENT, self._frame(*record))
            await asyncio.sleep(RECORD_GAP_S)
        code = racp.SUCCESS if found else racp.NO_RECORDS
        notify(CONTROL, bytes((racp.RESPONSE, 0, racp.REPORT, code)))

    @staticmethod
    def _since(request: bytes) -> int | None:
        if request == racp.report_all():
            return 0
        if request[:3] == racp.report_since(0)[:3] and len(request) == 5:
            return int.from_bytes(request[3:], "little")
        return None

    def _frame(self, number: int, when: datetime, mmol: Decimal) -> bytes:
        values: dict[str, Given] = {
            "seq": number,
            "base_time": when.isoformat(),
            "glucose": (mmol, "mmol/L"),
            "type": 1,
            "location": 1,
        }
        return encode(self._profile, "measurement", values)
