"""The tube a planned sample needs, and what a sample asks for after it was taken.

Source: bc-1 §5.10.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clinical.care_records import SampleNeed, Specimen
from clinical.records import Order, Task

if TYPE_CHECKING:
    from clinical.care_policy import SpecimenPolicy


def planned(order: Order, task: Task) -> Specimen:
    """Return the tube of one planned sample; the same task always has the same number."""
    need = order.sample or SampleNeed()
    digest = hashlib.sha256(task.id.encode()).digest()
    return Specimen(
        id="S" + base64.b32encode(digest).decode()[:9],
        order_id=order.id,
        patient_id=task.patient_id,
        encounter_id=task.encounter_id,
        task_id=task.id,
        container=need.container,
        fasting=need.fasting,
        trough_of=need.trough_of,
        second_person=need.second_person,
    )


def transport_is_late(specimen: Specimen, now: datetime, policy: SpecimenPolicy) -> bool:
    """Tell whether a sample was taken, has not reached the laboratory, and waits too long (SPC-TRANSPORT)."""
    if specimen.collected_at is None or specimen.received_at is not None:
        return False
    return now - specimen.collected_at > timedelta(minutes=policy.transport_min)
