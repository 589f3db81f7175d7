"""BLD: baseline, the first fifteen minutes, reactions, four hours, what else is on the line, the empty bag.

Source: bc-1 §5.9.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from clinical import transfusion
from clinical.bedside_check.case import Case, is_future
from clinical.bedside_check.flow import measured_ml_h
from clinical.bedside_check.model import Action, OverrideClass, Right, Severity
from clinical.bedside_check.safety import measured
from clinical.care_records import TransfusionEntry
from clinical.records import Infusion, Order

VITALS: dict[str, tuple[str, ...]] = {
    "temperature": ("MDC_TEMP_BODY", "MDC_TEMP_AXILLA", "MDC_TEMP_EAR", "MDC_TEMP_ORAL", "MDC_TEMP_RECT"),
    "pulse": ("MDC_PULS_RATE",),
    "respiration": ("MDC_RESP_RATE",),
    "systolic": ("MDC_PRESS_BLD_NONINV_SYS",),
    "saturation": ("MDC_PULS_OXIM_SAT_O2",),
}
"""Observation codes that answer for each vital sign of a transfusion."""
_LINES = frozenset({"IV", "IVPB"})


def value(case: Case, name: str, max_age_min: int) -> Decimal | None:
    """Return a vital sign that the nurse entered, or that the monitor measured not longer ago than that."""
    codes = VITALS.get(name, (name,))
    since = case.at - timedelta(minutes=max_age_min)
    now = case.request.now
    stated = [one for one in case.request.entered.vitals if one.code in codes]
    entered = [one for one in stated if one.at >= since and not is_future(one.at, now)]
    if entered:
        return entered[-1].value
    seen = [found for code in codes if (found := measured(case, code)) is not None]
    fresh = [found for found in seen if found.effective >= since]
    return max(fresh, key=lambda found: found.effective).value if fresh else None


def judge_start(case: Case) -> None:
    """Judge baseline, the first rate and the line of a unit that is about to run."""
    policy = case.policy.care.blood
    missing = [name for name in policy.baseline_codes if value(case, name, policy.baseline_max) is None]
    if missing:
        case.add("BLD-BASE", missing=" ".join(missing), minutes=policy.baseline_max)
    _first_rate(case)
    _line(case)
    case.judged |= {Right.DOSE, Right.ROUTE}


def _first_rate(case: Case) -> None:
    order = case.order
    entered = case.request.entered.rate_ml_h
    case.rate_ml_h = entered if entered is not None or order is None else order.rate_ml_h
    if case.rate_ml_h is None or case.rate_ml_h <= 0:
        case.need("rate")
        return
    policy, volume = case.policy.care.blood, case.unit.volume_ml if case.unit is not None else None
    if case.rate_ml_h > policy.slow_ml_h:
        case.add("BLD-FAST", set=case.rate_ml_h, limit=policy.slow_ml_h)
    if volume is not None and volume * 60 > case.rate_ml_h * policy.end_alarm:
        minutes = int(volume * 60 / case.rate_ml_h)
        case.add("BLD-4H", severity=Severity.WARN, override=OverrideClass.ACK, minutes=minutes)


def _measured_rate(case: Case, infusion: Infusion, past: list[TransfusionEntry]) -> None:
    """A transfusion that drips too fast before the observation at 15 minutes is told to who looks at it."""
    measured, limit = measured_ml_h(case, infusion), case.policy.care.blood.slow_ml_h
    if measured is not None and measured > limit and not any(entry.kind == "quarter" for entry in past):
        case.add(
            "BLD-FAST", severity=Severity.WARN, override=OverrideClass.ACK,
            set=round(measured, 1), limit=limit,
        )  # fmt: skip


def judge_rate(case: Case, infusion: Infusion) -> None:
    """A transfusion is not made faster before the observation at 15 minutes."""
    limit = case.policy.care.blood.slow_ml_h
    past = case.snapshot.transfusion_entries_of.get(infusion.id, [])
    fast = case.rate_ml_h is not None and case.rate_ml_h > limit
    if fast and not any(entry.kind == "quarter" for entry in past):
        case.add("BLD-FAST", set=case.rate_ml_h, limit=limit)


def _line(case: Case) -> None:
    """No drug runs on the line of blood; lines are told by their site, an unnamed one may be the same."""
    mine = case.request.entered.site
    if not mine:
        case.need("site")
    allowed = set(case.policy.care.blood.line_allowed)
    for infusion in case.snapshot.running_of(case.patient_id):
        order = case.snapshot.orders.get(infusion.order_id)
        apart = mine and infusion.site and infusion.site != mine
        blood = infusion.bag_id in case.snapshot.blood_units
        if not apart and not blood and (order is None or not _only(case, order, allowed)):
            case.add("BLD-DRUG", infusion=infusion.id)
            return


def _only(case: Case, order: Order, allowed: set[str]) -> bool:
    """Tell whether an order holds nothing but allowed ingredients; an unknown product is not allowed."""
    for line in order.items:
        product = case.snapshot.products.get(line.product_id)
        if product is None or not product.ingredients:
            return False
        if {one.code for one in product.ingredients} - allowed:
            return False
    return True


def judge_drug(case: Case) -> None:
    """No drug goes into a line that carries blood."""
    if case.route not in _LINES or not {one.code for one in case.ingredients()} - set(
        case.policy.care.blood.line_allowed
    ):
        return
    mine = case.request.entered.site
    for infusion in case.snapshot.running_of(case.patient_id):
        if infusion.bag_id in case.snapshot.blood_units and not (
            mine and infusion.site and infusion.site != mine
        ):
            case.add("BLD-DRUG", infusion=infusion.id)
            return


def judge(case: Case, infusion: Infusion) -> None:
    """Judge an observation of a running transfusion, or its end."""
    past = case.snapshot.transfusion_entries_of.get(infusion.id, [])
    _time(case, infusion, past)
    _reaction(case, past)
    if case.action is Action.BLOOD_OBS:
        _measured_rate(case, infusion, past)
    if case.action is Action.BLOOD_END:
        hours = case.policy.care.blood.keep_bag_h
        case.add("BLD-BAG", until=case.at + timedelta(hours=hours))
        case.judged.add(Right.DOCUMENTATION)
    case.judged |= {Right.TIME, Right.SAFETY}


def _time(case: Case, infusion: Infusion, past: list[TransfusionEntry]) -> None:
    policy, minutes = case.policy.care.blood, transfusion.minutes_running(infusion, case.at)
    if case.action is Action.BLOOD_END:
        return
    kind = transfusion.entry_kind(infusion, past, case.at, policy)
    if kind == "early":
        case.add("BLD-15", severity=Severity.INFO, override=OverrideClass.NONE, minutes=int(minutes))
    elif kind == "quarter" and minutes > policy.quarter_latest:
        case.add("BLD-15", minutes=int(minutes))
    if minutes >= policy.end_alarm:
        case.add("BLD-4H", minutes=int(minutes))
    elif minutes >= policy.end_warn:
        case.add("BLD-4H", severity=Severity.WARN, override=OverrideClass.ACK, minutes=int(minutes))


def _reaction(case: Case, past: list[TransfusionEntry]) -> None:
    """Compare with the first values: a rise of temperature, a fall of pressure, or what the nurse sees."""
    policy = case.policy.care.blood
    now_hot, now_high = (value(case, name, policy.monitor_fresh) for name in ("temperature", "systolic"))
    if now_hot is None or now_high is None:
        case.need("vitals")
    rise = _change(past, lambda entry: entry.temperature, now_hot)
    fall = -_change(past, lambda entry: entry.systolic, now_high)
    symptoms = case.request.entered.symptoms
    if symptoms or rise >= policy.temperature_rise or fall >= policy.systolic_fall:
        ending = case.action is Action.BLOOD_END  # stopping is the right answer and is never held up
        case.add(
            "BLD-REACT",
            severity=Severity.INFO if ending else None,
            override=OverrideClass.NONE if ending else None,
            rise=max(rise, Decimal(0)),
            fall=max(fall, Decimal(0)),
            symptoms=" ".join(sorted(symptoms)),
        )


def _change(
    past: list[TransfusionEntry], read: Callable[[TransfusionEntry], Decimal | None], now: Decimal | None
) -> Decimal:
    before = next((known for entry in past if (known := read(entry)) is not None), None)
    return Decimal(0) if now is None or before is None else now - before
