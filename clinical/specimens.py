"""What a sample asks for after it was taken.

Source: bc-1 §5.10 (SPC-TRANSPORT).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clinical.care_records import Specimen

if TYPE_CHECKING:
    from clinical.care_policy import SpecimenPolicy


def transport_is_late(specimen: Specimen, now: datetime, policy: SpecimenPolicy) -> bool:
    """Tell whether a sample was taken, has not reached the laboratory, and waits too long (SPC-TRANSPORT)."""
    if specimen.collected_at is None or specimen.received_at is not None:
        return False
    return now - specimen.collected_at > timedelta(minutes=policy.transport_min)
