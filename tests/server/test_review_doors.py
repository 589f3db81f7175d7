# ruff: noqa: F811 - fixtures of other files are imported by name
"""Every door to the outside has an end: in time, in size, and in who may close it."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from clinical.care_records import Specimen
from clinical.errors import BadInputError, ConflictError, UnavailableError
from server.fhir import hook_wire, hooks, taking
from server.fhir.errors import FhirError
from server.fhir.hooks import HookSender
from server.his_link import HospitalLink
from server.people.settings import Access
from server.prints import service as prints
from server.prints.service import Kind, Wish
from server.settings import His
from server.storage import care, dumps, schema
from tests.server.fhir.conftest import fhir_as, full, http, http_over  # noqa: F401 - fixtures
from tests.server.fhir.test_exports import ASYNC, finished, started
from tests.server.fhir.test_hooks import Listener, emr, listener, sender, subscribe  # noqa: F401 - fixtures
from tests.server.test_hospital_reports import Hospital
from tests.server.test_quarantine import WHY, Lists
from tests.support.fhir import Fhir
from tests.support.ward_http import bearer, put_person, serving, token_of, with_second_ward

LOOPBACK = ("127.0.0.0/8",)


@pytest.fixture
def endless(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of somebody who begins to answer, goes on and never comes to an end."""
    first, then = request.param
    over = threading.Event()

    def answer() -> None:
        caller, _ = door.accept()
        with caller:
            try:
                caller.recv(65_536)
                caller.sendall(first)
                while not over.wait(0.05):
                    caller.sendall(then)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=answer)
        thread.start()
        yield door.getsockname()[1]
        over.set()
        thread.join()


@pytest.mark.requirement("R-FHR-07")
@pytest.mark.hazard("H-FHR-02")
@pytest.mark.parametrize(
    ("endless", "answer"),
    [
        ((b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "fhir-hook-silent"),
        ((b"HTTP/1.1 200 OK\r\n\r\n", b"x"), "200"),
    ],
    indirect=["endless"],
    ids=["head", "body"],
)
def test_a_hook_that_never_comes_to_an_end_is_cut_off_in_time(
    endless: int, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook_wire, "TIMEOUT_S", 5.0)
    monkeypatch.setattr(hook_wire, "TOTAL_S", 0.3)
    url, began = f"http://127.0.0.1:{endless}/x", time.monotonic()
    try:
        found = str(hook_wire.send(url, "POST", {}, b"", networks=LOOPBACK, ca_file=None))
    except UnavailableError as error:
        found = error.code
    assert found == answer
    assert time.monotonic() - began < 3


@pytest.mark.requirement("R-FHR-07")
@pytest.mark.hazard("H-FHR-01")
def test_an_address_of_a_translating_gateway_is_judged_by_what_stands_behind_it() -> None:
    def judged(host: str, *networks: str) -> str:
        try:
            return str(hook_wire.judge(hook_wire.target_of(f"https://[{host}]/"), networks))
        except BadInputError as error:
            return error.code

    assert judged("64:ff9b::a00:1") == judged("64:ff9b::a9fe:a9fe") == "fhir-hook-network"
    assert judged("64:ff9b:1::808:808") == "fhir-hook-network"
    assert judged("64:ff9b::a00:1", "10.0.0.0/8") == "64:ff9b::a00:1"
    assert judged("64:ff9b::808:808") == "64:ff9b::808:808"


@pytest.mark.requirement("R-FHR-07")
@pytest.mark.hazard("H-FHR-02")
def test_a_fault_in_telling_one_system_keeps_nothing_from_those_behind_it(
    full: Any, emr: Fhir, listener: Listener, sender: HookSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sorted(subscribe(emr, listener, "MedicationRequest") for _ in range(2))
    full.order("1001", "N1")
    changed = HookSender._changed

    def faulty(self: HookSender, connection: Any, view: Any, caller: Any, row: Any) -> Any:
        if row.id == first:
            raise KeyError("欧阳")
        return changed(self, connection, view, caller, row)

    monkeypatch.setattr(HookSender, "_changed", faulty)
    with capture_logs() as logs:
        assert sender.sweep() == 1
    assert [one["status"] for one in map(emr.get, (f"/Subscription/{first}", f"/Subscription/{second}"))] == [
        "error", "active"
    ]  # fmt: skip
    assert [one["error"] for one in logs if one["event"] == "hook-fault"] == ["KeyError"]
    assert "欧阳" not in str(logs)
    monkeypatch.undo()
    full.clock.move(seconds=6)
    assert sender.sweep() == 1
    assert emr.get(f"/Subscription/{first}")["status"] == "active"


@pytest.mark.requirement("R-FHR-07")
@pytest.mark.hazard("H-FHR-02")
def test_a_round_of_telling_ends_in_time_and_the_next_begins_with_who_had_no_turn(
    full: Any, emr: Fhir, listener: Listener, sender: HookSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = sorted(subscribe(emr, listener, "MedicationRequest") for _ in range(3))
    with full.store.reading() as connection:
        rows = connection.execute(schema.fhir_subscriptions.select()).all()
    of = {row.id: row.endpoint for row in rows}
    assert sorted(of) == names
    now, told = [0.0], []

    def slow(self: HookSender, row: Any, one: Any) -> None:
        told.append((names.index(row.id), one.resource["id"]))
        now[0] += hooks.ROUND_S * 0.7

    monkeypatch.setattr(HookSender, "_send", slow)
    monkeypatch.setattr(hooks, "monotonic", lambda: now[0])
    for name in ("N1", "N2", "N3"):
        full.order("1001", name)
    rounds = []
    while sender.sweep():
        rounds.append(told[:])
        told.clear()
    assert rounds[:2] == [[(0, "O-N1"), (0, "O-N2")], [(1, "O-N1"), (1, "O-N2")]]
    flat = [one for part in rounds for one in part]
    assert sorted(flat) == [(who, name) for who in range(3) for name in ("O-N1", "O-N2", "O-N3")]
    assert max(map(len, rounds)) == 2


@pytest.mark.requirement("R-FHR-07")
@pytest.mark.hazard("H-FHR-02")
def test_a_system_that_takes_for_ever_over_one_commit_is_tried_again_later(
    full: Any, emr: Fhir, listener: Listener, sender: HookSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    fid = subscribe(emr, listener, "Task?status:not=x")
    now, told = [0.0], []

    def slow(self: HookSender, row: Any, one: Any) -> None:
        told.append(one.resource["id"])
        now[0] += hooks.COMMIT_S / 2

    monkeypatch.setattr(HookSender, "_send", slow)
    monkeypatch.setattr(hooks, "monotonic", lambda: now[0])
    full.order("1001", "MANY", frequency="q10min", start=full.clock(), end=None)
    assert sender.sweep() == len(told) == 3
    state = emr.get(f"/Subscription/{fid}")
    assert (state["status"], state["error"]) == ("error", "the hook takes too long for one change")
    full.clock.move(seconds=6)
    assert sender.sweep() == 3
    assert told[3:] == told[:3]  # nothing of it counts as told


@pytest.mark.requirement("R-FHR-02")
@pytest.mark.hazard("H-FHR-01")
def test_a_search_weighs_a_bounded_number_of_values(full: Any, fhir_as: Any) -> None:
    client = fhir_as()

    def search(parts: int, values: int) -> str:
        return "/Task?_count=0&" + "&".join(f"code:not={','.join(['a'] * values)}" for _ in range(parts))

    assert client.ask("GET", search(2, 50)).status_code == 200
    assert client.refused("GET", search(3, 40)) == (400, "fhir-search")


@pytest.mark.requirement("R-PEOPLE-06")
@pytest.mark.hazard("H-SRV-07")
def test_what_people_ask_by_fhir_counts_like_everything_else_they_ask(
    ward: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.app.access_of", lambda _: Access(requests_per_s=0.1, requests_burst=20))
    with serving(ward.store, ward.site, tmp_path) as client:
        head, other = (bearer(token_of(ward.store, one)) for one in ("N20713", "N10001"))
        asked = ["/fhir/R4/Flag?_count=0", "/api/v1/me"] * 11
        assert [client.get(path, headers=head).status_code for path in asked] == [200] * 20 + [429] * 2
        assert client.get(asked[0], headers=other).status_code == 200


@pytest.mark.requirement("R-FHR-05")
@pytest.mark.hazard("H-FHR-03")
@pytest.mark.parametrize("levels", [taking.DEEPEST, 900, 100_000])
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"x":', b"}")], ids=["list", "object"])
def test_a_body_without_bottom_is_refused_as_a_bad_request(levels: int, pair: tuple[bytes, bytes]) -> None:
    down, up = pair
    with pytest.raises(FhirError) as refused:
        taking.read_json(b'{"x":' + down * levels + b"1" + up * levels + b"}")
    assert (refused.value.status, refused.value.code) == (400, "fhir-json")
    few = taking.DEEPEST - 1
    assert taking.read_json(b'{"x":' + down * few + b"1" + up * few + b"}")


@pytest.mark.requirement("R-FHR-08")
@pytest.mark.hazard("H-FHR-01")
def test_an_export_whose_folder_cannot_be_made_holds_up_no_later_one(
    full: Any, fhir_as: Any, tmp_path: Path
) -> None:
    office = fhir_as(scopes=("system/*.rs?ward=W1",))
    place = tmp_path / "fhir-exports"
    place.write_text("no folder")
    assert office.ask("GET", "/Group/W1/$export", headers=ASYNC).status_code >= 500
    place.unlink()
    status = started(office)
    assert finished(office, status)["output"]


@pytest.mark.requirement("R-PREP-04")
@pytest.mark.hazard("H-PREP-03")
def test_a_label_that_was_drawn_while_the_sample_arrived_does_not_send_it_back(
    ward: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.admit("1001", "01")
    task = ward.task_of(ward.order("1001", "S1"))
    tube = Specimen(
        id="T2611250042", order_id="O-S1", patient_id="P-1001", encounter_id=task.encounter_id,
        container="purple", task_id=task.id, state="printed",
    )  # fmt: skip
    ward.store.write(lambda unit: unit.put(tube))
    drawn = prints._drawn
    arrived = replace(tube, state="received", received_at=ward.clock())

    def slow(*args: Any) -> prints.Printed:
        made = drawn(*args)
        ward.store.write(lambda unit: unit.put(arrived))
        return made

    monkeypatch.setattr(prints, "_drawn", slow)
    with pytest.raises(ConflictError) as late:
        prints.print_label(ward.store, ward.site, Wish(kind=Kind.TUBE, subject=tube.id, by="N20713"))
    assert late.value.code == "task-closed"
    assert ward.store.picture.get(Specimen, tube.id) == arrived


@pytest.mark.requirement("R-PEOPLE-09")
@pytest.mark.hazard("H-PEOPLE-06")
def test_only_somebody_of_every_ward_tries_again_or_closes_what_may_be_about_any(
    ward: Any, tmp_path: Path
) -> None:
    ward.site = with_second_ward(ward.site)
    with serving(ward.store, ward.site, tmp_path, take_packet=lambda *_: None) as client:
        lists = Lists(ward, client, [])
        lists.put_event_aside()
        lists.put_message_aside()
        put_person(ward.store, "local", "manager")
        local = bearer(token_of(ward.store, "local"))
        for name in ("events", "quarantine"):
            assert lists("GET", name, lists.engineer).json()["waiting"] == 1
            assert lists.code("POST", f"{name}/1/retry", lists.engineer, WHY) == "other-ward"
            assert lists.code("POST", f"{name}/1/retry", local, WHY) == "other-ward"
            assert lists.code("POST", f"{name}/1/close", local, WHY) == "other-ward"
            assert lists.states(name) == ["waits"]
            assert lists("POST", f"{name}/1/retry", None, WHY).json()["state"] == "waits"
            assert lists("POST", f"{name}/1/close", None, WHY).json()["state"] == "closed"


@pytest.mark.requirement("R-SRV-24")
@pytest.mark.hazard("H-SRV-01")
def test_a_backup_is_read_by_who_makes_it_alone(ward: Any, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    before = os.umask(0o022)
    try:
        assert care.backup(f"sqlite:///{tmp_path / 'ward.db'}", target)["ok"]
    finally:
        os.umask(before)
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.requirement("R-SRV-92")
@pytest.mark.hazard("H-SRV-01")
def test_a_dump_is_private_from_its_first_byte_and_goes_by_the_tls_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, seen = tmp_path / "ward.dump", []

    def program(*words: Any, env: dict[str, str], **_: Any) -> subprocess.CompletedProcess[str]:
        seen.append((target.stat().st_mode & 0o777, env.get("PGSSLMODE"), env.get("PGSSLROOTCERT")))
        return subprocess.CompletedProcess(words, 1, "", "no server")

    monkeypatch.setattr(subprocess, "run", program)
    where = "postgresql+psycopg://ward@127.0.0.1:1/ward?sslmode=verify-full&sslrootcert=/etc/ca.pem"
    with pytest.raises(UnavailableError):
        dumps.backup(where, target)
    assert seen == [(0o600, "verify-full", "/etc/ca.pem")]
    assert not target.exists()


@pytest.mark.requirement("R-HIS-20")
@pytest.mark.hazard("H-HIS-09")
def test_a_kept_message_that_is_not_read_any_more_does_not_keep_the_server_from_starting(ward: Any) -> None:
    hospital = Hospital(ward)
    beat = [
        "PID|||", "OBR|1||830|196616^MDC_EVT_ALARM^MDC",
        "OBX|1|ST|196614^MDC_EVT_ACTIVE^MDC|1.0.0.1|continue",
        "OBX|2|NM|67860^MDC_ATTR_CONFIRM_TIMEOUT^MDC|1.0.0.8|5|264320^MDC_DIM_SEC^MDC",
    ]  # fmt: skip
    assert [hospital.send("ORU^R40", *beat) for _ in range(2)] == ["AA", "AA"]
    table = schema.hl7_messages
    broken = update(table).where(table.c.n == 1).values(raw=b"PID|||\xff")
    ward.store.write(lambda unit: unit.connection.execute(broken))
    with capture_logs() as logs:
        again = HospitalLink(His(), ward.store, ward.site).gateways
    assert [one["error"] for one in logs if one["event"] == "watchdog-unread"] == ["RefusedMessageError"]
    ward.clock.move(seconds=16)
    again.tick()
    assert hospital.alarms()["device-lost"].signal == "on"  # the other message is gone on from
