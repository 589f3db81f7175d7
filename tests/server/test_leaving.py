"""A patient sent home or moved stays watched until a nurse says that everything is off."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clinical.exchange import DeviceReleased
from clinical.records import LEAVING, AlarmPriority, Association, Encounter, InfusionState
from server.fhir.resources.people import encounter
from server.his.port import AdmitPatient, CancelDischarge, Demographics, DischargePatient, MovePatient, Place
from server.ticker import tidy
from server.worklist import service as worklist
from tests.server.test_infusions import DRIP, change, open_alarms, send, start
from tests.support.ward_http import bearer, serving, token_of

pytestmark = [pytest.mark.requirement("R-INF-03"), pytest.mark.hazard("H-INF-02")]
OXIMETER = "serial:oximeter-01"


def tell(ward: Any, fact: Any) -> None:
    applied = ward.hospital.apply(fact)
    assert applied.ok, applied


def send_home(ward: Any) -> None:
    tell(ward, DischargePatient(mrn="1001", visit_number="V1001", at=ward.clock()))


def move_to(ward: Any, bed: str) -> None:
    place = Place(ward="W1", bed=bed)
    tell(ward, MovePatient(mrn="1001", visit_number="V1001", place=place, at=ward.clock()))


def stay(ward: Any, mrn: str = "1001") -> Encounter:
    found: Encounter | None = ward.store.picture.get(Encounter, f"E-V{mrn}")
    assert found is not None
    return found


def on(ward: Any, mrn: str = "1001") -> set[str]:
    """Devices that measure for a patient."""
    return {
        one.device_id
        for one in ward.store.picture.all(Association)
        if one.encounter_id == f"E-V{mrn}" and one.end is None
    }


def released(ward: Any, event_id: str, association_id: str, **said: Any) -> str:
    base = {"at": ward.clock(), "sent": ward.clock(), "operator": "N20713", "handheld": "pda-1"} | said
    return send(ward, DeviceReleased(id=event_id, association_id=association_id, **base)).status


def to_release(ward: Any) -> dict[str, AlarmPriority]:
    """Sounding alarms for devices nobody confirmed, by what they stand on."""
    ward.store.write(lambda unit: worklist.tick(unit, ward.site))
    return {name: one.priority for name, one in open_alarms(ward).items() if name == "device-to-release"}


def hang_drip(ward: Any) -> Any:
    """A patient in bed 01 with its mounted oximeter, and a drip with its sensor."""
    ward.admit("1001", "01")
    ward.order_bag("1001", "B1")
    assert start(ward).status == "accepted"
    ward.clock.move(minutes=5)
    return ward


@pytest.fixture
def dripping(ward: Any) -> Any:
    return hang_drip(ward)


def test_a_patient_sent_home_with_a_drip_stays_watched_until_bag_and_devices_are_off(dripping: Any) -> None:
    send_home(dripping)
    assert (stay(dripping).status, on(dripping)) == (LEAVING, {OXIMETER, DRIP})
    dripping.store.write(lambda unit: worklist.tick(unit, dripping.site))
    assert open_alarms(dripping)["infusion-order-ended"].priority is AlarmPriority.MEDIUM
    dripping.clock.move(minutes=3)
    assert (
        change(dripping, "c1", "stop-early", residual_ml=Decimal(80), reason="discharge").status == "accepted"
    )
    assert (stay(dripping).status, on(dripping)) == (LEAVING, {OXIMETER})
    down = dripping.clock()
    dripping.clock.move(minutes=2)
    (mounted,) = (one for one in dripping.store.picture.all(Association) if one.device_id == OXIMETER)
    assert released(dripping, "d1", mounted.id, at=down) == "accepted"
    assert (stay(dripping).status, stay(dripping).moved_at, on(dripping)) == ("finished", down, set())
    assert open_alarms(dripping) == {}


def test_a_running_bag_of_somebody_sent_home_is_never_forgotten(dripping: Any) -> None:
    send_home(dripping)
    dripping.clock.move(hours=60)
    dripping.store.write(lambda unit: tidy(unit, timedelta(hours=1)))
    assert dripping.infusion("I-s1").state is InfusionState.RUNNING
    assert stay(dripping).status == LEAVING


def test_devices_nobody_confirms_sound_after_the_sites_minutes(ward: Any) -> None:
    ward.admit("1001", "01")
    send_home(ward)
    ward.clock.move(minutes=ward.site.policy.release_confirm_min - 1)
    assert to_release(ward) == {}
    ward.clock.move(minutes=1)
    assert to_release(ward) == {"device-to-release": AlarmPriority.LOW}
    ward.off()
    assert to_release(ward) == {}


def test_the_next_patient_gets_the_beds_own_devices_and_the_one_before_keeps_the_drip(dripping: Any) -> None:
    send_home(dripping)
    dripping.clock.move(minutes=10)
    dripping.admit("1002", "01", "李秀兰")
    assert on(dripping, "1002") == {OXIMETER}
    assert (stay(dripping).status, stay(dripping).bed, on(dripping)) == (LEAVING, "", {DRIP})
    begun = [one for one in dripping.store.picture.all(Association) if one.encounter_id == "E-V1002"]
    asked = [one for one in dripping.store.picture.all(Association) if one.release_asked_at is not None]
    assert begun[0].start >= max(one.release_asked_at for one in asked if one.release_asked_at is not None)
    change(dripping, "c1", "complete", residual_ml=Decimal(0))
    assert stay(dripping).status == "finished"


def test_the_next_patient_ends_a_stay_that_only_the_beds_devices_held(ward: Any) -> None:
    ward.admit("1001", "01")
    send_home(ward)
    ward.clock.move(minutes=10)
    ward.admit("1002", "01", "李秀兰")
    assert (stay(ward).status, on(ward), on(ward, "1002")) == ("finished", set(), {OXIMETER})


def test_a_patient_who_is_moved_keeps_the_old_beds_device_until_somebody_says_it_is_off(
    dripping: Any,
) -> None:
    move_to(dripping, "02")
    assert on(dripping) == {OXIMETER, "serial:oximeter-02", DRIP}
    dripping.clock.move(minutes=4)
    dripping.off()
    assert on(dripping) == {"serial:oximeter-02", DRIP}
    assert stay(dripping).status == "in-progress"
    move_to(dripping, "01")
    move_to(dripping, "02")
    move_to(dripping, "01")
    waiting = [one for one in dripping.store.picture.all(Association) if one.release_asked_at and not one.end]
    assert [one.device_id for one in waiting] == ["serial:oximeter-02"]


def test_a_discharge_taken_back_leaves_everything_on(dripping: Any) -> None:
    send_home(dripping)
    send_home(dripping)
    tell(dripping, CancelDischarge(mrn="1001", visit_number="V1001"))
    assert (stay(dripping).status, stay(dripping).leaves_as) == ("in-progress", "")
    assert not any(one.release_asked_at for one in dripping.store.picture.all(Association))


def test_who_comes_back_while_the_first_stay_is_leaving_has_two_stays(dripping: Any) -> None:
    send_home(dripping)
    again = AdmitPatient(
        mrn="1001", visit_number="V2", place=Place(ward="W1", bed="05"), who=Demographics(),
        at=dripping.clock(),
    )  # fmt: skip
    tell(dripping, again)
    assert {one.status for one in dripping.store.picture.all(Encounter)} == {LEAVING, "in-progress"}


def test_a_nurse_confirms_over_http_and_a_bag_that_hangs_open_comes_first(
    dripping: Any, tmp_path: Path
) -> None:
    with serving(dripping.store, dripping.site, tmp_path) as client:
        head = bearer(token_of(dripping.store, "N20713"))

        def confirm(encounter: str = "E-V1001", **body: Any) -> Any:
            return client.post(
                f"/api/v1/encounters/{encounter}/leave-confirm", headers=head, json=body
            ).json()

        assert confirm()["code"] == "nothing-to-release"
        assert confirm("none")["code"] == "unknown-encounter"
        send_home(dripping)
        assert confirm()["code"] == "bag-hangs-open"
        change(dripping, "c1", "complete", residual_ml=Decimal(0))
        off = dripping.clock.move(minutes=1)
        dripping.clock.move(minutes=9)
        assert confirm(at=off.isoformat())["status"] == "finished"
        assert stay(dripping).moved_at == off
        ends = {one.end for one in dripping.store.picture.all(Association) if one.device_id == OXIMETER}
        assert ends == {off}


def test_a_stay_that_is_leaving_is_told_in_a_word_of_the_standard(dripping: Any) -> None:
    send_home(dripping)
    view = SimpleNamespace(systems=SimpleNamespace(visit="urn:v"), patient=lambda one: {"reference": one})
    assert encounter(stay(dripping), view)["status"] == "in-progress"  # type: ignore[arg-type]  # of a view
