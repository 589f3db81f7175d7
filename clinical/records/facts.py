"""Everything that is known of a ward, in one table of records."""

from __future__ import annotations

from dataclasses import dataclass

from clinical.care_records import BloodUnit, RunningSkinTest, Specimen, TransfusionEntry
from clinical.chart_records import Assessment, CriticalValue, FluidRecord, Handover, Round
from clinical.records.devices import Alarm, Association, Device, Flow, Infusion, InfusionEntry, Observation
from clinical.records.orders import Administration, Bag, LabelPrint, Order, Product, SkinTest, Task
from clinical.records.people import Allergy, Assignment, Encounter, Patient, Practitioner, Wristband


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything known of a ward, or what changed in it; records merge by id."""

    practitioners: tuple[Practitioner, ...] = ()
    patients: tuple[Patient, ...] = ()
    encounters: tuple[Encounter, ...] = ()
    wristbands: tuple[Wristband, ...] = ()
    allergies: tuple[Allergy, ...] = ()
    products: tuple[Product, ...] = ()
    orders: tuple[Order, ...] = ()
    tasks: tuple[Task, ...] = ()
    bags: tuple[Bag, ...] = ()
    administrations: tuple[Administration, ...] = ()
    infusions: tuple[Infusion, ...] = ()
    infusion_entries: tuple[InfusionEntry, ...] = ()
    flows: tuple[Flow, ...] = ()
    devices: tuple[Device, ...] = ()
    associations: tuple[Association, ...] = ()
    observations: tuple[Observation, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    skin_tests: tuple[SkinTest, ...] = ()
    running_skin_tests: tuple[RunningSkinTest, ...] = ()
    blood_units: tuple[BloodUnit, ...] = ()
    transfusion_entries: tuple[TransfusionEntry, ...] = ()
    specimens: tuple[Specimen, ...] = ()
    fluids: tuple[FluidRecord, ...] = ()
    assessments: tuple[Assessment, ...] = ()
    rounds: tuple[Round, ...] = ()
    critical_values: tuple[CriticalValue, ...] = ()
    handovers: tuple[Handover, ...] = ()
    label_prints: tuple[LabelPrint, ...] = ()
    assignments: tuple[Assignment, ...] = ()
