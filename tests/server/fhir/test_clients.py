"""An independent FHIR client reads from and creates on a real server in its own process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound

from tests.support.server_process import WardProcess

WARD_FILE = Path(__file__).parents[2] / "data" / "ward.toml"
MRN = "urn:wardlink:mrn"


@pytest.fixture
def server(ward: Any, tmp_path: Path) -> Iterator[WardProcess]:
    ward.admit("1001", "01", "欧阳𠮷")
    ward.store.close()
    process = WardProcess(tmp_path, WARD_FILE)
    process.start()
    yield process
    assert process.stop() == 0
    assert "request-failed" not in process.log


@pytest.mark.slow
@pytest.mark.requirement("R-FHR-03")
@pytest.mark.requirement("R-FHR-09")
def test_fhirpy_reads_searches_and_creates(server: WardProcess) -> None:
    with server.client("E90001", "9517") as engineer:
        made = engineer.post("/fhir-tokens", json={"name": "emr", "scopes": ["system/*.crs?ward=W1"]})
        assert made.status_code == 201, made.text
    client = SyncFHIRClient(f"{server.base}/fhir/R4", authorization=f"Bearer {made.json()['token']}")
    found = client.resources("Patient").search(identifier=f"{MRN}|1001").fetch_all()
    assert [one["name"][0]["text"] for one in found] == ["欧阳𠮷"]
    stay = client.reference("Encounter", "E-V1001").to_resource()
    assert stay["location"][0]["location"]["reference"] == "Location/W1.2F01"
    order = client.resource(
        "MedicationRequest",
        identifier=[{"system": "urn:wardlink:order", "value": "F1"}],
        status="active",
        intent="order",
        medicationCodeableConcept={"coding": [{"system": "urn:wardlink:drug", "code": "PCT500"}]},
        subject={"reference": "Patient/P-1001"},
        dosageInstruction=[{
            "route": {"coding": [{"code": "PO"}]}, "timing": {"code": {"coding": [{"code": "TID"}]}},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "片"}}],
        }],
    )  # fmt: skip
    order.save()
    assert order.id == "O-F1"
    assert client.resources("Task").search(focus="O-F1").fetch_all()
    with pytest.raises(ResourceNotFound):
        client.reference("Patient", "none").to_resource()
    with pytest.raises(OperationOutcome):
        client.resources("Patient").search(colour="red").fetch()
    _an_endless_body_is_an_outcome(server)


def _an_endless_body_is_an_outcome(server: WardProcess) -> None:
    head = {"authorization": "Bearer wlf_x", "content-type": "application/fhir+json"}

    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b"[" * 100_000

    with httpx2.Client(base_url=server.base, headers=head, timeout=20) as client:
        assert client.get("/fhir/R4/metadata").json()["resourceType"] == "CapabilityStatement"
        try:
            answer = client.post("/fhir/R4/Patient", content=endless())
        except httpx2.TransportError:
            return  # the server hung up while it was still being written to
        assert answer.status_code in {401, 413}
        assert answer.json()["resourceType"] == "OperationOutcome"
