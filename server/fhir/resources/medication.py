"""Orders for drugs and what was done with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from clinical.frequencies import normal
from clinical.records import Administration, Infusion, Order, OrderItem, TaperStep
from server.fhir import codes
from server.fhir.shape import (
    Resource,
    coding,
    concept,
    dose,
    extension,
    identifier,
    instant,
    labelled,
    period,
    pruned,
    quantity,
    reference,
)
from server.fhir.view import View

KINDS = frozenset({"medication", "infusion", "skin-test"})
"""Orders that are requests for a drug; samples and blood are not."""
ADMINISTRATION_STATUS = {
    "given": "completed", "partial": "completed", "running": "in-progress", "completed": "completed",
    "paused": "on-hold", "stopped-early": "stopped", "held": "not-done", "refused": "not-done",
    "not-given": "not-done", "cancelled": "not-done", "entered-in-error": "entered-in-error",
}  # fmt: skip
"""Status of an act by its outcome; other outcomes (removed, effect) give no drug."""
ENDS = frozenset({"completed", "stopped-early", "paused"})
_REPEATS = {
    "qd": (1, 1, "d"), "bid": (2, 1, "d"), "tid": (3, 1, "d"), "qid": (4, 1, "d"), "qod": (1, 2, "d"),
    "qw": (1, 1, "wk"), "biw": (2, 1, "wk"),
}  # fmt: skip
_CODED = {"qd": "QD", "bid": "BID", "tid": "TID", "qid": "QID", "qod": "QOD", "q4h": "Q4H", "q6h": "Q6H"}
_DRUG_MIX = "mix"


def medication_request(one: Order, view: View) -> Resource:
    """Map an order for drugs; several drugs given together are one contained mixture."""
    mixed = len(one.items) > 1
    what: Resource = (
        {"medicationReference": {"reference": f"#{_DRUG_MIX}"}}
        if mixed
        else {
            "medicationCodeableConcept": _drug(one.items[0], view) if one.items else concept(text="unknown")
        }
    )
    return pruned(
        {
            "resourceType": "MedicationRequest",
            "contained": [_mixture(one, view)] if mixed else [],
            "extension": [
                extension("nurse-verified", valueBoolean=one.nurse_verified),
                extension("pharmacist-verified", valueBoolean=one.pharmacist_verified),
                extension("time-critical", valueBoolean=one.time_critical),
            ],
            "identifier": [
                identifier(view.systems.order, one.placer_id, "PLAC"),
                identifier(view.systems.filler, one.filler_id, "FILL"),
            ],
            "status": one.status,
            "intent": "order",
            "category": [concept(coding("urn:wardlink:order-category", one.category))],
            "priority": "stat" if one.category == "stat" else "routine",
            "doNotPerform": True if one.do_not_give else None,
            **what,
            "subject": view.patient(one.patient_id),
            "encounter": reference("Encounter", one.encounter_id),
            "authoredOn": instant(one.changed_at or one.start),
            "requester": _prescriber(one, view),
            "groupIdentifier": identifier(view.systems.group, one.group_id),
            "dosageInstruction": _dosages(one),
        }
    )


def _prescriber(one: Order, view: View) -> Resource:
    return {"display": one.prescriber_name, **view.person(one.prescriber)} if one.prescriber else {}


def _drug(item: OrderItem, view: View) -> Resource:
    return labelled(view.systems.drug, item.product_id, item.display)


def _mixture(one: Order, view: View) -> Resource:
    parts = [
        {
            "itemCodeableConcept": _drug(item, view),
            "isActive": item.role != "base",
            "strength": {"numerator": dose(item.dose), "denominator": quantity(Decimal(1), "1")},
        }
        for item in one.items
    ]
    return {"resourceType": "Medication", "id": _DRUG_MIX, "ingredient": parts}


def _dosages(one: Order) -> list[Resource]:
    """One instruction, or one for each step of a taper in their order."""
    if not one.taper:
        return [_dosage(one, None, 0)]
    return [_dosage(one, step, number) for number, step in enumerate(one.taper)]


def _dosage(one: Order, step: TaperStep | None, number: int) -> Resource:
    frequency = (step.frequency if step else "") or one.frequency
    before = sum(earlier.days for earlier in one.taper[:number])
    start = one.start + timedelta(days=before)
    end = start + timedelta(days=step.days) if step else one.end
    prn = one.category == "prn" or bool(one.prn_reason)
    return {
        "sequence": number + 1 if step else None,
        "text": one.instruction,
        "timing": {
            "repeat": {"boundsPeriod": period(start, end), **repeat_of(frequency)},
            "code": _timing(frequency),
        },
        **({"asNeededCodeableConcept": concept(text=one.prn_reason)} if one.prn_reason else {}),
        "asNeededBoolean": True if prn and not one.prn_reason else None,
        "route": concept(coding(codes.ROUTE, one.route), text=one.route),
        "doseAndRate": [_amount(one, step)],
        "maxDosePerPeriod": _most(one),
    }


def repeat_of(frequency: str) -> Resource:
    """Return how often, where that says everything; fixed times are said as such."""
    word = normal(frequency)
    times = word.split(",")
    if all(len(time) == 5 and time[2] == ":" for time in times):
        return {
            "frequency": len(times),
            "period": 1,
            "periodUnit": "d",
            "timeOfDay": [f"{t}:00" for t in times],
        }
    found = _REPEATS.get(word)
    if found is None and word[:1] == "q" and word[-1:] == "h" and word[1:-1].isdecimal() and int(word[1:-1]):
        found = (1, int(word[1:-1]), "h")
    return {"frequency": found[0], "period": found[1], "periodUnit": found[2]} if found else {}


def _timing(frequency: str) -> Resource:
    word = normal(frequency)
    return concept(
        coding(codes.TIMING, _CODED.get(word, "")), coding("urn:wardlink:frequency", word), text=frequency
    )


def _amount(one: Order, step: TaperStep | None) -> Resource:
    rate = {"rateQuantity": quantity(one.rate_ml_h, "mL/h")} if one.rate_ml_h is not None else {}
    if len(one.items) != 1:
        volume = {"doseQuantity": quantity(one.volume_ml, "mL")} if one.volume_ml is not None else {}
        return {**volume, **rate}
    item = one.items[0]
    if item.dose_high is not None and step is None:
        return {"doseRange": {"low": _simple(dose(item.dose)), "high": _simple(dose(item.dose_high))}, **rate}
    return {"doseQuantity": dose(step.dose if step else item.dose), **rate}


def _simple(found: Resource) -> Resource:
    return {key: value for key, value in found.items() if key != "comparator"}


def _most(one: Order) -> Resource:
    if one.prn_max_dose_per_day is None:
        return {}
    return {"numerator": dose(one.prn_max_dose_per_day), "denominator": quantity(Decimal(1), "d")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One act: what began it, and for a bag what ended it and how it hangs now."""

    begun: Administration
    ended: Administration | None = None
    infusion: Infusion | None = None

    @property
    def id(self) -> str:
        """Id of the event that began it."""
        return self.begun.id

    @property
    def status(self) -> str:
        """FHIR status."""
        if self.infusion is not None and self.infusion.state.value in ADMINISTRATION_STATUS:
            return ADMINISTRATION_STATUS[self.infusion.state.value]
        return ADMINISTRATION_STATUS[(self.ended or self.begun).outcome]


def medication_administration(one: Given, view: View) -> Resource:
    """Map one act; a refusal is one that was not done, with its reason."""
    begun, last = one.begun, one.ended or one.begun
    order = view.picture.get(Order, begun.order_id)
    done = one.status != "not-done"
    return pruned(
        {
            "resourceType": "MedicationAdministration",
            "identifier": [identifier("urn:wardlink:event", begun.id)],
            "extension": [extension("flagged", valueCode=begun.flagged or last.flagged)],
            "status": one.status,
            "statusReason": [_reason(last.reason or "not-recorded")] if not done else [],
            "medicationCodeableConcept": _given_drug(order, view),
            "subject": view.patient(begun.patient_id),
            "context": reference("Encounter", order.encounter_id) if order is not None else {},
            **_when(one),
            "performer": [
                _performer("performer", begun.operator, view),
                _performer("witness", begun.witness, view),
            ],
            "reasonCode": [_reason(last.reason)] if done and last.reason else [],
            "request": reference("MedicationRequest", begun.order_id) if order is not None else {},
            "device": [view.device(one.infusion.device_id)] if one.infusion is not None else [],
            "dosage": _dosage_given(one) if done else {},
        }
    )


def _given_drug(order: Order | None, view: View) -> Resource:
    if order is None or not order.items:
        return concept(text="unknown")
    if len(order.items) == 1:
        return _drug(order.items[0], view)
    drugs = [coding(view.systems.drug, item.product_id, item.display.en) for item in order.items]
    return concept(*drugs, text=" + ".join(item.display.zh for item in order.items))


def _reason(code: str) -> Resource:
    return concept(coding("urn:wardlink:reason", code.replace(" ", "-")), text=code)


def _when(one: Given) -> Resource:
    if one.begun.outcome != "running":
        return {"effectiveDateTime": instant(one.begun.at)}
    ended = one.ended.at if one.ended is not None and one.ended.outcome != "paused" else None
    return {"effectivePeriod": period(one.begun.at, ended)}


def _performer(function: str, person: str, view: View) -> Resource:
    if not person:
        return {}
    system = codes.PERFORMER if function == "performer" else "urn:wardlink:function"
    return {"function": concept(coding(system, function)), "actor": view.person(person)}


def _dosage_given(one: Given) -> Resource:
    begun, last = one.begun, one.ended or one.begun
    given = dose(last.dose)
    rate = {"rateQuantity": quantity(one.infusion.rate_ml_h, "mL/h")} if one.infusion is not None else {}
    if not given and not rate:
        return {}
    return {
        "site": concept(text=begun.site),
        "route": concept(coding(codes.ROUTE, begun.route), text=begun.route),
        "dose": given,
        **rate,
    }
