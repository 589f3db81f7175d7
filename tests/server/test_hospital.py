"""What the hospital says becomes true, all of one message or none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from clinical.exchange import DeviceAssociated, DeviceReleased
from clinical.records import Allergy, Association, Encounter, Order, Patient, Task, TaskStatus
from server.his.port import (
    AdmitPatient,
    AllergyFact,
    CancelAdmit,
    CancelDischarge,
    ChangeOrder,
    Demographics,
    DischargePatient,
    HoldOrder,
    ItemFact,
    MergePatients,
    MessageState,
    MovePatient,
    Outcome,
    Place,
    PlaceOrder,
    ReleaseOrder,
    StopOrder,
    StoredMessage,
    UpdatePatient,
)
from server.his_store import SqlMessageStore, stored_as, take_in
from server.sync.events import apply


def stay(ward: Any, mrn: str = "1001") -> Encounter:
    return next(one for one in ward.store.picture.all(Encounter) if one.patient_id == f"P-{mrn}")


def test_an_admission_repeated_changes_nothing_and_its_device_follows_the_bed(any_ward: Any) -> None:
    any_ward.admit("1001", "01")
    before = any_ward.store.picture.cursor
    any_ward.admit("1001", "01")
    assert any_ward.store.picture.cursor == before
    assert [one.device_id for one in any_ward.store.picture.all(Association)] == ["serial:oximeter-01"]


def test_a_taken_bed_refuses_the_next_admission(ward: Any) -> None:
    ward.admit("1001", "01")
    fact = AdmitPatient(
        mrn="1002", visit_number="V2", place=Place(ward="W1", bed="01"), who=Demographics(name="李")
    )
    assert ward.hospital.apply(fact).code == "bed-taken"
    assert ward.store.picture.get(Patient, "P-1002") is None


@pytest.mark.parametrize(
    ("place", "code"),
    [
        (Place(ward="W9", bed="01"), "unmapped-ward"),
        (Place(ward="W1", bed="99"), "unmapped-bed"),
        (None, "unmapped-bed"),
    ],
)
def test_a_place_nobody_mapped_goes_to_the_worklist(ward: Any, place: Place | None, code: str) -> None:
    fact = AdmitPatient(mrn="1", visit_number="V", place=place, who=Demographics(name="李"))
    assert ward.hospital.apply(fact).code == code


def test_the_hospitals_own_place_codes_are_mapped(ward: Any) -> None:
    place = Place(ward="ICU", room="101", bed="A")
    assert ward.hospital.apply(
        AdmitPatient(mrn="1", visit_number="V", place=place, who=Demographics(name="李"))
    ).ok
    assert (stay(ward, "1").ward, stay(ward, "1").bed) == ("W1", "01")


def test_what_an_update_does_not_say_stays_and_what_it_deletes_goes(ward: Any) -> None:
    ward.admit("1001", "01")
    allergic = (AllergyFact(code="PENICILLIN", text="青霉素", severity="severe"),)
    ward.hospital.apply(UpdatePatient(mrn="1001", visit_number="", who=Demographics(allergies=allergic)))
    patient = ward.store.picture.get(Patient, "P-1001")
    assert (patient.name, patient.allergy_status) == ("张建国", "known")
    assert [one.substance for one in ward.store.picture.all(Allergy)] == ["beta-lactam"]
    gone = Demographics(allergies=(), cleared=frozenset({"birth_date"}))
    ward.hospital.apply(UpdatePatient(mrn="1001", visit_number="", who=gone))
    patient = ward.store.picture.get(Patient, "P-1001")
    assert (patient.birth_date, patient.allergy_status) == (None, "none")
    assert list(ward.store.picture.all(Allergy)) == []


def test_a_discharge_frees_the_bed_takes_the_devices_off_and_stops_what_was_planned(any_ward: Any) -> None:
    any_ward.admit("1001", "01")
    task = any_ward.task_of(any_ward.order("1001", "M1"))
    at = any_ward.clock.move(minutes=5)
    assert any_ward.hospital.apply(DischargePatient(mrn="1001", visit_number="V1001", at=at)).ok
    assert stay(any_ward).status == "leaving"
    any_ward.off()
    assert stay(any_ward).status == "finished"
    assert all(one.end == at for one in any_ward.store.picture.all(Association))
    assert any_ward.store.picture.get(Task, task.id).status is TaskStatus.STOPPED
    any_ward.admit("1002", "01", "李秀兰")


def test_a_discharge_by_mistake_is_taken_back(ward: Any) -> None:
    ward.admit("1001", "01")
    ward.hospital.apply(DischargePatient(mrn="1001", visit_number="V1001"))
    assert ward.hospital.apply(CancelDischarge(mrn="1001", visit_number="V1001")).ok
    assert (stay(ward).status, stay(ward).bed) == ("in-progress", "01")


def test_an_admission_by_mistake_is_cancelled(ward: Any) -> None:
    ward.admit("1001", "01")
    assert ward.hospital.apply(CancelAdmit(mrn="1001", visit_number="V1001")).ok
    ward.off()
    assert stay(ward).status == "cancelled"


def test_a_move_takes_the_patient_and_leaves_the_mounted_device(ward: Any) -> None:
    ward.admit("1001", "01")
    fact = MovePatient(mrn="1001", visit_number="V1001", place=Place(ward="W1", bed="02"), at=ward.clock())
    assert ward.hospital.apply(fact).ok
    assert ward.hospital.apply(fact).ok
    ward.off()
    on = {one.device_id for one in ward.store.picture.all(Association) if one.end is None}
    assert (stay(ward).bed, on) == ("02", {"serial:oximeter-02"})


def update(place: Place | None, visit: str = "V1001", **said: Any) -> UpdatePatient:
    return UpdatePatient(mrn="1001", visit_number=visit, place=place, who=Demographics(**said))


@pytest.mark.requirement("R-SRV-18")
@pytest.mark.hazard("H-SRV-02")
def test_an_update_that_names_another_bed_moves_the_patient_like_a_transfer(any_ward: Any) -> None:
    any_ward.admit("1001", "01")
    at = any_ward.clock.move(minutes=1)
    assert any_ward.hospital.apply(replace(update(Place(ward="W1", bed="02")), at=at)).ok
    any_ward.off()
    on = {one.device_id for one in any_ward.store.picture.all(Association) if one.end is None}
    assert (stay(any_ward).bed, stay(any_ward).moved_at, on) == ("02", at, {"serial:oximeter-02"})


@pytest.mark.requirement("R-SRV-18")
@pytest.mark.hazard("H-SRV-02")
@pytest.mark.parametrize(
    ("place", "code"),
    [
        (Place(ward="W1", bed="02"), "bed-taken"),
        (Place(ward="W1", bed="77"), "unmapped-bed"),
        (Place(ward="W9", bed="01"), "unmapped-ward"),
        (Place(ward="W9"), "unmapped-ward"),
    ],
)
def test_an_update_to_a_bed_that_cannot_be_is_refused_whole(ward: Any, place: Place, code: str) -> None:
    ward.admit("1001", "01")
    ward.admit("1002", "02", "李秀兰")
    assert ward.hospital.apply(update(place, name="张新")).code == code
    assert (stay(ward).bed, ward.store.picture.get(Patient, "P-1001").name) == ("01", "张建国")


@pytest.mark.parametrize(
    "place", [None, Place(ward="W1"), Place(ward="", room="1"), Place(ward="ICU", bed="01")]
)
def test_an_update_that_names_no_other_bed_moves_nobody(ward: Any, place: Place | None) -> None:
    ward.admit("1001", "01")
    assert ward.hospital.apply(update(place, name="张新")).ok
    assert (stay(ward).bed, stay(ward).moved_at) == ("01", None)
    assert ward.store.picture.get(Patient, "P-1001").name == "张新"


@pytest.mark.requirement("R-SRV-18")
@pytest.mark.hazard("H-SRV-02")
def test_an_admission_repeated_with_another_bed_moves_the_patient(ward: Any) -> None:
    ward.admit("1001", "01")
    ward.admit("1001", "02")
    assert (stay(ward).bed, stay(ward).moved_at) == ("02", ward.clock())
    ward.admit("1002", "03")
    again = AdmitPatient(
        mrn="1001", visit_number="V1001", place=Place(ward="W1", bed="03"), who=Demographics()
    )
    assert ward.hospital.apply(again).code == "bed-taken"


def test_an_update_of_a_stay_that_ended_is_taken_and_one_that_never_began_is_told(ward: Any) -> None:
    ward.admit("1001", "01")
    ward.hospital.apply(DischargePatient(mrn="1001", visit_number="V1001"))
    assert ward.hospital.apply(update(Place(ward="W1", bed="01"))).ok
    assert ward.hospital.apply(update(Place(ward="W1", bed="01"), visit="")).ok
    assert ward.hospital.apply(update(Place(ward="W9", bed="01"), visit="V2")).ok
    assert ward.hospital.apply(update(Place(ward="W1", bed="01"), visit="V2")).code == "unknown-patient"


def test_two_numbers_of_one_person_wait_for_a_person(ward: Any) -> None:
    ward.admit("2", "01")
    assert ward.hospital.apply(MergePatients(mrn="1", old_mrn="2")).code == "merge-needs-person"


ITEM = ItemFact(code="PCT500", text="x", amount=Decimal(1), unit="片")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"items": (ItemFact(code="???", text="x", amount=Decimal(1)),)}, "unmapped-drug"),
        ({"route": "??"}, "unmapped-route"),
        ({"frequency": "every full moon"}, "unmapped-frequency"),
        ({"items": ()}, "order-empty"),
        ({"items": (replace(ITEM, amount=None),)}, "missing-amount"),
        ({"mrn": "9"}, "unknown-patient"),
    ],
)
def test_an_order_that_cannot_be_understood_is_refused_with_its_code(
    ward: Any, said: dict[str, Any], code: str
) -> None:
    ward.admit("1001", "01")
    fields: dict[str, Any] = {
        "mrn": "1001",
        "placer_id": "M1",
        "items": (ITEM,),
        "route": "PO",
        "frequency": "qd",
    }
    assert ward.hospital.apply(PlaceOrder(**(fields | said))).code == code
    assert list(ward.store.picture.all(Order)) == []


def test_a_message_of_two_facts_is_applied_whole_or_not_at_all(ward: Any) -> None:
    admit = AdmitPatient(
        mrn="1", visit_number="V", place=Place(ward="W1", bed="03"), who=Demographics(name="李")
    )
    order = PlaceOrder(
        mrn="1", placer_id="M1", items=(replace(ITEM, code="???"),), route="PO", frequency="qd"
    )
    assert ward.hospital.apply_all([admit, order]).code == "unmapped-drug"
    assert ward.store.picture.get(Patient, "P-1") is None


@pytest.mark.requirement("R-SRV-05")
@pytest.mark.hazard("H-SRV-04")
def test_a_changed_order_is_a_new_version_and_keeps_the_same_slots(any_ward: Any) -> None:
    any_ward.admit("1001", "01")
    any_ward.order("1001", "M1", frequency="q8h")
    before = {task.id for task in any_ward.store.picture.all(Task)}
    change = ChangeOrder(
        order=PlaceOrder(mrn="1001", placer_id="M1", items=(replace(ITEM, amount=Decimal(2)),))
    )
    assert any_ward.hospital.apply(change).ok
    order = any_ward.store.picture.get(Order, "O-M1")
    assert (order.version, order.items[0].dose.value) == (2, Decimal(2))
    tasks = list(any_ward.store.picture.all(Task))
    assert {task.id for task in tasks} == before
    assert {task.order_version for task in tasks} == {2}


def test_hold_release_and_stop(any_ward: Any) -> None:
    any_ward.admit("1001", "01")
    any_ward.order("1001", "M1", frequency="q8h")
    seen = []
    for fact in (
        HoldOrder(mrn="1001", placer_id="M1"),
        ReleaseOrder(mrn="1001", placer_id="M1"),
        StopOrder(mrn="1001", placer_id="M1"),
        ReleaseOrder(mrn="1001", placer_id="M1"),
    ):
        assert any_ward.hospital.apply(fact).ok
        seen.append(any_ward.store.picture.get(Order, "O-M1").status)
    assert seen == ["on-hold", "active", "stopped", "stopped"]
    assert {task.status for task in any_ward.store.picture.all(Task)} == {TaskStatus.STOPPED}
    assert any_ward.hospital.apply(StopOrder(mrn="1001", placer_id="M9")).code == "unknown-order"


def test_messages_are_kept_once_settled_sent_in_order_and_counted(any_ward: Any) -> None:
    messages = SqlMessageStore(any_ward.store)

    def message(number: int, direction: str = "in", control: str = "C1") -> StoredMessage:
        return StoredMessage(
            id=f"m{number}",
            direction=direction,
            control_id=control,
            sender="HIS",
            type="ADT^A01",
            received=any_ward.clock(),
            raw=b"MSH|\xff",
            state=MessageState.RECEIVED if direction == "in" else MessageState.QUEUED,
        )

    wrong = Outcome(state=MessageState.ERROR, ack=b"MSA", error_code="204", detail="x")
    any_ward.store.write(lambda unit: take_in(unit, message(1), wrong))
    assert any_ward.store.write(lambda unit: stored_as(unit, message(2))).id == "m1"
    assert [(one.id, one.raw, one.ack) for one in messages.worklist()] == [("m1", b"MSH|\xff", b"MSA")]
    assert messages.enqueue(message(3, "out", "K1"))
    assert not messages.enqueue(message(4, "out", "K1"))
    assert messages.enqueue(message(5, "out", "K2"))
    now = any_ward.clock()
    assert [one.id for one in messages.due(now, limit=9)] == ["m3", "m5"]
    messages.attempted("m3", state=MessageState.QUEUED, ack=b"", next_attempt=any_ward.clock.move(minutes=1))
    assert [(one.id, one.attempts) for one in messages.due(now, limit=9)] == [("m5", 0)]
    messages.attempted("m5", state=MessageState.ACCEPTED, ack=b"MSA")
    assert messages.counts() == {"in-error": 1, "out-queued": 1, "out-accepted": 1}
    assert [(one.id, one.attempts) for one in messages.due(any_ward.clock(), limit=9)] == [("m3", 1)]


@pytest.mark.requirement("R-SRV-26")
@pytest.mark.hazard("H-SRV-12")
def test_what_happens_in_the_future_by_the_hospitals_word_happens_now(any_ward: Any) -> None:
    any_ward.admit("1001", "01")
    now = any_ward.clock.move(minutes=5)
    later = now + timedelta(hours=6)
    moved = MovePatient(mrn="1001", visit_number="V1001", place=Place(ward="W1", bed="05"), at=later)
    applied = any_ward.hospital.apply(moved)
    assert applied.ok
    assert "future" in applied.detail
    first = next(one for one in any_ward.store.picture.all(Association) if one.release_asked_at is not None)
    assert first.release_asked_at == now
    any_ward.off()
    now = any_ward.clock.move(minutes=5)
    assert any_ward.hospital.apply(DischargePatient(mrn="1001", visit_number="V1001", at=later)).ok
    assert all(one.end is not None and one.end <= now for one in any_ward.store.picture.all(Association))
    any_ward.admit("1003", "01", "王喆")
    newest = [one for one in any_ward.store.picture.all(Association) if one.end is None]
    assert [one.start <= now for one in newest] == [True]


@pytest.mark.requirement("R-SRV-26")
@pytest.mark.hazard("H-SRV-12")
def test_an_order_changed_in_the_future_is_changed_now_and_its_planned_start_stays(ward: Any) -> None:
    ward.admit("1001", "01")
    order_id = ward.order("1001", "M1")
    tomorrow = ward.clock() + timedelta(days=1)
    change = PlaceOrder(
        mrn="1001", placer_id="M1", start=tomorrow, at=tomorrow, items=(), route="", frequency=""
    )
    assert ward.hospital.apply(ChangeOrder(order=change)).detail
    changed = ward.store.picture.get(Order, order_id)
    assert (changed.changed_at, changed.start) == (ward.clock(), tomorrow)


@pytest.mark.requirement("R-SRV-26")
@pytest.mark.hazard("H-SRV-12")
def test_a_device_is_never_put_on_or_taken_off_in_the_future(ward: Any) -> None:
    ward.admit("1001", "01")
    now, later = ward.clock(), ward.clock() + timedelta(hours=6)
    said: dict[str, Any] = {"sent": now, "operator": "N20713", "handheld": "pda-1", "association_id": "A1"}
    on = DeviceAssociated(id="d1", at=later, device_id="x:1", encounter_id="E-V1001", **said)
    ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), on))
    assert ward.store.picture.get(Association, "A1").start == now
    off = DeviceReleased(id="d2", at=later, **said)
    ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), off))
    assert ward.store.picture.get(Association, "A1").end == now
