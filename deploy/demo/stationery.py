"""The demo's printed labels: drawn by the product, from the ward's own facts, and then scanned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from PIL.Image import Image

from clinical.records import Bag, Device, Encounter, Facts, Order, Patient, Practitioner, Product, Wristband
from server.prints import labels

ROLE_NAMES = {"nurse": "护士 Nurse", "charge-nurse": "护士长 Charge nurse"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stationery:
    """Labels of one ward; every one is marked as demo."""

    facts: Facts
    hospital: str = "Wardlink"

    def _patient(self, patient_id: str) -> tuple[Patient, Encounter]:
        patient = next(one for one in self.facts.patients if one.id == patient_id)
        encounter = next(one for one in self.facts.encounters if one.patient_id == patient_id)
        return patient, encounter

    def wristband(self, bed: str) -> Image:
        """The active wristband of the patient in a bed."""
        encounter = next(
            one for one in self.facts.encounters if one.bed == bed and one.status == "in-progress"
        )
        patient, _ = self._patient(encounter.patient_id)
        band: Wristband = next(
            one for one in self.facts.wristbands if one.patient_id == patient.id and one.active
        )
        allergies = "、".join(one.display.zh for one in self.facts.allergies if one.patient_id == patient.id)
        content = labels.Wristband(
            mrn=patient.mrn, serial=band.serial, name=patient.name, name_latin=patient.name_latin,
            sex=patient.sex, birth_date=patient.birth_date, ward=encounter.ward, bed=bed, allergy=allergies,
            printed_at=band.printed_at or datetime.now(UTC), demo=True,
        )  # fmt: skip
        return labels.render(content).image

    def bag(self, bag: Bag) -> Image:
        """The label of a prepared bag (瓶签)."""
        order: Order = next(one for one in self.facts.orders if one.id == bag.order_id)
        task = next(one for one in self.facts.tasks if one.id == bag.task_id)
        patient, encounter = self._patient(bag.patient_id)
        names = {person.id: person.name for person in self.facts.practitioners}
        lines = tuple(
            labels.DrugLine(text=item.display.zh, amount=item.dose.value, unit=item.dose.unit)
            for item in order.items
        )
        content = labels.BagLabel(
            bag_id=bag.id, bed=encounter.bed, name=patient.name, mrn=patient.mrn, sex=patient.sex,
            birth_date=patient.birth_date, lines=lines, route=order.route, frequency=order.frequency,
            planned_at=task.planned_at or datetime.now(UTC), printed_at=bag.printed_at or datetime.now(UTC),
            rate_ml_h=order.rate_ml_h, drops_per_ml=order.drops_per_ml, beyond_use=bag.beyond_use,
            prepared_by=names.get(bag.prepared_by, ""), checked_by=names.get(bag.checked_by, ""), demo=True,
        )  # fmt: skip
        return labels.render(content).image

    def device(self, device_id: str) -> Image:
        """The label on a device."""
        device: Device = next(one for one in self.facts.devices if one.id == device_id)
        content = labels.DeviceLabel(
            uid=device.id, label=device.label, kind=device.kind, serial=device.serial, demo=True
        )
        return labels.render(content).image

    def package(self, product_id: str, lot: str = "L2611A", serial: str = "0001") -> Image:
        """A drug package's GS1 DataMatrix."""
        product: Product = next(one for one in self.facts.products if one.id == product_id)
        content = labels.DrugPackage(
            gtin=product.gtins[0], lot=lot, expiry=date(datetime.now(UTC).year + 2, 12, 31), serial=serial,
            name=product.display.en,
        )  # fmt: skip
        return labels.render(content).image

    def badge(self, person_id: str) -> Image:
        """A staff badge."""
        person: Practitioner = next(one for one in self.facts.practitioners if one.id == person_id)
        content = labels.Badge(
            badge=person.badge, name=person.name, name_latin=person.name_latin,
            role=ROLE_NAMES.get(person.roles[0], person.roles[0]), hospital=self.hospital, demo=True,
        )  # fmt: skip
        return labels.render(content).image


def plain(number: Decimal) -> str:
    """Write a number as a nurse types it."""
    return format(number.normalize(), "f")
