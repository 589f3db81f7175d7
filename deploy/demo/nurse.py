"""A nurse who works by script: the handheld without its window, driven as fingers and scanner would.

Every code she reads was printed by the product and decoded again: camera pictures through the handheld's
camera decoder, scanner bursts through its keyboard decoder. What she expects to see is checked, and every
surprise is kept as one sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL.Image import Image

from clinical.identifiers import hospital
from clinical.records import Alarm, Bag, Encounter, Infusion, InfusionState
from deploy.demo.staff import NURSE, pins
from deploy.demo.stationery import Stationery
from deploy.demo.ward import DemoWard, sensor_address
from edge_node.settings import ble_uid
from pda_app.adapters.battery import SysfsBattery
from pda_app.adapters.clock import SystemClock
from pda_app.adapters.http import HttpApi
from pda_app.adapters.local_store import EncryptedStore
from pda_app.adapters.scanner_camera import decode_image
from pda_app.adapters.sound import NoSpeech, SystemSound
from pda_app.ports import Ports
from pda_app.presenters import alarm_words
from pda_app.presenters.app import App
from pda_app.presenters.states import Screen
from pda_app.scanning import Wedge
from pda_app.settings import HandheldSettings, Server

BED = "01"
CEFTRIAXONE, SALINE, OTHER_PATIENTS_BAG = "O-1001", "O-1002", "O-1003"
"""Order numbers of the demo hospital: bed 01's late antibiotic and its infusion, bed 02's infusion."""

START_ML = "2.4"
"""What is left in the bag when she takes it over (接续输液): enough for under a minute."""
TOO_FAST, AS_ORDERED = 93, 67
"""Clamp settings in drops per minute; the order says 200 mL/h at 20 drops/mL, which is 66.7."""


def handheld(ward: DemoWard, directory: Path, name: str = "pda-demo") -> App:
    """A handheld without a window on the demo ward's server."""
    settings = HandheldSettings(
        handheld=name, state_dir=directory, server=Server(url=ward.url, ca_file=ward.ca_file, poll_s=10)
    )
    ports = Ports(
        api=HttpApi(ward.url, ward.ca_file),
        store=EncryptedStore(directory),
        clock=SystemClock(),
        sound=SystemSound(directory / "sounds", enabled=False),
        speech=NoSpeech(),
        battery=SysfsBattery(),
    )
    return App(settings=settings, ports=ports)


@dataclass(slots=True)
class ScriptedNurse:
    """One shift's worth in about a minute."""

    app: App
    ward: DemoWard
    stationery: Stationery
    bags: dict[str, Bag]
    surprises: list[str] = field(default_factory=list)
    _done: dict[str, asyncio.Event] = field(default_factory=dict)

    async def work(self) -> None:
        """Do everything, in order; ends early only when a step leaves nothing to go on with."""
        steps = (
            self.sign_in, self.wrong_patient, self.wrong_drug, self.late_dose, self.start_infusion,
            self.too_fast, self.near_end, self.complete,
        )  # fmt: skip
        for step in steps:
            before = len(self.surprises)
            await step()
            self._step(step.__name__).set()
            if len(self.surprises) > before and step.__name__ in {"sign_in", "start_infusion"}:
                return

    async def after(self, step: str) -> None:
        """Wait until a step is done."""
        await self._step(step).wait()

    def _step(self, name: str) -> asyncio.Event:
        return self._done.setdefault(name, asyncio.Event())

    # ---- steps
    async def sign_in(self) -> None:
        """Badge by camera, PIN by finger."""
        await self.camera(self.stationery.badge(NURSE))
        await self.until(lambda: self.app.sign_in.state.step == "pin", "the badge should open the PIN pad")
        for digit in pins()[NURSE]:
            self.app.sign_in.digit(digit)
        await self.until(
            lambda: self.app.state.screen is Screen.TODAY and bool(self.app.today.state.groups),
            "badge and PIN should show today's tasks",
            20,
        )

    async def wrong_patient(self) -> None:
        """The neighbour's bag at this bed: STOP, and nothing about the neighbour."""
        await self.camera(self.stationery.wristband(BED))
        await self.burst(hospital.encode("bag", self.bags[OTHER_PATIENTS_BAG].id))
        await self.verdict("stop", "another patient's bag")
        self.leave()

    async def wrong_drug(self) -> None:
        """A package that nobody ordered for this patient: STOP."""
        await self.camera(self.stationery.wristband(BED))
        await self.camera(self.stationery.package("CEFTAZIDIME-1G"))
        await self.verdict("stop", "a drug without an order")
        self.leave()

    async def late_dose(self) -> None:
        """The antibiotic is late: CHECK, a reason, GIVE, recorded."""
        await self.camera(self.stationery.wristband(BED))
        await self.burst(hospital.encode("bag", self.bags[CEFTRIAXONE].id), prefix="]C0")
        await self.verdict("check", "a late dose")
        await self.answer_reasons("ward-busy")
        await self.verdict("give", "a late dose with its reason")
        await self.record()

    async def start_infusion(self) -> None:
        """Wristband, bag, sensor: GIVE; then the clamp is opened, too far."""
        await self.camera(self.stationery.wristband(BED))
        await self.camera(self.stationery.bag(self.bags[SALINE]))
        await self.camera(self.stationery.device(ble_uid(sensor_address(BED))))
        self.app.check.volume(START_ML)
        self.app.check.site("left-forearm")
        await self.verdict("give", "the right bag, at the right time")
        await self.record()
        simulator = self.ward.simulators[BED]
        await simulator.do(do="drip", device=sensor_address(BED), gtt_min=TOO_FAST, volume_ml=float(START_ML))

    async def too_fast(self) -> None:
        """The measured rate leaves the order: an alarm, taken over; then the clamp is set right."""
        await self.alarm("rate-deviation", 40)
        await self.ward.simulators[BED].do(do="rate", device=sensor_address(BED), gtt_min=AS_ORDERED)

    async def near_end(self) -> None:
        """The bag is nearly empty: an alarm, taken over on the handheld."""
        await self.alarm("near-end", 60)

    async def complete(self) -> None:
        """The bag has run in: complete it at the bedside."""
        await self.until(
            lambda: any(one.state == "empty" for one in self.app.desk.book.facts.flows),
            "the empty bag should be seen",
            60,
        )
        infusion = self.infusion()
        if infusion is None:
            self.surprises.append("the started infusion should be known to the handheld")
            return
        self.app.open_infusion(infusion.id)
        self.app.round.secondary()
        self.app.round.mode("complete")
        self.app.round.residual("0")
        self.app.round.finish()
        await self.until(
            lambda: (
                getattr(self.app.desk.book.get(Infusion, infusion.id), "state", None)
                is InfusionState.COMPLETED
            ),
            "the completed infusion should be confirmed by the server",
        )

    # ---- hands and eyes
    async def camera(self, picture: Image) -> None:
        """Hold a label before the camera."""
        reads = decode_image(np.asarray(picture.convert("RGB"))[:, :, ::-1].copy())
        if len({read.raw for read in reads}) != 1:
            self.surprises.append(f"a printed label should hold one readable code, not {len(reads)}")
            return
        self.app.scan(reads[0])
        await self.app.settle()

    async def burst(self, code: str, prefix: str = "]C0") -> None:
        """Pull the trigger of a scanner that types: 2 ms a character, then Enter."""
        wedge = Wedge()
        at = 0.0
        for at, character in ((0.002 * number, one) for number, one in enumerate(prefix + code)):
            wedge.feed(character, at)
        read = wedge.end(at + 0.002)
        if read is None:
            self.surprises.append("a scanner's burst should be taken for a scan")
            return
        self.app.scan(read)
        await self.app.settle()

    async def verdict(self, kind: str, of: str) -> None:
        """Read the big word."""
        await self.until(
            lambda: self.app.check.state.verdict.kind == kind,
            lambda: (
                f"{of}: expected {kind}, the screen says {self.app.check.state.verdict.kind} "
                f"({', '.join(line.code for line in self.app.check.state.findings)})"
            ),
        )

    async def answer_reasons(self, code: str) -> None:
        """Choose one reason for what has to be weighed."""
        self.app.check.reason(code)
        await self.app.settle()

    async def record(self) -> None:
        """Touch the right button and see that it was recorded."""
        self.app.check.primary()
        await self.app.settle()
        await self.until(lambda: not self.app.check.is_open, "the record should be taken")

    def leave(self) -> None:
        """Back to the list, nothing recorded."""
        self.app.back()

    async def alarm(self, condition: str, within_s: float) -> None:
        """Hear an alarm, and take it over; should it end and call again meanwhile, take over that one."""
        touched: set[str] = set()

        def known() -> list[Alarm]:
            alarms = self.app.desk.book.facts.alarms
            return [one for one in alarms if one.condition == condition and one.bed == BED]

        def answered() -> bool:
            for one in known():
                if one.id not in touched and alarm_words.is_calling(one):
                    touched.add(one.id)
                    self.app.alarms.show(one.id)
                    self.app.alarms.acknowledge()
            return any(one.acknowledged_by for one in known())

        await self.until(lambda: bool(known()), f"the alarm {condition} should reach the handheld", within_s)
        if not known():
            return
        await self.until(
            answered,
            lambda: (
                f"the acknowledgement of {condition} should come back from the server; there are "
                + str([(one.signal, one.present, one.id in touched) for one in known()])
            ),
        )

    def infusion(self) -> Infusion | None:
        """The infusion that runs at this bed from the bag with a sensor."""
        stays = [one.id for one in self.app.desk.book.all(Encounter) if one.bed == BED]
        return next(
            (
                one
                for one in self.app.desk.book.all(Infusion)
                if one.encounter_id in stays and one.bag_id == self.bags[SALINE].id
            ),
            None,
        )

    async def until(
        self, condition: Callable[[], bool], otherwise: str | Callable[[], str], within_s: float = 30
    ) -> None:
        """Wait for something to be seen; a surprise when it is not."""
        deadline = asyncio.get_running_loop().time() + within_s
        while not condition():
            if asyncio.get_running_loop().time() > deadline:
                self.surprises.append(otherwise if isinstance(otherwise, str) else otherwise())
                return
            await asyncio.sleep(0.05)
