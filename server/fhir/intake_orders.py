"""Orders for drugs that were taken in as facts of the hospital; what cannot be carried out is refused."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from server.fhir import codes
from server.fhir.errors import unprocessable
from server.fhir.ids import record_id
from server.fhir.incoming import Concept, DosageIn, DoseAndRate, MedicationRequestIn, Quantity, Repeat
from server.fhir.intake import number_of
from server.fhir.settings import Systems
from server.his import tables
from server.his.port import ItemFact, PlaceOrder

_DAYS = {"mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6, "sun": 7}
_REPEATS = {
    (1, 1, "d"): "qd", (2, 1, "d"): "bid", (3, 1, "d"): "tid", (4, 1, "d"): "qid", (1, 2, "d"): "qod",
    (1, 1, "wk"): "qw", (2, 1, "wk"): "biw", (1, 24, "h"): "qd",
}  # fmt: skip
_RATE_UNITS = frozenset({"mL/h", "ml/h", "mL/hr", "ml/hr"})
_ROUTES = (codes.ROUTE, "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration")


def order(one: MedicationRequestIn, mrn: str, systems: Systems, *, demo: bool) -> PlaceOrder:
    """An order for drugs.

    Raises:
        FhirError: It is no order that can be carried out as it stands.
    """
    _check_order(one)
    dosage = one.dosageInstruction[0]
    amount = dosage.doseAndRate[0] if dosage.doseAndRate else DoseAndRate()
    items, volume = _items(one, amount, systems)
    bounds, valid = dosage.timing.repeat.boundsPeriod, one.dispenseRequest.validityPeriod
    rate = _rate(amount)
    prn = dosage.asNeededBoolean or dosage.asNeededCodeableConcept is not None
    reason = dosage.asNeededCodeableConcept
    begins = (bounds.start if bounds else None) or next(iter(dosage.timing.event), None) or valid.start
    return PlaceOrder(
        mrn=mrn,
        placer_id=number_of(one.identifier, systems.order, "PLAC"),
        filler_id=next((found.value for found in one.identifier if found.system == systems.filler), ""),
        group_id=one.groupIdentifier.value if one.groupIdentifier else "",
        kind="infusion" if rate is not None else "medication",
        category="prn" if prn else "",
        items=items,
        route=dosage.route.code_of(*_ROUTES),
        frequency=frequency_of(dosage),
        start=begins,
        end=(bounds.end if bounds else None) or valid.end,
        rate_ml_h=rate,
        volume_ml=volume,
        instruction=_instruction(one, dosage),
        prescriber=_requester(one),
        prescriber_name=one.requester.display if one.requester else "",
        priority="stat" if one.priority == "stat" else "asap" if one.priority == "asap" else "routine",
        prn_reason=(reason.text or reason.code_of()) if reason else "",
        at=one.authoredOn if isinstance(one.authoredOn, datetime) else None,
        demo=demo,
    )


def _check_order(one: MedicationRequestIn) -> None:
    if one.status != "active" or one.intent != "order":
        raise unprocessable(
            "fhir-status", "only an active order is created here", element="MedicationRequest.status"
        )
    if one.doNotPerform:
        raise unprocessable(
            "fhir-must-understand",
            "an order not to give something is not taken; stop the order itself",
            element="MedicationRequest.doNotPerform",
        )


def _requester(one: MedicationRequestIn) -> str:
    if one.requester is None:
        return ""
    if one.requester.identifier is not None:
        return one.requester.identifier.value
    return record_id(one.requester.reference.rpartition("/")[2]) or ""


def _instruction(one: MedicationRequestIn, dosage: DosageIn) -> str:
    """Everything the prescriber says in words."""
    spoken = [*dosage.additionalInstruction, *filter(None, (dosage.method, dosage.site))]
    more = [concept.words for concept in spoken]
    said = [dosage.text, dosage.patientInstruction, *more, *(note.text for note in one.note)]
    return "; ".join(dict.fromkeys(part.strip() for part in said if part.strip()))


def _items(
    one: MedicationRequestIn, amount: DoseAndRate, systems: Systems
) -> tuple[tuple[ItemFact, ...], Decimal | None]:
    """The lines of an order, and the volume of a mixture."""
    low, high = _dose(amount)
    if one.medicationCodeableConcept is not None:
        return (_item(one.medicationCodeableConcept, systems, low, high=high),), None
    reference = one.medicationReference.reference if one.medicationReference else ""
    mixture = next((part for part in one.contained if f"#{part.id}" == reference), None)
    if mixture is None:
        raise unprocessable(
            "fhir-reference",
            "an order names its drug by code, or a mixture that it contains",
            element="MedicationRequest.medicationReference",
        )
    if not mixture.ingredient and mixture.code is not None:
        return (_item(mixture.code, systems, low, high=high),), None
    if low is not None and low.ucum.lower() != "ml":
        raise unprocessable(
            "fhir-dosage",
            "the dose of a mixture is its volume in mL",
            element="MedicationRequest.dosageInstruction",
        )
    parts = mixture.ingredient
    items = tuple(
        _item(
            part.itemCodeableConcept,
            systems,
            part.strength.numerator,
            role="drug" if len(parts) == 1 else "additive" if part.isActive else "base",
        )
        for part in parts
    )
    return items, low.value if low is not None else None


def _dose(amount: DoseAndRate) -> tuple[Quantity | None, Quantity | None]:
    if amount.doseRange is not None:
        low, high = amount.doseRange.low, amount.doseRange.high
        if low.ucum != high.ucum or low.value > high.value:
            raise unprocessable(
                "fhir-dosage", "a range goes from less to more of one unit", element="doseAndRate.doseRange"
            )
        return low, high
    return amount.doseQuantity, None


def _item(
    drug: Concept,
    systems: Systems,
    dose: Quantity | None,
    *,
    high: Quantity | None = None,
    role: str = "drug",
) -> ItemFact:
    if dose is not None and dose.value <= 0:
        raise unprocessable("fhir-dosage", "a dose is more than nothing", element="doseAndRate.doseQuantity")
    return ItemFact(
        code=drug.code_of(systems.drug),
        text=drug.text,
        amount=dose.value if dose is not None else None,
        unit=dose.ucum if dose is not None else "",
        role=role,
        amount_high=high.value if high is not None else None,
    )


def _rate(amount: DoseAndRate) -> Decimal | None:
    """The rate in mL/h; one in any other unit is refused, never converted by guess."""
    if amount.rateQuantity is not None:
        if amount.rateQuantity.ucum not in _RATE_UNITS or amount.rateQuantity.value <= 0:
            raise _no_rate()
        return amount.rateQuantity.value
    if amount.rateRatio is not None:
        top, bottom = amount.rateRatio.numerator, amount.rateRatio.denominator
        if top.ucum.lower() != "ml" or bottom.ucum not in {"h", "hr"} or bottom.value <= 0 or top.value <= 0:
            raise _no_rate()
        return (top.value / bottom.value).quantize(Decimal("0.001")).normalize()
    return None


def _no_rate() -> Exception:
    return unprocessable("fhir-dosage", "a rate is given in mL/h", element="doseAndRate.rateQuantity")


def frequency_of(dosage: DosageIn) -> str:
    """The schedule's word for how often, or the hospital's own for the mapping table.

    Raises:
        FhirError: It is said in a way that cannot be scheduled.
    """
    timing, repeat = dosage.timing, dosage.timing.repeat
    if (repeat.dayOfWeek and not repeat.timeOfDay) or repeat.count not in {None, 1}:
        raise _no_timing()  # a code beside it must not win over what it does not say
    prn = dosage.asNeededBoolean or dosage.asNeededCodeableConcept is not None
    if repeat.timeOfDay:
        times = ",".join(sorted({time[:5] for time in repeat.timeOfDay}))
        days = ",".join(str(_DAYS[day]) for day in sorted(set(repeat.dayOfWeek), key=lambda day: _DAYS[day]))
        return f"@{days} {times}" if days else times
    word = timing.code.code_of("urn:wardlink:frequency", codes.TIMING)
    if word:
        return tables.shipped().find_or_same("frequency", word)
    if repeat.frequency is not None or repeat.period is not None or repeat.dayOfWeek:
        return _every(repeat)
    return "prn" if prn else "once"


def _every(repeat: Repeat) -> str:
    often, every, unit = repeat.frequency or 1, repeat.period or Decimal(1), repeat.periodUnit
    if repeat.count == 1 and often == 1:
        return "once"
    if repeat.count is None and every == every.to_integral_value():
        word = _REPEATS.get((often, int(every), unit))
        if word:
            return word
        if often == 1 and unit in {"h", "min"} and 1 <= every <= 999:
            return f"q{int(every)}{unit}"
    raise _no_timing()


def _no_timing() -> Exception:
    return unprocessable(
        "fhir-dosage",
        "this timing cannot be scheduled; name times of day, or a code that the ward's table knows",
        element="MedicationRequest.dosageInstruction.timing",
    )
