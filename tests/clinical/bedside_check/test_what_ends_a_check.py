"""A check that ends early says nothing of what it has not judged; a whole one carries all of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clinical.bedside_check.model import Action, Entered, Word
from clinical.identifiers.hospital import encode
from clinical.policy import Recall, SitePolicy
from tests.clinical.told import told
from tests.support.bedside import (
    BAG_B_SCAN,
    BAG_SCAN,
    CEFA,
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    GTIN,
    TABLET,
    TABLET_ORDER,
    TABLET_SCAN,
    TABLET_TASK,
    ask,
    dose,
    handheld,
    infusion,
    marks,
    merged,
    request,
    scan,
    start,
)

pytestmark = [
    pytest.mark.requirement("R-CLIN-12"),
    pytest.mark.requirement("R-CLIN-13"),
    pytest.mark.hazard("H-CLIN-01"),
    pytest.mark.hazard("H-CLIN-02"),
]
OTHER_GTIN = "06901234567892"
OTHER_SCAN = f"]d201{OTHER_GTIN}"
ASLEEP = Entered(reason_code="asleep")


def give(*items, facts=FACTS, policy=None, **more):
    return ask(
        request(Action.GIVE, *(items or (TABLET_SCAN,)), **more), facts, policy or SitePolicy.default()
    )


def hold(*items, facts=FACTS, **more):
    return ask(request(Action.HOLD, *items, **({"band": None, "entered": ASLEEP} | more)), facts)


@pytest.mark.parametrize(
    "changes",
    [
        {"band": encode("wristband", "MA", "0")},
        {"band": encode("wristband", "MB", "1"), "task_id": TABLET_TASK.id},
        {"facts": merged(FACTS, encounters=(replace(FACTS.encounters[0], status="finished"),))},
        {"items": (scan(BAG_B_SCAN),)},
        {"items": (scan(BAG_B_SCAN), scan(TABLET_SCAN))},
        {"items": (scan(BAG_B_SCAN),), "band": encode("wristband", "MB", "1"), "task_id": TABLET_TASK.id},
    ],
)
def test_a_doubt_about_the_patient_leaves_every_other_right_unjudged(changes):
    facts = changes.get("facts", FACTS)
    for items in ((scan(TABLET_SCAN),), (scan(BAG_SCAN),)):
        asked = {name: value for name, value in changes.items() if name != "facts"}
        result = ask(start(**({"items": items} | asked)), facts)
        rows = marks(result)
        assert {rows[right] for right in ("drug", "dose", "route", "time", "safety")} == {"unjudged"}
        assert rows["patient"] == "stop"


def test_a_drug_that_may_not_be_given_earns_no_ticks():
    for raw in (f"{TABLET_SCAN}17260228", f"{TABLET_SCAN}10LOT17260630"):
        rows = marks(give(raw))
        assert {rows[right] for right in ("dose", "route", "time", "safety")} == {"unjudged"}
        assert (rows["patient"], rows["drug"]) == ("ok", "stop")
    doubtful = marks(give("???"))
    assert (doubtful["drug"], doubtful["dose"]) == ("stop", "unjudged")


def test_a_task_that_is_not_known_is_asked_for_and_nothing_is_judged():
    result = hold(task_id="gone", band=encode("wristband", "MA", "1"))
    assert (told(result), result.needs, result.order_id) == ([], ("task",), "")


def test_the_symbology_that_came_with_a_scan_counts():
    parts = give(items=(scan(f"1726123101{GTIN}", symbology="]d2"),))
    assert (told(parts), parts.product_id) == ([], "TAB10")
    assert told(give(items=(scan(f"1726123101{GTIN}"),))) == ["MED-UNKNOWN STOP second | kind=unknown"]
    assert give("]E06931475000124").product_id == "TAB10"
    assert told(give("]E06931475000125")) == ["MED-UNREADABLE STOP none | kind=ean"]


def test_a_recall_of_a_product_counts_for_every_lot():
    whole = SitePolicy(recalls=(Recall(product="TAB10"),))
    assert told(give(f"{TABLET_SCAN}10L7", policy=whole)) == ["MED-RECALLED STOP none | lot=L7"]


def test_the_expiry_of_a_compounded_drug_is_its_day():
    assert told(give(f"{TABLET_SCAN}70032603011200")) == ["MED-EXPIRED STOP none | expiry=2026-03-01"]
    assert told(give(f"{TABLET_SCAN}70032603020001")) == []


def test_a_code_whose_second_half_is_damaged_finds_no_drug():
    assert told(give("]E06931475000124|]e0")) == ["MED-UNREADABLE STOP none | kind=ean"]


def test_a_revoked_wristband_says_nothing_of_a_task():
    revoked = encode("wristband", "MA", "0")
    other = merged(FACTS, tasks=(replace(TABLET_TASK, id="tB", patient_id="pB"),))
    assert told(give(band=revoked, facts=other, task_id="tB")) == ["PT-LABEL-REVOKED STOP none"]


def test_without_an_infusion_or_an_order_nothing_more_is_told():
    nothing = ask(request(Action.COMPLETE))
    assert (told(nothing), nothing.needs) == ([], ("infusion",))
    wrong = give(task_id=DRIP_TASK.id)
    assert (wrong.needs, wrong.order_id, wrong.order_version, wrong.task_id) == (("order",), "", 0, "")
    assert (wrong.product_id, wrong.bag_id, wrong.volume_ml) == ("TAB10", "", None)
    planless = ask(start(), replace(FACTS, tasks=(TABLET_TASK,)))
    assert marks(planless)["dose"] == "unjudged"


def test_two_scanned_items_are_shown_beside_the_two_of_the_order():
    facts = merged(FACTS, products=(replace(CEFA, gtins=(OTHER_GTIN,)),))
    rows = {row.right.value: row for row in ask(start(items_raw=(OTHER_SCAN, "NS")), facts).rows}
    assert (rows["drug"].expected, rows["drug"].actual) == ("CEFA NS", "CEFA NS")
    ranged = replace(TABLET_ORDER.items[0], dose_high=dose(20, "mg"))
    undecided = give(facts=merged(FACTS, orders=(replace(TABLET_ORDER, items=(ranged,)),)))
    rows = {row.right.value: row for row in undecided.rows}
    assert (rows["dose"].expected, rows["dose"].actual, undecided.needs) == ("10 mg", "", ("dose",))


def test_at_the_wrong_bed_of_a_high_alert_drug_no_row_shows_what_was_ordered():
    risky = merged(FACTS, products=(replace(TABLET, high_alert=1),))
    result = give(facts=risky, handheld=handheld(bed_seen="02"))
    assert result.rows
    assert {(row.expected, row.actual) for row in result.rows} == {("", "")}
    assert (result.patient_id, result.order_id, result.dose) == ("", "", None)


def test_the_answer_carries_all_that_would_be_recorded():
    result = give(facts=merged(FACTS, orders=(replace(TABLET_ORDER, version=7),)))
    assert (result.order_version, result.product_id, result.route, result.variance_min) == (
        7,
        "TAB10",
        "PO",
        0,
    )
    bag = ask(start())
    assert (bag.product_id, bag.route, bag.dose, bag.candidates) == ("", "IVPB", dose(1, "g"), ())
    rows = {row.right.value: (row.expected, row.actual) for row in bag.rows}
    assert rows["drug"] == ("CEFA NS", "B1")
    assert rows["dose"] == ("1 g", "1 g")
    assert rows["safety"] == ("", "")
    unread = give("???")
    assert {row.right.value: row.actual for row in unread.rows}["drug"] == ""


def test_an_infusion_of_a_patient_nobody_knows_earns_no_ticks():
    lost = merged(FACTS, infusions=(infusion(DRIP_ORDER, DRIP_TASK, "B1", patient_id="pZ"),))
    result = ask(request(Action.PAUSE, band=None, infusion_id="i-B1"), lost)
    assert set(marks(result).values()) == {"stop", "unjudged"}


def test_what_gives_nothing_shows_no_expectations_and_the_answer_names_the_rules():
    held = ask(request(Action.HOLD, TABLET_SCAN, entered=Entered(reason_code="asleep")))
    assert {(row.expected, row.actual) for row in held.rows} == {("", "")}
    assert ask(request(Action.GIVE, TABLET_SCAN), policy=SitePolicy(ruleset="bc-1a")).ruleset == "bc-1a"


def test_the_sites_own_prefixes_and_the_symbology_count_for_every_scan():
    prefixes = SitePolicy(prefixes={"BAG:": "bag", "TUBE:": "tube"})
    assert ask(start(items_raw=("BAG:B1",)), policy=prefixes).word is Word.GIVE
    number = "693147500000012347"
    facts = merged(FACTS, patients=(replace(FACTS.patients[0], mrn=number),))
    band = scan(f"41069314750001248018{number}", symbology="]d2")
    assert ask(request(Action.GIVE, TABLET_SCAN, band=band), facts).patient_id == "pA"
