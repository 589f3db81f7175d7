"""When what the hospital tells happened: never later than now.

A discharge or transfer with a time in the future would leave a device on a patient who has gone, and every
later scan of that device would begin in the future too.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from server.his.port import ChangeOrder, HospitalFact

NOTE = "A time in the message lies in the future; what it tells counts from now."

F = TypeVar("F", bound=HospitalFact)


def past(fact: F, now: datetime) -> F:
    """Return the fact with a time that is not in the future; planned times of an order stay."""
    if isinstance(fact, ChangeOrder):
        return replace(fact, order=past(fact.order, now))
    if fact.at is not None and fact.at > now:
        return replace(fact, at=now)
    return fact
