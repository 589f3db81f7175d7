"""Plays a scenario on a ward: each step in its moment, and nothing before the one before it has arrived."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2

from clinical.identifiers import hospital
from clinical.schedule import task_id
from tests.support.shift_clock import ShiftClock
from tests.support.shift_hospital import DROPS_PER_ML, Sent
from tests.support.shift_nodes import Drip, Said, sensor
from tests.support.shift_nurse import Act, Nurse
from tests.support.shift_scenario import NURSES, ScenarioWriter, Step
from tests.support.shift_ward import CHECKER, SENSORS, ShiftWard, package

LOOKS_EVERY = 7
"""Minutes after which nurses look at what calls, besides before every scan: late enough to escalate."""
HL7 = frozenset({
    "admit", "move", "discharge", "order-tablet", "order-standing", "order-drip", "change-tablet",
    "change-drip", "hold", "release", "stop", "cancel",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """What went in, as it was sent: all that a ledger may believe beside the store."""

    begin: datetime
    end: datetime
    messages: list[Sent]
    said: list[Said]
    forgotten: dict[str, set[int]]  # outbox → numbers a node had to forget, and said so
    silences: list[str]  # a node's name for each time it fell silent
    broker_kills: int
    acts: list[Act]
    events: set[str]  # ids of everything the handhelds wrote
    uploads: int
    told: list[str]  # control ids of what the hospital received


@dataclass(slots=True)
class _Drug:
    """What is known of an order outside the product."""

    mrn: str
    slot: datetime
    drug: str = ""
    rate: float = 0.0
    bag: str = ""  # label of the newest bag
    old_bag: str = ""
    infusion: str = ""


@dataclass(slots=True)
class Player:
    """The world around the ward."""

    ward: ShiftWard
    orders: dict[str, _Drug] = field(default_factory=dict)
    broker_kills: int = 0
    _sensors: list[int] = field(default_factory=lambda: list(range(1, SENSORS + 1)))
    _clients: dict[str, httpx2.AsyncClient] = field(default_factory=dict)

    @property
    def clock(self) -> ShiftClock:
        return self.ward.clock

    async def play(self, steps: list[Step], hours: int) -> None:
        """The whole shift, then the hand-over: whatever still calls is answered."""
        early = [step for step in steps if step.minute < 0]
        for step in early:
            await self.do(step)
        await self.ward.nurses_come()
        waiting = [step for step in steps if step.minute >= 0]
        for minute in range(hours * 60 + 15):
            await self._to(minute)
            await self.ward.minute()
            while waiting and math.floor(waiting[0].minute) <= minute:
                step = waiting.pop(0)
                await self._to(step.minute)
                await self.do(step)
            if minute % LOOKS_EVERY == LOOKS_EVERY - 1:
                await self._look_after_alarms()
        assert not waiting
        await self.hand_over()

    async def _to(self, minute: float) -> None:
        """Let time go on once both handhelds have heard of everything: no answer is under way meanwhile."""
        for nurse in self.ward.nurses.values():
            await nurse.synced()
        self.clock.move_to(self.clock.at(minute))

    async def do(self, step: Step) -> None:
        """One step."""
        if step.do in HL7:
            await self._hospital(step)
        else:
            steps: dict[str, Callable[[Step], Awaitable[None]]] = {
                "prepare": self._prepare, "start": self._start, "finish": self._finish,
                "stop-early": self._finish, "patrol": self._patrol, "race": self._race,
                "old-label": self._old_label, "set-rate": self._set_rate,
            }  # fmt: skip
            if step.do in steps:
                await steps[step.do](step)
            elif step.nurse and step.placer:
                await self._tablet(step)
            else:
                await self._trouble(step)

    # ---- the hospital
    async def _hospital(self, step: Step) -> None:
        await self.ward.hospital.send(step)
        said = step.said
        if step.do in {"admit", "move", "discharge"}:
            self.ward.bedside.move(step.mrn, said.get("bed", ""))
            if step.do != "admit":
                await self._off(step.mrn)
        elif step.do.startswith("order"):
            slot = self.clock.at(float(said["due"]))
            self.orders[step.placer] = _Drug(
                mrn=step.mrn, slot=slot, drug=said.get("drug", ""), rate=float(said.get("rate", 0))
            )
        elif step.do == "change-drip":
            self.orders[step.placer].rate = float(said["rate"])

    async def _off(self, mrn: str) -> None:
        """The nurse at the bed says that what was mounted there is off; most beds have nothing mounted."""
        client = await self._client(CHECKER)
        answer = await client.post(
            f"/encounters/E-V{mrn}/leave-confirm", json={"at": self.clock().isoformat()}
        )
        assert answer.is_success or answer.json()["code"] == "nothing-to-release", answer.text

    # ---- the nurses
    def _nurse(self, step: Step) -> Nurse:
        return self.ward.nurses[step.nurse]

    def _slot(self, step: Step) -> datetime:
        return (
            self.clock.at(float(step.said["slot"])) if "slot" in step.said else self.orders[step.placer].slot
        )

    async def _tablet(self, step: Step) -> None:
        nurse, order, slot = self._nurse(step), self.orders[step.placer], self._slot(step)
        item = package(order.drug)
        match step.do:
            case "give" | "give-unaware":
                await nurse.give(step.mrn, step.placer, slot, item)
            case "refuse":
                await nurse.not_given(step.mrn, step.placer, slot, "refused", "patient-refused")
            case "hold-back":
                await nurse.not_given(step.mrn, step.placer, slot, "held", "npo")
            case "wrong-then-right":
                stranger = next(one for one in self.ward.bedside.lying.values() if one != step.mrn)
                await nurse.sees_stop(stranger, step.placer, package("TAB-X"))
                await nurse.give(step.mrn, step.placer, slot, item)
            case "refused-by-check":
                await nurse.sees_stop(step.mrn, step.placer, item)
            case _:
                raise AssertionError(step)

    async def _race(self, step: Step) -> None:
        """Both nurses at one bed with one tablet at one time: one reads GIVE, the other STOP."""
        order, pair = self.orders[step.placer], [self.ward.nurses[badge] for badge in NURSES]
        words = await asyncio.gather(*(one.verdict_of(step.mrn, package(order.drug)) for one in pair))
        assert sorted(words) == ["give", "stop"], [one.sees() for one in pair]
        winner, loser = pair if words[0] == "give" else pair[::-1]
        loser.gives_way(step.mrn, step.placer)
        await winner.records(step.mrn, step.placer, order.slot)
        await loser.synced()

    async def _prepare(self, step: Step) -> None:
        """One nurse labels and fills the bag, another person checks it."""
        order = self.orders[step.placer]
        task = task_id(f"O-{step.placer}", order.slot)
        bag = await self._post(NURSES[1], f"/tasks/{task}/bags")
        for made in ("laid", "prepared"):
            await self._post(NURSES[1], f"/bags/{bag['id']}/{made}")
        await self._post(CHECKER, f"/bags/{bag['id']}/check", {"unscanned": "no-code"})
        order.old_bag, order.bag = order.bag, bag["id"]

    async def _old_label(self, step: Step) -> None:
        await self._nurse(step).sees_stop(
            step.mrn, step.placer, hospital.encode("bag", self.orders[step.placer].bag)
        )

    async def _start(self, step: Step) -> None:
        order, number = self.orders[step.placer], self._sensors.pop(0)
        device = sensor(number)
        nurse = self._nurse(step)
        label = hospital.encode("bag", order.bag)
        order.infusion = await nurse.start(step.mrn, step.placer, order.slot, label, device)
        bed = next(bed for bed, mrn in self.ward.bedside.lying.items() if mrn == step.mrn)
        self.ward.bedside.drips[step.placer] = Drip(
            infusion=order.infusion, device=device, mrn=step.mrn, bed=bed,
            gtt_min=order.rate * DROPS_PER_ML / 60, opened=self.clock(),
        )  # fmt: skip

    async def _finish(self, step: Step) -> None:
        order = self.orders[step.placer]
        mode = "complete" if step.do == "finish" else "stop-early"
        drip = self.ward.bedside.drips.pop(step.placer)
        await self._nurse(step).finish(step.mrn, step.placer, order.slot, order.infusion, mode)
        self._sensors.append(int(drip.device.split("-")[-2], 16))

    async def _set_rate(self, step: Step) -> None:
        order = self.orders[step.placer]
        rate = f"{order.rate:g}"
        await self._nurse(step).set_rate(step.mrn, step.placer, order.slot, order.infusion, rate)
        self.ward.bedside.drips[step.placer].turn(order.rate * DROPS_PER_ML / 60, self.clock())

    async def _patrol(self, step: Step) -> None:
        order = self.orders[step.placer]
        await self._nurse(step).patrol(step.mrn, step.placer, order.slot, order.infusion)

    async def _look_after_alarms(self) -> None:
        for nurse in self.ward.nurses.values():
            await nurse.synced()
            await nurse.answer_alarms()

    async def _post(self, badge: str, path: str, said: dict[str, str] | None = None) -> dict[str, Any]:
        answer = await (await self._client(badge)).post(path, json=said)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def _client(self, badge: str) -> httpx2.AsyncClient:
        client = self._clients.get(badge)
        if client is None:
            client = self._clients[badge] = httpx2.AsyncClient(
                base_url=f"{self.ward.http}/api/v1", timeout=30
            )
            body = {"badge": badge, "pin": self.ward.pins[badge], "handheld": "station"}
            token = (await client.post("/sessions", json=body)).json()["token"]
            client.headers["Authorization"] = f"Bearer {token}"
        return client

    # ---- trouble
    async def _trouble(self, step: Step) -> None:
        bedside = self.ward.bedside
        match step.do:
            case "wifi-down" | "wifi-swallows":
                self._nurse(step).wifi.state = "down" if step.do == "wifi-down" else "swallows"
            case "wifi-up":
                self._nurse(step).back_online()
                await self._nurse(step).synced()
            case "node-down":
                bedside.nodes[step.node].gone()
            case "node-forgets":
                bedside.nodes[step.node].forget(2)
            case "node-up":
                bedside.nodes[step.node].back()
                await self.ward.stored()
            case "alarm-begins" | "alarm-ends":
                bedside.alarm(step.placer, "start" if step.do == "alarm-begins" else "end")
                await self.ward.stored()
            case "broker-down":
                self.broker_kills += 1
                await asyncio.to_thread(self.ward.broker.kill)
            case "broker-up":
                await self._broker_up()
            case _:
                raise AssertionError(step)

    async def _broker_up(self) -> None:
        """The broker is back: everybody connects again and sends what was not acknowledged."""
        await asyncio.to_thread(self.ward.broker.start)
        for node in self.ward.bedside.nodes.values():
            await self.ward.until(node._client.is_connected, "nodes should reconnect")
        for node in self.ward.bedside.nodes.values():
            if not node.silent:
                node.tell("online")
                node.resend()
        await self.ward.stored()

    # ---- the end
    async def hand_over(self) -> None:
        """Answer what calls until nothing does, and wait for what is on its way to the hospital."""
        for client in self._clients.values():
            await client.aclose()
        for _ in range(3):
            await self._look_after_alarms()
            await self._to(math.floor(self.clock.monotonic() / 60) + 1)
            await self.ward.minute()
        await self._look_after_alarms()
        await self._acknowledge_the_quiet_ones()
        await self.ward.until(self.ward.all_told, "the hospital should hear of every act")

    async def _acknowledge_the_quiet_ones(self) -> None:
        """Low alarms cover nothing: the nurse finds them on the page of alarms."""
        nurse = self.ward.nurses[NURSES[0]]
        await nurse.clear_the_page()

    def raw(self) -> Raw:
        """What went in."""
        ward, nurses = self.ward, list(self.ward.nurses.values())
        return Raw(
            begin=ward.clock.start,
            end=ward.clock(),
            messages=list(ward.hospital.sent),
            said=ward.bedside.journal,
            forgotten={one.outbox_id: set(one.forgotten) for one in ward.bedside.nodes.values()},
            broker_kills=self.broker_kills,
            silences=[one.node for one in ward.bedside.nodes.values() for _ in range(one.silences)],
            acts=sorted((act for one in nurses for act in one.acts), key=lambda act: act.at),
            events={event for one in nurses for event in one.wifi.sent},
            uploads=sum(one.wifi.uploads for one in nurses),
            told=[str(one["control_id"]) for one in ward.heard if one["type"].startswith("RAS")],
        )


async def play_shift(directory: Path, url: str, *, seed: int, hours: int) -> Raw:
    """Play one shift on the store at ``url`` (empty: SQLite in the directory), and return what went in."""
    async with ShiftWard(directory, url) as ward:
        player = Player(ward)
        await player.play(ScenarioWriter(seed, hours).write(), hours)
        return player.raw()
