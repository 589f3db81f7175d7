"""Making up a bag package by package (摆药 → 配药 → 核对): what goes in is scanned, and only what belongs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from clinical.drug_policy import Recall
from clinical.errors import BadInputError, ConflictError, NotFoundError
from clinical.policy import SitePolicy
from clinical.records import Bag
from server.his.port import ItemFact
from server.preparations import contents, service
from tests.server.conftest import WardBench

pytestmark = [pytest.mark.requirement("R-PREP-01"), pytest.mark.hazard("H-PREP-01")]
NS, KCL = "(01)06901234500028(17)270131(10)N7(21)S1", "(01)06901234500059(17)270131(10)K7(21)S2"


@pytest.fixture
def bag(ward: WardBench) -> Bag:
    ward.admit("1001", "01")
    items = tuple(
        ItemFact(code=code, text=code, amount=Decimal(amount), unit="mL", role=role)
        for code, amount, role in (("NS100", 100, "base"), ("KCL10", 10, "additive"))
    )
    order_id = ward.order_bag("1001", "MIX", items=items)
    return ward.store.write(
        lambda unit: service.label(unit, ward.task_of(order_id).id, "N20713", ward.site.policy)
    )


def scan(ward: WardBench, bag: Bag, raw: str, policy: SitePolicy | None = None) -> Bag:
    used = policy or ward.site.policy
    return ward.store.write(lambda unit: contents.add(unit, used, bag.id, raw, "N20713"))


def check(ward: WardBench, bag: Bag) -> Bag:
    return ward.store.write(lambda unit: service.check(unit, bag.id, "N20488"))


def test_each_package_is_kept_with_lot_expiry_and_its_own_number(ward: WardBench, bag: Bag) -> None:
    scan(ward, bag, NS)
    filled = scan(ward, bag, KCL)
    assert scan(ward, bag, KCL) == filled
    kept = [(one.product_id, one.lot, one.expires, one.code, one.by) for one in filled.contents]
    assert kept == [
        ("NS100", "N7", date(2027, 1, 31), "06901234500028:S1", "N20713"),
        ("KCL10", "K7", date(2027, 1, 31), "06901234500059:S2", "N20713"),
    ]
    assert check(ward, bag).checked_by == "N20488"


def test_a_bag_that_lacks_a_drug_is_not_checked_and_one_made_up_without_scanner_is(
    ward: WardBench, bag: Bag
) -> None:
    scan(ward, bag, NS)
    with pytest.raises(ConflictError, match="1 drug"):
        check(ward, bag)
    scan(ward, bag, KCL)
    check(ward, bag)
    with pytest.raises(ConflictError, match="checked"):
        scan(ward, bag, NS.replace("S1", "S9"))


@pytest.mark.parametrize(
    ("raw", "error", "code"),
    [
        ("(01)06901234500066(21)S1", ConflictError, "not-in-order"),
        ("(01)06901234500028(17)260430(21)S1", ConflictError, "drug-expired"),
        ("(01)06901234500029", BadInputError, "code-unreadable"),
        ("(01)06901234599992", NotFoundError, "unknown-product"),
    ],
)
def test_what_does_not_belong_is_refused_and_the_bag_stays_as_it_was(
    ward: WardBench, bag: Bag, raw: str, error: type[Exception], code: str
) -> None:
    with pytest.raises(error) as caught:
        scan(ward, bag, raw)
    assert caught.value.code == code  # type: ignore[attr-defined]
    kept = ward.store.picture.get(Bag, bag.id)
    assert kept is not None
    assert kept.contents == ()


def test_a_recalled_lot_is_set_aside(ward: WardBench, bag: Bag) -> None:
    policy = replace(ward.site.policy, recalls=(Recall(product="NS100", lot="N7"),))
    with pytest.raises(ConflictError, match="recalled"):
        scan(ward, bag, NS, policy)
    assert scan(ward, bag, NS.replace("N7", "N8"), policy).contents


def test_one_package_goes_into_one_bag(ward: WardBench, bag: Bag) -> None:
    scan(ward, bag, NS)
    other_order = ward.order_bag("1001", "NEXT")
    other = ward.store.write(
        lambda unit: service.label(unit, ward.task_of(other_order).id, "N20713", ward.site.policy)
    )
    with pytest.raises(ConflictError, match="another bag"):
        scan(ward, other, NS)
    with pytest.raises(NotFoundError):
        scan(ward, replace(bag, id="B-none"), NS)
