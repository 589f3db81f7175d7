"""The hospital of a shift: writes every step of it as the HL7 message a real one would send, and keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from server.his.mllp import MllpClient
from server.his.samples import SHANGHAI
from tests.support.shift_clock import ShiftClock
from tests.support.shift_scenario import Step

DROPS_PER_ML = 20
_CONTROL = {"hold": "HD", "release": "RL", "stop": "DC", "cancel": "CA"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One message as it went over the wire, and what came back."""

    at: datetime
    raw: bytes
    answer: bytes


@dataclass(slots=True)
class Hospital:
    """Sends over one MLLP connection."""

    client: MllpClient
    clock: ShiftClock
    sent: list[Sent] = field(default_factory=list)
    _drugs: dict[str, str] = field(default_factory=dict)  # order → drug, for what a change repeats

    async def send(self, step: Step) -> None:
        """Say one step, and keep what was answered; the ledger judges it, not this."""
        text = self.message(step)
        raw = text.encode()
        answer = await self.client.exchange(raw)
        self.sent.append(Sent(at=self.clock(), raw=raw, answer=answer))
        assert b"MSA|AA" in answer, (text, answer.decode())

    def message(self, step: Step) -> str:
        """The message of a step."""
        kind = {"admit": "ADT^A01^ADT_A01", "move": "ADT^A02^ADT_A02", "discharge": "ADT^A03^ADT_A03"}
        lines = [
            f"MSH|^~\\&|HIS|HOSPITAL|WARDLINK|W1|{self._now}||{kind.get(step.do, 'RDE^O11^RDE_O11')}|"
            f"C{len(self.sent) + 1:06d}|T|2.6|||||CHN|UNICODE UTF-8"
        ]
        lines += self._stay(step) if step.do in kind else [_patient(step), *self._order(step)]
        return "".join(f"{line}\r" for line in lines)

    @property
    def _now(self) -> str:
        return _stamp(self.clock())

    def _stay(self, step: Step) -> list[str]:
        bed, prior = step.said.get("bed", ""), step.said.get("prior", "")
        fields = {
            2: "I",
            3: f"W1^^{bed}" if bed else "",
            6: f"W1^^{prior}" if prior else "",
            19: f"V{step.mrn}",
        }
        if step.do == "admit":
            fields[44] = self._now
        if step.do == "discharge":
            fields[45] = self._now
        visit = "|".join(fields.get(number, "") for number in range(2, 46)).rstrip("|")
        allergies = ["AL1|1|DA|NKDA^无药物过敏史^L"] if step.do == "admit" else []
        return [f"EVN||{self._now}", _patient(step), f"PV1|1|{visit}", *allergies]

    def _order(self, step: Step) -> list[str]:
        said = step.said
        control = _CONTROL.get(step.do) or ("XO" if step.do.startswith("change") else "NW")
        orc = f"ORC|{control}|{step.placer}^HIS|||||||{self._now}||N10021^赵晓梅|D30115^李明远"
        if step.do in _CONTROL:
            return [orc]
        due = _stamp(self.clock.at(float(said["due"])))
        end = _stamp(self.clock.at(float(said["end"]))) if "end" in said else ""
        pattern = f"QID|{said['times']}" if "times" in said else "ONCE|"
        timing = f"TQ1|1||{pattern}|||{due}|{end}|R"
        if "bag" in said:
            give = (
                f"RXE||{said['bag']}^氯化钠|{said['volume']}||mL^mL^UCUM"
                + "|" * 18
                + f"{said['rate']}|mL/h^mL/h^UCUM"
            )
            drops = f"OBX|1|NM|DROP-FACTOR^Drops per mL^L||{DROPS_PER_ML}|{{gtt}}/mL^{{gtt}}/mL^UCUM"
            return [orc, timing, give, "RXR|IV^静脉滴注^HL70162", drops]
        drug = self._drugs.setdefault(step.placer, said.get("drug", ""))
        give = f"RXE||{drug}^药片|{said.get('amount', '1')}||{{tablet}}^片^UCUM"
        return [orc, timing, give, "RXR|PO^口服^HL70162"]


def _patient(step: Step) -> str:
    return f"PID|1||{step.mrn}^^^HOSPITAL^MR||病人{step.mrn}^^^^^^L^I||19600101|M"


def _stamp(at: datetime) -> str:
    return at.astimezone(SHANGHAI).strftime("%Y%m%d%H%M%S%z")
