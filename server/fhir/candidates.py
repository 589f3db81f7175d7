"""Items of the types that are not simply one fact each."""

from __future__ import annotations

from collections.abc import Iterator

from clinical.records import (
    PRESENT,
    Administration,
    Allergy,
    Device,
    Encounter,
    Generation,
    Infusion,
    Label,
    Order,
)
from server.fhir.ids import fhir_id
from server.fhir.resources.devices import metrics_of
from server.fhir.resources.medication import ADMINISTRATION_STATUS, ENDS, KINDS, Given
from server.fhir.resources.people import Spot, Warned
from server.fhir.sources import Item
from server.fhir.view import View
from server.storage.picture import Entry

RISKS = {
    "fall": Label(zh="跌倒风险", en="Fall risk"),
    "pressure": Label(zh="压力性损伤风险", en="Pressure injury risk"),
    "fasting": Label(zh="禁食", en="Nil by mouth"),
    "isolation": Label(zh="隔离", en="Isolation"),
}


def locations(view: View, _patients: frozenset[str] | None) -> Iterator[Item]:
    """Every ward of this server and each of its beds."""
    taken = {(stay.ward, stay.bed) for stay in view.picture.all(Encounter) if stay.status in PRESENT}
    for ward in view.site.wards.values():
        for spot in (Spot(ward=ward), *(Spot(ward=ward, bed=bed) for bed in ward.beds)):
            occupied = (ward.id, spot.bed) in taken
            yield Item(id=fhir_id(spot.id), record=(spot, occupied), ward=ward.id)


def metrics(view: View, _patients: frozenset[str] | None) -> Iterator[Item]:
    """Everything each device measures."""
    for own, entry in view.picture.kinds.get("devices", {}).items():
        if isinstance(entry.record, Device):
            demo = entry.record.generation is not Generation.REAL
            for metric in metrics_of(entry.record):
                yield Item(
                    id=fhir_id(metric.id),
                    record=metric,
                    ward=entry.ward,
                    seq=entry.seq,
                    facts=(("devices", own),),
                    demo=demo,
                )


def flags(view: View, patients: frozenset[str] | None) -> Iterator[Item]:
    """The risks of each stay and the intolerances of each patient."""
    for own, entry in view.picture.kinds.get("encounters", {}).items():
        stay = entry.record
        if isinstance(stay, Encounter) and (patients is None or stay.patient_id in patients):
            for risk in stay.risks:
                yield _warned(view, entry, ("encounters", own), _risk(stay, risk))
    for own, entry in view.picture.kinds.get("allergies", {}).items():
        allergy = entry.record
        if isinstance(allergy, Allergy) and (patients is None or allergy.patient_id in patients):
            yield _warned(view, entry, ("allergies", own), _intolerance(allergy))


def _risk(stay: Encounter, risk: str) -> Warned:
    label = RISKS.get(risk, Label(zh=risk, en=risk))
    return Warned(
        id=f"{stay.id}/{risk}",
        patient_id=stay.patient_id,
        encounter_id=stay.id,
        word=risk,
        zh=label.zh,
        en=label.en,
        category="safety",
        active=stay.status in PRESENT,
    )


def _intolerance(allergy: Allergy) -> Warned:
    return Warned(
        id=allergy.id,
        patient_id=allergy.patient_id,
        encounter_id="",
        word=allergy.substance,
        zh=allergy.display.zh,
        en=allergy.display.en,
        category="clinical",
        severity=allergy.severity,
    )


def _warned(view: View, entry: Entry, fact: tuple[str, str], one: Warned) -> Item:
    demo = view.is_demo(one.patient_id)
    return Item(id=fhir_id(one.id), record=one, ward=entry.ward, seq=entry.seq, facts=(fact,), demo=demo)


def administrations(view: View, patients: frozenset[str] | None) -> Iterator[Item]:
    """Every act; what ended or paused a bag belongs to the act that opened it."""
    entries = view.picture.kinds.get("administrations", {})
    by_task: dict[str, list[Administration]] = {}
    for entry in entries.values():
        act = entry.record
        if isinstance(act, Administration) and (patients is None or act.patient_id in patients):
            by_task.setdefault(act.task_id or act.id, []).append(act)
    bags = {one.task_id: one for one in view.picture.all(Infusion)}
    for task_id, acts in by_task.items():
        for one in _acts(sorted(acts, key=lambda act: (act.at, act.id)), bags.get(task_id)):
            if _gives_a_drug(view, one):
                yield _act(view, one)


def _acts(acts: list[Administration], infusion: Infusion | None) -> Iterator[Given]:
    opened = [act for act in acts if act.outcome == "running"]
    ended = [act for act in acts if act.outcome in ENDS]
    for act in acts:
        if act.outcome not in ADMINISTRATION_STATUS or (opened and act.outcome in ENDS):
            continue
        newest = act is opened[-1] if opened else False
        yield Given(
            begun=act, ended=ended[-1] if newest and ended else None, infusion=infusion if newest else None
        )


def _gives_a_drug(view: View, one: Given) -> bool:
    order = view.picture.get(Order, one.begun.order_id)
    return order is None or order.kind in KINDS


def _act(view: View, one: Given) -> Item:
    facts = [("administrations", one.begun.id)]
    facts += [("administrations", one.ended.id)] if one.ended is not None else []
    facts += [("infusions", one.infusion.id)] if one.infusion is not None else []
    found = [entry for key in facts if (entry := view.picture.entry(*key)) is not None]
    return Item(
        id=fhir_id(one.id),
        record=one,
        ward=found[0].ward if found else "",
        seq=max((entry.seq for entry in found), default=0),
        facts=tuple(facts),
        demo=view.is_demo(one.begun.patient_id),
    )
