"""Making up a bag package by package (摆药 → 配药 → 核对): what goes in is scanned, and only what belongs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from clinical.bedside_check.model import Action
from clinical.drug_policy import Recall
from clinical.errors import BadInputError, ConflictError, NotFoundError
from clinical.identifiers import hospital
from clinical.policy import SitePolicy
from clinical.records import Bag
from server.administrations import service as administrations
from server.his.port import ItemFact
from server.preparations import contents, service
from tests.server.conftest import WardBench
from tests.support.ward_http import bearer, serving, token_of

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


def made(ward: WardBench, bag: Bag, by: str = "N20713") -> Bag:
    """Lay the drugs out and make the bag up."""
    ward.store.write(lambda unit: service.lay(unit, bag.id, by))
    return ward.store.write(lambda unit: service.prepare(unit, bag.id, by))


def check(ward: WardBench, bag: Bag, by: str = "N20488", unscanned: str = "") -> Bag:
    return ward.store.write(lambda unit: service.check(unit, bag.id, by, ward.site.policy, unscanned))


def test_each_package_is_kept_with_lot_expiry_and_its_own_number(ward: WardBench, bag: Bag) -> None:
    scan(ward, bag, NS)
    filled = scan(ward, bag, KCL)
    assert scan(ward, bag, KCL) == filled
    kept = [(one.product_id, one.lot, one.expires, one.code, one.by) for one in filled.contents]
    assert kept == [
        ("NS100", "N7", date(2027, 1, 31), "06901234500028:S1", "N20713"),
        ("KCL10", "K7", date(2027, 1, 31), "06901234500059:S2", "N20713"),
    ]
    made(ward, bag)
    assert check(ward, bag).checked_by == "N20488"


def test_a_bag_that_lacks_a_drug_is_not_checked(ward: WardBench, bag: Bag) -> None:
    scan(ward, bag, NS)
    made(ward, bag)
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


# ---- the chain and its people


@pytest.mark.requirement("R-PREP-02")
@pytest.mark.hazard("H-PREP-02")
def test_every_step_of_the_chain_has_its_person_and_its_time(ward: WardBench, bag: Bag) -> None:
    assert (bag.state, bag.prepared_by, bag.printed_at) == ("labelled", "", ward.clock())
    laid_at = ward.clock.move(minutes=1)
    laid = ward.store.write(lambda unit: service.lay(unit, bag.id, "N20713"))
    assert (laid.state, laid.laid_by, laid.laid_at) == ("laid", "N20713", laid_at)
    scan(ward, bag, NS)
    scan(ward, bag, KCL)
    prepared_at = ward.clock.move(minutes=5)
    prepared = ward.store.write(lambda unit: service.prepare(unit, bag.id, "PH1"))
    assert (prepared.state, prepared.prepared_by, prepared.prepared_at) == ("prepared", "PH1", prepared_at)
    checked_at = ward.clock.move(minutes=2)
    checked = check(ward, bag)
    assert (checked.state, checked.checked_by, checked.checked_at) == ("checked", "N20488", checked_at)
    assert (checked.laid_at, checked.prepared_at) == (laid_at, prepared_at)
    ward.clock.move(minutes=1)
    assert [made(ward, bag, "N10001"), check(ward, bag, "N10001")] == [checked, checked]


@pytest.mark.requirement("R-PREP-02")
@pytest.mark.hazard("H-PREP-02")
def test_no_step_of_the_chain_is_left_out_and_the_check_is_anothers(ward: WardBench, bag: Bag) -> None:
    with pytest.raises(ConflictError) as not_laid:
        ward.store.write(lambda unit: service.prepare(unit, bag.id, "N20713"))
    with pytest.raises(ConflictError) as not_prepared:
        check(ward, bag)
    made(ward, bag)
    with pytest.raises(ConflictError) as own:
        check(ward, bag, "N20713", "no-code")
    codes = [one.value.code for one in (not_laid, not_prepared, own)]
    assert codes == ["not-laid", "not-prepared", "same-person"]


@pytest.mark.requirement("R-PREP-03")
@pytest.mark.hazard("H-PREP-01")
def test_an_empty_bag_is_checked_only_with_a_reason(ward: WardBench, bag: Bag) -> None:
    made(ward, bag)
    with pytest.raises(ConflictError) as empty:
        check(ward, bag)
    assert empty.value.code == "bag-unscanned"
    assert check(ward, bag, unscanned="scanner-broken").unscanned == "scanner-broken"


@pytest.mark.requirement("R-PREP-03")
def test_a_ward_may_do_without_scanned_packages(ward: WardBench, bag: Bag) -> None:
    made(ward, bag)
    care = ward.site.policy.care
    infusion = replace(care.infusion, scan_packages=False)
    ward.site = replace(ward.site, policy=replace(ward.site.policy, care=replace(care, infusion=infusion)))
    assert check(ward, bag).state == "checked"


@pytest.mark.requirement("R-PREP-02")
def test_nothing_is_done_with_a_bag_that_is_void_or_unknown(ward: WardBench, bag: Bag) -> None:
    for step in (service.lay, service.prepare):
        with pytest.raises(NotFoundError):
            ward.store.write(lambda unit, step=step: step(unit, "B-none", "N20713"))  # type: ignore[misc]
    ward.store.write(lambda unit: unit.put(replace(bag, state="void")))
    for step in (service.lay, service.prepare):
        with pytest.raises(ConflictError):
            ward.store.write(lambda unit, step=step: step(unit, bag.id, "N20713"))  # type: ignore[misc]
    with pytest.raises(ConflictError):
        check(ward, bag)


@pytest.mark.requirement("R-PREP-02")
def test_a_bag_that_was_only_labelled_is_stopped_at_the_bed(ward: WardBench, bag: Bag) -> None:
    request = ward.request("r1", Action.START, items=(hospital.encode("bag", bag.id),))
    answer = ward.store.write(
        lambda unit: administrations.answer(unit, ward.site, ward.session(), request, "W1")
    )
    assert "MED-NOT-VERIFIED" in [one.code for one in answer.result.findings]


@pytest.mark.requirement("R-PREP-02")
def test_the_chain_goes_over_http(ward: WardBench, bag: Bag, tmp_path: Path) -> None:
    with serving(ward.store, ward.site, tmp_path) as client:
        maker, checker = (bearer(token_of(ward.store, one)) for one in ("N20713", "N20488"))
        steps = (("laid", maker, None), ("prepared", maker, None), ("check", checker, None))
        answers = [
            client.post(f"/api/v1/bags/{bag.id}/{step}", headers=head, json=body)
            for step, head, body in steps
        ]
        assert [one.status_code for one in answers] == [200, 200, 409]
        assert answers[-1].json()["code"] == "bag-unscanned"
        said = client.post(f"/api/v1/bags/{bag.id}/check", headers=checker, json={"unscanned": "no-code"})
        assert said.json()["state"] == "checked"
        assert (
            client.post(
                f"/api/v1/bags/{bag.id}/check", headers=checker, json={"unscanned": "too lazy"}
            ).status_code
            == 422
        )
