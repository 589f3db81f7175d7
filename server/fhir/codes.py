"""Code systems, and the required value sets that every resource is held against, in both directions.

Libraries of FHIR check shapes, not codes: a status of ``foo`` passes them. So the sets that R4 makes
required for what is sent and taken here stand in one table. Source: HL7 FHIR R4 (4.0.1), required bindings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
MDC = "urn:iso:std:iso:11073:10101"
LOCAL = "urn:wardlink:observation"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ROUTE = "http://terminology.hl7.org/CodeSystem/v2-0162"
PLACE = "http://terminology.hl7.org/CodeSystem/location-physical-type"
BED_STATUS = "http://terminology.hl7.org/CodeSystem/v2-0116"
FLAG_CATEGORY = "http://terminology.hl7.org/CodeSystem/flag-category"
PERFORMER = "http://terminology.hl7.org/CodeSystem/med-admin-perform-function"
TIMING = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"
EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
VITAL_SIGNS = "http://hl7.org/fhir/StructureDefinition/vitalsigns"
TEST_DATA = {"system": REASON, "code": "HTEST", "display": "test health data"}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


REQUIRED: Mapping[str, frozenset[str]] = {
    "Patient.gender": _set("male female other unknown"),
    "Patient.name.use": _set("usual official temp nickname anonymous old maiden"),
    "Practitioner.name.use": _set("usual official temp nickname anonymous old maiden"),
    "*.identifier.use": _set("usual official temp secondary old"),
    "Encounter.status": _set(
        "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown"
    ),
    "Encounter.class.code": _set("AMB EMER FLD HH IMP ACUTE NONAC OBSENC PRENC SS VR"),
    "Encounter.location.status": _set("planned active reserved completed"),
    "Location.status": _set("active suspended inactive"),
    "Location.mode": _set("instance kind"),
    "Location.operationalStatus.code": _set("C H O U K I"),
    "Device.status": _set("active inactive entered-in-error unknown"),
    "Device.deviceName.type": _set(
        "udi-label-name user-friendly-name patient-reported-name manufacturer-name model-name other"
    ),
    "DeviceMetric.operationalStatus": _set("on off standby entered-in-error"),
    "DeviceMetric.category": _set("measurement setting calculation unspecified"),
    "DeviceUseStatement.status": _set("active completed entered-in-error intended stopped on-hold"),
    "MedicationRequest.status": _set(
        "active on-hold cancelled completed entered-in-error stopped draft unknown"
    ),
    "MedicationRequest.intent": _set(
        "proposal plan order original-order reflex-order filler-order instance-order option"
    ),
    "MedicationRequest.priority": _set("routine urgent asap stat"),
    "MedicationRequest.dosageInstruction.timing.repeat.periodUnit": _set("s min h d wk mo a"),
    "MedicationRequest.dosageInstruction.timing.repeat.durationUnit": _set("s min h d wk mo a"),
    "MedicationRequest.dosageInstruction.timing.repeat.dayOfWeek": _set("mon tue wed thu fri sat sun"),
    "MedicationAdministration.status": _set(
        "in-progress not-done on-hold completed entered-in-error stopped unknown"
    ),
    "Observation.status": _set(
        "registered preliminary final amended corrected cancelled entered-in-error unknown"
    ),
    "Specimen.status": _set("available unavailable unsatisfactory entered-in-error"),
    "Task.status": _set(
        "draft requested received accepted rejected ready cancelled in-progress on-hold failed completed "
        "entered-in-error"
    ),
    "Task.intent": _set(
        "unknown proposal plan order original-order reflex-order filler-order instance-order option"
    ),
    "Task.priority": _set("routine urgent asap stat"),
    "Flag.status": _set("active inactive entered-in-error"),
    "DetectedIssue.status": _set(
        "registered preliminary final amended corrected cancelled entered-in-error unknown"
    ),
    "DetectedIssue.severity": _set("high moderate low"),
    "AuditEvent.action": _set("C R U D E"),
    "AuditEvent.outcome": _set("0 4 8 12"),
    "Subscription.status": _set("requested active error off"),
    "Subscription.channel.type": _set("rest-hook websocket email sms message"),
    "Bundle.type": _set(
        "document message transaction transaction-response batch batch-response history searchset collection"
    ),
    "OperationOutcome.issue.severity": _set("fatal error warning information"),
    "OperationOutcome.issue.code": _set(
        "invalid structure required value invariant security login unknown expired forbidden suppressed "
        "processing not-supported duplicate multiple-matches not-found deleted too-long code-invalid "
        "extension too-costly business-rule conflict transient lock-error no-store exception timeout "
        "incomplete throttled informational"
    ),
}
"""Path of an element → the codes R4 allows there; ``*`` stands for every type."""


def wrong_codes(resource: Mapping[str, Any]) -> list[str]:
    """Name the elements of a resource whose code is not one R4 allows."""
    kind = str(resource.get("resourceType", ""))
    return [
        path
        for path, allowed in REQUIRED.items()
        if path.split(".", 1)[0] in {kind, "*"}
        for found in _values(resource, path.split(".")[1:])
        if found not in allowed
    ]


def _values(value: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for part in value:
            yield from _values(part, path)
    elif not path:
        yield value if isinstance(value, str) else ""
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _values(value[path[0]], path[1:])
