"""INF: may this infusion go into that state now, with this device, beside what else runs?"""

from __future__ import annotations

from clinical.bedside_check.case import BAG_LIKE, FLOW, Case, is_stale
from clinical.bedside_check.model import Action
from clinical.bedside_check.order import is_discontinued, is_ended
from clinical.infusion.arithmetic import deviation_percent
from clinical.infusion.rounds import is_overrun
from clinical.records import FLOWING, USABLE, Infusion, InfusionState, Order

_FROM: dict[Action, frozenset[InfusionState]] = {
    Action.PAUSE: frozenset({InfusionState.RUNNING}),
    Action.RESUME: frozenset({InfusionState.PAUSED}),
    Action.RATE: frozenset({InfusionState.RUNNING}),
    Action.PATROL: FLOWING,
    Action.COMPLETE: FLOWING,
    Action.STOP_EARLY: FLOWING,
}
_ON_HOLD = frozenset({Action.PAUSE, Action.COMPLETE, Action.STOP_EARLY, Action.PATROL})
_ENDED = frozenset({Action.COMPLETE, Action.STOP_EARLY, Action.PATROL})
_FRESH_MIN = 2
"""A measured rate older than this says nothing about now."""
_WATCHING = frozenset({"drip-sensor", "infusion-pump", "syringe-pump"})


def judge(case: Case) -> None:
    """Judge transitions, second bags, devices and what has to be written down."""
    order = case.order
    if order is None:
        return
    if case.infusion is not None and case.action in FLOW:
        _transition(case, order, case.infusion)
    elif case.action in {Action.START, Action.BAG_CHANGE}:
        _start(case, order)
        _device(case, order)
    if case.action is Action.STOP_EARLY:
        _stopped_early(case)


def _transition(case: Case, order: Order, infusion: Infusion) -> None:
    over = is_discontinued(case, order) or is_ended(case, order)
    held = order.status == "on-hold"
    wrong_state = infusion.state not in _FROM[case.action]
    if wrong_state or (over and case.action not in _ENDED) or (held and case.action not in _ON_HOLD):
        reason = "state" if wrong_state else ("order-ended" if over else "order-on-hold")
        case.add("INF-TRANSITION", state=infusion.state.value, reason=reason)
    if case.action in {Action.RESUME, Action.RATE}:
        _overrun(case, infusion)
    if case.action is Action.PATROL:
        _deviation(case, infusion)


def _overrun(case: Case, infusion: Infusion) -> None:
    beyond_use = case.bag.beyond_use if case.bag is not None else None
    if is_overrun(infusion, case.at, case.policy.flow.overrun_percent, beyond_use):
        case.add("INF-OVERRUN")


def _start(case: Case, order: Order) -> None:
    if case.action is Action.START and order.kind not in BAG_LIKE:
        case.add("INF-TRANSITION", reason="not-an-infusion")
    if order.kind == "transfusion":  # only BLOOD_START knows its rules
        case.add("INF-TRANSITION", reason="blood")
    replaced = _replaced(case) if case.action is Action.BAG_CHANGE else None
    running = case.snapshot.running_of(case.patient_id)
    mine = case.bag.id if case.bag is not None else ""
    for infusion in running:
        other = infusion is not replaced and infusion.bag_id != mine
        if infusion.order_id == order.id and (other or not mine):
            case.add("INF-SECOND-BAG", state=infusion.state.value)
            return


def _replaced(case: Case) -> Infusion | None:
    """Return the bag that is taken down: the one named, or the only one that runs."""
    running = case.snapshot.running_of(case.patient_id)
    named = [found for found in running if found.id == case.request.infusion_id]
    found = named or (running if len(running) == 1 and not case.request.infusion_id else [])
    if found:
        case.infusion = found[0]
        return found[0]
    case.add("INF-TRANSITION", reason="nothing-to-change")
    return None


def _device(case: Case, order: Order) -> None:
    if order.kind not in BAG_LIKE or case.encounter is None:
        return
    chosen = case.request.entered.device_id
    if chosen:
        owner = case.snapshot.device_owner.get(chosen)
        device = case.snapshot.devices.get(chosen)
        if owner is not None and owner.encounter_id != case.encounter.id:
            case.add("INF-DEVICE-OTHER")
        elif device is None or not device.active:
            case.add("INF-DEVICE-NONE", reason="unknown")
        return
    owned = (
        case.snapshot.devices.get(device_id)
        for device_id, owner in case.snapshot.device_owner.items()
        if owner.encounter_id == case.encounter.id
    )
    if not any(device is not None and device.kind in _WATCHING for device in owned):
        case.add("INF-DEVICE-NONE")


def measured_ml_h(case: Case, infusion: Infusion) -> float | None:
    """Return the rate the bedside node measures now; None when nobody measures, or not lately."""
    flow = case.snapshot.flows.get(infusion.id)
    if flow is None or flow.validity not in USABLE or flow.rate_ml_h is None:
        return None
    return None if is_stale(flow.effective, case.at, _FRESH_MIN) else flow.rate_ml_h


def _deviation(case: Case, infusion: Infusion) -> None:
    """Who looks at a running bag is told that it does not run as ordered."""
    measured = measured_ml_h(case, infusion)
    if measured is None or infusion.state is not InfusionState.RUNNING:
        return
    percent = deviation_percent(measured, float(infusion.rate_ml_h))
    if percent is not None and abs(percent) > case.policy.flow.deviation_warn_percent:
        case.add(
            "INF-RATE-DEV", measured=round(measured, 1), ordered=infusion.rate_ml_h, percent=round(percent)
        )


def _stopped_early(case: Case) -> None:
    if not case.request.entered.reason_code:
        case.need("reason")
    if case.request.entered.residual_ml is None:
        case.need("residual")
