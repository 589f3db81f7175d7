"""Every route of the contract, asked by every role: no 5xx, and every answer as the contract says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from clinical.records import Bag, Encounter, Task
from server.app import create_app
from tests.support.server_process import WardProcess
from tests.support.ward_http import put_person, token_of

WARD_FILE = Path(__file__).parents[1] / "data" / "ward.toml"
CONTRACT = schemathesis.openapi.from_dict(create_app(None).openapi())
ROUTES = [operation.ok() for operation in CONTRACT.get_all_operations()]
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
ENDS = ("/api/v1/sessions/current", "/api/v1/sessions/current/lock")
"""Routes after which a session does nothing more; they are asked by nobody."""
ROLES = (
    "nurse", "charge-nurse", "student", "instructor", "doctor", "pharmacist", "manager", "engineer",
    "read-only",
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("contract")


@pytest.fixture
def running(ward: Any, tmp_path: Path) -> Iterator[tuple[WardProcess, dict[str, str]]]:
    """A server over a ward with a patient, an order and a bag, and the ids that its addresses name."""
    ward.admit("1001", "01")
    task = ward.task_of(ward.order_bag("1001", "B1"))
    bag = ward.bag(task.id)
    stay = next(iter(ward.store.picture.all(Encounter)))
    named = {"ward": "W1", "task_id": task.id, "encounter_id": stay.id, "bag_id": bag.id, "order_id": "O-B1"}
    named |= {"patient_id": stay.patient_id, "patient_fid": stay.patient_id, "fid": stay.patient_id}
    ward.clock.now = datetime.now(UTC)  # the server's own clock, by which the sessions are still good
    for role in ROLES:
        put_person(ward.store, role, role)
    named["tokens"] = " ".join(token_of(ward.store, role) for role in ROLES)
    assert ward.store.picture.get(Task, task.id)
    assert ward.store.picture.get(Bag, bag.id)
    ward.store.close()
    process = WardProcess(tmp_path, WARD_FILE)
    process.start()
    yield process, named
    assert process.stop() == 0
    assert "request-failed" not in process.log


def explore(
    server: WardProcess, named: dict[str, str], examples: int, seconds: float, only: int | None = None
) -> dict[str, str]:
    """Ask every route, each time as another role; returns which answered otherwise than the contract says.

    ``only`` is the number of the role that asks, instead of all in turns.
    """
    began = time.monotonic()
    tokens = named["tokens"].split() if only is None else [named["tokens"].split()[only]]
    wrong = {}
    for number, route in enumerate(ROUTES, 1):
        deadline = began + seconds * number / len(ROUTES)  # so that the last ones have their turn, too
        try:
            _explore(server.base, route, tokens, named, examples, deadline)
        except FailureGroup as failed:
            wrong[f"{route.method} {route.path}"] = "; ".join(map(str, failed.exceptions))[:2000]
    return wrong


def _explore(
    base: str, route: Any, tokens: list[str], named: dict[str, str], examples: int, deadline: float
) -> None:
    @given(case=route.as_strategy(), real=st.booleans(), token=st.sampled_from(tokens))
    @settings(
        max_examples=examples,
        deadline=None,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any, real: bool, token: str) -> None:
        if time.monotonic() > deadline:
            return
        if real:
            for name in case.path_parameters or {}:
                case.path_parameters[name] = named.get(name, case.path_parameters[name])
        if case.query and "wait" in case.query:
            case.query["wait"] = 0
        who = {"authorization": f"Bearer {token if route.path not in ENDS else 'none'}"}
        response = case.call(base_url=base, headers=who, timeout=20)
        case.validate_response(response, checks=CHECKS)

    ask()


@pytest.mark.slow
@pytest.mark.requirement("R-SRV-12")
@pytest.mark.hazard("H-SRV-07")
def test_no_route_fails_and_every_answer_is_as_the_contract_says(running: Any) -> None:
    server, named = running
    assert explore(server, named, examples=10, seconds=20) == {}


@pytest.mark.full
@pytest.mark.requirement("R-SRV-12")
@pytest.mark.hazard("H-SRV-07")
@pytest.mark.parametrize("role", ROLES)
def test_no_route_fails_however_long_it_is_asked(running: Any, role: str) -> None:
    server, named = running
    assert explore(server, named, examples=100, seconds=150, only=ROLES.index(role)) == {}


@pytest.mark.requirement("R-SRV-12")
@pytest.mark.hazard("H-SRV-07")
def test_a_body_or_message_that_is_too_large_is_refused(running: Any) -> None:
    server, _ = running
    with server.client() as client:
        answer = client.post("/events", content=b" " * 2_000_001)
        assert (answer.status_code, answer.json()["code"]) == (413, "too-large")

        def endless() -> Iterator[bytes]:
            for _ in range(40):
                yield b"[" * 100_000

        try:
            assert client.post("/events", content=endless()).status_code in {400, 413, 422}
        except httpx2.TransportError:
            return  # the server hung up while it was still being written to
