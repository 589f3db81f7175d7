from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from server.his.mapping import facts_of
from server.his.message import parse
from server.his.port import (
    ChangeOrder,
    HoldOrder,
    ItemFact,
    PlaceOrder,
    ReleaseOrder,
    StopOrder,
)
from server.his.reading import Site
from server.his.refusal import RefusedMessageError

Build = Callable[..., bytes]


def only(raw: bytes) -> object:
    facts = facts_of(parse(raw), Site())
    assert len(facts) == 1
    return facts[0]


def placed(raw: bytes) -> PlaceOrder:
    fact = only(raw)
    assert isinstance(fact, PlaceOrder)
    return fact


def refused(raw: bytes) -> RefusedMessageError:
    with pytest.raises(RefusedMessageError) as caught:
        facts_of(parse(raw), Site())
    return caught.value


@pytest.mark.requirement("R-HIS-08")
def test_a_new_order_says_what_how_much_by_which_route_how_often_and_since_when(order: Build) -> None:
    fact = placed(order())
    assert (fact.mrn, fact.placer_id, fact.route, fact.frequency) == ("P1", "O1", "IV", "bid")
    assert fact.items == (ItemFact(code="DRUG", text="头孢", amount=Decimal(2), unit="g"),)
    assert fact.start == datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
    assert (fact.prescriber, fact.prescriber_name, fact.kind) == ("D1", "李明", "medication")


@pytest.mark.parametrize("kind", ["RDE^O11", "RDE^O01", "OMP^O09", "ORM^O01"])
def test_orders_come_in_three_message_types(order: Build, kind: str) -> None:
    rxo = {"RXE": "RXO|DRUG^头孢|2||g"} if kind[:3] != "RDE" else {}
    assert placed(order(kind=kind, changes=rxo)).items[0].amount == 2


@pytest.mark.requirement("R-SRV-17")
def test_only_a_pharmacy_encoded_order_counts_as_seen_by_a_pharmacist(order: Build) -> None:
    rxo = {"RXE": "RXO|DRUG^头孢|2||g"}
    assert placed(order()).encoded
    assert not placed(order(kind="OMP^O09", changes=rxo)).encoded
    assert not placed(order(kind="RDE^O11", changes=rxo)).encoded
    assert not placed(order(kind="ORM^O01")).encoded


@pytest.mark.parametrize(
    ("missing", "where"), [("RXR", "RXR-1"), ("TQ1", "TQ1-3"), ("PID", "PID-3"), ("ORC", "ORC")]
)
@pytest.mark.requirement("R-HIS-06")
def test_an_order_that_leaves_out_what_is_needed_is_refused(order: Build, missing: str, where: str) -> None:
    assert refused(order(changes={missing: ""})).where == where


@pytest.mark.parametrize("rxe", ["RXE||DRUG^头孢|||g", "RXE||DRUG^头孢|2", "RXE||^头孢|2||g", "RXE|||2||g"])
def test_an_order_without_drug_code_amount_or_unit_is_refused(order: Build, rxe: str) -> None:
    assert refused(order(changes={"RXE": rxe})).hl7_code == 101


def test_an_amount_that_is_no_number_is_refused(order: Build) -> None:
    assert refused(order(changes={"RXE": "RXE||DRUG^头孢|two||g"})).where == "RXE-3"


def test_a_ranged_dose_keeps_both_ends(order: Build) -> None:
    (item,) = placed(order(changes={"RXE": "RXE||DRUG^吗啡|2|4|mg"})).items
    assert (item.amount, item.amount_high) == (2, 4)


@pytest.mark.parametrize(
    ("control", "kind"),
    [
        ("CA", StopOrder), ("OC", StopOrder), ("DC", StopOrder), ("OD", StopOrder), ("HD", HoldOrder),
        ("OH", HoldOrder), ("RL", ReleaseOrder), ("OE", ReleaseOrder),
    ],
)  # fmt: skip
@pytest.mark.requirement("R-HIS-08")
def test_orders_are_stopped_held_and_released(message: Build, control: str, kind: type) -> None:
    raw = message("RDE^O11", "PID|1||P1", f"ORC|{control}|O1^HIS|F1||||||20261125103000|||||||R^不良反应")
    fact = only(raw)
    assert isinstance(fact, kind)
    assert (getattr(fact, "placer_id", ""), getattr(fact, "filler_id", "")) == ("O1", "F1")
    assert getattr(fact, "at", None) == datetime(2026, 11, 25, 2, 30, tzinfo=UTC)
    if isinstance(fact, StopOrder):
        assert (fact.cancelled, fact.reason) == (control in {"CA", "OC"}, "不良反应")


def test_a_change_says_only_what_changes_and_what_is_deleted(message: Build) -> None:
    tq1, rxe = 'TQ1|1||TID|||||""', 'RXE||DRUG^头孢|1||g||""'
    fact = only(message("RDE^O11", "PID|1||P1", "ORC|XO|O1", tq1, rxe))
    assert isinstance(fact, ChangeOrder)
    assert (fact.order.frequency, fact.order.route, fact.order.items[0].amount) == ("tid", "", 1)
    assert fact.cleared == {"end", "instruction"}


@pytest.mark.requirement("R-HIS-07")
@pytest.mark.hazard("H-HIS-05")
def test_a_change_of_the_rate_alone_changes_neither_frequency_nor_start(message: Build) -> None:
    rxe = "RXE|||||" + "|" * 18 + "80|mL/h"
    fact = only(message("RDE^O11", "PID|1||P1", "ORC|XO|O1|||||||20261125103000", rxe))
    assert isinstance(fact, ChangeOrder)
    said = fact.order
    assert (said.rate_ml_h, said.frequency, said.start, said.category, said.items) == (80, "", None, "", ())


def test_a_change_of_the_end_alone_is_not_taken_for_once(message: Build) -> None:
    tq1 = "TQ1|1|||||||20261130090000"
    fact = only(message("RDE^O11", "PID|1||P1", "ORC|XO|O1", tq1, "RXE|1"))
    assert isinstance(fact, ChangeOrder)
    assert (fact.order.frequency, fact.order.end) == ("", datetime(2026, 11, 30, 1, 0, tzinfo=UTC))


def test_a_repeating_order_is_standing_also_when_it_was_once(order: Build) -> None:
    fact = only(order(changes={"ORC": "ORC|XO|O1"}))
    assert isinstance(fact, ChangeOrder)
    assert fact.order.category == "standing"


@pytest.mark.parametrize(("status", "kind"), [("DC", StopOrder), ("CA", StopOrder), ("HD", HoldOrder)])
def test_a_status_change_counts_when_it_ends_or_holds(message: Build, status: str, kind: type) -> None:
    assert isinstance(only(message("ORM^O01", "PID|1||P1", f"ORC|SC|O1|||{status}")), kind)


def test_other_status_changes_say_nothing(message: Build) -> None:
    assert facts_of(parse(message("ORM^O01", "PID|1||P1", "ORC|SC|O1|||IP")), Site()) == ()


@pytest.mark.parametrize("control", ["", "OP", "ZZ"])
def test_an_unknown_control_code_is_refused(message: Build, control: str) -> None:
    assert refused(message("ORM^O01", "PID|1||P1", f"ORC|{control}|O1")).where == "ORC-1"


def test_an_order_without_any_number_is_refused(message: Build) -> None:
    assert refused(message("RDE^O11", "PID|1||P1", "ORC|HD||")).where == "ORC-2"


@pytest.mark.requirement("R-HIS-08")
def test_several_orders_of_one_message_are_all_read_in_order(order: Build, message: Build) -> None:
    second = ("ORC|NW|O2^HIS||G7", "TQ1|1||QD", "RXE||B^乙|1||mg", "RXR|PO")
    facts = facts_of(parse(order(*second)), Site())
    assert [getattr(fact, "placer_id", "") for fact in facts] == ["O1", "O2"]
    assert [getattr(fact, "group_id", "") for fact in facts] == ["", "G7"]


def test_one_wrong_order_refuses_the_whole_message(order: Build) -> None:
    assert refused(order("ORC|NW|O2", "TQ1|1||QD", "RXE||B^乙|x||mg", "RXR|PO")).where == "RXE-3"


@pytest.mark.hazard("H-HIS-05")
def test_a_second_drug_under_one_order_number_is_refused_and_not_dropped(order: Build) -> None:
    assert refused(order("RXE||OTHER^乙|1||mg")).code == "group-repeats"


def test_parent_and_child_lines_keep_their_bond(message: Build) -> None:
    raw = message(
        "RDE^O11", "PID|1||P1", "ORC|PA|G1", "ORC|CH|O2|||||| P9", "TQ1|1||QD", "RXE||B^乙|1||mg", "RXR|PO"
    )
    assert placed(raw).parent_id == "P9"


MIX = ("RXC|B|NACL^盐水|100|mL", "RXC|A|CEF^头孢|2|g")


@pytest.mark.parametrize(
    ("components", "items"),
    [
        (MIX, [("NACL", "base"), ("CEF", "additive")]),
        (MIX[:1], [("NACL", "base"), ("DRUG", "additive")]),
        (("RXC|B|DRUG^头孢|2|g",), [("DRUG", "drug")]),
        ((), [("DRUG", "drug")]),
    ],
)
@pytest.mark.requirement("R-HIS-09")
@pytest.mark.hazard("H-HIS-05")
def test_a_mixture_has_each_drug_exactly_once(
    order: Build, components: tuple[str, ...], items: list[tuple[str, str]]
) -> None:
    fact = placed(order(*components))
    assert [(item.code, item.role) for item in fact.items] == items
    assert fact.kind == ("infusion" if any(role == "base" for _, role in items) else "medication")


def test_a_component_that_is_neither_base_nor_additive_is_refused(order: Build) -> None:
    assert refused(order("RXC|X|NACL|100|mL")).where == "RXC-1"


def infusion(rate: str, unit: str, over: str = "") -> dict[str, str]:
    return {"RXE": "RXE||NACL^盐水|500||mL" + "|" * 17 + f"{over}|{rate}|{unit}"}


DROPS = "OBX|1|NM|DROP-FACTOR^Drops per mL^L||20|{gtt}/mL"


@pytest.mark.parametrize(
    ("change", "more", "rate"),
    [
        (infusion("200", "mL/h"), (), Decimal(200)),
        (infusion("13.3", "3122^mL/h^UCUM^265266^MDC_DIM_MILLI_L_PER_HR^MDC"), (), Decimal("13.3")),
        (infusion("2", "mL/min"), (), Decimal(120)),
        (infusion("40", "{gtt}/min"), (DROPS,), Decimal("120.0")),
        (infusion("", "", "H4"), (), Decimal("125.0")),
        (infusion("", "", "M90"), (), Decimal("333.3")),
        (infusion("", ""), (), None),
    ],
)
@pytest.mark.requirement("R-HIS-09")
def test_the_rate_is_read_in_each_way_hospitals_write_it(
    order: Build, change: dict[str, str], more: tuple[str, ...], rate: Decimal | None
) -> None:
    fact = placed(order(*more, changes=change))
    assert (fact.rate_ml_h, fact.volume_ml) == (rate, 500)
    assert fact.kind == ("medication" if rate is None else "infusion")


@pytest.mark.parametrize("unit", ["", "ug/kg/min", "{gtt}/min"])
@pytest.mark.hazard("H-HIS-05")
def test_a_rate_in_a_unit_that_cannot_be_used_is_refused(order: Build, unit: str) -> None:
    assert refused(order(changes=infusion("40", unit))).code == "rate-unit"


@pytest.mark.parametrize("value", ["0", "20.5", "many", "1000"])
def test_a_wrong_drop_factor_is_refused(order: Build, value: str) -> None:
    raw = order(DROPS.replace("20", value, 1), changes=infusion("200", "mL/h"))
    assert refused(raw).where == "OBX-5"


def test_an_infusion_with_a_rate_and_no_frequency_is_one_bag(order: Build) -> None:
    assert placed(order(changes={**infusion("200", "mL/h"), "TQ1": ""})).frequency == "once"


def test_instructions_and_notes_are_kept_together(order: Build) -> None:
    raw = order("NTE|1||缓慢", "NTE|2||避光", changes={"RXE": "RXE||DRUG^头孢|2||g||饭后"})
    assert placed(raw).instruction == "饭后\n缓慢\n避光"


def test_units_and_routes_written_in_chinese_are_understood(order: Build) -> None:
    fact = placed(order(changes={"RXE": "RXE||D^丁|2||片", "RXR": "RXR|口服"}))
    assert (fact.items[0].unit, fact.route) == ("{tablet}", "PO")


def test_a_unit_or_route_of_the_hospital_stays_for_its_own_mapping(order: Build) -> None:
    fact = placed(order(changes={"RXE": "RXE||D^丁|2||BX7", "RXR": "RXR|R77"}))
    assert (fact.items[0].unit, fact.route) == ("BX7", "R77")
