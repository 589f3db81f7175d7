"""What a second person or a prescriber confirms with badge and PIN: one question, and nothing else.

A confirmation is bound to a digest of the question. It covers what would change the answer in a nurse's hand
(who asks, which patient, which packs, how much, on which line, what either person read from skin, wristband
and bag) and leaves out what may still move until the
act: the time, the state of the handheld, reasons, and the nurse's own calculation, which comes after.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from enum import StrEnum

from clinical.bedside_check.model import CheckRequest

LIFE = timedelta(minutes=5)
"""How long after the PIN an act may follow: as long as a badge counts as read (bc-1 WIT-STALE)."""


class Purpose(StrEnum):
    """What somebody confirms."""

    WITNESS = "witness"  # stood by and looked
    PRESCRIBER = "prescriber"  # authorises against a finding
    BLIND_CALCULATION = "blind-calculation"  # witness who has also calculated on their own


AS_WITNESS = frozenset({Purpose.WITNESS, Purpose.BLIND_CALCULATION})


def question(request: CheckRequest, task_id: str) -> str:
    """Return the digest of what is asked: the same for a question and the act that follows it.

    Args:
        request: The check as asked.
        task_id: The task it is about, as the check found it.
    """
    entered = request.entered
    asked = (
        request.action.value,
        request.operator.id,
        task_id,
        request.infusion_id,
        request.patient_scan.raw if request.patient_scan is not None else "",
        tuple(scan.raw for scan in request.items),
        _plain(entered.dose.value, entered.dose.unit) if entered.dose is not None else "",
        _plain(entered.rate_ml_h),
        _plain(entered.volume_left_ml),
        _plain(entered.residual_ml),
        entered.route,
        entered.container,
        entered.result,
        request.witness.result if request.witness is not None else "",
        tuple(scan.raw for scan in request.witness.scans) if request.witness is not None else (),
    )
    return hashlib.sha256(repr(asked).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(number: object, unit: str = "") -> str:
    """Write a number so that 8, 8.0 and 8.00 are one."""
    if number is None:
        return ""
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + unit
