"""What is read from rows, and what is written, on each kind of store."""

from __future__ import annotations

from typing import Any

import pytest

from server.fhir import tokens
from server.fhir.hooks import HookSender
from server.fhir.served import TYPES
from server.fhir.settings import Fhir as Settings
from tests.support.fhir import Fhir


@pytest.mark.slow
@pytest.mark.requirement("R-FHR-02")
def test_every_type_is_searched_paged_and_created_on_each_kind_of_store(
    any_full: Any, http_over: Any
) -> None:
    made = any_full.store.write(
        lambda unit: tokens.make(
            unit, any_full.site, name="emr", scopes=["system/*.crds"], days=1, by="E90001"
        )
    )
    with http_over(any_full) as http:
        emr = Fhir(http, made[0])
        for kind in TYPES:
            params = {"patient": "P-1001"} if kind == "Observation" else {}
            whole = [one["id"] for one in emr.found(f"/{kind}", **params)]
            paged = [one["id"] for one in emr.found(f"/{kind}", **params, _count="2")]
            assert whole, kind
            assert len(paged) == len(set(paged)), kind
            assert set(paged) - set(whole) <= ({paged[0]} if kind == "AuditEvent" else set()), (
                kind
            )  # this look
            assert set(whole) <= set(paged), kind
        body = {
            "resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/P-1001"},
            "identifier": [{"system": "urn:emr", "value": "1"}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "effectiveDateTime": "2026-05-04T08:00:00+08:00", "valueQuantity": {"value": 70, "code": "/min"},
        }  # fmt: skip
        created = emr.ask("POST", "/Observation", json=body)
        assert created.status_code == 201, created.text
        known = {"if-none-exist": "identifier=urn:emr|1"}
        again = emr.ask("POST", "/Observation", json=body, headers=known)
        assert (again.status_code, again.json()["id"]) == (200, created.json()["id"])
        assert emr.found("/Patient", _lastUpdated="ge2026-05-04")
    assert HookSender(any_full.store, any_full.site, Settings()).sweep() == 0
