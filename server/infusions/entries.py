"""What is written into a bag's record: its start, every change, every round."""

from __future__ import annotations

from typing import Any

from clinical.exchange import EventBase, InfusionChanged, InfusionStarted, PatrolRecorded
from clinical.records import Infusion, InfusionEntry


def of_start(infusion: Infusion, event: InfusionStarted, against: str) -> InfusionEntry:
    """The bag was opened; ``against`` is the rule that stood against it."""
    return _entry(infusion, event, "start", rate_ml_h=event.rate_ml_h, flagged=against)


def of_change(infusion: Infusion, event: InfusionChanged, against: str) -> InfusionEntry:
    """It was paused, resumed, set or ended; ``against`` is the rule that stood against it."""
    said = {"rate_ml_h": event.rate_ml_h, "residual_ml": event.residual_ml, "reason": event.reason}
    return _entry(infusion, event, event.action, flagged=against, **said)


def of_patrol(infusion: Infusion, event: PatrolRecorded) -> InfusionEntry:
    """Somebody looked at it."""
    return _entry(
        infusion, event, "patrol", site_finding=event.site_finding, seen_gtt_min=event.seen_gtt_min,
        measured_gtt_min=event.measured_gtt_min, remaining_ml=event.remaining_ml,
    )  # fmt: skip


def _entry(infusion: Infusion, event: EventBase, action: str, **said: Any) -> InfusionEntry:
    return InfusionEntry(
        id=event.id, infusion_id=infusion.id, patient_id=infusion.patient_id, at=event.at, by=event.operator,
        action=action, **said,
    )  # fmt: skip
