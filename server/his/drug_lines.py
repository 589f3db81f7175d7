"""What an order gives: its drugs, amounts and rate (RXO, RXE, RXC, OBX)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from server.his.message import Segment
from server.his.order_groups import OrderGroup
from server.his.port import ItemFact
from server.his.reading import Site, number
from server.his.refusal import RefusedMessageError, missing, wrong_form

# The drip factor of the giving set has no field of its own in HL7 v2; an OBX in the order group carries it.
DROP_FACTOR_CODES = frozenset({"DROP-FACTOR", "DROPS-PER-ML"})
_ROLES = {"B": "base", "A": "additive"}
_PER_TIME = re.compile(r"(?P<unit>[SMHD])(?P<n>\d{1,4})\Z")
_MINUTES = {"S": Decimal(1) / 60, "M": Decimal(1), "H": Decimal(60), "D": Decimal(1440)}


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugLines:
    """The content of an order and how fast it runs."""

    items: tuple[ItemFact, ...] = ()
    volume_ml: Decimal | None = None
    rate_ml_h: Decimal | None = None
    drops_per_ml: int | None = None

    @property
    def is_infusion(self) -> bool:
        """A rate was ordered, or something is dissolved in a base."""
        return self.rate_ml_h is not None or any(item.role == "base" for item in self.items)


def drug_lines(group: OrderGroup, site: Site) -> DrugLines:
    """Read the drug part of one order group.

    Raises:
        RefusedMessageError: An amount is no number, a rate has no usable unit, or the drug has no code.
    """
    main = _main_item(group, site)
    items = _with_components(main, [_component(line, site) for line in group.all("RXC")])
    volume = _volume(items)
    drops = _drop_factor(group)
    rate = _rate(group, site, volume=volume, drops=drops)
    return DrugLines(items=items, volume_ml=volume, rate_ml_h=rate, drops_per_ml=drops)


def _main_item(group: OrderGroup, site: Site) -> ItemFact | None:
    rxe, rxo = group.get("RXE"), group.get("RXO")
    if rxe is not None and (rxe.value(2) or rxe.value(2, 2)):
        return _item(rxe, (2, 3, 4, 5), site)
    if rxo is not None and (rxo.value(1) or rxo.value(1, 2)):
        return _item(rxo, (1, 2, 3, 4), site)
    return None


def _item(segment: Segment, fields: tuple[int, int, int, int], site: Site) -> ItemFact:
    code, low, high, unit = fields
    name = segment.name
    if not segment.value(code):
        raise missing(f"{name}-{code}.1", "drug code")
    least, most = (number(segment.value(at), f"{name}-{at}") for at in (low, high))
    if least is None:
        least, most = most, None
    return ItemFact(
        code=segment.value(code),
        text=segment.value(code, 2) or segment.value(code),
        amount=least,
        amount_high=None if most == least else most,
        unit=unit_word(segment, unit, site),
    )


def unit_word(segment: Segment, field: int, site: Site) -> str:
    """Return the UCUM unit of a coded unit field, whichever of its codes the table knows.

    A unit the table does not know stays as the hospital wrote it, for the ward's own mapping.
    """
    candidates = [segment.value(field, part) for part in (1, 2, 4, 5)]
    known = (site.tables.find("unit", text) for text in candidates if text)
    return next((word for word in known if word), next((text for text in candidates if text), ""))


def _component(rxc: Segment, site: Site) -> ItemFact:
    role = _ROLES.get(rxc.value(1).upper())
    if role is None:
        raise RefusedMessageError(
            "component-role", "RXC-1 must be B (base) or A (additive).", hl7_code=103, where="RXC-1"
        )
    if not rxc.value(2):
        raise missing("RXC-2.1", "component code")
    return ItemFact(
        code=rxc.value(2),
        text=rxc.value(2, 2) or rxc.value(2),
        amount=number(rxc.value(3), "RXC-3"),
        unit=unit_word(rxc, 4, site),
        role=role,
    )


def _with_components(main: ItemFact | None, parts: list[ItemFact]) -> tuple[ItemFact, ...]:
    """Join the drug of RXE-2 and its components without losing or doubling a drug.

    With additives listed, RXE-2 is the name of the mixture (HL7 v2, 4A.3.5). With only a base listed, RXE-2
    is what is dissolved in it. A single component with RXE-2's own code repeats it.
    """
    if not parts:
        return (main,) if main else ()
    if main is None or any(part.role == "additive" for part in parts):
        return tuple(parts)
    if len(parts) == 1 and parts[0].code == main.code:
        return (replace(main, amount=main.amount or parts[0].amount, unit=main.unit or parts[0].unit),)
    bases = tuple(part for part in parts if part.code != main.code)
    return (*bases, replace(main, role="additive"))


def _volume(items: tuple[ItemFact, ...]) -> Decimal | None:
    volumes = [item.amount for item in items if item.unit == "mL" and item.amount is not None]
    return sum(volumes, Decimal(0)) if volumes else None


def _drop_factor(group: OrderGroup) -> int | None:
    for obx in group.all("OBX"):
        if obx.value(3).upper() in DROP_FACTOR_CODES and obx.value(5):
            drops = number(obx.value(5), "OBX-5")
            if drops is None or drops != drops.to_integral_value() or not 1 <= drops <= 100:
                raise wrong_form("OBX-5", "a drop factor in whole drops per mL")
            return int(drops)
    return None


def _rate(group: OrderGroup, site: Site, *, volume: Decimal | None, drops: int | None) -> Decimal | None:
    rxe = group.get("RXE")
    if rxe is None:
        return None
    amount = number(rxe.value(23), "RXE-23")
    if amount is not None:
        return _rate_ml_h(amount, rxe, site, drops)
    return _rate_from_duration(rxe, volume)


def _rate_ml_h(amount: Decimal, rxe: Segment, site: Site, drops: int | None) -> Decimal:
    units = (site.tables.find("rate", rxe.value(24, part)) for part in (1, 2, 4, 5))
    unit = next((word for word in units if word), "")
    if unit == "mL/h":
        return amount
    if unit == "mL/min":
        return amount * 60
    if unit == "gtt/min" and drops:
        return _rounded(amount * 60 / drops)
    raise RefusedMessageError(
        "rate-unit",
        "RXE-24 must be mL/h, or drops per minute together with an OBX DROP-FACTOR.",
        hl7_code=103,
        where="RXE-24",
    )


def _rate_from_duration(rxe: Segment, volume: Decimal | None) -> Decimal | None:
    text = rxe.value(22).upper()
    if not text or volume is None:
        return None
    found = _PER_TIME.match(text)
    if found is None or int(found["n"]) == 0:
        raise wrong_form("RXE-22", "a time such as M30 or H2")
    return _rounded(volume * 60 / (int(found["n"]) * _MINUTES[found["unit"]]))


def _rounded(rate: Decimal) -> Decimal:
    return rate.quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)
