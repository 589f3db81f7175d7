"""What goes into a bag, package by package: product, lot, expiry and the package's own number."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

from clinical.bedside_check.drug import pack_code
from clinical.errors import BadInputError, ConflictError, NotFoundError
from clinical.identifiers import Identified, Kind, resolve
from clinical.identifiers.gs1_checks import last_usable_day
from clinical.policy import SitePolicy
from clinical.records import Bag, Content, Order, Product
from server.preparations.service import OPEN
from server.storage.store import UnitOfWork


def add(unit: UnitOfWork, policy: SitePolicy, bag_id: str, raw: str, by: str) -> Bag:
    """Scan one package into a bag that is being made up; the same package again changes nothing.

    Raises:
        NotFoundError: There is no such bag, or no drug of this code in the formulary.
        BadInputError: The code cannot be read.
        ConflictError: The bag is closed or checked, the drug is not of its order, is expired or recalled, or
            this very package is in another bag.
    """
    bag = unit.get(Bag, bag_id)
    order = unit.get(Order, bag.order_id) if bag is not None else None
    if bag is None or order is None:
        raise NotFoundError("unknown-bag", "there is no such bag")
    if bag.state not in OPEN or bag.state == "checked":
        raise ConflictError("bag-closed", "this bag is checked, void, running or used; label a new one")
    found = resolve(raw, prefixes=policy.prefixes)
    product = _product(unit, found)
    content = Content(
        product_id=product.id,
        at=unit.now,
        by=by,
        lot=found.element("10"),
        expires=_expiry(found, _today(unit, policy)),
        code=pack_code(found),
    )
    if any(_same(content, one) for one in bag.contents):
        return bag
    _judge(unit, policy, order, bag, content)
    filled = replace(bag, contents=(*bag.contents, content))
    unit.put(filled)
    unit.audit(
        "bag-content", actor=by, entity=f"bag:{bag.id}", patient=bag.patient_id, detail=content.product_id
    )
    return filled


def _today(unit: UnitOfWork, policy: SitePolicy) -> date:
    return unit.now.astimezone(ZoneInfo(policy.zone)).date()


def _product(unit: UnitOfWork, found: Identified) -> Product:
    if not found.valid or "separator-missing" in found.warnings:
        raise BadInputError("code-unreadable", "this code cannot be read; scan the package again")
    for product in unit.all(Product):
        by_trace = found.kind == Kind.TRACEABILITY and found.value[:7] in product.trace_prefixes
        if by_trace or (found.kind in {Kind.GS1, Kind.EAN} and found.value in product.gtins):
            return product
    raise NotFoundError("unknown-product", "no drug of the formulary has this code")


def _expiry(found: Identified, today: date) -> date | None:
    text = found.element("17") or found.element("7003")[:6]
    return last_usable_day(text, today) if text else None


def _same(one: Content, other: Content) -> bool:
    """Whether two scans are of one package; without its own number it is known by product and lot."""
    if one.code or other.code:
        return one.code == other.code
    return (one.product_id, one.lot) == (other.product_id, other.lot)


def _judge(unit: UnitOfWork, policy: SitePolicy, order: Order, bag: Bag, content: Content) -> None:
    if content.product_id not in {line.product_id for line in order.items}:
        raise ConflictError("not-in-order", "this drug is not part of the bag's order; put it back")
    if content.expires is not None and content.expires < _today(unit, policy):
        raise ConflictError("drug-expired", "this package has expired; take another one")
    if any(one.product == content.product_id and one.lot in {"", content.lot} for one in policy.recalls):
        raise ConflictError("drug-recalled", "this lot has been recalled; set it aside")
    product = unit.get(Product, content.product_id)
    shared = product is not None and product.form in policy.multi_dose_forms
    elsewhere = (one for other in unit.all(Bag) if other.id != bag.id for one in other.contents)
    if content.code and not shared and any(one.code == content.code for one in elsewhere):
        raise ConflictError("package-used", "this very package is in another bag already; take another one")
