"""An indexed, read-only view of the ward's facts, so that a check costs the same for 4 patients or 400.

Building the indices is linear; every look-up of a check is by key. The view also carries what only some
callers know: sightings of wristbands by other handhelds, and codes that were used up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from clinical.care_records import BloodUnit, RunningSkinTest, Specimen, TransfusionEntry
from clinical.records import (
    Administration,
    Allergy,
    Association,
    Bag,
    Device,
    Encounter,
    Facts,
    Infusion,
    InfusionState,
    Observation,
    Order,
    Patient,
    Practitioner,
    Product,
    SkinTest,
    Task,
    Wristband,
)

R = TypeVar("R")

_OPEN = frozenset({"in-progress", "onleave"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One wristband was read by one handheld at one place."""

    patient_id: str
    handheld: str
    bed: str
    at: datetime


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
    wristbands_of: dict[str, list[Wristband]]
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
    sightings_of: dict[str, list[Sighting]] = field(default_factory=dict)
    used_codes: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        facts: Facts,
        *,
        version: str,
        fetched_at: datetime,
        sightings: Iterable[Sighting] = (),
        used_codes: Iterable[str] = (),
    ) -> Snapshot:
        """Index the facts.

        Args:
            facts: Everything known; for repeated ids the last record counts.
            version: Names this state of the facts.
            fetched_at: When the server said so.
            sightings: Recent readings of wristbands on other handhelds.
            used_codes: Serialised drug codes (``gtin:serial`` or the traceability code) already given.
        """
        orders, tasks = _by_id(facts.orders, _id), _by_id(facts.tasks, _id)
        infusions = _by_id(facts.infusions, _id)
        patients, units = _by_id(facts.patients, _id), _by_id(facts.blood_units, _id)
        encounter_of = _current(facts.encounters)
        return cls(
            version=version,
            fetched_at=fetched_at,
            practitioners=_by_id(facts.practitioners, _id),
            patients=patients,
            patients_by_mrn=_by_id(patients.values(), lambda patient: patient.mrn),
            wristbands=_by_id(facts.wristbands, _id),
            wristbands_of=_grouped(facts.wristbands, _patient_id),
            encounters=_by_id(facts.encounters, _id),
            encounter_of=encounter_of,
            namesakes=_namesakes(patients, encounter_of),
            allergies_of=_grouped(facts.allergies, _patient_id),
            products=_by_id(facts.products, _id),
            products_by_gtin={gtin: product for product in facts.products for gtin in product.gtins},
            products_by_trace={
                prefix: product for product in facts.products for prefix in product.trace_prefixes
            },
            orders=orders,
            orders_of=_grouped(orders.values(), _patient_id),
            tasks=tasks,
            tasks_of=_grouped(tasks.values(), lambda task: task.order_id),
            bags=_by_id(facts.bags, _id),
            administrations_of=_grouped(
                sorted(_by_id(facts.administrations, _id).values(), key=lambda given: given.at), _patient_id
            ),
            infusions=infusions,
            infusions_of=_grouped(infusions.values(), _patient_id),
            infusion_by_bag={found.bag_id: found for found in infusions.values() if found.bag_id},
            devices=_by_id(facts.devices, _id),
            device_owner={found.device_id: found for found in facts.associations if found.end is None},
            observations=_newest(facts.observations),
            skin_tests_of=_grouped(facts.skin_tests, _patient_id),
            running_skin_tests_of=_grouped(facts.running_skin_tests, _patient_id),
            blood_units=units,
            blood_units_by_donation=_grouped(units.values(), lambda unit: unit.donation),
            transfusion_entries_of=_grouped(
                sorted(_by_id(facts.transfusion_entries, _id).values(), key=lambda entry: entry.at),
                lambda entry: entry.infusion_id,
            ),
            specimens=_by_id(facts.specimens, _id),
            sightings_of=_grouped(sightings, lambda seen: seen.patient_id),
            used_codes=frozenset(used_codes),
        )

    def running_of(self, patient_id: str) -> list[Infusion]:
        """Return the infusions of a patient that run or are paused."""
        ongoing = {InfusionState.RUNNING, InfusionState.PAUSED}
        return [found for found in self.infusions_of.get(patient_id, ()) if found.state in ongoing]


def _id(record: object) -> str:
    return str(record.id)  # type: ignore[attr-defined]  # every record carries its id


def _patient_id(record: object) -> str:
    return str(record.patient_id)  # type: ignore[attr-defined]  # grouped records all name their patient


def _current(encounters: Iterable[Encounter]) -> dict[str, Encounter]:
    """Return one encounter per patient: an open one before any other, else the last."""
    found: dict[str, Encounter] = {}
    for encounter in encounters:
        known = found.get(encounter.patient_id)
        if known is None or encounter.status in _OPEN or known.status not in _OPEN:
            found[encounter.patient_id] = encounter
    return found


def _namesakes(patients: dict[str, Patient], encounter_of: dict[str, Encounter]) -> dict[str, int]:
    """Count, for every inpatient, the others on the same ward whose name is or sounds the same."""
    present = [
        (patients[patient_id], encounter.ward)
        for patient_id, encounter in encounter_of.items()
        if encounter.status in _OPEN and patient_id in patients
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
