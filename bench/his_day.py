"""A hospital's day in HL7 v2: patients come, move and go, and are ordered for; one day for each seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

BEDS = 40
START = datetime(2026, 5, 4, 0, 0, tzinfo=UTC)
_DRUGS = (("MET25", "1", "{tablet}", "PO", "BID"), ("PCT500", "1", "{tablet}", "PO", "Q8H"),
          ("CEF1", "1", "{vial}", "IVPB", "QD"))  # fmt: skip


@dataclass(slots=True)
class Day:
    """The hospital's own side of one ward: what it has sent, and how things stand after it."""

    ward: str
    sender: str
    beds: tuple[str, ...]
    seed: int = 1
    begin: datetime = START
    census: dict[str, tuple[str, str]] = field(default_factory=dict)  # number → ward and bed
    orders: dict[str, str] = field(default_factory=dict)  # placer number → active, on-hold or ended
    of_patient: dict[str, list[str]] = field(default_factory=dict)
    adt: int = 0
    ordered: int = 0
    _number: int = 0
    _patient: int = 0

    def messages(self, adt: int, orders: int) -> Iterator[bytes]:
        """Give so many messages of each kind, well mixed, in an order that can happen."""
        chance = random.Random(self.seed)
        while self.adt < adt or self.ordered < orders:
            wants_order = self.census and self.ordered < orders and (
                self.adt >= adt or chance.random() * adt < orders - self.ordered
            )  # fmt: skip
            yield self._order(chance) if wants_order else self._move(chance)

    def _move(self, chance: random.Random) -> bytes:
        self.adt += 1
        free = [bed for bed in self.beds if (self.ward, bed) not in self.census.values()]
        act = chance.random()
        if not self.census or (free and act < 0.3):
            self._patient += 1
            mrn = f"{self.ward}P{self._patient}"
            self.census[mrn] = (self.ward, chance.choice(free))
            return self._adt("A01", mrn)
        mrn = chance.choice(sorted(self.census))
        if act < 0.5 and free:
            self.census[mrn] = (self.ward, chance.choice(free))
            return self._adt("A02", mrn)
        if act < 0.75 or len(self.census) < len(self.beds) // 2:
            return self._adt("A08", mrn)
        message = self._adt("A03", mrn)
        del self.census[mrn]
        for placer in self.of_patient.pop(mrn, []):
            self.orders[placer] = "ended"
        return message

    def _adt(self, event: str, mrn: str) -> bytes:
        ward, bed = self.census[mrn]
        return self._message(
            f"ADT^{event}",
            f"PID|1||{mrn}^^^H^MR||张^{mrn}||19580614|M",
            f"PV1|1|I|{ward}^^{bed}||||||||||||||||V{mrn}",
        )

    def _order(self, chance: random.Random) -> bytes:
        self.ordered += 1
        mrn = chance.choice(sorted(self.census))
        mine = [one for one in self.of_patient.get(mrn, []) if self.orders[one] != "ended"]
        act = chance.random()
        if not mine or act < 0.6:
            placer = f"{self.ward}O{self.ordered}"
            self.of_patient.setdefault(mrn, []).append(placer)
            self.orders[placer] = "active"
            return self._rde(mrn, "NW", placer, chance)
        placer = chance.choice(mine)
        if act < 0.75:
            return self._rde(mrn, "XO", placer, chance)
        held = self.orders[placer] == "on-hold"
        control = "DC" if act > 0.9 else "RL" if held else "HD"
        self.orders[placer] = {"DC": "ended", "RL": "active", "HD": "on-hold"}[control]
        return self._message("RDE^O11", f"PID|1||{mrn}^^^H^MR", f"ORC|{control}|{placer}", "RXE||X")

    def _rde(self, mrn: str, control: str, placer: str, chance: random.Random) -> bytes:
        code, amount, unit, route, frequency = chance.choice(_DRUGS)
        start = self._time() + timedelta(hours=chance.randint(1, 20))
        return self._message(
            "RDE^O11", f"PID|1||{mrn}^^^H^MR", f"ORC|{control}|{placer}|||||||||PH1|D1^李",
            f"TQ1|1||{frequency}||||{start:%Y%m%d%H%M%S}+0000", f"RXE||{code}^{code}|{amount}||{unit}",
            f"RXR|{route}",
        )  # fmt: skip

    def _time(self) -> datetime:
        return self.begin + timedelta(seconds=self._number)

    def _message(self, kind: str, *segments: str) -> bytes:
        self._number += 1
        head = (
            f"MSH|^~\\&|{self.sender}|H|WARDLINK|{self.ward}|{self._time():%Y%m%d%H%M%S}+0000||{kind}"
            f"|{self.sender}-{self._number}|T|2.6||||||UNICODE UTF-8"
        )
        return "".join(f"{line}\r" for line in (head, *segments)).encode()
