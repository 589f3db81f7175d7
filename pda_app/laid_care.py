"""What a step of care recorded on this handheld changes in its own picture, until the server's word comes.

Only what is certain at the bedside is laid over: that a sample was taken, a check done, values written down.
What a reading means, and whether something stands against a step, is the server's to say.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from typing import Any

from clinical import resuscitation
from clinical.bedside_check.model import Action
from clinical.care_records import RunningSkinTest, TransfusionEntry
from clinical.chart_records import ObservedSet
from clinical.exchange import CareRecorded, Charted, PatrolRecorded, ResuscitationChanged
from clinical.policy import SitePolicy
from clinical.records import Observation, TaskStatus

CHART = "chart"
"""What stands as the device of a value that a person wrote down."""
View = Mapping[str, MutableMapping[str, Any]]


def lay(
    view: View, event: CareRecorded | Charted | PatrolRecorded | ResuscitationChanged, policy: SitePolicy
) -> None:
    """Lay over the facts of a ward whatever of care and chart was recorded here."""
    match event:
        case CareRecorded():
            lay_care(view, event)
        case Charted():
            lay_charted(view, event)
        case PatrolRecorded():
            _change(view, "infusions", event.infusion_id, looked_at=event.at)
        case ResuscitationChanged():
            lay_resuscitation(view, event, policy)


def lay_care(view: View, event: CareRecorded) -> None:
    """Lay one step of a transfusion, a sample or a skin test over the facts of a ward."""
    match event.request.action:
        case Action.COLLECT:
            _change(
                view, "specimens", event.subject_id, state="collected", collected_at=event.at,
                collected_by=event.operator,
            )  # fmt: skip
            _change(view, "tasks", event.task_id, status=TaskStatus.COMPLETED, changed_at=event.at)
        case Action.BLOOD_RECEIVE:
            _change(
                view, "blood_units", event.subject_id, state="received", received_by=_persons(event),
                received_at=event.at,
            )  # fmt: skip
        case Action.BLOOD_CHECK:
            _change(
                view, "blood_units", event.subject_id, state="checked", checked_by=_persons(event),
                checked_at=event.at,
            )  # fmt: skip
        case Action.BLOOD_OBS:
            _lay_observation(view, event)
        case Action.SKINTEST_START:
            _lay_skin_test(view, event)
        case _:
            return  # what a reading means comes from the server


def _persons(event: CareRecorded) -> tuple[str, ...]:
    second = event.request.witness
    return (event.operator, *((second.id,) if second is not None else ()))


def _lay_observation(view: View, event: CareRecorded) -> None:
    infusion = view["infusions"].get(event.infusion_id)
    if infusion is not None:
        view["transfusion_entries"].setdefault(
            event.id,
            TransfusionEntry(
                id=event.id, infusion_id=infusion.id, patient_id=infusion.patient_id, at=event.at,
                by=event.operator, symptoms=event.request.entered.symptoms,
            ),
        )  # fmt: skip


def _lay_skin_test(view: View, event: CareRecorded) -> None:
    order = view["orders"].get(event.order_id)
    if order is None or not order.items:
        return
    product = view["products"].get(order.items[0].product_id)
    substance = product.ingredients[0].code if product and product.ingredients else order.items[0].product_id
    view["running_skin_tests"].setdefault(
        event.subject_id,
        RunningSkinTest(
            id=event.subject_id, patient_id=order.patient_id, order_id=order.id, substance=substance,
            started_at=event.at, started_by=event.operator, task_id=event.task_id,
            site=event.request.entered.site,
        ),
    )  # fmt: skip
    _change(view, "tasks", event.task_id, status=TaskStatus.RUNNING, changed_at=event.at)


def lay_resuscitation(view: View, event: ResuscitationChanged, policy: SitePolicy) -> None:
    """Lay the call, or the end, of a resuscitation over the stay: the next check goes by it at once."""
    stay = view["encounters"].get(event.encounter_id)
    if stay is not None:
        change = resuscitation.begun if event.action == resuscitation.BEGIN else resuscitation.ended
        view["encounters"][stay.id] = change(stay, event.at, policy)


def lay_charted(view: View, event: Charted) -> None:
    """Lay one line of the chart over the facts, under the event's own id, time and person."""
    if event.observed is not None:
        _lay_observed(view, event, event.observed)
    if event.critical is not None:
        view["critical_values"].setdefault(
            event.id, replace(event.critical, id=event.id, received_by=event.operator, received_at=event.at)
        )
    for kind, line in (
        ("fluids", event.fluid),
        ("assessments", event.assessment),
        ("rounds", event.round),
    ):
        if line is not None:
            view[kind].setdefault(event.id, replace(line, id=event.id, at=event.at, by=event.operator))


def _lay_observed(view: View, event: Charted, observed: ObservedSet) -> None:
    """Lay values beside what the server knows: the newest of a code counts, whoever found it."""
    stay = view["encounters"].get(observed.encounter_id)
    patient = view["patients"].get(stay.patient_id) if stay is not None else None
    if patient is None:
        return
    for one in observed.values:
        id_ = f"{event.id}/{one.code}"
        view["observations"].setdefault(
            id_,
            Observation(
                id=id_, patient_id=patient.id, code=one.code, value=one.value, unit=one.unit,
                effective=event.at, device_id=CHART, generation=patient.generation,
            ),
        )  # fmt: skip


def _change(view: View, kind: str, id_: str, **values: Any) -> None:
    record = view[kind].get(id_)
    if record is not None:
        view[kind][id_] = replace(record, **values)
