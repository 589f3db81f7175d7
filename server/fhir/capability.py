"""The CapabilityStatement: what this server does, made of the table its routes are made of."""

from __future__ import annotations

from datetime import datetime

from server.fhir.served import TYPES
from server.fhir.shape import Resource, instant


def statement(base: str, now: datetime, version: str) -> Resource:
    """Return the statement of the server at ``base``."""
    types = [_type(kind) for kind in sorted(TYPES)] + [_group(), _subscription()]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant(now),
        "kind": "instance",
        "software": {"name": "Wardlink", "version": version},
        "implementation": {"description": "Wardlink ward server", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "description": "A bearer token: the session of a person, or a system's own token with "
                    "scopes such as system/Observation.rs?ward=W1."
                },
                "resource": types,
                "interaction": [{"code": "transaction"}],
            }
        ],
    }


def _type(kind: str) -> Resource:
    served = TYPES[kind]
    interactions = ["read", "search-type", *(["create"] if served.creates else [])]
    found: Resource = {
        "type": kind,
        "documentation": served.about,
        "interaction": [{"code": code} for code in interactions],
        "versioning": "versioned",
        "readHistory": False,
        "updateCreate": False,
        "conditionalCreate": served.creates,
        "conditionalRead": "not-match",
        "searchParam": [
            {"name": param.name, "type": param.kind.value} for param in served.source.params.values()
        ],
    }
    if served.profile:
        found["supportedProfile"] = [served.profile]
    if kind == "Patient":
        url = "http://hl7.org/fhir/OperationDefinition/Patient-everything"
        found["operation"] = [{"name": "everything", "definition": url}]
    return found


def _group() -> Resource:
    url = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export"
    return {"type": "Group", "operation": [{"name": "export", "definition": url}]}


def _subscription() -> Resource:
    codes = ("create", "read", "search-type", "delete")
    return {"type": "Subscription", "interaction": [{"code": code} for code in codes]}
