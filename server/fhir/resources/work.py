"""Planned work, samples, checks that stood against something, and who did what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clinical.care_records import Specimen
from clinical.records import Order, Task, TaskStatus
from server.fhir import codes
from server.fhir.resources.medication import KINDS
from server.fhir.shape import Resource, coding, concept, identifier, instant, period, pruned, reference
from server.fhir.view import View

SPECIMEN_STATUS = {
    "planned": "unavailable", "printed": "unavailable", "collected": "available", "received": "available",
    "rejected": "unsatisfactory", "cancelled": "unavailable",
}  # fmt: skip
TASK_STATUS = {
    TaskStatus.PENDING: "requested", TaskStatus.DUE: "ready", TaskStatus.OVERDUE: "ready",
    TaskStatus.MISSED: "failed", TaskStatus.RUNNING: "in-progress", TaskStatus.PAUSED: "on-hold",
    TaskStatus.GIVEN: "completed", TaskStatus.PARTIAL: "completed", TaskStatus.HELD: "rejected",
    TaskStatus.REFUSED: "rejected", TaskStatus.NOT_GIVEN: "rejected", TaskStatus.COMPLETED: "completed",
    TaskStatus.STOPPED_EARLY: "completed", TaskStatus.STOPPED: "cancelled", TaskStatus.CANCELLED: "cancelled",
    TaskStatus.ERROR: "failed",
}  # fmt: skip


def specimen(one: Specimen, view: View) -> Resource:
    """Map one tube."""
    order = view.picture.get(Order, one.order_id)
    asked = identifier(view.systems.order, order.placer_id, "PLAC") if order is not None else {}
    return pruned(
        {
            "resourceType": "Specimen",
            "identifier": [identifier(view.systems.specimen, one.id)],
            "status": SPECIMEN_STATUS[one.state],
            "subject": view.patient(one.patient_id),
            "receivedTime": instant(one.received_at),
            "request": [{"type": "ServiceRequest", "identifier": asked}] if asked else [],
            "collection": {
                "collector": view.person(one.collected_by) if one.collected_by else {},
                "collectedDateTime": instant(one.collected_at),
            },
            "container": [{"type": concept(coding("urn:wardlink:container", one.container))}],
        }
    )


def task(one: Task, view: View) -> Resource:
    """Map one planned execution of an order; its window is the restriction."""
    order = view.picture.get(Order, one.order_id)
    drug = order is not None and order.kind in KINDS
    return pruned(
        {
            "resourceType": "Task",
            "identifier": [identifier("urn:wardlink:task", one.id)],
            "status": TASK_STATUS[one.status],
            "statusReason": concept(text=one.detail if one.status is TaskStatus.ERROR else ""),
            "businessStatus": concept(coding("urn:wardlink:task-status", one.status.value)),
            "intent": "order",
            "priority": "stat" if order is not None and order.category == "stat" else "routine",
            "code": concept(coding("urn:wardlink:task-kind", one.kind)),
            "focus": reference("MedicationRequest", one.order_id) if drug else {},
            "for": view.patient(one.patient_id),
            "encounter": reference("Encounter", one.encounter_id),
            "executionPeriod": {"start": instant(one.planned_at)},
            "lastModified": instant(one.changed_at),
            "restriction": {"period": period(one.earliest, one.latest)},
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A bedside check that did not simply pass, as it was kept."""

    id: str
    at: datetime
    operator: str
    action: str
    word: str  # CHECK, STOP
    codes: tuple[str, ...]
    patient_id: str
    task_id: str


def detected_issue(one: Checked, view: View) -> Resource:
    """Map what stood against an act at the bedside."""
    implicated = reference("Task", one.task_id) if view.picture.get(Task, one.task_id) is not None else {}
    return pruned(
        {
            "resourceType": "DetectedIssue",
            "identifier": [identifier("urn:wardlink:check", one.id)],
            "status": "final",
            "code": concept(coding("urn:wardlink:check-action", one.action), text=one.action),
            "severity": "high" if one.word == "STOP" else "moderate",
            "patient": view.patient(one.patient_id),
            "identifiedDateTime": instant(one.at),
            "author": view.person(one.operator),
            "implicated": [implicated],
            "evidence": [{"code": [concept(coding("urn:wardlink:finding", code))]} for code in one.codes],
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One line of the chain."""

    n: int
    at: datetime
    actor: str
    action: str
    entity: str
    patient_id: str
    outcome: str
    detail: str
    hash: str


_LOGIN = {"sign-in": "110122", "sign-out": "110123"}
_CREATES = ("place", "admit", "new", "issue", "collect")
_UPDATES = (
    "change",
    "update",
    "transfer",
    "discharge",
    "verify",
    "acknowledge",
    "administration",
    "infusion",
)
_READS = ("fhir-read", "fhir-search", "break-glass-use", "read")


def action_of(action: str) -> str:
    """Return the FHIR letter of one of our actions."""
    if action.startswith(_READS):
        return "R"
    if action.startswith(_UPDATES) or action.endswith(("-change", "-stopped", "-on-hold")):
        return "U"
    if any(word in action for word in _CREATES):
        return "C"
    return "E"


def audit_event(one: AuditLine, view: View) -> Resource:
    """Map one line of the audit chain, with its hash."""
    login = one.action in _LOGIN
    kind = coding(codes.DICOM, "110114", "User Authentication") if login else coding(codes.EVENT_TYPE, "rest")
    detail: list[dict[str, Any]] = [
        {"type": name, "valueString": value}
        for name, value in (("detail", one.detail), ("hash", one.hash))
        if value
    ]
    return pruned(
        {
            "resourceType": "AuditEvent",
            "type": kind,
            "subtype": [
                coding(codes.DICOM, _LOGIN.get(one.action, "")),
                coding("urn:wardlink:audit-action", one.action),
            ],
            "action": action_of(one.action),
            "recorded": instant(one.at),
            "outcome": "0" if one.outcome in {"ok", "accepted"} else "4",
            "outcomeDesc": "" if one.outcome == "ok" else one.outcome,
            "agent": [{"who": view.person(one.actor), "requestor": bool(one.actor)}],
            "source": {"observer": {"display": "Wardlink"}},
            "entity": [
                {"what": view.patient(one.patient_id)},
                {
                    "what": {"identifier": {"system": "urn:wardlink:entity", "value": one.entity}},
                    "detail": detail,
                },
            ],
        }
    )
