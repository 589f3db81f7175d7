"""What a nurse is told of scanned items and of the order they belong to: every word and every edge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from clinical.bedside_check.model import Action, Entered, ScanMethod, Word
from clinical.bedside_check.snapshot import PackUse
from clinical.identifiers.hospital import encode
from clinical.policy import Recall, SitePolicy
from clinical.records import InfusionState, OrderItem, TaskStatus
from tests.clinical.told import told
from tests.support.bedside import (
    BAG,
    BAG_B_SCAN,
    BAG_SCAN,
    CEFA,
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    GTIN,
    NOON,
    TABLET,
    TABLET_ORDER,
    TABLET_SCAN,
    TABLET_TASK,
    ask,
    codes,
    dose,
    handheld,
    infusion,
    ingredient,
    label,
    marks,
    merged,
    order,
    product,
    request,
    scan,
    start,
    task,
)

pytestmark = [
    pytest.mark.requirement("R-CLIN-12"),
    pytest.mark.requirement("R-CLIN-13"),
    pytest.mark.hazard("H-CLIN-01"),
    pytest.mark.hazard("H-CLIN-02"),
]
MINUTE, HOUR, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(seconds=1)
OTHER_GTIN = "06901234567892"
OTHER_SCAN = f"]d201{OTHER_GTIN}"
ASLEEP = Entered(reason_code="asleep")


def give(*items, facts=FACTS, policy=None, **more):
    return ask(
        request(Action.GIVE, *(items or (TABLET_SCAN,)), **more), facts, policy or SitePolicy.default()
    )


def hold(*items, facts=FACTS, **more):
    return ask(request(Action.HOLD, *items, **({"band": None, "entered": ASLEEP} | more)), facts)


def bag(**changes):
    return ask(start(), merged(FACTS, bags=(replace(BAG, **changes),)))


def alike(name="ALT", *ingredients, **changes):
    made = ingredients or (ingredient("drug-x", "10", "mg", "class-x"),)
    return product(name, *changes.pop("shape", ("{tablet}", "tablet")), *made, gtins=(OTHER_GTIN,), **changes)


# --- what was scanned ---------------------------------------------------------------------------------------


def test_a_used_recalled_or_swallowed_item_says_what_it_is():
    assert told(bag(state="used")) == ["MED-USED STOP none | bag=B1"]
    recalled = SitePolicy(recalls=(Recall(product="TAB10", lot="L1"),))
    assert told(give(f"{TABLET_SCAN}10L1", policy=recalled)) == ["MED-RECALLED STOP none | lot=L1"]
    assert told(give(f"{TABLET_SCAN}10LOT17260630")) == [
        "MED-UNREADABLE STOP none | kind=gs1, reason=separator-missing"
    ]
    assert told(give(f"{TABLET_SCAN}17260228")) == ["MED-EXPIRED STOP none | expiry=2026-02-28"]
    assert told(give("???")) == ["MED-UNKNOWN STOP second | kind=unknown"]
    assert told(give("WL1:B:B1:Z")) == ["MED-UNREADABLE STOP none | kind=bag"]


def test_only_a_recall_of_the_item_itself_counts():
    others = SitePolicy(recalls=(Recall(product="OTHER", lot="L1"), Recall(product="", lot="")))
    assert told(give(f"{TABLET_SCAN}10L1", policy=others)) == []
    both = SitePolicy(recalls=(Recall(product="OTHER"), Recall(product="TAB10")))
    assert told(give(policy=both)) == ["MED-RECALLED STOP none"]
    unnamed = ask(start(), policy=SitePolicy(recalls=(Recall(product=""),)))
    assert told(unnamed) == []


def test_an_item_taken_by_eye_says_why_and_a_bag_by_eye_is_found():
    def by_eye(raw, reason=""):
        return (scan(raw, method=ScanMethod.NONE, reason=reason),)

    assert told(give(items=by_eye("TAB10", "no-barcode"))) == ["MED-UNKNOWN STOP second | reason=no-barcode"]
    assert told(give(items=by_eye("TAB10"))) == ["MED-UNKNOWN STOP second | reason=not-scanned"]
    seen = ask(replace(start(), items=by_eye("B1", "damaged")))
    assert (told(seen), seen.bag_id) == (["MED-UNKNOWN STOP second | reason=damaged"], "B1")
    camera = ask(replace(start(), items=(scan("B1", method=ScanMethod.CAMERA),)))
    assert (told(camera), camera.bag_id) == (["MED-UNKNOWN STOP second | kind=unknown"], "")


def test_blanks_around_a_typed_code_do_not_count():
    typed = ask(replace(start(), items=(scan(" B1 ", method=ScanMethod.KEY),)))
    assert (codes(typed), typed.bag_id) == (["SYS-KEYED"], "B1")
    assert give(" TAB10 ").product_id == "TAB10"


def test_the_clock_of_the_ward_decides_which_day_it_is():
    night = datetime(2026, 3, 1, 17, 0, tzinfo=UTC)  # 01:00 of the second of March in Shanghai
    facts = merged(FACTS, tasks=(replace(TABLET_TASK, planned_at=night),))
    found = [give(f"{TABLET_SCAN}1726030{day}", facts=facts, now=night) for day in (1, 2)]
    assert [told(one) for one in found] == [["MED-EXPIRED STOP none | expiry=2026-03-01"], []]


def test_the_limits_of_a_bags_use_are_exact():
    def told_of(left):
        return [line.split(" | ")[0] for line in told(bag(beyond_use=NOON + left))]

    assert [told_of(left) for left in (-SECOND, 0 * SECOND, 30 * MINUTE, 30 * MINUTE + SECOND)] == [
        ["MED-BUD STOP none"], ["MED-BUD WARN none"], ["MED-BUD WARN none"], [],
    ]  # fmt: skip


def test_a_pack_is_empty_when_all_but_a_rounding_error_is_gone():
    box = merged(FACTS, products=(replace(TABLET, pack_units=Decimal(3)),))

    def used(*amounts):
        uses = tuple(PackUse(code=f"{GTIN}:S1", dose=dose(amount, "{tablet}")) for amount in amounts)
        return codes(ask(request(Action.GIVE, f"{TABLET_SCAN}21S1"), box, used_packs=uses))

    assert [used("2.9997"), used("2.9996"), used("1", "1.9997"), used("1", "1.9996")] == [
        ["MED-USED"], [], ["MED-USED"], [],
    ]  # fmt: skip


@pytest.mark.parametrize("state", [InfusionState.RUNNING, InfusionState.PAUSED, InfusionState.STOPPED_EARLY])
def test_a_bag_that_ran_is_used(state):
    done = infusion(DRIP_ORDER, DRIP_TASK, "B1", state=state)
    assert "MED-USED STOP none | bag=B1" in told(ask(start(), merged(FACTS, infusions=(done,))))


def test_a_scan_beside_a_dialog_does_not_hide_the_next_one():
    items = (scan(TABLET_SCAN, reason="dialog-open"), scan(TABLET_SCAN))
    result = give(items=items)
    assert (told(result), result.word) == (["SYS-DIALOG-SCAN INFO none"], Word.GIVE)


def test_each_old_item_is_named_and_only_when_something_is_given():
    old = scan(BAG_SCAN, NOON - 11 * MINUTE)
    assert told(ask(replace(start(), items=(old,)))) == ["SYS-TRAY-STALE STOP none | minutes=10"]
    assert told(hold(items=(old,))) == []
    edge = scan(BAG_SCAN, NOON - 10 * MINUTE)
    assert told(ask(replace(start(), items=(edge,), patient_scan=scan(
        encode("wristband", "MA", "1"), NOON - 10 * MINUTE)))) == []  # fmt: skip


# --- whose it is --------------------------------------------------------------------------------------------


def test_a_held_bag_brings_its_patient_and_the_stay():
    elsewhere = hold(BAG_SCAN, handheld=handheld(bed_seen="09"))
    assert (told(elsewhere), elsewhere.patient_id, elsewhere.bag_id) == (
        ["PT-BED-MISMATCH WARN second"], "pA", "B1",
    )  # fmt: skip
    assert hold(BAG_SCAN).order_id == "oD"


def test_of_two_bags_without_a_wristband_one_is_of_somebody_else():
    assert told(hold(BAG_SCAN, BAG_B_SCAN)) == ["MED-WRONG-PATIENT STOP none"]
    assert told(ask(start(items_raw=(BAG_SCAN, BAG_B_SCAN)))) == ["MED-WRONG-PATIENT STOP none"]


def test_a_bag_that_is_only_held_back_may_be_out_of_use():
    spoiled = replace(BAG, state="used", beyond_use=NOON - HOUR, checked_by="")
    result = hold(BAG_SCAN, facts=merged(FACTS, bags=(spoiled,)))
    assert (told(result), result.word) == ([], Word.GIVE)


# --- which order --------------------------------------------------------------------------------------------


def test_an_infusion_named_by_its_id_brings_bag_task_and_order():
    running = merged(FACTS, infusions=(infusion(DRIP_ORDER, DRIP_TASK, "B1"),))
    result = ask(request(Action.PAUSE, infusion_id="i-B1"), running)
    assert (result.bag_id, result.task_id, result.order_id, marks(result)["drug"]) == (
        "B1", DRIP_TASK.id, "oD", "ok",
    )  # fmt: skip
    by_bag = ask(request(Action.COMPLETE, BAG_SCAN, band=None), running)
    assert (by_bag.bag_id, by_bag.task_id, by_bag.patient_id) == ("B1", DRIP_TASK.id, "pA")
    other = merged(running, bags=(replace(BAG, id="B5"),))
    wrong = ask(request(Action.COMPLETE, BAG_SCAN, encode("bag", "B5"), infusion_id="i-B1"), other)
    assert told(wrong) == ["MED-WRONG-DRUG STOP none | reason=other-bag"]


def test_a_chosen_task_earns_its_tick():
    assert marks(hold(task_id=TABLET_TASK.id))["drug"] == "ok"
    scanned = hold(TABLET_SCAN, task_id=TABLET_TASK.id, band=encode("wristband", "MA", "1"))
    assert (scanned.product_id, marks(scanned)["drug"]) == ("TAB10", "ok")


def test_what_is_wrong_with_bag_and_order_is_said():
    lost = merged(replace(FACTS, orders=(TABLET_ORDER,)))
    assert told(ask(start(), lost)) == ["ORD-NONE STOP emerg | reason=bag-without-order"]
    assert told(ask(start(items_raw=(BAG_SCAN, TABLET_SCAN)))) == [
        "MED-WRONG-DRUG STOP none | reason=other-item"
    ]
    assert told(give(task_id=DRIP_TASK.id)) == ["MED-WRONG-DRUG STOP none | reason=not-of-this-task"]
    planless = ask(start(), replace(FACTS, tasks=(TABLET_TASK,)))
    assert (told(planless), planless.order_id) == (["ORD-NONE STOP none | reason=no-task"], "oD")


def test_two_bags_of_one_order_belong_together():
    second = merged(FACTS, bags=(replace(BAG, id="B3"),))
    assert told(ask(start(items_raw=(BAG_SCAN, encode("bag", "B3"))), second)) == []


def test_a_live_order_counts_before_one_that_has_ended():
    for first, last in (("stopped", "active"), ("active", "stopped")):
        twin = replace(TABLET_ORDER, id="oT2", status=last)
        facts = merged(FACTS, orders=(replace(TABLET_ORDER, status=first), twin),
                       tasks=(task(twin, NOON),))  # fmt: skip
        result = give(facts=facts)
        assert (told(result), result.order_id) == ([], "oT2" if last == "active" else "oT")


def test_the_fewest_missing_components_are_counted():
    one, two = (alike(name, ingredient(name, "1", "mg")) for name in ("P1", "P2"))

    def lines(*names):
        return tuple(OrderItem(product_id=name, display=label(name), dose=dose(1, "mg")) for name in names)

    small, large = (replace(TABLET_ORDER, items=lines("TAB10", "P1")),
                    replace(TABLET_ORDER, id="oL", items=lines("TAB10", "P1", "P2")))  # fmt: skip
    facts = merged(FACTS, products=(one, two))
    assert told(give(facts=merged(facts, orders=(small, large)))) == ["MED-INCOMPLETE STOP none | missing=1"]
    assert told(give(facts=merged(facts, orders=(replace(large, id="oT"),)))) == [
        "MED-INCOMPLETE STOP none | missing=2"
    ]


def test_an_order_that_has_ended_explains_nothing():
    facts = merged(FACTS, products=(alike(),), orders=(replace(TABLET_ORDER, status="stopped"),))
    assert told(give(OTHER_SCAN, facts=facts)) == ["MED-WRONG-DRUG STOP none"]
    alone = replace(facts, orders=tuple(one for one in facts.orders if one.id == "oT"), bags=())
    assert told(give(OTHER_SCAN, facts=alone)) == ["ORD-NONE STOP emerg"]


def test_without_known_ingredients_nothing_is_alike():
    bare = replace(TABLET, ingredients=())
    facts = merged(FACTS, products=(bare, replace(bare, id="ALT", gtins=(OTHER_GTIN,))))
    assert told(give(OTHER_SCAN, facts=facts)) == ["MED-WRONG-DRUG STOP none"]


def test_another_route_names_the_ordered_one():
    facts = merged(FACTS, products=(alike(routes=("IV",)),))
    assert told(give(OTHER_SCAN, facts=facts)) == ["MED-WRONG-ROUTE STOP none | ordered=PO"]
    fits = merged(FACTS, products=(alike(routes=("IV", "PO")),))
    assert told(give(OTHER_SCAN, facts=fits)) == ["MED-NOT-IDENTICAL WARN ack"]


def test_two_alike_products_at_once_are_not_one():
    facts = merged(FACTS, products=(alike(),))
    assert told(give(OTHER_SCAN, TABLET_SCAN, facts=facts)) == ["MED-WRONG-DRUG STOP none"]


def test_the_order_that_fits_by_route_and_strength_is_taken():
    stronger = product("S20", "{tablet}", "tablet", ingredient("drug-x", "20", "mg", "class-x"))
    second = order("oS", "S20", dose(20, "mg"))
    facts = merged(FACTS, products=(stronger, alike("ALT", ingredient("drug-x", "20", "mg", "class-x"))),
                   orders=(second,), tasks=(task(second, NOON),))  # fmt: skip
    result = give(OTHER_SCAN, facts=facts)
    assert (told(result), result.order_id) == (["MED-NOT-IDENTICAL WARN ack"], "oS")
    under_tongue = merged(
        FACTS, products=(alike(routes=("SL",)),), orders=(replace(TABLET_ORDER, id="oU", route="SL"),),
        tasks=(task(replace(TABLET_ORDER, id="oU", route="SL"), NOON),),
    )  # fmt: skip
    result = give(OTHER_SCAN, facts=under_tongue)
    assert (told(result), result.order_id) == (["MED-NOT-IDENTICAL WARN ack"], "oU")


def test_another_unit_of_the_same_form_is_another_strength():
    facts = merged(FACTS, products=(alike(shape=("mL", "tablet")),))
    assert told(give(OTHER_SCAN, facts=facts)) == ["MED-WRONG-STRENGTH STOP none"]


# --- which execution ----------------------------------------------------------------------------------------


def test_the_task_of_a_bag_is_its_own_and_without_one_the_nearest():
    later = task(DRIP_ORDER, NOON + 8 * HOUR)
    facts = merged(FACTS, tasks=(later,), bags=(replace(BAG, task_id=later.id),))
    assert ask(start(), facts).task_id == later.id
    free = merged(FACTS, tasks=(later,), bags=(replace(BAG, task_id=""),))
    assert ask(start(), free).task_id == DRIP_TASK.id
    chosen = ask(start(task_id=later.id), free)
    assert chosen.task_id == later.id


def test_of_two_open_slots_of_one_order_the_earlier_is_taken():
    once = replace(TABLET_ORDER, frequency="once", category="once", end=NOON + 9 * HOUR)
    late, early = task(once, NOON + HOUR), task(once, NOON - HOUR)
    result = give(facts=replace(FACTS, orders=(once,), tasks=(late, early), bags=()))
    assert (result.task_id, result.candidates) == (early.id, ())


def test_outside_every_window_the_nearest_open_slot_is_taken():
    for hours in ((-3, 2), (3, -2)):
        far, near = (task(TABLET_ORDER, NOON + hour * HOUR) for hour in hours)
        facts = replace(FACTS, tasks=(far, near))
        assert give(facts=facts).task_id == near.id
        closed = replace(near, status=TaskStatus.GIVEN)
        assert give(facts=replace(FACTS, tasks=(far, closed))).task_id == far.id
        hanging = replace(near, status=TaskStatus.RUNNING)
        assert give(facts=replace(FACTS, tasks=(far, hanging))).task_id == far.id


def test_two_slots_equally_near_are_the_nurses_choice():
    slots = tuple(task(TABLET_ORDER, NOON + hours * HOUR) for hours in (-2, 2, 5))
    result = give(facts=replace(FACTS, tasks=slots))
    assert told(result) == ["MED-AMBIGUOUS INFO none | count=2"]
    assert (result.candidates, result.needs) == ((slots[0].id, slots[1].id), ("task-choice",))


def test_the_edges_of_a_window_are_in_it():
    for minutes in (-60, 60):
        other = order("oU", "TAB10", dose(10, "mg"))
        facts = replace(FACTS, orders=(TABLET_ORDER, other), bags=(),
                        tasks=(task(TABLET_ORDER, NOON + minutes * MINUTE),
                               task(other, NOON + 61 * MINUTE)))  # fmt: skip
        assert give(facts=facts).order_id == "oT"


def test_a_line_outside_the_formulary_is_told_when_something_is_given():
    facts = merged(replace(FACTS, products=(TABLET, CEFA)))
    assert told(ask(start(), facts)) == ["MED-UNKNOWN STOP second | reason=formulary, count=1"]
    assert told(ask(start(), replace(FACTS, products=())))[0] == (
        "MED-UNKNOWN STOP second | reason=formulary, count=2"
    )
    assert told(hold(BAG_SCAN, facts=replace(FACTS, products=()))) == []
