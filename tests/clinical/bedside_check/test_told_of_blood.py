"""What two nurses are told of a unit of blood: every word, and every limit on its very edge."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clinical.bedside_check.model import Action, Entered, Reading, ScanMethod, Word
from clinical.identifiers.hospital import encode
from clinical.identifiers.isbt128 import donation_check
from clinical.policy import SitePolicy
from clinical.records import Flow, Observation, TaskStatus, Validity
from tests.clinical.bedside_check.blood_ward import (
    BAG,
    DONATION,
    HOUR,
    LOOKED,
    MINUTE,
    ORDER,
    SLIP,
    TASK,
    UNIT,
    VITALS,
    blood,
    check_at_bed,
    entry,
    fit,
    hot,
    rated,
    running,
    second,
    start,
    state,
    ward,
)
from tests.clinical.told import told
from tests.support.bedside import (
    BAND_A,
    BAND_B,
    DRIP,
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    NOON,
    ask,
    codes,
    handheld,
    infusion,
    marks,
    merged,
    request,
    scan,
    task,
)
from tests.support.bedside import start as start_bag

pytestmark = [pytest.mark.requirement("R-CLIN-50"), pytest.mark.hazard("H-CLIN-11")]
SECOND = timedelta(seconds=1)
OTHER = "=A12342609999900"


def lines(result, code):
    return [line for line in told(result) if line.startswith(code)]


# --- which unit ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bag", "expected"),
    [
        (OTHER, "BLD-UNIT STOP none | reason=not-issued"),
        ("rubbish", "BLD-UNIT STOP none | reason=unreadable"),
        ("=A12", "BLD-UNIT STOP none | reason=unreadable"),
        (f"={DONATION}00=<E9999V00", "BLD-PRODUCT STOP none | reason=label, scanned=E9999V00"),
        (f"={DONATION}00=%5100", "BLD-UNIT STOP none | reason=group"),
        (f"={DONATION}00=%Mq00", "BLD-UNIT STOP none | reason=never-transfuse"),
        (f"={DONATION}00=%9900", "BLD-UNIT STOP none | reason=group"),
        (f"={DONATION}07", "BLD-UNIT STOP none | reason=tube"),
        (f"={DONATION}00=>026001", "BLD-EXPIRED STOP none | at=2026-01-01T23:59:00+08:00, reason=label"),
    ],
)
def test_a_bag_that_is_not_the_one_says_why(bag, expected):
    assert told(check_at_bed(bag=bag)) == [expected]


def test_the_label_expires_on_its_minute_and_the_issue_counts_first():
    def labelled(minute, **unit):
        bag = f"={DONATION}00&>0260611{minute}"  # the second of March, noon and so many minutes
        return told(check_at_bed(bag=bag, unit=state("received", **unit)))

    assert labelled("200") == ["BLD-EXPIRED STOP none | at=2026-03-02T12:00:00+08:00, reason=label"]
    assert labelled("201") == []
    gone = {"expires_at": NOON}
    assert labelled("200", **gone) == [f"BLD-EXPIRED STOP none | at={NOON.isoformat()}"]
    assert told(fit(expires_at=NOON + SECOND)) == []


def test_slip_and_bag_are_told_apart():
    two = tuple(scan(raw) for raw in (BAG, OTHER))
    assert told(check_at_bed(items=two)) == ["BLD-UNIT STOP none | reason=two-bags"]
    assert told(check_at_bed(slip=OTHER)) == ["BLD-UNIT STOP none | reason=slip"]
    parts = (scan("=%6200"), scan(BAG), scan(SLIP, source="slip"))
    assert (told(check_at_bed(items=parts)), check_at_bed(items=parts).needs) == ([], ())
    asked = check_at_bed(items=(scan(SLIP, source="slip"),))
    assert asked.needs == ("item-scan",)
    beside = (scan(OTHER, reason="dialog-open"), scan(BAG), scan(SLIP, source="slip"))
    assert told(check_at_bed(items=beside)) == ["SYS-DIALOG-SCAN INFO none"]
    separate = (scan(BAG), scan("=<E0382V00"), scan(SLIP, source="slip"))
    both = (state("received", product_code="E0701V00", id="u2"), state("received"))
    assert check_at_bed(items=separate, facts=ward(both)).bag_id == "u1"


def test_a_typed_number_is_read_without_its_check_and_its_blanks():
    checked = DONATION + donation_check(DONATION)
    typed = (scan(checked, method=ScanMethod.KEY), scan(SLIP, source="slip"))
    assert lines(check_at_bed(items=typed), "BLD") == []
    spaced = (scan(f" {DONATION} ", method=ScanMethod.KEY), scan(SLIP, source="slip"))
    assert lines(check_at_bed(items=spaced), "BLD") == []
    scanned = (scan(checked), scan(SLIP, source="slip"))
    assert lines(check_at_bed(items=scanned), "BLD") == ["BLD-UNIT STOP none | reason=unreadable"]


def test_a_unit_brings_patient_stay_order_task_and_tick():
    received = blood(Action.BLOOD_RECEIVE, band=None, witness=second(), handheld=handheld(bed_seen="09"))
    assert lines(received, "PT") == ["PT-BED-MISMATCH STOP second"]
    plain = blood(Action.BLOOD_RECEIVE, band=None, witness=second())
    assert (plain.patient_id, plain.order_id, plain.task_id, plain.bag_id) == ("pA", "oR", TASK.id, "u1")
    checked = check_at_bed()
    assert (marks(checked)["drug"], marks(checked)["time"], marks(checked)["safety"]) == ("ok", "ok", "ok")
    started = start()
    assert {marks(started)[right] for right in ("dose", "route", "time", "safety", "witness")} == {"ok"}
    ended = running(100, entry("quarter", 85), action=Action.BLOOD_END)
    assert {marks(ended)[right] for right in ("time", "safety", "documentation")} == {"ok"}
    again = fit(patient_group="")
    assert marks(again)["safety"] == "stop"


def test_the_open_task_that_is_planned_first_is_taken():
    later, never = task(ORDER, NOON + HOUR), task(ORDER, None)
    assert check_at_bed(facts=ward(state("received"), tasks=(later, never))).task_id == TASK.id
    done = replace(TASK, status=TaskStatus.GIVEN)
    assert check_at_bed(facts=ward(state("received"), tasks=(done, never, later))).task_id == later.id
    failed = replace(TASK, status=TaskStatus.ERROR)
    assert check_at_bed(facts=ward(state("received"), tasks=(failed,))).task_id == ""
    assert check_at_bed(facts=ward(state("received"), tasks=(failed,)), task_id=TASK.id).task_id == TASK.id
    assert check_at_bed(facts=ward(state("received"), tasks=(later,)), task_id=later.id).task_id == later.id


def test_a_step_out_of_turn_names_the_state():
    assert lines(blood(Action.BLOOD_CHECK, facts=ward(state("issued")), witness=second()), "INF") == [
        "INF-TRANSITION STOP none | state=issued, reason=unit"
    ]
    flow = infusion(ORDER, TASK, "u1", id="iR")
    assert lines(start(facts=ward(infusions=(flow,))), "INF") == [
        "INF-TRANSITION STOP none | state=checked, reason=unit"
    ]
    assert lines(blood(Action.BLOOD_OBS, facts=ward(state("running")), slip=""), "INF") == [
        "INF-TRANSITION STOP none | state=running, reason=unit"
    ]


# --- does it fit --------------------------------------------------------------------------------------------


def test_what_does_not_fit_names_both_sides():
    assert told(fit("B+", "A+")) == ["BLD-ABO STOP none | unit=B+, patient=A+"]
    assert told(fit("O+", "A+", "platelets")) == ["BLD-ABO STOP prescriber | unit=O+, patient=A+"]
    assert told(fit("A+", "", "plasma")) == ["BLD-ABO STOP none | reason=unknown"]
    assert told(fit("A+", "A-")) == ["BLD-RH STOP prescriber | unit=A+, patient=A-"]
    assert told(fit(product_id="FFP")) == ["BLD-PRODUCT STOP none | reason=ordered, issued=FFP"]
    assert told(fit(expires_at=NOON)) == [f"BLD-EXPIRED STOP none | at={NOON.isoformat()}"]
    assert told(fit(crossmatch="")) == ["BLD-XM STOP none | reason=missing"]
    assert told(fit(crossmatched_at=None)) == ["BLD-XM STOP none | reason=compatible"]
    old = NOON - 72 * HOUR - SECOND
    assert told(fit(crossmatched_at=old)) == [f"BLD-XM STOP none | reason=old, at={old.isoformat()}"]


def test_the_time_out_of_the_cold_is_exact():
    def out(since):
        return [line.replace((NOON - since).isoformat(), "AT") for line in told(fit(issued_at=NOON - since))]

    warn, stop = "BLD-OUT WARN ack | at=AT, limit=30", "BLD-OUT STOP prescriber | at=AT, limit=60"
    assert [out(30 * MINUTE), out(30 * MINUTE + SECOND), out(60 * MINUTE), out(60 * MINUTE + SECOND)] == [
        [], [warn], [warn], [stop],
    ]  # fmt: skip
    assert told(fit(issued_at=None)) == ["BLD-OUT STOP prescriber | reason=unknown"]
    assert marks(fit(issued_at=None))["time"] == "stop"
    received = blood(Action.BLOOD_RECEIVE, band=None, witness=second(), unit=state("issued", issued_at=None))
    assert told(received) == []


def test_consent_is_asked_for_at_the_bed_only():
    facts = ward(state("issued"), encounters=(FACTS.encounters[0],))
    assert told(blood(Action.BLOOD_RECEIVE, band=None, witness=second(), facts=facts)) == []
    at_bed = ward(state("received"), encounters=(FACTS.encounters[0],))
    assert told(check_at_bed(facts=at_bed)) == ["BLD-CONSENT STOP emerg"]


def test_what_is_seen_on_the_bag_is_named_in_order():
    seen = check_at_bed(entered=Entered(checks=LOOKED, symptoms=("leak", "clot")))
    assert told(seen) == ["BLD-LEAK-CLOT STOP none | found=clot leak"]
    assert check_at_bed(entered=Entered(checks=(*LOOKED, "more"))).needs == ()


# --- persons ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("witness", "reason"),
    [
        (None, "missing"), (second(band=""), "own-scans-missing"), (second(bag=""), "own-scans-missing"),
        (second(slip=""), "own-scans-missing"), (second(band=BAND_B), "own-scans-differ"),
        (second(band=encode("bed", "W1", "01")), "own-scans-differ"), (second(bag=OTHER), "own-scans-differ"),
        (second(slip=OTHER), "own-scans-differ"), (second(bag=OTHER, slip=OTHER), "own-scans-differ"),
        (second(band=BAND_A[:-1] + "0"), "own-scans-differ"),
    ],
)  # fmt: skip
def test_the_second_persons_own_scans_say_what_is_wrong(witness, reason):
    assert told(check_at_bed(witness=witness)) == [f"BLD-SECOND STOP none | reason={reason}"]


def test_a_start_follows_the_check_within_exactly_its_time():
    def checked(**changes):
        return told(start(unit=state("checked", **changes)))

    assert [checked(checked_at=NOON - 30 * MINUTE - late) for late in (0 * SECOND, SECOND)] == [
        [], ["BLD-SECOND STOP none | reason=check-too-old, minutes=30"],
    ]  # fmt: skip
    assert checked(checked_by=("n1",)) == ["BLD-SECOND STOP none | reason=not-checked"]
    assert checked(checked_at=None) == ["BLD-SECOND STOP none | reason=not-checked"]
    assert checked(checked_by=("n1", "n2", "n3")) == []


# --- start --------------------------------------------------------------------------------------------------


def test_a_baseline_counts_for_exactly_half_an_hour_and_names_what_is_missing():
    def measured(ago, without=()):
        vitals = tuple(replace(one, at=NOON - ago) for one in VITALS if one.code not in without)
        return told(start(entered=Entered(vitals=vitals, site="left-forearm")))

    assert measured(30 * MINUTE) == []
    assert measured(30 * MINUTE, ("MDC_PULS_RATE", "MDC_PULS_OXIM_SAT_O2")) == [
        "BLD-BASE STOP second | missing=pulse saturation, minutes=30"
    ]
    assert "missing=temperature pulse" in measured(30 * MINUTE + SECOND)[0]


def test_the_newest_entered_value_counts_before_the_monitors():
    def baseline(*vitals, observed=()):
        flow = infusion(ORDER, TASK, "u1", id="iR", started_at=NOON - 15 * MINUTE)
        facts = ward(state("running"), infusions=(flow,), transfusion_entries=(entry("baseline", 15),),
                     observations=observed)  # fmt: skip
        return lines(running(15, facts=facts, entered=Entered(vitals=vitals)), "BLD-REACT")

    def hand(value, at=NOON, code="MDC_TEMP_AXILLA"):
        return Reading(code=code, value=Decimal(value), at=at)

    pressure = hand("120", code="MDC_PRESS_BLD_NONINV_SYS")
    assert baseline(hand("39"), hand("36.6"), pressure) == []
    hurt = ["BLD-REACT STOP prescriber | rise=2.4, fall=0"]
    assert baseline(hand("36.6"), hand("39"), pressure) == hurt
    assert baseline(hand("39", NOON - 2 * MINUTE), pressure) == hurt
    assert baseline(hand("39", NOON - 2 * MINUTE - SECOND), pressure) == []
    monitor = Observation(id="t", patient_id="pA", code="MDC_TEMP_BODY", value=Decimal(39), unit="Cel",
                          effective=NOON - 2 * MINUTE)  # fmt: skip
    assert baseline(pressure, observed=(monitor,)) == hurt
    assert baseline(pressure, observed=(replace(monitor, effective=NOON - 2 * MINUTE - SECOND),)) == []
    newer = replace(monitor, id="u", code="MDC_TEMP_ORAL", value=Decimal("36.6"), effective=NOON - MINUTE)
    assert baseline(pressure, observed=(monitor, newer)) == []
    assert baseline(hand("36.6"), pressure, observed=(monitor,)) == []


def test_a_rate_is_named_with_its_limit_and_its_length():
    assert told(rated("120.5")) == ["BLD-FAST STOP prescriber | set=120.5, limit=120"]
    assert told(rated("49.9")) == ["BLD-4H WARN ack | minutes=240"]
    assert told(rated(49)) == ["BLD-4H WARN ack | minutes=244"]
    assert rated(0).needs == ("rate",)
    assert rated(-1).needs == ("rate",)
    assert rated(None).rate_ml_h == Decimal(90)
    assert rated(80).rate_ml_h == Decimal(80)


def test_the_other_bag_on_the_line_is_named():
    flow = infusion(replace(ORDER, id="gone"), TASK, "B9", site="left-forearm", id="iX")
    assert told(start(facts=ward(infusions=(flow,)))) == ["BLD-DRUG STOP none | infusion=iX"]
    apart = replace(flow, id="iA", site="right-forearm")
    assert told(start(facts=ward(infusions=(apart, flow)))) == ["BLD-DRUG STOP none | infusion=iX"]
    unit = replace(UNIT, id="u2", donation="A123426012346")
    other_blood = replace(flow, bag_id="u2")
    both = replace(ward(infusions=(other_blood,)), blood_units=(UNIT, unit))
    assert told(start(facts=both)) == []
    carrying = infusion(ORDER, TASK, "u1", id="iR", site="left-forearm")
    away = replace(carrying, id="i0", site="right-forearm")
    drug = merged(ward(state("running"), infusions=(replace(flow, id="i1", bag_id="else"), away, carrying)))
    asked = start_bag(entered=Entered(device_id=DRIP, site="left-forearm"))
    assert told(ask(asked, drug)) == ["BLD-DRUG STOP none | infusion=iR"]
    unsaid = merged(ward(state("running"), infusions=(replace(carrying, site=""),)))
    assert told(ask(asked, unsaid)) == ["BLD-DRUG STOP none | infusion=iR"]


# --- while it runs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "entries", "expected"),
    [
        (9, (), ["BLD-15 INFO none | minutes=9"]), (10, (), []), (20, (), []),
        (21, (), ["BLD-15 WARN ack | minutes=21"]), (21, (entry("quarter", 1),), []),
        (209, (entry("quarter", 1),), []), (210, (entry("quarter", 1),), ["BLD-4H WARN ack | minutes=210"]),
        (239, (entry("quarter", 1),), ["BLD-4H WARN ack | minutes=239"]),
        (240, (entry("quarter", 1),), ["BLD-4H STOP prescriber | minutes=240"]),
    ],
)  # fmt: skip
def test_the_clock_of_a_transfusion_is_told_in_minutes(minutes, entries, expected):
    assert told(running(minutes, *entries)) == expected


def test_a_reaction_is_told_with_its_figures():
    def found(entered, action=Action.BLOOD_OBS):
        return lines(running(15, entry("baseline", 16), entered=entered, action=action), "BLD-REACT")

    assert found(hot("37.6")) == ["BLD-REACT STOP prescriber | rise=1, fall=0"]
    assert found(hot("36.0", "90")) == ["BLD-REACT STOP prescriber | rise=0, fall=30"]
    assert found(hot("36.0", "130", symptoms=("rash", "chill"))) == [
        "BLD-REACT STOP prescriber | rise=0, fall=0, symptoms=chill rash"
    ]
    assert found(hot("38.6"), Action.BLOOD_END) == ["BLD-REACT INFO none | rise=2, fall=0"]
    assert [found(hot("37.5")), found(hot("36.6", "91"))] == [[], []]
    half = running(15, entry("baseline", 16), entered=replace(hot(), vitals=hot().vitals[:1]))
    assert half.needs == ("vitals",)
    other = running(15, entry("baseline", 16), entered=replace(hot(), vitals=hot().vitals[1:]))
    assert other.needs == ("vitals",)


def test_the_end_of_a_transfusion_says_how_long_the_bag_is_kept():
    ended = running(300, entry("quarter", 85), action=Action.BLOOD_END)
    assert (told(ended), ended.word) == (
        [f"BLD-BAG INFO none | until={(NOON + 24 * HOUR).isoformat()}"], Word.GIVE,
    )  # fmt: skip


def test_a_transfusion_that_drips_too_fast_is_told_and_not_made_faster():
    def looked(measured, *entries):
        flow = Flow(id="iR", effective=NOON, validity=Validity.VALID, rate_ml_h=measured)
        unit = infusion(ORDER, TASK, "u1", id="iR", started_at=NOON - 12 * MINUTE)
        facts = replace(ward(state("running"), infusions=(unit,), transfusion_entries=entries), flows=(flow,))
        return lines(running(12, facts=facts), "BLD-FAST")

    assert looked(130.06) == ["BLD-FAST WARN ack | set=130.1, limit=120"]
    assert looked(130.06, entry("baseline", 12)) == ["BLD-FAST WARN ack | set=130.1, limit=120"]
    assert [looked(120.0), looked(130.0, entry("quarter", 1), entry("further", 0))] == [[], []]

    def raised(rate, *entries):
        flow = infusion(ORDER, TASK, "u1", id="iR", rate_ml_h=Decimal(90))
        facts = ward(state("running"), infusions=(flow,), transfusion_entries=entries,
                     orders=(replace(ORDER, rate_ml_h=Decimal(rate)),))  # fmt: skip
        asked = request(Action.RATE, entered=Entered(rate_ml_h=Decimal(rate)), infusion_id="iR",
                        witness=second())  # fmt: skip
        return lines(ask(asked, facts), "BLD")

    assert [raised(121), raised(120), raised(121, entry("quarter", 1), entry("further", 0))] == [
        ["BLD-FAST STOP prescriber | set=121, limit=120"], [], [],
    ]  # fmt: skip


def test_a_common_infusion_is_no_transfusion_when_its_rate_changes():
    flow = infusion(DRIP_ORDER, DRIP_TASK, "B1")
    fast = replace(DRIP_ORDER, rate_ml_h=Decimal(200))
    asked = request(Action.RATE, infusion_id="i-B1", entered=Entered(rate_ml_h=Decimal(200)))
    assert codes(ask(asked, merged(FACTS, orders=(fast,), infusions=(flow,)))) == []


def test_an_older_wristband_form_of_the_site_counts_for_the_second_person_too():
    old = SitePolicy(prefixes={"PID:": "wristband"})
    assert told(check_at_bed(witness=second(band="PID:MA"), policy=old)) == []
    assert told(check_at_bed(witness=second(band="PID:MA"))) == [
        "BLD-SECOND STOP none | reason=own-scans-differ"
    ]


def test_blood_is_judged_by_its_time_its_symbol_and_the_sites_own_baseline():
    late = Entered(checks=LOOKED, vitals=VITALS, charted_at=NOON + HOUR)
    assert "TIME-FUTURE STOP none" in told(check_at_bed(entered=late))
    items = (scan(BAG, symbology="]d2"), scan(SLIP, source="slip"))
    assert told(check_at_bed(items=items)) == ["BLD-UNIT STOP none | reason=unreadable"]
    assert rated(1).needs == ()
    policy = SitePolicy.from_dict({"care": {"blood": {"baseline_codes": ["MDC_X"]}}})
    assert lines(start(policy=policy), "BLD-BASE") == ["BLD-BASE STOP second | missing=MDC_X, minutes=30"]
    own = Entered(vitals=(Reading(code="MDC_X", value=Decimal(1), at=NOON),), site="left-forearm")
    assert told(start(policy=policy, entered=own)) == []
