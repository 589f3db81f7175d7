"""What is taken in: the elements of each type that mean something here, as R4 names them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Amount = Annotated[Decimal, Field(ge=0, max_digits=15, allow_inf_nan=False)]
Signed = Annotated[Decimal, Field(max_digits=15, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=1000)]
Code = Annotated[str, Field(max_length=200)]


class Part(BaseModel):
    """Any element; what it does not name is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Coding(Part):
    """Coding."""

    system: Code = ""
    version: Code = ""
    code: Code = ""
    display: Text = ""
    userSelected: bool | None = None  # noqa: N815 - FHIR's word


class Concept(Part):
    """CodeableConcept."""

    coding: tuple[Coding, ...] = Field(default=(), max_length=20)
    text: Text = ""

    def code_of(self, *systems: str) -> str:
        """The code of the first of these systems that has one, else the first code, else the text."""
        for system in systems:
            for one in self.coding:
                if one.system == system and one.code:
                    return one.code
        return next((one.code for one in self.coding if one.code), self.text)

    @property
    def words(self) -> str:
        """What a person reads."""
        return self.text or next((one.display for one in self.coding if one.display), "") or self.code_of()


class Period(Part):
    """Period."""

    start: AwareDatetime | None = None
    end: AwareDatetime | None = None


class Identifier(Part):
    """Identifier."""

    use: Code = ""
    type: Concept | None = None
    system: Code = ""
    value: Annotated[str, Field(min_length=1, max_length=150, pattern=r"\S")]
    period: dict[str, Any] | None = None  # when a number or name was used says nothing here
    assigner: dict[str, Any] | None = None


class Reference(Part):
    """Reference, by address or by identifier."""

    reference: Code = ""
    type: Code = ""
    identifier: Identifier | None = None
    display: Text = ""


class Quantity(Part):
    """Quantity; one with a comparator is no amount and is refused by its name."""

    value: Signed
    unit: Code = ""
    system: Code = ""
    code: Code = ""

    @property
    def ucum(self) -> str:
        """The unit as it is coded, else as it is written."""
        return self.code or self.unit


class HumanName(Part):
    """HumanName."""

    use: Code = ""
    text: Text = ""
    family: Text = ""
    given: tuple[Text, ...] = Field(default=(), max_length=10)
    prefix: tuple[Text, ...] = ()
    suffix: tuple[Text, ...] = ()
    period: dict[str, Any] | None = None
    extension: tuple[dict[str, Any], ...] = ()

    @property
    def whole(self) -> str:
        """The name as it is read: as written, else family name first, without a space where it has none."""
        if self.text:
            return self.text
        parts = [part for part in (self.family, *self.given) if part]
        return " ".join(parts) if all(part.isascii() for part in parts) else "".join(parts)


class PatientIn(Part):
    """A patient; their number is the identifier of the hospital's system, else of type MR, else the first."""

    id: Code = ""
    identifier: tuple[Identifier, ...] = Field(min_length=1, max_length=20)
    active: bool = True
    name: tuple[HumanName, ...] = Field(default=(), max_length=10)
    gender: Code = ""
    birthDate: date | None = None  # noqa: N815 - FHIR's word
    deceasedBoolean: bool = False  # noqa: N815 - FHIR's word


class LocationIn(Part):
    """Where somebody lies."""

    location: Reference
    status: Code = ""
    physicalType: Concept | None = None  # noqa: N815 - FHIR's word
    period: dict[str, Any] | None = None


class EncounterIn(Part):
    """An admission to a bed."""

    id: Code = ""
    identifier: tuple[Identifier, ...] = Field(default=(), max_length=20)
    status: Code
    class_: Coding = Field(alias="class")
    subject: Reference
    period: Period = Period()
    reasonCode: tuple[Concept, ...] = Field(default=(), max_length=20)  # noqa: N815 - FHIR's word
    location: tuple[LocationIn, ...] = Field(min_length=1, max_length=1)


class Repeat(Part):
    """How often."""

    boundsPeriod: Period | None = None  # noqa: N815 - FHIR's word
    count: int | None = None
    frequency: Annotated[int, Field(ge=1, le=100)] | None = None
    period: Amount | None = None
    periodUnit: Code = ""  # noqa: N815 - FHIR's word
    dayOfWeek: tuple[Code, ...] = ()  # noqa: N815 - FHIR's word
    timeOfDay: tuple[Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d:00$")], ...] = ()  # noqa: N815


class Timing(Part):
    """When."""

    event: tuple[AwareDatetime, ...] = Field(default=(), max_length=1)
    repeat: Repeat = Repeat()
    code: Concept = Concept()


class Range(Part):
    """From and to."""

    low: Quantity
    high: Quantity


class Ratio(Part):
    """So much to so much."""

    numerator: Quantity
    denominator: Quantity


class DoseAndRate(Part):
    """How much, how fast."""

    type: Concept | None = None
    doseQuantity: Quantity | None = None  # noqa: N815 - FHIR's word
    doseRange: Range | None = None  # noqa: N815 - FHIR's word
    rateQuantity: Quantity | None = None  # noqa: N815 - FHIR's word
    rateRatio: Ratio | None = None  # noqa: N815 - FHIR's word


class DosageIn(Part):
    """One instruction; what limits a dose in other ways is refused, as nothing here would hold to it."""

    sequence: int | None = None
    text: Text = ""
    patientInstruction: Text = ""  # noqa: N815 - FHIR's word
    additionalInstruction: tuple[Concept, ...] = Field(default=(), max_length=10)  # noqa: N815 - FHIR's word
    timing: Timing = Timing()
    asNeededBoolean: bool = False  # noqa: N815 - FHIR's word
    asNeededCodeableConcept: Concept | None = None  # noqa: N815 - FHIR's word
    site: Concept | None = None
    method: Concept | None = None
    route: Concept
    doseAndRate: tuple[DoseAndRate, ...] = Field(default=(), max_length=1)  # noqa: N815 - FHIR's word


class IngredientIn(Part):
    """One drug of a mixture."""

    itemCodeableConcept: Concept  # noqa: N815 - FHIR's word
    isActive: bool = True  # noqa: N815 - FHIR's word
    strength: Ratio


class MedicationIn(Part):
    """A drug or mixture that is contained in its order."""

    resourceType: Code  # noqa: N815 - FHIR's word
    id: Code
    code: Concept | None = None
    form: Concept | None = None
    ingredient: tuple[IngredientIn, ...] = Field(default=(), max_length=30)


class NoteIn(Part):
    """A remark of the prescriber; who made it and when is not kept."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    text: Text


class DispenseIn(Part):
    """How long an order holds; what is to be dispensed is not the ward's."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    validityPeriod: Period = Period()  # noqa: N815 - FHIR's word


class MedicationRequestIn(Part):
    """An order for drugs."""

    id: Code = ""
    contained: tuple[MedicationIn, ...] = Field(default=(), max_length=5)
    identifier: tuple[Identifier, ...] = Field(min_length=1, max_length=20)
    status: Code
    intent: Code
    priority: Code = "routine"
    doNotPerform: bool = False  # noqa: N815 - FHIR's word
    medicationCodeableConcept: Concept | None = None  # noqa: N815 - FHIR's word
    medicationReference: Reference | None = None  # noqa: N815 - FHIR's word
    subject: Reference
    encounter: Reference | None = None
    authoredOn: AwareDatetime | date | None = None  # noqa: N815 - FHIR's word
    requester: Reference | None = None
    groupIdentifier: Identifier | None = None  # noqa: N815 - FHIR's word
    note: tuple[NoteIn, ...] = Field(default=(), max_length=10)
    dosageInstruction: tuple[DosageIn, ...] = Field(min_length=1, max_length=1)  # noqa: N815 - FHIR's word
    dispenseRequest: DispenseIn = DispenseIn()  # noqa: N815 - FHIR's word


class ComponentIn(Part):
    """One value of several."""

    code: Concept
    valueQuantity: Quantity  # noqa: N815 - FHIR's word


class ObservationIn(Part):
    """One value, or those of one cuff reading."""

    id: Code = ""
    identifier: tuple[Identifier, ...] = Field(default=(), max_length=20)
    status: Code
    category: tuple[Concept, ...] = Field(default=(), max_length=5)
    code: Concept
    subject: Reference
    encounter: Reference | None = None
    effectiveDateTime: AwareDatetime | None = None  # noqa: N815 - FHIR's word
    effectiveInstant: AwareDatetime | None = None  # noqa: N815 - FHIR's word
    valueQuantity: Quantity | None = None  # noqa: N815 - FHIR's word
    interpretation: tuple[Concept, ...] = Field(default=(), max_length=5)
    device: Reference | None = None
    component: tuple[ComponentIn, ...] = Field(default=(), max_length=10)
