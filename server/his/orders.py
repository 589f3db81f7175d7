"""Order messages (RDE^O11, OMP^O09, ORM^O01): new, change, hold, release, stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from server.his.drug_lines import drug_lines
from server.his.message import Message
from server.his.order_groups import OrderGroup, groups_of
from server.his.port import (
    ChangeOrder,
    HoldOrder,
    HospitalFact,
    ItemFact,
    PlaceOrder,
    ReleaseOrder,
    StopOrder,
)
from server.his.reading import Site, number, patient_number, practitioner, visit_number
from server.his.refusal import RefusedMessageError, missing
from server.his.times import parse_stamp
from server.his.timing import Timing, timing_of

# ORC-1 (table HL70119): requests of the placer, and the filler telling that it did the same.
_CONTROLS = {
    "NW": "new",
    "CH": "new",
    "PA": "parent",
    "XO": "change",
    "XX": "change",
    "CA": "cancel",
    "OC": "cancel",
    "DC": "stop",
    "OD": "stop",
    "HD": "hold",
    "OH": "hold",
    "RL": "release",
    "OE": "release",
    "SC": "status",
}
CONTROLS = frozenset(_CONTROLS)
_STATUS_CONTROLS = {"CA": "cancel", "DC": "stop", "HD": "hold"}  # ORC-5 (table HL70038) of SC


def facts_of(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    """Return what an order message says, one fact for each ORC that says something for the ward.

    Raises:
        RefusedMessageError: A field that is needed is missing or wrong, or nothing in it is a drug order.
    """
    mrn = patient_number(message.first("PID"), site)
    groups = list(groups_of(message))
    if not groups:
        raise missing("ORC", "common order")
    facts = [fact for group in groups if (fact := _fact(message, group, mrn, site)) is not None]
    return tuple(facts)


def _fact(message: Message, group: OrderGroup, mrn: str, site: Site) -> HospitalFact | None:
    if "OBR" in group.single and not (group.is_pharmacy or group.is_blood):
        raise _not_a_drug()
    control = _control(group)
    if control == "parent" and not group.is_pharmacy:
        return None  # a parent line only holds its children together; they follow with ORC-8
    if control in {"new", "parent", "change"}:
        order = _order(message, group, mrn, site)
        if control == "change":
            return ChangeOrder(order=order, cleared=_cleared(group))
        return _new(order, message, group, site)
    if control == "none":
        return None
    return _ENDINGS[control](_identity(group, mrn, site), _reason(group))


def _control(group: OrderGroup) -> str:
    code = group.orc.value(1).upper()
    control = _CONTROLS.get(code)
    if control == "status":
        return _STATUS_CONTROLS.get(group.orc.value(5).upper(), "none")
    if control is None:
        raise RefusedMessageError(
            "order-control",
            f"ORC-1 {code[:2] or '(empty)'} is not handled; use NW, XO, CA, DC, HD or RL.",
            hl7_code=103 if code else 101,
            where="ORC-1",
        )
    return control


_ENDINGS: dict[str, Callable[[dict[str, Any], str], HospitalFact]] = {
    "hold": lambda who, reason: HoldOrder(**who, reason=reason),
    "release": lambda who, _reason: ReleaseOrder(**who),
    "stop": lambda who, reason: StopOrder(**who, reason=reason),
    "cancel": lambda who, reason: StopOrder(**who, reason=reason, cancelled=True),
}


def _identity(group: OrderGroup, mrn: str, site: Site) -> dict[str, Any]:
    placer, filler = group.orc.value(2), group.orc.value(3)
    if not (placer or filler):
        raise missing("ORC-2", "placer order number")
    return {"mrn": mrn, "placer_id": placer, "filler_id": filler, "at": _changed(group, site)}


def _changed(group: OrderGroup, site: Site) -> datetime | None:
    field = 15 if group.orc.value(15) else 9
    return parse_stamp(group.orc.value(field), site.zone, where=f"ORC-{field}")


def _reason(group: OrderGroup) -> str:
    return group.orc.value(16, 2) or group.orc.value(16)


def _not_a_drug() -> RefusedMessageError:
    return RefusedMessageError(
        "not-a-drug-order",
        "The order group has no RXO or RXE; only medication orders are taken.",
        hl7_code=200,
        where="ORC",
        reject=True,
    )


def _order(message: Message, group: OrderGroup, mrn: str, site: Site) -> PlaceOrder:
    if group.is_blood:
        return _blood(message, group, mrn, site)
    if not group.is_pharmacy:
        raise _not_a_drug()
    timing = timing_of(group.get("TQ1"), group.orc, group.get("RXE"), site)
    lines = drug_lines(group, site)
    orc = group.orc
    prescriber, prescriber_name = practitioner(orc, 12)
    return PlaceOrder(
        **_identity(group, mrn, site),
        visit_number=visit_number(message),
        group_id=orc.value(4),
        parent_id=orc.value(8),
        kind="infusion" if lines.is_infusion else "medication",
        category=_category(timing.priority, timing.frequency),
        route=_route(group, site),
        frequency=timing.schedule,
        times=timing.times,
        start=timing.start,
        end=timing.end,
        prescriber=prescriber,
        prescriber_name=prescriber_name,
        verified_by=practitioner(orc, 11)[0],
        instruction=_instruction(group, timing),
        priority=timing.priority or "routine",
        prn_reason=(timing.condition or timing.text) if timing.frequency == "prn" else "",
        demo=message.is_demo,
        encoded=message.type[0] == "RDE" and "RXE" in group.single,
        items=lines.items,
        volume_ml=lines.volume_ml,
        rate_ml_h=lines.rate_ml_h,
        drops_per_ml=lines.drops_per_ml,
    )


def _blood(message: Message, group: OrderGroup, mrn: str, site: Site) -> PlaceOrder:
    """Read an order of blood (BPO): the component, how many units, and how much in all."""
    timing = timing_of(group.get("TQ1"), group.orc, None, site)
    bpo, (prescriber, prescriber_name) = group.single["BPO"], practitioner(group.orc, 12)
    units = number(bpo.value(4), "BPO-4") or Decimal(1)
    volume = number(bpo.value(5), "BPO-5")
    in_ml = site.tables.find("unit", bpo.value(6)) == "mL"
    return PlaceOrder(
        **_identity(group, mrn, site),
        visit_number=visit_number(message),
        kind="transfusion",
        items=(ItemFact(code=bpo.value(2), text=bpo.value(2, 2), amount=units, unit="{unit}"),),
        route=_route(group, site) or "IV",
        frequency=timing.schedule,
        start=timing.start,
        volume_ml=volume * units if volume is not None and in_ml else None,
        instruction=_instruction(group, timing),
        prescriber=prescriber,
        prescriber_name=prescriber_name,
        verified_by=practitioner(group.orc, 11)[0],
        priority=timing.priority or "routine",
        demo=message.is_demo,
    )


def _sent(message: Message, site: Site) -> datetime | None:
    return parse_stamp(message.header.value(7), site.zone, where="MSH-7")


def _new(order: PlaceOrder, message: Message, group: OrderGroup, site: Site) -> PlaceOrder:
    """Insist on what a new order must say, and fill in what the standard says of silence."""
    if not order.items:
        raise missing("RXE-2", "give code")
    if any(item.amount is None or not item.unit for item in order.items):
        raise missing("RXE-3 and RXE-5", "amount and unit of every drug")
    if not order.route:
        raise missing("RXR-1", "route")
    timing = timing_of(group.get("TQ1"), group.orc, group.get("RXE"), site)
    # HL7's default for a missing repeat pattern is "once only"; a bag with a rate is one bag. Without any
    # word about time it is no default but an order that cannot be carried out.
    silent = timing.said or order.rate_ml_h is not None or order.kind == "transfusion"
    frequency = order.frequency or ("once" if silent else "")
    if not frequency:
        raise missing("TQ1-3", "repeat pattern")
    return replace(
        order,
        frequency=frequency,
        category=order.category or _category(order.priority, frequency),
        start=order.start or order.at or _sent(message, site),
    )


def _category(priority: str, frequency: str) -> str:
    if priority == "stat" or frequency == "st":
        return "stat"
    if frequency in {"once", "prn", ""}:
        return frequency
    return "standing"


def _route(group: OrderGroup, site: Site) -> str:
    rxr = group.get("RXR")
    if rxr is None:
        return ""
    texts = [rxr.value(1, part) for part in (1, 2, 4)]
    known = (site.tables.find("route", text) for text in texts if text)
    return next((word for word in known if word), next((text for text in texts if text), ""))


def _instruction(group: OrderGroup, timing: Timing) -> str:
    rxe, rxo = group.get("RXE"), group.get("RXO")
    texts = [rxe.value(7, 2) or rxe.value(7) if rxe else "", rxo.value(7, 2) or rxo.value(7) if rxo else ""]
    texts += [note.text(3) for note in group.all("NTE")]
    if timing.frequency != "prn":
        texts.append(timing.text)
    return "\n".join(dict.fromkeys(text for text in texts if text))


def _cleared(group: OrderGroup) -> frozenset[str]:
    tq1, rxe = group.get("TQ1"), group.get("RXE")
    cleared = set()
    if tq1 is not None and tq1.is_deleted(8):
        cleared.add("end")
    if rxe is not None and rxe.is_deleted(23):
        cleared.add("rate_ml_h")
    if (rxe is not None and rxe.is_deleted(7)) or any(note.is_deleted(3) for note in group.all("NTE")):
        cleared.add("instruction")
    return frozenset(cleared)
