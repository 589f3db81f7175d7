"""Versions of an order: which printed labels stay true, who has checked it, and what stays closed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from clinical.bedside_check import labels
from clinical.bedside_check.model import Action, Word
from clinical.identifiers import hospital
from clinical.records import Bag, Order
from server.administrations import service as administrations
from server.his.port import ChangeOrder, HoldOrder, ItemFact, PlaceOrder, ReleaseOrder, StopOrder
from server.orders import service as orders

SALT = ItemFact(code="NS100", text="氯化钠", amount=Decimal(100), unit="mL")
SENSOR = "ble:c0-00-00-00-01-01"


def order(ward: Any) -> Order:
    found = ward.store.picture.get(Order, "O-B1")
    assert found is not None
    return found


def tell(ward: Any, *facts: Any) -> None:
    for fact in facts:
        applied = ward.hospital.apply(fact)
        assert applied.ok, applied


def change(**said: Any) -> ChangeOrder:
    return ChangeOrder(order=PlaceOrder(mrn="1001", placer_id="B1", verified_by="N1", **said))


@pytest.fixture
def bag(ward: Any) -> Bag:
    ward.admit("1001", "01")
    return ward.bag(ward.task_of(ward.order_bag("1001", "B1")).id)


def check(ward: Any, bag: Bag) -> Any:
    label = hospital.encode("bag", bag.id)
    request = ward.request("r1", Action.START, items=(label,), device_id=SENSOR)
    return ward.store.write(
        lambda unit: administrations.answer(unit, ward.site, ward.session(), request, "W1")
    ).result


@pytest.mark.requirement("R-SRV-16")
@pytest.mark.hazard("H-SRV-08")
def test_a_bag_printed_before_a_hold_and_a_release_is_still_true(ward: Any, bag: Bag) -> None:
    tell(ward, HoldOrder(mrn="1001", placer_id="B1"), ReleaseOrder(mrn="1001", placer_id="B1"))
    assert (order(ward).version, labels.state(bag, order(ward))) == (3, "valid")
    assert check(ward, bag).word is Word.GIVE
    assert ward.bag(bag.task_id).id == bag.id


@pytest.mark.requirement("R-SRV-16")
@pytest.mark.hazard("H-SRV-08")
def test_a_bag_printed_before_a_change_of_rate_warns_and_after_another_change_is_void(
    ward: Any, bag: Bag
) -> None:
    tell(ward, change(rate_ml_h=Decimal(50)))
    assert labels.state(bag, order(ward)) == "rate-changed"
    assert check(ward, bag).word is Word.CHECK
    tell(ward, HoldOrder(mrn="1001", placer_id="B1"), ReleaseOrder(mrn="1001", placer_id="B1"))
    assert labels.state(bag, order(ward)) == "rate-changed"
    tell(ward, change(instruction="慢滴"))
    assert labels.state(bag, order(ward)) == "void"
    assert check(ward, bag).word is Word.STOP


@pytest.mark.requirement("R-SRV-16")
@pytest.mark.hazard("H-SRV-08")
def test_what_changed_before_anybody_noted_it_is_taken_as_a_change_of_the_label(ward: Any, bag: Bag) -> None:
    older = replace(order(ward), version=3, label_version=0, rate_version=0)
    ward.store.write(lambda unit: unit.put(older))
    tell(ward, HoldOrder(mrn="1001", placer_id="B1"), ReleaseOrder(mrn="1001", placer_id="B1"))
    assert labels.state(bag, order(ward)) == "void"


def test_a_change_that_says_nothing_new_makes_no_version(ward: Any, bag: Bag) -> None:
    tell(ward, change(rate_ml_h=Decimal(50)))
    before = order(ward)
    tell(ward, change(rate_ml_h=Decimal(50)), change(instruction=""))
    assert order(ward) == before
    assert bag.order_version == 1


@pytest.mark.requirement("R-SRV-17")
@pytest.mark.parametrize(
    ("said", "checked_by"),
    [
        ({"encoded": True, "verified_by": ""}, (False, True)),
        ({"encoded": False, "verified_by": "N1"}, (True, False)),
        ({"encoded": True, "verified_by": "N1"}, (True, True)),
        ({"encoded": False, "verified_by": ""}, (False, False)),
    ],
)
def test_who_has_checked_an_order_is_kept(
    ward: Any, said: dict[str, Any], checked_by: tuple[bool, bool]
) -> None:
    ward.admit("1001", "01")
    ward.order_bag("1001", "B1", **said)
    assert (order(ward).nurse_verified, order(ward).pharmacist_verified) == checked_by


@pytest.mark.requirement("R-SRV-17")
def test_a_check_counts_for_what_was_checked_and_not_for_what_came_after(ward: Any) -> None:
    ward.admit("1001", "01")
    ward.order_bag("1001", "B1", verified_by="", encoded=True)
    ward.order_bag("1001", "B1", verified_by="N1", encoded=False)
    assert (order(ward).nurse_verified, order(ward).pharmacist_verified) == (True, True)
    rate = ChangeOrder(order=PlaceOrder(mrn="1001", placer_id="B1", rate_ml_h=Decimal(50)))
    tell(ward, rate)
    assert (order(ward).nurse_verified, order(ward).pharmacist_verified) == (False, False)
    tell(ward, replace(rate, order=replace(rate.order, verified_by="N1")))
    assert (order(ward).nurse_verified, order(ward).pharmacist_verified) == (True, False)


@pytest.mark.requirement("R-ORD-02")
def test_an_order_says_who_checked_this_very_content_and_when(ward: Any) -> None:
    ward.admit("1001", "01")
    ward.order_bag("1001", "B1", verified_by="")
    first = ward.clock()

    def verify(by: str, version: int, *, pharmacist: bool = False) -> Order:
        return ward.store.write(lambda unit: orders.verify(unit, "O-B1", version, by, pharmacist=pharmacist))

    verify("N20713", 1)
    ward.clock.move(minutes=5)
    again, later = verify("N20488", 1), verify("PH1", 1, pharmacist=True)
    assert (again.nurse_verified_by, again.nurse_verified_at) == ("N20713", first)
    assert (later.pharmacist_verified_by, later.pharmacist_verified_at) == ("PH1", ward.clock())
    ward.order_bag("1001", "B1", verified_by="", start=first, at=first)
    tell(ward, HoldOrder(mrn="1001", placer_id="B1"), ReleaseOrder(mrn="1001", placer_id="B1"))
    assert (order(ward).nurse_verified_by, order(ward).pharmacist_verified_by) == ("N20713", "PH1")
    tell(ward, ChangeOrder(order=PlaceOrder(mrn="1001", placer_id="B1", rate_ml_h=Decimal(50))))
    assert (order(ward).nurse_verified_by, order(ward).nurse_verified_at) == ("", None)
    tell(ward, change(rate_ml_h=Decimal(70), at=ward.clock()))
    assert (order(ward).nurse_verified_by, order(ward).nurse_verified_at) == ("N1", ward.clock())
    assert (order(ward).pharmacist_verified_by, order(ward).pharmacist_verified_at) == ("", None)


@pytest.mark.requirement("R-SRV-17")
@pytest.mark.hazard("H-SRV-04")
def test_an_order_sent_again_opens_neither_a_hold_nor_a_closed_order(ward: Any) -> None:
    ward.admit("1001", "01")
    ward.order_bag("1001", "B1")
    tell(ward, HoldOrder(mrn="1001", placer_id="B1"))
    ward.order_bag("1001", "B1")
    assert order(ward).status == "on-hold"
    tell(ward, StopOrder(mrn="1001", placer_id="B1"))
    ward.order_bag("1001", "B1")
    assert order(ward).status == "stopped"
    again = PlaceOrder(
        mrn="1001", placer_id="B1", items=(replace(SALT, amount=Decimal(50)),), route="IV", frequency="once"
    )
    assert ward.hospital.apply(again).code == "order-closed"
    assert ward.hospital.apply(change(rate_ml_h=Decimal(9))).code == "order-closed"
    assert order(ward).status == "stopped"
