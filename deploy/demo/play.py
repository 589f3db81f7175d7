"""What the world does while people play with the demo: bags drip when they are started, as ordered or not."""

from __future__ import annotations

import asyncio

from clinical.identifiers import hospital
from clinical.infusion.arithmetic import gtt_per_min
from clinical.records import Bag, Facts, Infusion, InfusionState
from deploy.demo.staff import NURSE, Colleague
from deploy.demo.stationery import Stationery
from deploy.demo.ward import NODES, DemoWard, sensor_address
from edge_node.settings import ble_uid

TOO_FAST = 1.35
"""How far the clamp is opened at first: enough for an alarm, as it happens on every ward."""


class Director:
    """Moves the simulated devices after what people record, and prints the labels they scan."""

    def __init__(self, ward: DemoWard, colleague: Colleague) -> None:
        self._ward = ward
        self._colleague = colleague
        self._seen: dict[str, InfusionState] = {}
        self._corrected: set[str] = set()
        self.label_directory = ward.directory / "labels"

    async def print_labels(self, bags: dict[str, Bag]) -> None:
        """Print every label of the ward as a picture, and all codes as text for those without a camera."""
        facts = (await self._colleague.changes()).facts
        self.label_directory.mkdir(exist_ok=True)
        await asyncio.to_thread(self._print, facts, bags)

    def _print(self, facts: Facts, bags: dict[str, Bag]) -> None:
        stationery = Stationery(facts=facts)
        lines = [f"badge {NURSE}: {hospital.encode('badge', NURSE)}"]
        stationery.badge(NURSE).save(self.label_directory / "badge.png")
        patients = {one.id: one for one in facts.patients}
        for stay in sorted(facts.encounters, key=lambda one: one.bed):
            band = next(
                (one for one in facts.wristbands if one.patient_id == stay.patient_id and one.active), None
            )
            if band is None or stay.status != "in-progress":
                continue
            code = hospital.encode("wristband", patients[stay.patient_id].mrn, band.serial)
            lines.append(f"wristband bed {stay.bed}: {code}")
            stationery.wristband(stay.bed).save(self.label_directory / f"wristband-{stay.bed}.png")
        for order, bag in bags.items():
            bed = next(one.bed for one in facts.encounters if one.patient_id == bag.patient_id)
            lines.append(f"bag {order} bed {bed}: {hospital.encode('bag', bag.id)}")
            stationery.bag(bag).save(self.label_directory / f"bag-{bed}-{order}.png")
        for device in facts.devices:
            lines.append(f"device {device.label}: {hospital.encode('device', device.id)}")
            stationery.device(device.id).save(self.label_directory / f"device-{device.label}.png")
        for product in facts.products:
            stationery.package(product.id).save(self.label_directory / f"drug-{product.id}.png")
        (self.label_directory / "codes.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    async def run(self) -> None:
        """Watch what is recorded, until cancelled."""
        while True:
            facts = (await self._colleague.changes()).facts
            for infusion in facts.infusions:
                await self._follow(infusion)
            for alarm in facts.alarms:
                if alarm.condition == "rate-deviation" and alarm.acknowledged_by and alarm.infusion_id:
                    await self._correct(alarm.infusion_id, facts)
            await asyncio.sleep(1.0)

    async def _follow(self, infusion: Infusion) -> None:
        bed = self._bed(infusion.device_id)
        if bed is None or self._seen.get(infusion.id) is infusion.state:
            return
        first = infusion.id not in self._seen
        self._seen[infusion.id] = infusion.state
        ordered = gtt_per_min(float(infusion.rate_ml_h), infusion.drops_per_ml)
        simulator = self._ward.simulators[bed]
        if infusion.state is InfusionState.RUNNING and first:
            await asyncio.sleep(2.0)  # the nurse opens the clamp
            await simulator.do(
                do="drip",
                device=sensor_address(bed),
                gtt_min=ordered * TOO_FAST,
                volume_ml=float(infusion.volume_ml),
            )
        elif infusion.state is InfusionState.RUNNING:
            await simulator.do(do="rate", device=sensor_address(bed), gtt_min=ordered)
        else:
            await simulator.do(do="close", device=sensor_address(bed))

    async def _correct(self, infusion_id: str, facts: Facts) -> None:
        infusion = next((one for one in facts.infusions if one.id == infusion_id), None)
        bed = self._bed(infusion.device_id) if infusion else None
        if infusion is None or bed is None or infusion_id in self._corrected:
            return
        self._corrected.add(infusion_id)
        ordered = gtt_per_min(float(infusion.rate_ml_h), infusion.drops_per_ml)
        await self._ward.simulators[bed].do(do="rate", device=sensor_address(bed), gtt_min=ordered)

    @staticmethod
    def _bed(device_id: str) -> str | None:
        """The bed whose simulated sensor this is."""
        for bed in NODES.values():
            if device_id == ble_uid(sensor_address(bed)):
                return bed
        return None
