"""Infusions in words: rates in both units, what is left, and never an old number without its time."""

from __future__ import annotations

from datetime import datetime, timedelta

from clinical.infusion import arithmetic
from clinical.records import FLOWING, Flow, Infusion, InfusionState, Order
from pda_app.presenters import words
from pda_app.presenters.desk import Desk
from pda_app.presenters.states import InfusionLine, Msg, Text, Tone

EARLY = timedelta(seconds=5)
"""Two clocks may differ by this much; a stamp further in the future tells nothing about now."""
STALE_AFTER = timedelta(seconds=30)
"""A flow report older than this is history: its node or the way to the server is silent."""

_FAULTS = {
    "no-flow": Tone.BAD,
    "free-flow": Tone.BAD,
    "empty": Tone.BAD,
    "slow": Tone.WARN,
    "fast": Tone.WARN,
    "near-end": Tone.WARN,
}


def live(flow: Flow | None, now: datetime) -> bool:
    """Tell whether a flow report may be shown as the present."""
    if flow is None or flow.state in {"stale", "unknown"}:
        return False
    return is_fresh(flow.effective, now, STALE_AFTER)


def is_fresh(at: datetime, now: datetime, limit: timedelta) -> bool:
    """Tell whether a stamp is of the present: not older than its limit, and not from the future."""
    return -EARLY <= now - at <= limit


def running(desk: Desk, patient_id: str = "") -> list[Infusion]:
    """Open infusions, of one patient or of the ward, oldest first."""
    some = (one for one in desk.book.all(Infusion) if one.state in FLOWING)
    return sorted((one for one in some if patient_id in {"", one.patient_id}), key=lambda one: one.started_at)


def gtt_min(infusion: Infusion) -> float:
    """Ordered drops per minute."""
    return arithmetic.gtt_per_min(float(infusion.rate_ml_h), infusion.drops_per_ml)


def ordered(infusion: Infusion) -> Text:
    """``40 gtt/min · 120 mL/h``."""
    drops = words.joined("space", words.number(gtt_min(infusion), 0), Msg("unit.{gtt}/min"))
    return words.joined("dot", drops, words.joined("space", words.number(infusion.rate_ml_h, 1), "mL/h"))


def deviation(flow: Flow) -> Text:
    """``15% fast``; empty when inside the tolerance or not known."""
    if flow.deviation_percent is None:
        return Msg(f"flow.{flow.state}")
    return Msg.of(f"flow.by-{flow.state}", percent=words.number(abs(flow.deviation_percent), 0))


def line(desk: Desk, infusion: Infusion) -> InfusionLine:
    """One infusion as a line with a bar."""
    flow = desk.book.get(Flow, infusion.id)
    order = desk.book.get(Order, infusion.order_id)
    is_live = live(flow, desk.now()) and infusion.state is InfusionState.RUNNING
    return InfusionLine(
        infusion_id=infusion.id,
        title=words.order_title(desk.book, order) if order else Msg("task.order-unknown"),
        trailing=_trailing(desk, infusion, flow, is_live=is_live),
        tone=_FAULTS.get(flow.state, Tone.ACT) if flow is not None and is_live else Tone.PLAIN,
        share=_share(infusion, flow) if is_live else None,
        site=words.joined("dot", words.site(infusion), ordered(infusion)),
        remaining=remaining(flow) if is_live else "",
    )


def _trailing(desk: Desk, infusion: Infusion, flow: Flow | None, *, is_live: bool) -> Text:
    if infusion.state is InfusionState.PAUSED:
        return Msg("status.paused")
    if flow is None:
        return Msg("flow.no-sensor")
    if not is_live:
        return Msg.of("flow.last", time=desk.hhmm(flow.effective))
    if flow.state in {"slow", "fast"}:
        return deviation(flow)
    if flow.state in {"no-flow", "free-flow", "empty"} or flow.time_left_min is None:
        return Msg(f"flow.{flow.state}")
    return Msg.of("flow.left", span=words.minutes(flow.time_left_min))


def _share(infusion: Infusion, flow: Flow | None) -> float | None:
    if flow is None or flow.remaining_ml is None or infusion.volume_ml <= 0:
        return None
    return min(max(1.0 - flow.remaining_ml / float(infusion.volume_ml), 0.0), 1.0)


def remaining(flow: Flow | None) -> Text:
    """``218 mL left``; empty when not measured."""
    if flow is None or flow.remaining_ml is None:
        return ""
    return Msg.of("flow.remaining", ml=words.number(max(flow.remaining_ml, 0.0), 0))
