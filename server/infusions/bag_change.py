"""A bag is changed: what hung there is down with the same act that hangs the next (bc-1 §5.8 BAG_CHANGE)."""

from __future__ import annotations

from dataclasses import replace

from clinical.bedside_check.model import Action
from clinical.exchange import InfusionChanged, InfusionStarted
from clinical.records import FLOWING, Association, Infusion
from server.storage.store import UnitOfWork


def replaced(unit: UnitOfWork, event: InfusionStarted, patient_id: str) -> Infusion | None:
    """Return the bag that comes down: the one named, or the only one of the patient that hangs open.

    A bag of another patient is never taken down by a name that was sent; the check speaks against it.
    """
    if event.request.action is not Action.BAG_CHANGE or not patient_id:
        return None
    hanging = [
        one
        for one in unit.all(Infusion)
        if one.patient_id == patient_id and one.state in FLOWING and one.id != event.infusion_id
    ]
    named = event.request.infusion_id
    if named:
        return next((one for one in hanging if one.id == named), None)
    return hanging[0] if len(hanging) == 1 else None


def taken_down(event: InfusionStarted, old: Infusion) -> InfusionChanged:
    """Say that the old bag has ended, with what was left in it, by the person who changed it."""
    return InfusionChanged(
        id=f"{event.id}/down",
        at=event.at,
        sent=event.sent,
        operator=event.operator,
        handheld=event.handheld,
        infusion_id=old.id,
        action="complete",
        residual_ml=event.request.entered.residual_ml,
        order_version=old.order_version,
    )


def watched_by(unit: UnitOfWork, old: Infusion) -> str:
    """The sensor on the old bag's chamber: the next bag drips through the same one."""
    bound = (one for one in unit.all(Association) if one.infusion_id == old.id and one.end is None)
    return next((one.device_id for one in bound), "")


def with_sensor(new: Infusion, device_id: str) -> Infusion:
    """Let the next bag be watched by this sensor unless another one was scanned for it."""
    return new if new.device_id else replace(new, device_id=device_id)
