"""The tube a planned sample needs, and what a sample asks for after it was taken.

Source: bc-1 §5.10; CLSI GP41 for the order of draw.
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

ORDER_OF_DRAW = ("blood-culture", "blue", "black", "red", "yellow", "green", "purple", "grey")
"""Tubes in the order in which they are filled, so that no additive reaches the next one.

Source: CLSI GP41; the black tube (citrate 1:4) follows the blue one. That place is this project's proposal.
"""


def draw_rank(container: str) -> int:
    """Return a tube's place in the order of draw, 0 first; one that is not named there comes last."""
    return ORDER_OF_DRAW.index(container) if container in ORDER_OF_DRAW else len(ORDER_OF_DRAW)


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
