"""Time stamps from the future, who may accept what, and how fast an ingredient may flow."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clinical.bedside_check import Snapshot, check
from clinical.bedside_check.model import (
    Action,
    Entered,
    Operator,
    Override,
    Reading,
    Severity,
    Verdict,
    Witness,
    Word,
)
from clinical.drug_policy import RateLimit
from clinical.policy import SitePolicy
from clinical.records import Flow, InfusionState, Observation, OrderItem, Validity
from tests.support.bedside import (
    BAND_A,
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    NOON,
    POLICY,
    TABLET,
    TABLET_ORDER,
    TABLET_SCAN,
    TABLET_TASK,
    ack,
    ask,
    codes,
    dose,
    handheld,
    infusion,
    ingredient,
    label,
    merged,
    product,
    request,
    scan,
    start,
)

pytestmark = [pytest.mark.requirement("R-CLIN-62"), pytest.mark.hazard("H-CLIN-01")]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SOON, AHEAD = NOON + MINUTE, NOON + MINUTE + timedelta(seconds=1)


def give(facts=FACTS, **more):
    return ask(request(Action.GIVE, TABLET_SCAN, **more), facts)


# --- stamps from the future --------------------------------------------------------------------------


def test_facts_from_the_future_are_facts_of_unknown_age():
    def fetched(at):
        return check(
            request(Action.GIVE, TABLET_SCAN), Snapshot.of(FACTS, version="v", fetched_at=at), POLICY
        )

    assert fetched(SOON).word is Word.GIVE
    (finding,) = fetched(AHEAD).findings
    assert (finding.code, finding.severity) == ("SYS-SNAPSHOT-AGE", Severity.STOP)


def test_a_wristband_or_an_item_read_in_the_future_is_read_again():
    assert give(band=scan(BAND_A, NOON), items=(scan(TABLET_SCAN, SOON),)).word is Word.GIVE
    assert codes(give(items=(scan(TABLET_SCAN, AHEAD),))) == ["SYS-TRAY-STALE"]
    later = give(band=scan(BAND_A, AHEAD), items=(scan(TABLET_SCAN, AHEAD),))
    assert (later.needs, later.word) == (("patient-scan",), Word.CHECK)


def test_a_badge_from_the_future_is_no_fresh_badge():
    def seen(at):
        return codes(give(witness=Witness(id="n2", roles=("nurse",), badge_at=at)))

    assert (seen(SOON), seen(AHEAD)) == ([], ["WIT-STALE"])

    def taught(at):
        student = Operator(id="s1", roles=("student",), instructor_id="i1", instructor_badge_at=at)
        return codes(give(operator=student))

    assert (taught(SOON), taught(AHEAD)) == ([], ["SYS-STUDENT"])


def test_a_clock_set_in_the_future_is_not_set():
    assert codes(give(handheld=handheld(last_time_sync=SOON))) == []
    (finding,) = give(handheld=handheld(last_time_sync=AHEAD)).findings
    assert (finding.code, finding.severity) == ("SYS-CLOCK-AGE", Severity.STOP)


def test_a_vital_sign_from_the_future_is_no_baseline():
    from clinical.bedside_check.blood_watch import value
    from clinical.bedside_check.case import Case

    def read(at):
        entered = Entered(vitals=(Reading(code="MDC_TEMP_BODY", value=Decimal(37), at=at),))
        asked = request(Action.BLOOD_START, entered=entered)
        facts = Snapshot.of(FACTS, version="v", fetched_at=NOON)
        return value(Case(request=asked, snapshot=facts, policy=POLICY, at=NOON), "temperature", 30)

    assert (read(SOON), read(AHEAD)) == (Decimal(37), None)


# --- persons -----------------------------------------------------------------------------------------


def held(**stay):
    encounter = replace(FACTS.encounters[0], **stay)
    return merged(FACTS, orders=(replace(TABLET_ORDER, status="on-hold"),), encounters=(encounter,))


@pytest.mark.parametrize(
    ("via", "called", "word"),
    [
        ("app", None, Word.GIVE),
        ("read-back", None, Word.STOP),
        ("read-back", NOON - 30 * MINUTE, Word.GIVE),
        ("read-back", NOON - 31 * MINUTE, Word.STOP),
        ("read-back", NOON + MINUTE, Word.STOP),
        ("chat", NOON, Word.STOP),
    ],
)
def test_a_doctor_confirms_in_the_app_and_by_telephone_only_while_a_resuscitation_lasts(via, called, word):
    said = (Override(code="ORD-ON-HOLD", reason="other", by="d1", via=via),)
    assert give(held(resuscitation_at=called), overrides=said).word is word


def test_a_nurse_is_no_doctor_in_a_resuscitation_either():
    said = (Override(code="ORD-ON-HOLD", reason="other", by="n2", via="read-back"),)
    assert give(held(resuscitation_at=NOON), overrides=said).word is Word.STOP


def test_a_record_of_yesterday_is_accepted_by_the_head_nurse_only():
    late = {"entered": Entered(charted_at=NOON - 25 * HOUR)}
    facts = merged(FACTS, tasks=(replace(TABLET_TASK, planned_at=NOON - 25 * HOUR),))
    assert codes(give(facts, **late)) == ["TIME-BACKDATED"]
    assert give(facts, overrides=ack("TIME-BACKDATED", by="n2"), **late).word is Word.STOP
    assert give(facts, overrides=ack("TIME-BACKDATED", by="n3"), **late).word is Word.GIVE


@pytest.mark.parametrize("action", [Action.HOLD, Action.REMOVE])
def test_what_only_skips_or_takes_off_a_high_alert_drug_is_not_held_up_offline(action):
    risky = merged(FACTS, products=(replace(TABLET, high_alert=2),))
    asked = request(
        action, task_id=TABLET_TASK.id, entered=Entered(reason_code="asleep"), handheld=handheld(online=False)
    )
    assert ask(asked, risky).word is Word.GIVE


# --- two calculations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "own", "needs"),
    [
        (None, None, ("second-calculation", "own-calculation")),
        (Decimal(60), None, ("own-calculation",)),
        (None, Decimal(60), ("second-calculation",)),
        (Decimal(60), Decimal(60), ()),
    ],
)
def test_a_drug_of_the_highest_level_needs_two_calculations(theirs, own, needs):
    risky = merged(FACTS, products=(replace(FACTS.products[2], high_alert=3),))
    witness = Witness(id="n2", roles=("nurse",), badge_at=NOON, value=theirs)
    entered = Entered(device_id="ble:c0-00-00-00-01-01", calculated=own)
    result = ask(start(entered=entered, witness=witness), risky)
    assert (result.needs, result.word) == (needs, Word.CHECK if needs else Word.GIVE)


def test_where_there_is_nothing_to_calculate_nobody_calculates():
    line = replace(TABLET_ORDER.items[0], dose=dose(1, "{puff}"))
    facts = merged(
        FACTS, products=(replace(TABLET, high_alert=3),), orders=(replace(TABLET_ORDER, items=(line,)),)
    )
    witness = Witness(id="n2", roles=("nurse",), badge_at=NOON)
    asked = request(Action.GIVE, TABLET_SCAN, witness=witness, entered=Entered(dose=dose(1, "mg")))
    assert (codes(ask(asked, facts)), ask(asked, facts).needs) == (["DOSE-UNIT"], ("dose",))


# --- rates -------------------------------------------------------------------------------------------

KCL = product("CEFA", "{vial}", "injection", ingredient("potassium-chloride", "20", "mmol", "potassium"))
FRESH = Observation(
    id="k", patient_id="pA", code="MDC_CONC_K_GEN", value=Decimal(4), unit="mmol/L", effective=NOON
)  # fmt: skip


def potassium(rate, *, drug=KCL, volume=250, vials=1, action=Action.START, policy=POLICY):
    items = (
        OrderItem(product_id="CEFA", display=label("x"), dose=dose(vials, "{vial}")),
        OrderItem(product_id="NS", display=label("NS"), dose=dose(250, "mL"), role="base"),
    )
    ordered = replace(
        DRIP_ORDER,
        items=items,
        rate_ml_h=Decimal(rate),
        volume_ml=None if volume is None else Decimal(volume),
    )
    facts = merged(FACTS, products=(drug,), orders=(ordered,), observations=(FRESH,))
    if action is Action.START:
        return ask(start(), facts, policy)
    running = infusion(ordered, DRIP_TASK, "B1", state=InfusionState.RUNNING)
    entered = Entered(rate_ml_h=Decimal(rate))
    asked = request(action, infusion_id="i-B1", entered=entered)
    return ask(asked, merged(facts, infusions=(running,)), policy)


@pytest.mark.parametrize(
    ("rate", "severity"),
    [(125, None), (126, Severity.WARN), (250, Severity.WARN), (251, Severity.STOP)],
)
def test_potassium_flows_slowly(rate, severity):
    found = potassium(rate).findings
    assert [(one.code, one.severity) for one in found] == (
        [] if severity is None else [("DOSE-RATE-MAX", severity)]
    )
    assert codes(potassium(rate, action=Action.RATE)) == ([] if severity is None else ["DOSE-RATE-MAX"])


def test_a_doctor_accepts_a_fast_rate_and_a_nurse_a_brisk_one():
    assert potassium(251).verdict is Verdict.STOP
    (brisk,) = potassium(200).findings
    assert dict(brisk.params) == {"ingredient": "potassium-chloride", "limit": "10", "unit": "mmol/h"}


def test_a_strength_in_grams_is_judged_over_the_molar_mass():
    grams = replace(KCL, ingredients=(ingredient("potassium-chloride", "1.491", "g", "potassium"),))
    assert codes(potassium(125, drug=grams)) == []
    assert codes(potassium(126, drug=grams)) == ["DOSE-RATE-MAX"]
    strange = replace(KCL, ingredients=(ingredient("potassium-chloride", "9", "{drop}", "potassium"),))
    assert codes(potassium(900, drug=strange)) == []
    plain = RateLimit(ingredient="potassium", unit="mmol", warn=Decimal(1), stop=Decimal(2))
    assert codes(potassium(125, drug=grams, policy=SitePolicy(rate_limits=(plain,)))) == []
    assert codes(potassium(125, policy=SitePolicy(rate_limits=(plain,)))) == ["DOSE-RATE-MAX"]


def test_a_bag_of_unknown_volume_has_no_known_hourly_amount():
    assert "DOSE-RATE-MAX" not in codes(potassium(900, volume=None))
    assert "DOSE-RATE-MAX" not in codes(ask(start(), merged(FACTS, orders=(replace(DRIP_ORDER, items=()),))))


# --- what is measured --------------------------------------------------------------------------------


def looked_at(rate, *, minutes=0, validity=Validity.VALID, state=InfusionState.RUNNING):
    running = infusion(DRIP_ORDER, DRIP_TASK, "B1", state=state)
    flow = Flow(id="i-B1", effective=NOON - minutes * MINUTE, validity=validity, rate_ml_h=rate)
    facts = merged(FACTS, infusions=(running,), flows=(flow,))
    return ask(request(Action.PATROL, infusion_id="i-B1"), facts)


@pytest.mark.parametrize(("rate", "percent"), [(66.0, None), (66.1, "10"), (51.0, "-15"), (None, None)])
def test_who_looks_at_a_bag_is_told_that_it_does_not_run_as_ordered(rate, percent):
    found = {one.code: dict(one.params)["percent"] for one in looked_at(rate).findings}
    assert found == ({} if percent is None else {"INF-RATE-DEV": percent})


def test_a_rate_that_is_old_doubted_or_of_a_paused_bag_says_nothing():
    assert codes(looked_at(90.0, minutes=2)) == ["INF-RATE-DEV"]
    assert codes(looked_at(90.0, minutes=3)) == []
    assert codes(looked_at(90.0, validity=Validity.QUESTIONABLE)) == []
    assert codes(looked_at(90.0, state=InfusionState.PAUSED)) == []


# --- sedation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("score", "expected"), [(None, []), ("-3", []), ("-4", ["SAFE-VITAL-OUT"])])
def test_a_deeply_sedated_patient_gets_no_opioid_and_an_unknown_depth_is_not_asked_for(score, expected):
    opioid = replace(TABLET, ingredients=(ingredient("morphine", "10", "mg", "opioid"),))
    seen = [("MDC_RESP_RATE", "14", "/min")] + ([("MDCX_SEDATION_RASS", score, "{score}")] if score else [])
    observed = tuple(
        Observation(id=code, patient_id="pA", code=code, value=Decimal(value), unit=unit, effective=NOON)
        for code, value, unit in seen
    )
    assert codes(give(merged(FACTS, products=(opioid,), observations=observed))) == expected
