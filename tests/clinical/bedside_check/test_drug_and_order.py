"""MED and ORD: what was scanned, whose it is, and whether an order stands behind it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clinical.bedside_check import labels
from clinical.bedside_check.model import Action, OverrideClass, ScanMethod, Severity, Verdict, Word
from clinical.bedside_check.snapshot import PackUse
from clinical.identifiers.hospital import encode
from clinical.policy import Recall, SitePolicy
from clinical.records import InfusionState, OrderItem, TaskStatus
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
    ack,
    ask,
    codes,
    dose,
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
MINUTE = timedelta(minutes=1)


def give(*items, facts=FACTS, policy=None, **more):
    return ask(request(Action.GIVE, *items, **more), facts, policy or SitePolicy.default())


def with_bag(**changes):
    return merged(FACTS, bags=(replace(BAG, **changes),))


def test_the_right_bag_starts_and_carries_rate_and_volume():
    result = ask(start())
    assert (result.word, result.bag_id, result.order_id) == (Word.GIVE, "B1", "oD")
    assert (result.rate_ml_h, result.volume_ml, result.drops_per_ml) == (60, 250, 20)


def test_a_bag_of_another_patient_stops_and_shows_nothing_of_either():
    result = ask(start(items_raw=(BAG_B_SCAN,)))
    assert (result.word, codes(result)) == (Word.STOP, ["MED-WRONG-PATIENT"])
    shown = (result.patient_id, result.order_id, result.task_id, result.bag_id, result.product_id)
    assert shown == ("", "", "", "", "")
    assert all(not row.expected and not row.actual for row in result.rows)


@pytest.mark.parametrize(
    "items", [(TABLET_SCAN + "\x1d17AB",), ("WL1:B:B1:Z",), (encode("badge", "n1"),), (f"]d201{GTIN[:-1]}0",)]
)
def test_a_damaged_code_or_one_that_is_no_drug_cannot_be_read(items):
    assert codes(give(*items)) == ["MED-UNREADABLE"]


def test_a_lot_that_swallowed_the_expiry_is_refused():
    assert codes(give(f"]d201{GTIN}10LOT17260630")) == ["MED-UNREADABLE"]


@pytest.mark.parametrize("raw", ["]d20106901234567892", "99999999999999999999", "???", encode("bag", "B9")])
def test_a_code_outside_the_formulary_is_unknown(raw):
    result = give(raw)
    assert (codes(result), result.word) == (["MED-UNKNOWN"], Word.STOP)
    assert result.findings[0].override is OverrideClass.SECOND


def test_a_drug_identified_by_eye_needs_a_second_nurse():
    by_eye = (scan("TAB10", method=ScanMethod.NONE, reason="no-barcode"),)
    assert codes(give(items=by_eye)) == ["MED-UNKNOWN"]
    assert give(items=by_eye, overrides=ack("MED-UNKNOWN", by="n2")).word is Word.GIVE
    unsaid = (scan("TAB10", method=ScanMethod.NONE),)
    assert codes(give(items=unsaid)) == ["MED-UNKNOWN"]


def test_hospital_drug_codes_traceability_codes_and_typed_bags_are_found():
    assert give("TAB10").word is Word.GIVE
    assert give("81000012345678901234").word is Word.GIVE
    typed = (scan("B1", method=ScanMethod.KEY),)
    assert codes(ask(replace(start(), items=typed))) == ["SYS-KEYED"]


def test_a_wrong_drug_earns_no_ticks_for_dose_and_route():
    other = product(
        "OTHER", "{tablet}", "tablet", ingredient("drug-y", "10", "mg"), gtins=("06901234567892",)
    )
    result = give("]d20106901234567892", facts=merged(FACTS, products=(other,)))
    assert (codes(result), result.word) == (["MED-WRONG-DRUG"], Word.STOP)
    assert {marks(result)[right] for right in ("dose", "route", "time", "safety")} == {"unjudged"}
    assert marks(result)["drug"] == "stop"


def test_the_cause_is_named_route_then_strength_then_product():
    def other(**changes):
        base = product(
            "ALT",
            "{tablet}",
            "tablet",
            ingredient("drug-x", "10", "mg", "class-x"),
            gtins=("06901234567892",),
        )
        return give("]d20106901234567892", facts=merged(FACTS, products=(replace(base, **changes),)))

    assert codes(other(routes=("IV",))) == ["MED-WRONG-ROUTE"]
    assert codes(other(ingredients=(ingredient("drug-x", "20", "mg"),))) == ["MED-WRONG-STRENGTH"]
    assert codes(other(form="capsule")) == ["MED-WRONG-STRENGTH"]
    result = other()
    assert (codes(result), result.word) == (["MED-NOT-IDENTICAL"], Word.CHECK)


def test_a_patient_without_orders_has_no_order_and_never_gets_give():
    facts = replace(FACTS, orders=(), tasks=(), bags=())
    assert codes(give(TABLET_SCAN, facts=facts)) == ["ORD-NONE"]
    result = give(TABLET_SCAN, facts=facts, overrides=ack("ORD-NONE", by="d1"))
    assert result.word is not Word.GIVE
    unknown = replace(facts, practitioners=())
    assert codes(give(TABLET_SCAN, facts=unknown, overrides=ack("ORD-NONE", by="d1"))) == ["ORD-NONE"]


def test_a_bag_without_its_order_or_an_order_without_a_task_cannot_be_given():
    assert codes(ask(start(), merged(replace(FACTS, orders=(TABLET_ORDER,))))) == ["ORD-NONE"]
    result = ask(start(), replace(FACTS, tasks=(TABLET_TASK,)))
    assert codes(result) == ["ORD-NONE"]
    errors = replace(FACTS, tasks=(replace(DRIP_TASK, status=TaskStatus.ERROR),))
    assert codes(ask(start(), errors)) == ["ORD-NONE"]


def test_every_component_of_an_unlabelled_group_must_be_scanned():
    facts = merged(FACTS, products=(replace(CEFA, gtins=("06901234567892",)),))
    result = ask(start(items_raw=("]d20106901234567892",)), facts)
    assert codes(result) == ["MED-INCOMPLETE"]
    whole = ask(start(items_raw=("]d20106901234567892", "NS")), facts)
    assert whole.word is Word.GIVE


def test_a_second_item_that_does_not_belong_is_the_wrong_drug():
    assert codes(ask(start(items_raw=(BAG_SCAN, TABLET_SCAN)))) == ["MED-WRONG-DRUG"]
    second = replace(BAG, id="B3", order_id="oT", task_id="")
    result = ask(start(items_raw=(BAG_SCAN, encode("bag", "B3"))), merged(FACTS, bags=(second,)))
    assert codes(result) == ["MED-WRONG-DRUG"]
    other = product("OTHER", "{tablet}", "tablet", ingredient("drug-y", "10", "mg"))
    assert codes(give("TAB10", "OTHER", facts=merged(FACTS, products=(other,)))) == ["MED-WRONG-DRUG"]


def test_two_orders_that_fit_ask_the_nurse_to_choose():
    twin = order("oT2", "TAB10", dose(20, "mg"), frequency="prn", category="prn")
    facts = merged(FACTS, orders=(twin,), tasks=(task(twin, None),))
    result = give(TABLET_SCAN, facts=facts)
    assert (codes(result), result.needs, len(result.candidates)) == (["MED-AMBIGUOUS"], ("task-choice",), 2)
    assert result.word is Word.CHECK
    assert give(TABLET_SCAN, facts=facts, task_id=TABLET_TASK.id).word is Word.GIVE


def test_of_one_order_the_earliest_open_slot_is_taken_else_the_nearest():
    later = task(TABLET_ORDER, NOON + timedelta(hours=8))
    facts = merged(FACTS, tasks=(later,))
    assert give(TABLET_SCAN, facts=facts).task_id == TABLET_TASK.id
    assert give(TABLET_SCAN, facts=facts, now=NOON + timedelta(hours=6)).task_id == later.id
    both = merged(FACTS, tasks=(replace(TABLET_TASK, status=TaskStatus.GIVEN), later))
    assert give(TABLET_SCAN, facts=both).task_id == later.id
    done = merged(FACTS, tasks=(replace(TABLET_TASK, status=TaskStatus.GIVEN),))
    assert codes(give(TABLET_SCAN, facts=done)) == ["TIME-DUP"]


def test_a_chosen_task_of_another_drug_is_the_wrong_drug():
    assert codes(give(TABLET_SCAN, task_id=DRIP_TASK.id)) == ["MED-WRONG-DRUG"]


@pytest.mark.parametrize(("days", "expected"), [(0, []), (1, ["MED-EXPIRED"])])
def test_a_drug_expires_after_the_last_day_of_its_month_when_the_day_is_00(days, expected):
    asked = request(Action.GIVE, f"]d201{GTIN}17260200", now=NOON - timedelta(days=2 - days))
    moved = merged(FACTS, tasks=(replace(TABLET_TASK, planned_at=asked.now),))
    assert codes(ask(asked, moved)) == expected


def test_the_expiry_of_a_compounded_drug_is_read_too():
    assert codes(give(f"]d201{GTIN}70032602281200")) == ["MED-EXPIRED"]


def test_a_bag_past_its_beyond_use_time_stops_and_warns_half_an_hour_before():
    assert codes(ask(start(), with_bag(beyond_use=NOON - MINUTE))) == ["MED-BUD"]
    warned = ask(start(), with_bag(beyond_use=NOON + 30 * MINUTE))
    assert (codes(warned), warned.verdict) == (["MED-BUD"], Verdict.WARN)
    assert codes(ask(start(), with_bag(beyond_use=NOON + 31 * MINUTE))) == []


@pytest.mark.parametrize(("lot", "expected"), [("L1", ["MED-RECALLED"]), ("L2", [])])
def test_a_recalled_lot_stops(lot, expected):
    policy = SitePolicy(recalls=(Recall(product="TAB10", lot="L1"), Recall(product="OTHER")))
    assert codes(give(f"]d201{GTIN}10{lot}", policy=policy)) == expected
    whole = SitePolicy(recalls=(Recall(product="TAB10"),))
    assert codes(give(TABLET_SCAN, policy=whole)) == ["MED-RECALLED"]


@pytest.mark.parametrize("state", ["used", "running"])
def test_a_bag_that_was_used_or_runs_elsewhere_stops(state):
    assert codes(ask(start(), with_bag(state=state))) == ["MED-USED"]


def test_a_bag_whose_infusion_is_over_is_used():
    done = infusion(DRIP_ORDER, DRIP_TASK, "B1", state=InfusionState.COMPLETED)
    assert codes(ask(start(), merged(FACTS, infusions=(done,)))) == ["MED-USED"]
    planned = replace(done, state=InfusionState.PREPARED)
    assert codes(ask(start(), merged(FACTS, infusions=(planned,)))) == []


def used(*amounts, code=f"{GTIN}:S1", product=TABLET, raw=f"]d201{GTIN}21S1"):
    uses = tuple(PackUse(code=code, dose=amount) for amount in amounts)
    return codes(ask(request(Action.GIVE, raw), merged(FACTS, products=(product,)), used_packs=uses))


def test_a_single_dose_with_its_own_number_counts_once():
    single = replace(TABLET, pack_units=Decimal(1))
    tablet = dose(1, "{tablet}")
    assert used(tablet, product=single) == ["MED-USED"]
    assert used(None, product=single) == ["MED-USED"]
    assert used(tablet, product=single, code=f"{GTIN}:S2") == []
    traced = "81000012345678901234"
    assert used(tablet, product=single, code=traced, raw=traced) == ["MED-USED"]
    assert used(dose(1, "{tablet}"), product=single, code="", raw=TABLET_SCAN) == []


def test_a_box_of_many_doses_is_opened_again_until_it_is_empty():
    box = replace(TABLET, pack_units=Decimal(3))
    tablet, half = dose(1, "{tablet}"), dose(5, "mg")
    assert used(tablet, tablet, product=box) == []
    assert used(tablet, tablet, half, product=box) == []
    assert used(tablet, tablet, half, half, product=box) == ["MED-USED"]
    assert used(None, product=box) == ["MED-USED"]
    assert used(dose(1, "{patch}"), product=box) == ["MED-USED"]


def test_the_form_decides_where_the_formulary_does_not_say_how_many_a_code_stands_for():
    assert used(dose(1, "{tablet}")) == []
    ampoule = replace(TABLET, form="injection")
    assert used(dose(1, "{tablet}"), product=ampoule) == ["MED-USED"]


@pytest.mark.parametrize("chain", [("", ""), ("n2", ""), ("n2", "n2")])
def test_a_bag_nobody_else_has_checked_needs_a_second_nurse(chain):
    facts = with_bag(prepared_by=chain[0], checked_by=chain[1])
    assert codes(ask(start(), facts)) == ["MED-NOT-VERIFIED"]
    assert ask(start(overrides=ack("MED-NOT-VERIFIED", by="n2")), facts).word is Word.GIVE


@pytest.mark.parametrize("minutes", [-11, -1])
def test_an_item_scanned_before_the_patient_or_long_ago_must_be_scanned_again(minutes):
    stale = (scan(TABLET_SCAN, NOON + minutes * MINUTE),)
    result = give(items=stale)
    assert (codes(result), result.word) == (["SYS-TRAY-STALE"], Word.STOP)


@pytest.mark.parametrize(
    ("changes", "code", "override"),
    [
        ({"status": "stopped"}, "ORD-DISCONTINUED", OverrideClass.NONE),
        ({"status": "cancelled"}, "ORD-DISCONTINUED", OverrideClass.NONE),
        ({"status": "completed"}, "ORD-ENDED", OverrideClass.NONE),
        ({"end": NOON}, "ORD-ENDED", OverrideClass.NONE),
        ({"status": "on-hold"}, "ORD-ON-HOLD", OverrideClass.PRESCRIBER),
        ({"status": "draft"}, "ORD-NONE", OverrideClass.NONE),
        ({"do_not_give": True}, "ORD-DO-NOT-GIVE", OverrideClass.NONE),
        ({"start": NOON + 61 * MINUTE}, "ORD-NOT-STARTED", OverrideClass.PRESCRIBER),
        ({"nurse_verified": False}, "ORD-UNVERIFIED", OverrideClass.ACK),
    ],
)
def test_an_order_that_is_not_active_is_refused(changes, code, override):
    result = give(TABLET_SCAN, facts=merged(FACTS, orders=(replace(TABLET_ORDER, **changes),)))
    found = next(finding for finding in result.findings if finding.code == code)
    assert (found.override, result.word is Word.GIVE) == (override, False)


def test_only_a_doctor_on_record_overrides_a_hold():
    held = merged(FACTS, orders=(replace(TABLET_ORDER, status="on-hold"),))
    assert give(TABLET_SCAN, facts=held, overrides=ack("ORD-ON-HOLD", by="d1")).word is Word.GIVE
    for person in ("n2", "", "nobody"):
        assert give(TABLET_SCAN, facts=held, overrides=ack("ORD-ON-HOLD", by=person)).word is Word.STOP
    assert give(TABLET_SCAN, facts=held, overrides=ack("ORD-ON-HOLD", by="d1", reason="")).word is Word.STOP


def test_a_dose_charted_before_the_stop_was_given_under_a_live_order():
    stopped = replace(TABLET_ORDER, status="stopped", stopped_at=NOON)
    from clinical.bedside_check.model import Entered

    asked = request(Action.GIVE, TABLET_SCAN, entered=Entered(charted_at=NOON - 5 * MINUTE))
    assert "ORD-DISCONTINUED" not in codes(ask(asked, merged(FACTS, orders=(stopped,))))


def test_a_cancelled_task_is_not_given():
    facts = merged(FACTS, tasks=(replace(TABLET_TASK, status=TaskStatus.CANCELLED),))
    assert codes(give(TABLET_SCAN, facts=facts)) == ["ORD-DISCONTINUED"]


@pytest.mark.parametrize(
    ("setting", "expected"), [("allow", None), ("warn", Severity.WARN), ("prohibit", Severity.STOP)]
)
def test_an_unverified_order_follows_the_sites_setting(setting, expected):
    facts = merged(FACTS, orders=(replace(TABLET_ORDER, nurse_verified=False),))
    found = give(TABLET_SCAN, facts=facts, policy=SitePolicy(verification=setting)).findings
    assert [finding.severity for finding in found] == ([expected] if expected else [])
    by_pharmacy = merged(
        FACTS, orders=(replace(TABLET_ORDER, nurse_verified=False, pharmacist_verified=True),)
    )
    assert codes(give(TABLET_SCAN, facts=by_pharmacy)) == []


def test_an_order_that_changed_under_the_nurses_eyes_is_fetched_again():
    newer = merged(FACTS, orders=(replace(TABLET_ORDER, version=2, status="stopped"),))
    result = give(TABLET_SCAN, facts=newer, order_version=1)
    assert (result.verdict, result.word) == (Verdict.REFRESH, Word.STOP)
    assert codes(result) == ["SYS-STATE-CHANGED", "ORD-DISCONTINUED"]
    assert codes(give(TABLET_SCAN, order_version=1)) == []


def test_a_change_the_nurse_has_not_read_is_a_warning():
    newer = merged(FACTS, orders=(replace(TABLET_ORDER, version=3),))
    assert codes(give(TABLET_SCAN, facts=newer, seen_version=2)) == ["ORD-CHANGED-UNSEEN"]
    assert codes(give(TABLET_SCAN, facts=newer, seen_version=3)) == []


def changed(**changes):
    return labels.carry(DRIP_ORDER, replace(DRIP_ORDER, version=2, **changes))


def test_a_label_printed_before_a_change_of_rate_warns_and_of_content_is_void():
    faster = merged(FACTS, orders=(changed(rate_ml_h=DRIP_ORDER.rate_ml_h + 1),))
    result = ask(start(), faster)
    assert (codes(result), result.word) == (["ORD-LABEL-OUTDATED"], Word.CHECK)
    assert ask(start(overrides=ack("ORD-LABEL-OUTDATED")), faster).word is Word.GIVE
    more = OrderItem(product_id="TAB10", display=label("x"), dose=dose(1, "mg"), role="additive")
    richer = merged(FACTS, orders=(changed(items=(*DRIP_ORDER.items, more)),))
    result = ask(start(overrides=ack("ORD-LABEL-OUTDATED")), richer)
    assert "ORD-LABEL-OUTDATED" in codes(result)
    assert result.word is Word.STOP


def test_a_label_stays_true_when_the_change_is_not_on_it_and_is_void_when_nobody_knows():
    assert labels.state(BAG, changed(pharmacist_verified=True)) == "valid"
    assert labels.state(BAG, replace(DRIP_ORDER, version=2)) == "void"
    assert labels.state(replace(BAG, state="void"), DRIP_ORDER) == "void"
    twice = labels.carry(changed(rate_ml_h=DRIP_ORDER.rate_ml_h + 1), replace(DRIP_ORDER, version=3))
    assert (twice.label_version, twice.rate_version) == (1, 3)
    assert codes(ask(start(), with_bag(state="void"))) == ["ORD-LABEL-OUTDATED"]
    assert TABLET.high_alert == 0
