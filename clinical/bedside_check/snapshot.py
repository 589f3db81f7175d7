"""An indexed, read-only view of the ward's facts, so that a check costs the same for 4 patients or 400.

Building the indices is linear; every look-up of a check is by key. The view also carries what only some
callers know: sightings of wristbands by other handhelds, and codes that were used up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from clinical.care_records import BloodUnit, RunningSkinTest, Specimen, TransfusionEntry
from clinical.records import (
    FLOWING,
    FOLLOW_UPS,
    PRESENT,
    Administration,
    Allergy,
    Association,
    Bag,
    Device,
    Dose,
    Encounter,
    Facts,
    Flow,
    Infusion,
    Observation,
    Order,
    Patient,
    Practitioner,
    Product,
    SkinTest,
    Task,
    Wristband,
    present_of,
)

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One wristband was read by one handheld at one place."""

    patient_id: str
    handheld: str
    bed: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PackUse:
    """Something was given out of one pack; without a dose the whole pack was."""

    code: str  # ``gtin:serial``, or the traceability code
    dose: Dose | None = None


def _by_id(records: Iterable[R], key: Callable[[R], str]) -> dict[str, R]:
    return {key(record): record for record in records}


def _grouped(records: Iterable[R], key: Callable[[R], str]) -> dict[str, list[R]]:
    groups: dict[str, list[R]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return dict(groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is known of the ward at ``fetched_at``; make one with :meth:`of`."""

    version: str
    fetched_at: datetime
    practitioners: dict[str, Practitioner]
    patients: dict[str, Patient]
    patients_by_mrn: dict[str, Patient]
    wristbands: dict[str, Wristband]
    encounters: dict[str, Encounter]
    encounter_of: dict[str, Encounter]
    namesakes: dict[str, int]
    allergies_of: dict[str, list[Allergy]]
    products: dict[str, Product]
    products_by_gtin: dict[str, Product]
    products_by_trace: dict[str, Product]
    orders: dict[str, Order]
    orders_of: dict[str, list[Order]]
    tasks: dict[str, Task]
    tasks_of: dict[str, list[Task]]
    bags: dict[str, Bag]
    administrations_of: dict[str, list[Administration]]
    infusions: dict[str, Infusion]
    infusions_of: dict[str, list[Infusion]]
    infusion_by_bag: dict[str, Infusion]
    devices: dict[str, Device]
    device_owner: dict[str, Association]
    observations: dict[tuple[str, str], Observation]
    skin_tests_of: dict[str, list[SkinTest]]
    running_skin_tests_of: dict[str, list[RunningSkinTest]] = field(default_factory=dict)
    blood_units: dict[str, BloodUnit] = field(default_factory=dict)
    blood_units_by_donation: dict[str, list[BloodUnit]] = field(default_factory=dict)
    transfusion_entries_of: dict[str, list[TransfusionEntry]] = field(default_factory=dict)
    specimens: dict[str, Specimen] = field(default_factory=dict)
    follow_ups_of: dict[str, list[Task]] = field(default_factory=dict)
    sightings_of: dict[str, list[Sighting]] = field(default_factory=dict)
    used_packs: dict[str, list[PackUse]] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        facts: Facts,
        *,
        version: str,
        fetched_at: datetime,
        sightings: Iterable[Sighting] = (),
        used_packs: Iterable[PackUse] = (),
    ) -> Snapshot:
        """Index the facts.

        Args:
            facts: Everything known; for repeated ids the last record counts.
            version: Names this state of the facts.
            fetched_at: When the server said so.
            sightings: Recent readings of wristbands on other handhelds.
            used_packs: What has been given out of packs with a serial number of their own.
        """
        return cls(
            version=version,
            fetched_at=fetched_at,
            sightings_of=_grouped(sightings, lambda seen: seen.patient_id),
            used_packs=_grouped(used_packs, lambda use: use.code),
            **_people(facts),
            **_orders(facts),
            **_flows(facts),
            **_care(facts),
        )

    def running_of(self, patient_id: str) -> list[Infusion]:
        """Return the infusions of a patient that run or are paused."""
        return [found for found in self.infusions_of.get(patient_id, ()) if found.state in FLOWING]


def _people(facts: Facts) -> dict[str, Any]:
    patients, encounter_of = _by_id(facts.patients, _id), _current(facts.encounters)
    return {
        "practitioners": _by_id(facts.practitioners, _id),
        "patients": patients,
        "patients_by_mrn": _by_id(patients.values(), lambda patient: patient.mrn),
        "wristbands": _by_id(facts.wristbands, _id),
        "encounters": _by_id(facts.encounters, _id),
        "encounter_of": encounter_of,
        "namesakes": _namesakes(patients, encounter_of),
        "allergies_of": _grouped(facts.allergies, _patient_id),
    }


def _orders(facts: Facts) -> dict[str, Any]:
    products, orders, tasks = facts.products, _by_id(facts.orders, _id), _by_id(facts.tasks, _id)
    administrations = sorted(_by_id(facts.administrations, _id).values(), key=lambda given: given.at)
    executions = (task for task in tasks.values() if task.kind not in FOLLOW_UPS)
    follow_ups = (task for task in tasks.values() if task.kind in FOLLOW_UPS)
    return {
        "products": _by_id(products, _id),
        "products_by_gtin": {gtin: product for product in products for gtin in product.gtins},
        "products_by_trace": {prefix: product for product in products for prefix in product.trace_prefixes},
        "orders": orders,
        "orders_of": _grouped(orders.values(), _patient_id),
        "tasks": tasks,
        "tasks_of": _grouped(executions, _order_id),
        "follow_ups_of": _grouped(follow_ups, _order_id),
        "bags": _by_id(facts.bags, _id),
        "administrations_of": _grouped(administrations, _patient_id),
    }


def _flows(facts: Facts) -> dict[str, Any]:
    infusions = _by_id(facts.infusions, _id)
    return {
        "infusions": infusions,
        "infusions_of": _grouped(infusions.values(), _patient_id),
        "infusion_by_bag": {found.bag_id: found for found in infusions.values() if found.bag_id},
        "flows": _by_id(facts.flows, _id),
        "devices": _by_id(facts.devices, _id),
        "device_owner": {found.device_id: found for found in facts.associations if found.end is None},
        "observations": _newest(facts.observations),
    }


def _care(facts: Facts) -> dict[str, Any]:
    units = _by_id(facts.blood_units, _id)
    entries = sorted(_by_id(facts.transfusion_entries, _id).values(), key=lambda entry: entry.at)
    return {
        "skin_tests_of": _grouped(facts.skin_tests, _patient_id),
        "running_skin_tests_of": _grouped(facts.running_skin_tests, _patient_id),
        "blood_units": units,
        "blood_units_by_donation": _grouped(units.values(), lambda unit: unit.donation),
        "transfusion_entries_of": _grouped(entries, lambda entry: entry.infusion_id),
        "specimens": _by_id(facts.specimens, _id),
    }


def _id(record: object) -> str:
    return str(record.id)  # type: ignore[attr-defined]  # every record carries its id


def _order_id(record: object) -> str:
    return str(record.order_id)  # type: ignore[attr-defined]  # every task names its order


def _patient_id(record: object) -> str:
    return str(record.patient_id)  # type: ignore[attr-defined]  # grouped records all name their patient


def _current(encounters: Iterable[Encounter]) -> dict[str, Encounter]:
    """Return one encounter per patient: an open one before any other, else the last."""
    stays: dict[str, list[Encounter]] = {}
    for encounter in encounters:
        stays.setdefault(encounter.patient_id, []).append(encounter)
    return {patient: present_of(some) or some[-1] for patient, some in stays.items()}


def _namesakes(patients: dict[str, Patient], encounter_of: dict[str, Encounter]) -> dict[str, int]:
    """Count, for every inpatient, the others on the same ward whose name is or sounds the same."""
    present = [
        (patients[patient_id], encounter.ward)
        for patient_id, encounter in encounter_of.items()
        if encounter.status in PRESENT and patient_id in patients
    ]
    sounds: dict[tuple[str, str], set[str]] = defaultdict(set)
    for patient, ward in present:
        for name in (patient.name, patient.name_latin.lower().replace(" ", "")):
            if name:
                sounds[ward, name].add(patient.id)
    return {
        patient.id: len(
            (sounds[ward, patient.name] | sounds.get((ward, _latin(patient)), set())) - {patient.id}
        )
        for patient, ward in present
    }


def _latin(patient: Patient) -> str:
    return patient.name_latin.lower().replace(" ", "")


def _newest(observations: Iterable[Observation]) -> dict[tuple[str, str], Observation]:
    newest: dict[tuple[str, str], Observation] = {}
    for seen in observations:
        known = newest.get((seen.patient_id, seen.code))
        if known is None or seen.effective >= known.effective:
            newest[seen.patient_id, seen.code] = seen
    return newest
