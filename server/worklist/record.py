"""Which feature takes which reported step of care."""

from __future__ import annotations

from clinical.bedside_check.model import Action
from clinical.exchange import CareRecorded, Outcome
from server.sites import Site
from server.skin_tests import service as skin_tests
from server.specimens import service as specimens
from server.storage.store import UnitOfWork
from server.transfusions import service as transfusions
from server.worklist.judge import Step

_RECORD = {
    Action.COLLECT: specimens.record_collected,
    Action.BLOOD_RECEIVE: transfusions.record,
    Action.BLOOD_CHECK: transfusions.record,
    Action.BLOOD_OBS: transfusions.record,
    Action.SKINTEST_START: skin_tests.record_placed,
    Action.SKINTEST_READ: skin_tests.record_read,
}


def record(unit: UnitOfWork, site: Site, event: CareRecorded, doubt: str = "") -> Outcome:
    """Store one step; ``doubt`` is what stands against its person or its time."""
    take = _RECORD.get(event.request.action)
    if take is None:
        return Outcome(event_id=event.id, status="refused", code="unknown-action")
    return take(unit, site, Step(event=event, doubt=doubt))
