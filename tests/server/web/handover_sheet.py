"""A shift's sheet of an invented ward, in the types of the server."""

from __future__ import annotations

from datetime import datetime

from clinical.records import AlarmPriority
from clinical.worklist import CareItem
from server.handover.service import PatientSheet, Sheet
from tests.server.web.scenario import Scenario


def sheet(scenario: Scenario, since: datetime, until: datetime) -> Sheet:
    """One line for each bed that is taken; every third patient is one to watch."""
    taken = [name for name, bed in scenario.state["beds"].items() if bed["occupied"]]
    return Sheet(
        since=since,
        until=until,
        patients=tuple(_line(name, number, until) for number, name in enumerate(sorted(taken))),
    )


def _line(bed: str, number: int, until: datetime) -> PatientSheet:
    watch = number % 3 == 0
    item = CareItem(
        code="ROUND", name="round-overdue", priority=AlarmPriority.NONE, patient_id=f"P-{bed}",
        subject_id=f"E-{bed}", due=until,
    )  # fmt: skip
    return PatientSheet(
        encounter_id=f"E-{bed}",
        patient_id=f"P-{bed}",
        bed=bed,
        care_level="first" if watch else "second",
        diagnosis="冠心病 不稳定型心绞痛 高血压 3 级" if watch else "心力衰竭",
        risks=("fall",) if watch else (),
        is_new=number == 1,
        new_orders=("o1", "o2") if watch else (),
        stopped_orders=("o3",) if number == 2 else (),
        open_tasks=("t1",) if number % 2 else (),
        not_done=("t2",) if watch else (),
        running_infusions=("i1",),
        alarms={"no-flow": 2, "limit-low": 1} if watch else {},
        intake_ml=1240.0,
        output_ml=980.0,
        assessments={"braden": 14, "pain": 3} if watch else {},
        critical_values=("cv-1",) if number == 3 else (),
        care=(item,) if watch else (),
    )
