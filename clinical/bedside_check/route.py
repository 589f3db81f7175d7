"""ROUTE: the right way in, at a site that may be used, on a line that is compatible."""

from __future__ import annotations

from datetime import timedelta

from clinical.bedside_check.case import GIVING, Case
from clinical.bedside_check.model import Right
from clinical.records import Order

_LINE_ROUTES = frozenset({"IV", "IVPB"})
_PATCH = "patch"


def judge(case: Case) -> None:
    """Judge route, form, site, line and what is still on the skin."""
    order = case.order
    if order is None or case.action not in GIVING:
        return
    case.route = case.request.entered.route or order.route
    if case.route != order.route:
        case.add("ROUTE-MISMATCH", ordered=order.route, entered=case.route)
    _form(case)
    _site(case)
    _line(case)
    _patch(case, order)
    case.judged.add(Right.ROUTE)


def _form(case: Case) -> None:
    for product in case.products():
        by_form = case.policy.form_routes.get(product.form)
        if (product.routes and case.route not in product.routes) or (by_form and case.route not in by_form):
            case.add("ROUTE-FORM", form=product.form, route=case.route)
            return


def _site(case: Case) -> None:
    if case.route not in case.policy.site_routes:
        return
    site = case.request.entered.site
    if not site:
        case.need("site")
        return
    recent = case.given(timedelta(hours=case.policy.site_rotation_h))
    if any(past.site == site and past.route == case.route for past in recent):
        case.add("ROUTE-SITE", site=site)


def _line(case: Case) -> None:
    """Compare with what runs now; the bag that is being replaced counts too, its drug is in the line."""
    if case.route not in _LINE_ROUTES:
        return
    mine = codes(case)
    for infusion in case.snapshot.running_of(case.patient_id):
        running = case.snapshot.orders.get(infusion.order_id)
        theirs = _order_codes(case, running) if running is not None else set()
        for pair in case.policy.incompatibilities:
            if (pair.a in mine and pair.b in theirs) or (pair.b in mine and pair.a in theirs):
                case.add("ROUTE-LINE", a=pair.a, b=pair.b)
                return


def codes(case: Case) -> set[str]:
    """Return ingredient and class codes of what is given."""
    return {code for one in case.ingredients() for code in (one.code, *one.classes)}


def _order_codes(case: Case, order: Order) -> set[str]:
    products = (case.snapshot.products.get(line.product_id) for line in order.items)
    return {
        code
        for product in products
        if product is not None
        for one in product.ingredients
        for code in (one.code, *one.classes)
    }


def _patch(case: Case, order: Order) -> None:
    if not any(product.form == _PATCH for product in case.products()):
        return
    past = case.snapshot.administrations_of.get(case.patient_id, ())
    mine = [found for found in past if found.order_id == order.id and found.at <= case.at]
    on = [found for found in mine if found.outcome in {"given", "removed"}]
    if on and on[-1].outcome == "given":
        case.add("ROUTE-NOT-REMOVED", at=on[-1].at)
