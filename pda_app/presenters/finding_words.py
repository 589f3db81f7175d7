"""The values inside a finding's sentence: codes, ids and instants become what a nurse says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation

from clinical.codes import CODES
from clinical.records import Ingredient, Label, Product
from pda_app.presenters import words
from pda_app.presenters.desk import Desk
from pda_app.presenters.states import Msg, Text


def readable(desk: Desk, name: str, value: str) -> Text:
    """One parameter of a finding, by its name."""
    return _READERS.get(name, _plain)(desk, value)


def _plain(desk: Desk, value: str) -> Text:
    """Instants as ward clock time, amounts with their unit in words, anything else as it is."""
    return instant(desk, value) or _amount(value)


def instant(desk: Desk, value: str) -> str:
    """An ISO instant as ward clock time, with the date when it is not today; empty when it is not one."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return ""
    if at.tzinfo is None:
        return ""
    local = at.astimezone(desk.zone)
    same_day = local.date() == desk.now().astimezone(desk.zone).date()
    return f"{local:%H:%M}" if same_day else f"{local:%m-%d %H:%M}"


def _amount(value: str) -> Text:
    number, _, unit = value.partition(" ")
    try:
        exact = Decimal(number)
    except InvalidOperation:
        return value
    return words.joined("space", words.number(exact), words.unit(unit)) if unit else words.number(exact)


def _minutes(_: Desk, value: str) -> Text:
    return value.lstrip("-")


def _person(desk: Desk, value: str) -> Text:
    return desk.person_name(value)


def _substance(desk: Desk, value: str) -> Text:
    """An ingredient or class code by the formulary's own words."""
    return _ingredient_name(desk, value) or Msg(f"class.{value}")


def _ingredient_name(desk: Desk, code: str) -> Label | None:
    ingredients: list[Ingredient] = [one for product in desk.book.all(Product) for one in product.ingredients]
    return next((one.display for one in ingredients if one.code == code), None)


def _product(desk: Desk, value: str) -> Text:
    product = desk.book.get(Product, value)
    return product.display if product is not None else value


def _measure(_: Desk, value: str) -> Text:
    code = CODES.get(value)
    return code.label if code is not None else value


def _ordered(desk: Desk, value: str) -> Text:
    """An ordered route is a word, an ordered amount a number with its unit."""
    return _route(desk, value) if value.isalpha() and value.isupper() else _plain(desk, value)


def _route(_: Desk, value: str) -> Text:
    """Into a vein is all that the code says: whether it drips or is pushed depends on the order."""
    return Msg("route.vein") if value in {"IV", "IVPB"} else words.route(value)


def _times(desk: Desk, value: str) -> Text:
    return words.joined("list", *(instant(desk, one) or one for one in value.split()))


def _family(family: str) -> Callable[[Desk, str], Text]:
    return lambda _, value: Msg(f"{family}.{value}")


_READERS: dict[str, Callable[[Desk, str], Text]] = {
    "a": _substance,
    "b": _substance,
    "by": _person,
    "entered": _ordered,
    "form": _family("form"),
    "group": _substance,
    "ingredient": _substance,
    "kind": _family("kind"),
    "measure": _measure,
    "minutes": _minutes,
    "operator": _person,
    "ordered": _ordered,
    "product": _product,
    "reason": _family("finding-reason"),
    "route": _route,
    "severity_word": _family("severity"),
    "site": _family("site"),
    "state": _family("status"),
    "status": _family("status"),
    "substance": _substance,
    "times": _times,
    "unit": lambda _, value: words.unit(value),
}
