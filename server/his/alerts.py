"""Alerts of other makers' devices (IHE PCD-04, ORU^R40), and the watchdog of their gateways.

The facets of an alert are read by their names, so that the older codes of some gateways, other numbers and
facets in flat OBX-4 mean the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from clinical.records import AlarmPriority
from server.his.message import Message, Segment
from server.his.obx import (
    Tree,
    code_of,
    gateway_of,
    generation_of,
    number_of,
    report_time,
    unit_of,
    whom_of,
)
from server.his.port import HospitalFact
from server.his.reading import Site
from server.his.refusal import missing, wrong_form
from server.his.reported import GatewayAlive, ReportAlert

_FACETS = {
    "MDC_ATTR_ALERT_SOURCE": "source",
    "MDC_ATTR_EVENT_PHASE": "phase",
    "MDC_ATTR_ALARM_STATE": "state",
    "MDC_ATTR_ALERT_STATE": "state",
    "MDC_ATTR_ALARM_INACTIVATION_STATE": "inactivation",
    "MDC_ATTR_ALARM_PRIORITY": "priority",
    "MDC_ATTR_ALERT_PRIORITY": "priority",
    "MDC_ATTR_ALERT_TYPE": "type",
    "MDC_ATTR_CONFIRM_TIMEOUT": "timeout",
}
_NUMBERS = {
    "68480": "source", "68164": "source", "68481": "phase", "68165": "phase", "68482": "state",
    "68166": "state", "68483": "inactivation", "68167": "inactivation", "68484": "priority",
    "68485": "type", "68546": "text", "67860": "timeout",
}  # fmt: skip
_PHASES = {
    "end": "end", "stop": "end", "reset": "end", "tpoint": "moment", "start_only": "moment",
    "acknowledged": "acknowledged",
}  # fmt: skip
_PRIORITIES = {"PN": AlarmPriority.LOW, "PL": AlarmPriority.LOW, "PM": AlarmPriority.MEDIUM,
               "PH": AlarmPriority.HIGH}  # fmt: skip
_WATCHDOG = ("196614", "MDC_EVT_ACTIVE")
_ALARM = ("196616", "MDC_EVT_ALARM")
DEFAULT_TIMEOUT_S = 5  # IHE PCD-04, MDC_ATTR_CONFIRM_TIMEOUT
_LONGEST_S = 3600
_MAX_ID = 90


@dataclass(slots=True)
class _Facets:
    """One alert's rows: its event, the value it is about, and its facets by name."""

    event: Segment | None = None
    about: Segment | None = None
    named: dict[str, Segment] = field(default_factory=dict)
    equipment: str = ""

    def word(self, name: str) -> str:
        """Return a facet's word; empty when the alert has none."""
        row = self.named.get(name)
        return (row.value(5) or row.value(5, 2)) if row is not None else ""

    def flag(self, among: str) -> str:
        """Return a flag of OBX-8 of the event that starts with one of ``among``'s letters."""
        parts = self.event.repetitions(8) if self.event is not None else []
        words = (part.component(1).upper() for part in parts)
        return next((word for word in words if len(word) == 2 and word[0] == among), "")


def facts_of(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    """Return what an alert message says.

    Raises:
        RefusedMessageError: There is no alert in it, or it has no identity.
    """
    obr, facets = message.first("OBR"), _read(message, site)
    if obr is None:
        raise missing("OBR", "observation request")
    if facets.event is None:
        raise missing("OBX", "alert event")
    if _is(facets.event, _WATCHDOG):
        return (_alive(message, facets, site),)
    return (_alert(message, obr, facets, facets.event, site),)


def _read(message: Message, site: Site) -> _Facets:
    facets, tree = _Facets(), Tree(site)
    for obx in message.all("OBX"):
        tree.take(obx)
        name = _FACETS.get(obx.value(3, 2)) or _NUMBERS.get(obx.value(3))
        if name is not None:
            facets.named.setdefault(name, obx)
        elif not obx.value(5) and not obx.value(5, 2):
            continue  # a row of the containment tree
        elif facets.event is None:
            facets.event = obx
        elif facets.about is None:
            facets.about = obx
    facets.equipment = tree.equipment
    return facets


def _is(obx: Segment, names: tuple[str, str]) -> bool:
    return obx.value(3) in names or obx.value(3, 2) in names


def _alive(message: Message, facets: _Facets, site: Site) -> GatewayAlive:
    seconds = facets.named.get("timeout")
    timeout = number_of(seconds) if seconds is not None else None
    if timeout is not None and not 1 <= timeout <= _LONGEST_S:
        raise wrong_form("OBX-5", "a time of 1 s to 1 h")
    return GatewayAlive(
        gateway=gateway_of(message),
        timeout_s=int(timeout or DEFAULT_TIMEOUT_S),
        active=facets.word("state").lower() != "inactive" and _phase(facets) != "end",
        at=report_time(message, site),
        generation=generation_of(message),
    )


def _alert(message: Message, obr: Segment, facets: _Facets, event: Segment, site: Site) -> ReportAlert:
    kind = facets.word("type").upper() or facets.flag("S")
    measured, about = None, facets.about
    if about is not None and about.value(2).upper() == "NM":
        measured = number_of(about)
    return ReportAlert(
        whom=whom_of(message, site, facets.equipment),
        gateway=gateway_of(message),
        alert=_identity(obr),
        event=_event_name(event),
        text=_text(event)[:120],
        kind="physiological" if kind == "SP" else "technical",
        priority=_priority(facets, kind),
        phase=_phase(facets),
        code=code_of(about, site) if about is not None and measured is not None else "",
        measured=measured,
        unit=unit_of(about, site) if about is not None and measured is not None else "",
        at=report_time(message, site),
        generation=generation_of(message),
    )


def _identity(obr: Segment) -> str:
    parts = [obr.value(3, part) for part in (1, 2, 3)] or [obr.value(29)]
    name = "^".join(part for part in parts if part) or obr.value(29)
    if not name:
        raise missing("OBR-3", "alert instance id")
    return name[:_MAX_ID]


def _event_name(event: Segment) -> str:
    if _is(event, _ALARM):
        return (event.value(5, 2) or event.value(5))[:64]
    return (event.value(3, 2) or event.value(3))[:64]


def _text(event: Segment) -> str:
    if event.value(2).upper() in {"CWE", "CE"} and _is(event, _ALARM):
        return event.value(5, 9) or event.value(5, 2) or event.value(5)
    return event.text(5)


def _priority(facets: _Facets, kind: str) -> AlarmPriority:
    """Return the priority said; a physiological alarm that says none is of medium priority."""
    word = facets.word("priority").upper() or facets.flag("P")
    default = AlarmPriority.MEDIUM if kind == "SP" else AlarmPriority.LOW
    return _PRIORITIES.get(word, default)


def _phase(facets: _Facets) -> str:
    if facets.word("state").lower() == "inactive":
        return "end"
    return _PHASES.get(facets.word("phase").lower(), "update")
