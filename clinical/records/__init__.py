"""The plain facts that handheld and server exchange.

Every record is frozen and carries its own id, so that facts can be merged by id in any order.
Names are FHIR R4 words where FHIR has one. All times are aware UTC datetimes; bare numbers carry
their unit in the name. ``msgspec`` and pydantic encode these at the edges; here they are only data.
"""

from clinical.records.basics import USABLE, Dose, Generation, Label, Validity
from clinical.records.devices import (
    FLOWING,
    Alarm,
    AlarmPriority,
    Association,
    Device,
    Flow,
    Infusion,
    InfusionState,
    Observation,
)
from clinical.records.facts import Facts
from clinical.records.orders import (
    DISCONTINUED,
    EFFECT,
    ENDED,
    FOLLOW_UPS,
    REMOVAL,
    Administration,
    Bag,
    Content,
    Ingredient,
    Order,
    OrderItem,
    Product,
    SkinTest,
    TaperStep,
    Task,
    TaskStatus,
    Verbal,
)
from clinical.records.people import (
    PRESENT,
    Allergy,
    CareLevel,
    Encounter,
    Patient,
    Practitioner,
    Sex,
    Wristband,
    age_years,
)

__all__ = [
    "DISCONTINUED",
    "EFFECT",
    "ENDED",
    "FLOWING",
    "FOLLOW_UPS",
    "PRESENT",
    "REMOVAL",
    "USABLE",
    "Administration",
    "Alarm",
    "AlarmPriority",
    "Allergy",
    "Association",
    "Bag",
    "CareLevel",
    "Content",
    "Device",
    "Dose",
    "Encounter",
    "Facts",
    "Flow",
    "Generation",
    "Infusion",
    "InfusionState",
    "Ingredient",
    "Label",
    "Observation",
    "Order",
    "OrderItem",
    "Patient",
    "Practitioner",
    "Product",
    "Sex",
    "SkinTest",
    "TaperStep",
    "Task",
    "TaskStatus",
    "Validity",
    "Verbal",
    "Wristband",
    "age_years",
]
