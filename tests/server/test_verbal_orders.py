"""Orders by word of mouth and the verification of orders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from clinical.errors import ConflictError, NotFoundError, RefusedError
from clinical.records import Alarm, Dose, Order
from server.orders import service as orders
from server.verbal_orders import resuscitation, service
from server.verbal_orders.service import Spoken
from tests.server.conftest import WardBench
from tests.support.server_process import WardProcess

pytestmark = [pytest.mark.requirement("R-ORD-01"), pytest.mark.hazard("H-ORD-01")]
WARD_FILE = Path(__file__).parents[1] / "data" / "ward.toml"
SPOKEN = Spoken(
    id="0198c0de-0001", patient_id="P-1001", prescriber="D30012", route="IV", emergency=True,
    lines=(("KCL10", Dose(value=Decimal(10), unit="mL")),), witness="N20488", witness_proven=True,
)  # fmt: skip


def take(ward: WardBench, **changes: Any) -> Order:
    spoken = replace(SPOKEN, **changes)
    return ward.store.write(lambda unit: service.take(unit, ward.site, spoken, "N20713"))


def sign(ward: WardBench, order_id: str, by: str = "D30012") -> Order:
    return ward.store.write(lambda unit: service.sign(unit, order_id, by))


def late(ward: WardBench) -> list[bool]:
    ward.store.write(lambda unit: service.tick(unit, ward.site))
    return [alarm.present for alarm in ward.store.picture.all(Alarm) if alarm.condition == service.UNSIGNED]


def waiting(ward: WardBench) -> list[str]:
    return [order.id for order in service.unsigned(ward.store.picture.all(Order))]


@pytest.fixture
def patient(ward: WardBench) -> WardBench:
    """Somebody in bed 01, for whom a resuscitation was called just now."""
    ward.admit("1001", "01")
    ward.store.write(lambda unit: resuscitation.change(unit, ward.site, "E-V1001", "begin", "N20713"))
    return ward


def test_what_was_read_back_acts_at_once_and_sounds_when_no_doctor_signs_it_in_six_hours(
    patient: WardBench,
) -> None:
    order = take(patient)
    assert (order.category, order.prescriber_name, order.pharmacist_verified) == ("stat", "李明远", False)
    assert patient.task_of(order.id).order_id == order.id
    patient.clock.move(hours=6)
    assert (waiting(patient), late(patient)) == ([order.id], [])
    patient.clock.move(minutes=1)
    assert late(patient) == [True]
    signed = sign(patient, order.id)
    assert signed.verbal is not None
    assert (signed.verbal.signed_by, signed.version) == ("D30012", order.version)
    assert (waiting(patient), late(patient)) == ([], [False])
    assert sign(patient, order.id, "D99999") == signed


def test_the_same_order_sent_twice_is_one_and_another_under_its_id_is_refused(patient: WardBench) -> None:
    assert take(patient) == take(patient)
    with pytest.raises(ConflictError):
        take(patient, route="PO")


def test_a_spoken_infusion_gets_the_ward_s_drop_factor(patient: WardBench) -> None:
    order = take(patient, rate_ml_h=Decimal(60), volume_ml=Decimal(100))
    assert (order.kind, order.drops_per_ml) == ("infusion", 20)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"patient_id": "P-9"}, NotFoundError),
        ({"lines": (("NONE", Dose(value=Decimal(1), unit="mL")),)}, NotFoundError),
        ({"prescriber": "D0"}, NotFoundError),
        ({"witness": "N0"}, NotFoundError),
        ({"prescriber": "N20488"}, RefusedError),
        ({"witness": "N20713"}, RefusedError),
    ],
)
def test_what_cannot_be_an_order_is_refused_whole(
    patient: WardBench, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        take(patient, **changes)
    assert waiting(patient) == []


@pytest.mark.requirement("R-ORD-05")
@pytest.mark.hazard("H-ORD-03")
def test_an_emergency_is_one_only_while_a_resuscitation_lasts(patient: WardBench) -> None:
    patient.clock.move(minutes=30)
    assert take(patient).verbal is not None
    patient.clock.move(minutes=1)
    with pytest.raises(ConflictError, match="call the resuscitation first"):
        take(patient, id="0198c0de-0002")
    assert take(patient, id="0198c0de-0003", emergency=False).verbal is not None


def test_only_an_order_by_word_of_mouth_is_signed_here(patient: WardBench) -> None:
    with pytest.raises(NotFoundError):
        sign(patient, patient.order("1001", "A"))


@pytest.mark.requirement("R-ORD-02")
def test_a_verified_order_is_the_version_that_was_read(patient: WardBench) -> None:
    order_id = patient.order("1001", "A", verified_by="")

    def verify(version: int, *, pharmacist: bool = False) -> Order:
        return patient.store.write(
            lambda unit: orders.verify(unit, order_id, version, "N20713", pharmacist=pharmacist)
        )

    with pytest.raises(ConflictError, match="newest version"):
        verify(2)
    assert verify(1).nurse_verified
    assert verify(1, pharmacist=True).pharmacist_verified
    assert verify(1).version == 1
    patient.store.write(
        lambda unit: orders.set_status(unit, order_id, "stopped", patient.clock(), patient.site.policy)
    )
    with pytest.raises(ConflictError, match="nothing to verify"):
        verify(2)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WardProcess]:
    process = WardProcess(tmp_path_factory.mktemp("verbal"), WARD_FILE)
    process.start()
    yield process
    assert process.stop() == 0


SAID = {
    "id": "0198c0de-0001", "patient_id": "P-1001", "prescriber": "D30012", "route": "IV", "read_back": True,
    "lines": [{"product_id": "KCL10", "value": "10", "unit": "mL"}],
}  # fmt: skip


def test_over_http_only_what_was_read_back_is_taken_and_only_doctors_sign(server: WardProcess) -> None:
    with server.client() as nurse:
        assert nurse.post("/verbal-orders", json=SAID).json()["code"] == "unknown-patient"
        assert nurse.post("/verbal-orders", json=SAID | {"read_back": False}).status_code == 422
        assert nurse.post("/verbal-orders/x/sign").status_code == 403
        assert nurse.get("/verbal-orders/unsigned").json() == []
        answer: httpx2.Response = nurse.post("/orders/none/verify", json={"version": 1})
        assert answer.status_code == 404
