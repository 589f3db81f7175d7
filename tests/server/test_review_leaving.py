"""Who leaves, is called back or comes again keeps their orders, alarms and devices on the right stay."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from clinical.bedside_check.model import Action
from clinical.bedside_check.snapshot import Snapshot
from clinical.exchange import DeviceAssociated, InfusionStarted
from clinical.identifiers import hospital as codes
from clinical.records import LEAVING, Alarm, AlarmPriority, Association, Dose, Encounter, Order, Task
from server.his.port import (
    AdmitPatient,
    Applied,
    CancelDischarge,
    Demographics,
    DischargePatient,
    HoldOrder,
    Place,
    StopOrder,
)
from server.infusions.targets import targets_of
from server.storage.schema import device_places
from server.ticker import tidy
from server.verbal_orders import service as verbal_orders
from server.worklist import service as worklist
from server.worklist.judge import present_stay
from tests.server.test_hospital_reports import ALERT, LAB, Hospital
from tests.server.test_infusions import DRIP, change, open_alarms, send, start
from tests.server.test_leaving import OXIMETER, hang_drip, move_to, on, send_home, stay, tell, to_release

pytestmark = [pytest.mark.requirement("R-INF-03"), pytest.mark.hazard("H-INF-02")]
SPARE = "serial:oximeter-02"


@pytest.fixture
def dripping(ward: Any) -> Any:
    return hang_drip(ward)


def take_back(ward: Any, place: Place | None = None) -> Applied:
    applied: Applied = ward.hospital.apply(CancelDischarge(mrn="1001", visit_number="V1001", place=place))
    return applied


def status_of(ward: Any, order_id: str) -> str:
    order = ward.store.picture.get(Order, order_id)
    assert order is not None
    return str(order.status)


def tasks_of(ward: Any, order_id: str) -> set[str]:
    return {one.status.value for one in ward.store.picture.all(Task) if one.order_id == order_id}


def listed(ward: Any) -> set[str]:
    """What sounds once the worklist was looked through."""
    ward.store.write(lambda unit: worklist.tick(unit, ward.site))
    return set(open_alarms(ward))


@pytest.mark.hazard("H-INF-04")
@pytest.mark.parametrize("settled", [False, True])
def test_a_discharge_taken_back_lets_orders_and_doses_go_on(ward: Any, settled: bool) -> None:
    ward.admit("1001", "01")
    order = ward.order("1001", "M1", frequency="q8h")
    held = ward.order("1001", "M2", frequency="q8h")
    stopped = ward.order("1001", "M3", frequency="q8h")
    tell(ward, HoldOrder(mrn="1001", placer_id="M2", at=ward.clock()))
    tell(ward, StopOrder(mrn="1001", placer_id="M3", at=ward.clock()))
    planned = tasks_of(ward, order)
    send_home(ward)
    assert tasks_of(ward, order) == {"stopped"}
    if settled:
        ward.off()
    ward.clock.move(minutes=5)
    assert take_back(ward).ok
    assert [status_of(ward, one) for one in (order, held, stopped)] == ["active", "on-hold", "stopped"]
    assert tasks_of(ward, order) == tasks_of(ward, held) == planned == {"pending"}
    assert tasks_of(ward, stopped) == {"stopped"}


@pytest.mark.requirement("R-INF-01")
@pytest.mark.hazard("H-INF-01")
def test_a_bag_under_an_order_that_goes_on_again_is_no_longer_told_as_ended(dripping: Any) -> None:
    send_home(dripping)
    assert "infusion-order-ended" in listed(dripping)
    dripping.clock.move(minutes=1)
    assert take_back(dripping).ok
    assert status_of(dripping, "O-B1") == "active"
    assert "infusion-order-ended" not in listed(dripping)


def test_who_is_called_back_needs_a_bed_when_the_next_patient_has_theirs(dripping: Any) -> None:
    send_home(dripping)
    dripping.clock.move(minutes=5)
    dripping.admit("1002", "01", "李秀兰")
    assert (take_back(dripping).code, stay(dripping).status) == ("unmapped-bed", LEAVING)
    assert take_back(dripping, Place(ward="W1", bed="05")).ok
    assert (stay(dripping).status, stay(dripping).bed) == ("in-progress", "05")
    assert status_of(dripping, "O-B1") == "active"


@pytest.fixture(params=["01", "05"])
def again(dripping: Any, request: pytest.FixtureRequest) -> Any:
    """A patient who came back, to this bed, while the drip of the first stay still hangs."""
    send_home(dripping)
    dripping.clock.move(minutes=5)
    place = Place(ward="W1", bed=request.param)
    fact = AdmitPatient(mrn="1001", visit_number="V2", place=place, who=Demographics(), at=dripping.clock())
    tell(dripping, fact)
    return dripping


def spoken_order(ward: Any) -> Order:
    spoken = verbal_orders.Spoken(
        id="verbal-0001", patient_id="P-1001", prescriber="D30012", route="PO",
        lines=(("PCT500", Dose(value=Decimal(1), unit="{tablet}")),),
    )  # fmt: skip
    order: Order = ward.store.write(lambda unit: verbal_orders.take(unit, ward.site, spoken, "N20713"))
    return order


@pytest.mark.requirement("R-ORD-01")
def test_an_order_spoken_for_who_came_back_outlives_the_first_stay(again: Any) -> None:
    order = spoken_order(again)
    assert order.encounter_id == "E-V2"
    change(again, "c1", "complete", residual_ml=Decimal(0))
    if stay(again).status == LEAVING:
        again.off()
    assert stay(again).status == "finished"
    again.clock.move(hours=25)
    again.store.write(lambda unit: tidy(unit, timedelta(hours=1)))
    assert status_of(again, order.id) == "active"


def test_everything_that_asks_where_who_came_back_lies_hears_of_the_new_stay(again: Any) -> None:
    facts = again.store.picture.facts("W1")
    known = Snapshot.of(facts, version="1", fetched_at=again.clock()).encounter_of["P-1001"]
    found = again.store.write(lambda unit: present_stay(unit, "P-1001"))
    assert (known.id, found.id) == ("E-V2", "E-V2")


def test_a_bag_nobody_ordered_is_filed_on_the_stay_the_patient_is_in(again: Any) -> None:
    request = again.request("r2", Action.START)
    again.order_bag("1001", "B2")
    none = again.started("s2", again.task_of("O-B2"), request, task_id="", order_id="", device_id="")
    assert send(again, none).status == "accepted-exception"
    assert again.infusion("I-s2").encounter_id == "E-V2"
    dose = again.given("e1", again.task_of("O-B2"), request, task_id="", order_id="")
    assert send(again, dose).status == "accepted-exception"
    assert open_alarms(again)["given-against-order"].encounter_id == "E-V2"


@pytest.mark.requirement("R-HIS-20")
@pytest.mark.hazard("H-HIS-09")
@pytest.mark.parametrize("named", ["both", "patient", "bed"])
def test_an_alert_of_somebody_who_is_leaving_sounds(dripping: Any, named: str) -> None:
    gateway = Hospital(dripping)
    send_home(dripping)
    patient, bed = "PID|1||1001^^^H^MR", "PV1|1|I|W1^^01"
    who = {"both": (patient, bed), "patient": (patient,), "bed": (bed,)}[named]
    at = f"{dripping.clock():%Y%m%d%H%M%S}+0000"
    alert = ALERT.format(alert="A1^GW", phase="start", state="active", at=at)
    assert gateway.send("ORU^R40", *who, alert) == "AA"
    assert gateway.alarms()["device-limit"].encounter_id == "E-V1001"


@pytest.mark.requirement("R-HIS-19")
@pytest.mark.hazard("H-HIS-09")
def test_a_value_of_somebody_who_is_leaving_is_filed_until_another_has_the_bed(dripping: Any) -> None:
    gateway = Hospital(dripping)
    send_home(dripping)
    assert gateway.spo2("97") == "AA"
    assert {one.patient_id for one in gateway.values().values()} == {"P-1001"}
    dripping.clock.move(minutes=5)
    dripping.admit("1002", "01", "李秀兰")
    assert gateway.spo2("91", who="PID|1||") == "AA"
    assert {(one.patient_id, one.value) for one in gateway.values().values()} == {("P-1002", Decimal(91))}


@pytest.mark.requirement("R-HIS-18")
@pytest.mark.hazard("H-HIS-08")
def test_a_critical_result_of_somebody_who_is_leaving_alarms(dripping: Any) -> None:
    laboratory = Hospital(dripping)
    send_home(dripping)
    potassium = "OBX|1|NM|2823-3^血钾^LN||7.1|mmol/L|3.5-5.3|HH|||F"
    assert laboratory.send("ORU^R01", "PID|1||1001^^^H^MR", LAB, potassium) == "AA"
    alarm = laboratory.alarms()["critical-value"]
    assert (alarm.encounter_id, alarm.bed) == ("E-V1001", "01")


def late_bag(ward: Any) -> InfusionStarted:
    """A bag that was started while the patient was in, told once the stay is over."""
    ward.admit("1001", "01")
    ward.order_bag("1001", "B1")
    task = ward.task_of("O-B1")
    bag = ward.bag(task.id)
    request = ward.request("r1", Action.START, items=(codes.encode("bag", bag.id),), device_id=DRIP)
    event: InfusionStarted = ward.started("s1", task, request, bag_id=bag.id)
    ward.clock.move(minutes=10)
    send_home(ward)
    ward.off()
    assert stay(ward).status == "finished"
    ward.clock.move(minutes=5)
    return event


def put_on(ward: Any, device: str) -> str:
    said = {"at": ward.clock(), "sent": ward.clock(), "operator": "N20713", "handheld": "pda-1"}
    event = DeviceAssociated(id="d1", association_id="A1", device_id=device, encounter_id="E-V1001", **said)
    return send(ward, event).status


@pytest.mark.requirement("R-INF-01")
@pytest.mark.hazard("H-INF-01")
def test_a_bag_told_after_the_stay_was_over_is_watched_until_it_is_down(ward: Any) -> None:
    assert send(ward, late_bag(ward)).status in {"accepted", "accepted-exception"}
    assert (stay(ward).status, stay(ward).leaves_as, stay(ward).bed) == (LEAVING, "finished", "01")
    assert on(ward) == {DRIP}
    ward.clock.move(hours=60)
    ward.store.write(lambda unit: tidy(unit, timedelta(hours=1)))
    assert "infusion-order-ended" in listed(ward)
    assert open_alarms(ward)["infusion-order-ended"].encounter_id == "E-V1001"
    change(ward, "c1", "complete", residual_ml=Decimal(0))
    assert (stay(ward).status, on(ward)) == ("finished", set())


def test_what_is_told_late_takes_no_bed_from_the_next_patient(ward: Any) -> None:
    event = late_bag(ward)
    ward.admit("1002", "01", "李秀兰")
    send(ward, event)
    assert (stay(ward).status, stay(ward).bed) == (LEAVING, "")
    assert (stay(ward, "1002").status, stay(ward, "1002").bed) == ("in-progress", "01")
    assert on(ward, "1002") == {OXIMETER}


def test_a_device_told_after_the_stay_was_over_waits_to_be_confirmed_as_off(ward: Any) -> None:
    ward.admit("1001", "01")
    send_home(ward)
    ward.off()
    ward.clock.move(minutes=5)
    assert put_on(ward, DRIP) == "accepted"
    assert (stay(ward).status, on(ward)) == (LEAVING, {DRIP})
    ward.clock.move(minutes=ward.site.policy.release_confirm_min)
    assert to_release(ward) == {"device-to-release": AlarmPriority.LOW}
    ward.off()
    assert (stay(ward).status, on(ward)) == ("finished", set())


def test_a_device_put_on_a_patient_who_is_in_leaves_the_stay_as_it_is(ward: Any) -> None:
    ward.admit("1001", "01")
    assert put_on(ward, DRIP) == "accepted"
    assert (stay(ward).status, stay(ward).leaves_as) == ("in-progress", "")
    assert not any(one.release_asked_at for one in ward.store.picture.all(Association))


def test_a_device_put_on_after_the_discharge_comes_off_with_the_others(dripping: Any) -> None:
    send_home(dripping)
    dripping.clock.move(minutes=1)
    assert put_on(dripping, SPARE) == "accepted"
    change(dripping, "c1", "complete", residual_ml=Decimal(0))
    assert on(dripping) == {OXIMETER, SPARE}
    dripping.off()
    assert (stay(dripping).status, on(dripping)) == ("finished", set())


def test_the_sensor_of_a_bag_that_hangs_open_stays_though_the_old_bed_is_confirmed(ward: Any) -> None:
    place = {"device_id": DRIP, "ward": "W1", "bed": "01"}
    ward.store.write(lambda unit: unit.connection.execute(device_places.insert().values(**place)) and None)
    ward.admit("1001", "01")
    ward.order_bag("1001", "B1")
    assert start(ward).status == "accepted"
    ward.clock.move(minutes=5)
    move_to(ward, "02")
    ward.off()
    assert on(ward) == {SPARE, DRIP}
    assert [(one.infusion, one.device) for one in targets_of(ward.store.picture, "W1")] == [("I-s1", DRIP)]


def test_a_device_put_on_somebody_who_is_leaving_waits_to_be_confirmed_as_off(ward: Any) -> None:
    ward.store.write(lambda unit: unit.connection.execute(device_places.delete()) and None)
    ward.admit("1001", "03")
    ward.order_bag("1001", "B1")
    start(ward, device_id="")
    ward.clock.move(minutes=5)
    send_home(ward)
    ward.clock.move(minutes=1)
    event = DeviceAssociated(
        id="d1", at=ward.clock(), sent=ward.clock(), operator="N20713", handheld="pda-1",
        association_id="as1", device_id=SPARE, encounter_id="E-V1001",
    )  # fmt: skip
    assert send(ward, event).status == "accepted"
    change(ward, "c1", "complete", residual_ml=Decimal(0))
    assert stay(ward).status == LEAVING
    ward.clock.move(hours=1)
    assert "device-to-release" in listed(ward)


@pytest.mark.hazard("H-INF-04")
def test_an_admission_of_the_visit_that_is_leaving_lets_it_go_on_as_it_was(dripping: Any) -> None:
    order = dripping.order("1001", "M1", frequency="q8h")
    send_home(dripping)
    assert status_of(dripping, order) == "completed"
    dripping.clock.move(minutes=5)
    dripping.admit("1001", "01")
    assert stay(dripping).status == "in-progress"
    assert status_of(dripping, order) == "active"
    assert tasks_of(dripping, order) & {"pending", "due"}


@pytest.mark.hazard("H-INF-04")
def test_doses_that_fell_into_a_discharge_taken_back_late_are_missed_and_sound(ward: Any) -> None:
    ward.admit("1001", "01")
    ward.order("1001", "M1", frequency="q8h")
    send_home(ward)
    ward.clock.move(hours=20)
    assert take_back(ward).ok
    assert {"missed", "overdue", "pending"} <= {one.status.value for one in ward.store.picture.all(Task)}
    assert sum(one.condition == "dose-missed" for one in ward.store.picture.all(Alarm)) == 1


def test_a_discharge_taken_back_is_that_of_the_visit_it_names(ward: Any) -> None:
    ward.admit("1001", "01")
    send_home(ward)
    ward.off()
    came = AdmitPatient(
        mrn="1001", visit_number="V2", place=Place(ward="W1", bed="05"), who=Demographics(), at=ward.clock()
    )
    tell(ward, came)
    tell(ward, DischargePatient(mrn="1001", visit_number="V2", at=ward.clock()))
    ward.clock.move(minutes=1)
    assert take_back(ward).ok
    statuses = {one.id: one.status for one in ward.store.picture.all(Encounter)}
    assert statuses["E-V1001"] == "in-progress"
    assert statuses["E-V2"] in {"finished", LEAVING}
