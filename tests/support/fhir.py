"""A small FHIR client over the test client, and the independent judge of what it gets."""

from __future__ import annotations

import json
from typing import Any

from fhir.resources.R4B import get_fhir_model_class

from server.fhir.codes import wrong_codes
from server.his.port import AdmitPatient, Demographics, Place
from tests.support.ward_http import bearer


def check(resource: dict[str, Any]) -> dict[str, Any]:
    """Hold a resource, and all within a bundle, against R4B and the required code sets."""
    model = get_fhir_model_class(resource["resourceType"])
    model.model_validate_json(json.dumps(resource))
    assert wrong_codes(resource) == [], resource
    for entry in resource.get("entry", ()):
        if "resource" in entry:
            check(entry["resource"])
    return resource


def second_patient() -> AdmitPatient:
    """Somebody in the other ward."""
    return AdmitPatient(
        mrn="2001",
        visit_number="V2001",
        place=Place(ward="W2", bed="21"),
        who=Demographics(name="乙", allergies=()),
    )


class Fhir:
    """Asks ``/fhir/R4`` with one token; every answer is checked."""

    def __init__(self, client: Any, token: str) -> None:
        self._client, self.head = client, bearer(token)

    def ask(self, method: str, path: str, **said: Any) -> Any:
        head = self.head | said.pop("headers", {})
        if "json" in said:
            said["content"] = json.dumps(said.pop("json"), ensure_ascii=False).encode()
            head = {"content-type": "application/fhir+json"} | head
        answer = self._client.request(method, f"/fhir/R4{path}", headers=head, **said)
        if answer.content and answer.headers["content-type"].startswith("application/fhir+json"):
            check(answer.json())
        return answer

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        answer = self.ask("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def found(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Every resource of every page that matches."""
        page = self.get(path, **params)
        result = []
        while True:
            result += [one["resource"] for one in page.get("entry", ()) if one["search"]["mode"] == "match"]
            following = [link["url"] for link in page["link"] if link["relation"] == "next"]
            if not following:
                return result
            answer = self._client.get(following[0], headers=self.head)
            assert answer.status_code == 200, answer.text
            page = check(answer.json())

    def refused(self, method: str, path: str, **said: Any) -> tuple[int, str]:
        """Status and code of a refusal, which has to be an OperationOutcome."""
        answer = self.ask(method, path, **said)
        assert answer.headers["content-type"] == "application/fhir+json", answer.text
        outcome = answer.json()
        assert outcome["resourceType"] == "OperationOutcome", outcome
        return answer.status_code, outcome["issue"][0]["details"]["coding"][0]["code"]
