"""Raw message, effect and outcome are on disk together; many share a commit, none takes another down."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, select

from clinical.errors import UnavailableError
from clinical.records import Encounter, Patient
from server.his.port import MessageState
from server.his_link import HospitalLink
from server.settings import His
from server.storage.schema import hl7_messages

ADMIT = (
    "MSH|^~\\&|{sender}|H|WARDLINK|W1|20260504090000||ADT^A01^ADT_A01|{control}|T|2.6||||||UNICODE UTF-8\r"
    "PID|1||{mrn}^^^H^MR||张^三||19580614|M\rPV1|1|I|W1^^{bed}||||||||||||||||V{mrn}\r"
)


def admit(number: int, bed: str, sender: str = "HIS", control: str = "") -> bytes:
    return ADMIT.format(sender=sender, control=control or f"C{number}", mrn=number, bed=bed).encode()


class Door:
    """The receiver of a link, and the rows it leaves."""

    def __init__(self, ward: Any) -> None:
        self.ward, self.link = ward, HospitalLink(His(), ward.store, ward.site)

    def send(self, raw: bytes) -> str:
        (frame,) = self.link._receiver.handle(raw, "test")
        return frame.split(b"\rMSA|")[1][:2].decode()

    def rows(self) -> list[tuple[str, str, str]]:
        table = hl7_messages
        with self.ward.store.reading() as connection:
            rows = connection.execute(select(table.c.control_id, table.c.state, table.c.error_code))
            return [tuple(row) for row in rows]


@pytest.fixture
def door(any_ward: Any) -> Door:
    return Door(any_ward)


def commits(ward: Any) -> list[int]:
    counted = [0]
    event.listen(ward.store.engine, "commit", lambda _connection: counted.__setitem__(0, counted[0] + 1))
    return counted


@pytest.mark.requirement("R-HIS-03")
@pytest.mark.hazard("H-HIS-03")
def test_a_good_message_is_one_transaction_and_a_bad_one_leaves_only_itself(door: Door) -> None:
    counted = commits(door.ward)
    assert door.send(admit(1, "01")) == "AA"
    assert counted == [1]
    cursor = door.ward.store.picture.cursor
    assert door.send(admit(2, "01")) == "AE"
    assert door.ward.store.picture.get(Patient, "P-2") is None
    assert door.ward.store.picture.cursor == cursor + 1  # the alarm of a message put aside
    assert door.rows() == [("C1", "applied", ""), ("C2", "error", "bed-taken")]


@pytest.mark.requirement("R-HIS-04")
@pytest.mark.hazard("H-HIS-03")
def test_repeats_corrections_and_reused_ids_are_told_apart_on_disk_too(door: Door) -> None:
    assert [door.send(admit(1, "01")), door.send(admit(1, "01"))] == ["AA", "AA"]
    assert door.send(admit(2, "02", control="C1")) == "AR"
    assert door.send(admit(3, "77")) == "AE"
    door.ward.store.write(
        lambda unit: unit.connection.exec_driver_sql(
            "INSERT INTO mappings (system, code, target) VALUES ('bed', '77', '03')"
        )
    )
    assert door.send(admit(3, "77")) == "AA"  # the same message again, once its bed is known
    assert door.rows() == [
        ("C1", "applied", ""),
        ("", "rejected", "control-id-reused"),
        ("C3", "applied", ""),
    ]


@pytest.mark.requirement("R-HIS-23")
@pytest.mark.hazard("H-HIS-01")
def test_messages_that_wait_share_a_commit_and_a_bad_one_takes_nobody_with_it(door: Door) -> None:
    """Eight connections send at once while the writer is held up; one of them sends what cannot hold."""
    held, counted = threading.Event(), commits(door.ward)
    messages = [admit(number, f"{number:02d}", sender=f"S{number}") for number in range(1, 8)]
    messages.append(admit(8, "07", sender="S8"))  # a bed that is taken
    with ThreadPoolExecutor(9) as pool:
        blocked = pool.submit(door.ward.store.write, lambda _unit: held.wait(10))
        first = pool.submit(door.send, messages[0])
        waiting = [pool.submit(door.send, raw) for raw in messages[1:]]
        while len(door.link._receiver.intake._waiting) < 7:  # type: ignore[attr-defined]
            pass
        held.set()
        answers = [first.result(10), *(one.result(10) for one in waiting)]
    assert blocked.result()
    assert sorted(answers) == ["AA"] * 7 + ["AE"]
    assert len({one.bed for one in door.ward.store.picture.all(Encounter)}) == 7
    assert [state for _, state, _ in door.rows()].count("applied") == 7
    counted.clear()


def test_good_messages_that_wait_take_one_commit_together(ward: Any) -> None:
    door, held = Door(ward), threading.Event()
    counted = commits(ward)
    with ThreadPoolExecutor(9) as pool:
        blocked = pool.submit(ward.store.write, lambda _unit: held.wait(10))
        sent = [
            pool.submit(door.send, admit(number, f"0{number}", sender=f"S{number}")) for number in range(1, 9)
        ]
        while len(door.link._receiver.intake._waiting) < 7:  # type: ignore[attr-defined]
            pass
        held.set()
        assert {one.result(10) for one in sent} == {"AA"}
    assert blocked.result()
    assert counted[0] == 3  # the blocker, the first alone, the seven others as one


@pytest.mark.requirement("R-HIS-03")
@pytest.mark.hazard("H-HIS-01")
def test_a_store_that_is_full_is_told_to_the_sender_and_a_later_message_goes_through(
    ward: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(ward)

    def full(_use_case: Any) -> Any:
        raise UnavailableError("storage", "no room")

    with monkeypatch.context() as patch:
        patch.setattr(ward.store, "write", full)
        assert door.send(admit(1, "01")) == "AE"
    assert door.rows() == []
    assert door.send(admit(1, "01")) == "AA"


def test_a_fault_of_ours_is_kept_with_the_message_and_nothing_of_it_holds(
    ward: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(ward)
    monkeypatch.setattr("server.hospital.patients.admit", lambda *_: {}["no"])
    assert door.send(admit(1, "01")) == "AE"
    assert door.rows() == [("C1", MessageState.ERROR.value, "internal")]
