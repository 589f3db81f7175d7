"""What a nurse is told of patient, persons and clocks: every word, and every limit on its very edge."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clinical.bedside_check import Snapshot, check, overrides
from clinical.bedside_check.case import Case
from clinical.bedside_check.model import (
    Action,
    Entered,
    Operator,
    Override,
    ScanMethod,
    Severity,
    Witness,
    Word,
)
from clinical.bedside_check.snapshot import Sighting
from clinical.identifiers.hospital import encode
from clinical.policy import SitePolicy
from clinical.records import (
    Encounter,
    InfusionState,
    Patient,
    Practitioner,
)
from tests.clinical.told import flow, give, ordered, running, stay, tablet, told
from tests.support.bedside import (
    BAG_SCAN,
    BAND_A,
    CEFA,
    DRIP,
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    NOON,
    PATIENT_A,
    POLICY,
    TABLET_ORDER,
    TABLET_SCAN,
    ack,
    ask,
    codes,
    dose,
    handheld,
    infusion,
    marks,
    merged,
    request,
    scan,
    snapshot,
    start,
)

pytestmark = [
    pytest.mark.requirement("R-CLIN-10"),
    pytest.mark.requirement("R-CLIN-11"),
    pytest.mark.requirement("R-CLIN-21"),
    pytest.mark.hazard("H-CLIN-01"),
]
MINUTE, HOUR, DAY, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)


def test_a_wristband_that_is_none_says_what_it_is():
    assert told(give(band=BAG_SCAN)) == ["PT-NOT-SCANNED STOP none | kind=bag"]
    assert told(give(band="MA")) == ["PT-NOT-SCANNED STOP none | kind=unknown"]
    by_eye = scan("MA", method=ScanMethod.NONE, reason="damaged-wristband")
    assert told(give(band=by_eye)) == ["PT-NOT-SCANNED STOP second | reason=damaged-wristband"]
    spaced = give(band=scan(" MA ", method=ScanMethod.KEY))
    assert (codes(spaced), spaced.patient_id) == (["SYS-KEYED"], "pA")


def test_a_patient_who_is_not_here_says_why():
    assert told(give(band=encode("wristband", "MZ", "1"))) == ["PT-NOT-ADMITTED STOP none | reason=unknown"]
    for status in ("finished", "planned"):
        assert told(give(stay(status=status))) == [f"PT-NOT-ADMITTED STOP none | reason={status}"]
    assert told(give(stay(status="onleave"))) == ["PT-NOT-ADMITTED WARN ack | reason=onleave"]
    lost = merged(FACTS, infusions=(infusion(DRIP_ORDER, DRIP_TASK, "B1", patient_id="pZ"),))
    assert told(flow(Action.PAUSE, lost, band=None)) == ["PT-NOT-ADMITTED STOP none | reason=unknown"]


def test_a_transfer_says_when_and_an_admission_is_none():
    moved = NOON - 72 * HOUR
    assert told(give(stay(moved_at=moved))) == [f"PT-TRANSFERRED INFO none | at={moved.isoformat()}"]
    assert told(give(stay(moved_at=moved - SECOND))) == []
    assert told(give(stay(moved_at=moved, admitted_at=moved))) == []
    assert told(give(stay(moved_at=moved, admitted_at=moved - DAY)))[0].startswith("PT-TRANSFERRED")


def test_a_sighting_elsewhere_counts_for_exactly_five_minutes_either_way():
    def seen(ago, *more, bed="07", **asked):
        found = (*more, Sighting(patient_id="pA", handheld="h2", bed=bed, at=NOON - ago))
        return told(ask(request(Action.GIVE, TABLET_SCAN, **asked), sightings=found))

    doubt = ["PT-SCAN-IMPLAUSIBLE WARN ack"]
    assert [seen(5 * MINUTE), seen(5 * MINUTE + SECOND), seen(-5 * MINUTE)] == [doubt, [], doubt]
    here = Sighting(patient_id="pA", handheld="h2", bed="01", at=NOON)
    assert seen(MINUTE, here) == doubt
    assert seen(MINUTE, replace(here, bed="07")) == doubt
    at_window = handheld(bed_seen="07")
    assert "PT-SCAN-IMPLAUSIBLE WARN ack" not in seen(MINUTE, handheld=at_window)
    assert "PT-SCAN-IMPLAUSIBLE WARN ack" in seen(MINUTE, bed="01", handheld=at_window)


def test_a_wristband_is_fresh_for_exactly_ten_minutes():
    fresh = [give(band=scan(BAND_A, NOON - late)) for late in (10 * MINUTE, 10 * MINUTE + SECOND)]
    assert [one.needs for one in fresh] == [(), ("patient-scan",)]
    old = flow(Action.PAUSE, band=scan(BAND_A, NOON - HOUR))
    assert (told(old), old.word) == ([], Word.GIVE)


def test_the_wrong_bed_weighs_by_what_is_given():
    there = {"handheld": handheld(bed_seen="02")}
    assert told(give(**there)) == ["PT-BED-MISMATCH WARN second"]
    assert told(give(tablet(high_alert=1), **there)) == ["PT-BED-MISMATCH STOP second"]


def test_persons_and_facts_say_for_how_long_they_count():
    student = Operator(id="s1", roles=("student",), instructor_id="i1", instructor_badge_at=NOON - 6 * MINUTE)
    assert told(give(operator=student)) == ["SYS-STUDENT STOP none | minutes=5"]
    for minutes, said in ((16, "INFO none"), (61, "WARN second"), (241, "STOP second")):
        fetched = NOON - minutes * MINUTE
        old = Snapshot.of(FACTS, version="v1", fetched_at=fetched)
        found = told(check(request(Action.GIVE, TABLET_SCAN), old, POLICY))
        assert found == [f"SYS-SNAPSHOT-AGE {said} | since={fetched.isoformat()}"]
    risky = give(tablet(high_alert=2), handheld=handheld(online=False))
    assert "SYS-OFFLINE-HA STOP second | level=2" in told(risky)
    assert told(give(handheld=handheld(clock_offset_s=-150.4))) == ["SYS-CLOCK WARN none | seconds=-150"]
    assert told(give(handheld=handheld(clock_offset_s=301))) == ["SYS-CLOCK STOP none | seconds=301"]
    assert told(give(handheld=handheld(last_time_sync=None))) == ["SYS-CLOCK-AGE WARN second"]


def test_an_instructor_may_be_any_nurse_but_the_student():
    def taught(by, **more):
        student = Operator(id="s1", roles=("student",), instructor_id=by, instructor_badge_at=NOON)
        return codes(give(operator=student, **more))

    assert [taught(by) for by in ("i1", "n2", "n3", "e1", "d1", "x1", "s1", "")] == [
        [], [], [], *[["SYS-STUDENT"]] * 5,
    ]  # fmt: skip
    unlisted = replace(FACTS, practitioners=())
    assert taught("anybody", facts=unlisted) == []


def test_a_second_person_is_judged_in_every_word():
    three = tablet(high_alert=3)
    assert told(give(three)) == ["WIT-REQUIRED STOP none | level=3"]
    assert told(give(tablet(high_alert=2))) == ["WIT-RECOMMENDED WARN ack | level=2"]
    late = Witness(id="n2", roles=("nurse",), badge_at=NOON - 6 * MINUTE)
    assert told(give(three, witness=late)) == ["WIT-STALE STOP none | minutes=5"]
    both = replace(late, id="s1")
    assert told(give(three, witness=both)) == ["WIT-ROLE STOP none", "WIT-STALE STOP none | minutes=5"]
    blood = merged(FACTS, orders=(replace(DRIP_ORDER, kind="transfusion"),))
    assert "WIT-REQUIRED STOP none | level=3" in told(ask(start(), blood))
    assert marks(give(tablet(high_alert=1))).get("witness") is None
    seen = give(tablet(high_alert=1), witness=replace(late, badge_at=NOON))
    assert marks(seen)["witness"] == "ok"


def test_two_calculations_may_differ_by_exactly_a_hundredth():
    def values(theirs, own=None, used="100"):
        rated = replace(DRIP_ORDER, rate_ml_h=Decimal(used))
        facts = merged(FACTS, products=(replace(CEFA, high_alert=3),), orders=(rated,))
        witness = Witness(id="n2", roles=("nurse",), badge_at=NOON, value=Decimal(theirs))
        entered = Entered(device_id=DRIP, calculated=None if own is None else Decimal(own))
        return codes(ask(start(entered=entered, witness=witness), facts))

    assert [values("99"), values("98.9"), values("101"), values("101.1")] == [
        [], ["WIT-DISAGREE"], [], ["WIT-DISAGREE"],
    ]  # fmt: skip
    assert [values("100", "99"), values("100", "98.9"), values("99", "100")] == [[], ["DOSE-CALC-DIFF"], []]
    assert values("1", "2") == ["DOSE-CALC-DIFF"]


def test_who_may_accept_what_is_exact():
    held = ordered(status="on-hold")
    said = Override(code="ORD-ON-HOLD", reason="other", by="d1")

    def word(facts=held, **changes):
        return give(facts, overrides=(replace(said, **changes),)).word

    assert word() is Word.GIVE
    assert {word(by="n2"), word(by=""), word(reason=""), word(via="sms")} == {Word.STOP}

    def called(ago):
        facts = merged(held, encounters=(replace(FACTS.encounters[0], resuscitation_at=NOON - ago),))
        return word(facts, via="read-back")

    assert [called(one) for one in (0 * MINUTE, 30 * MINUTE, 30 * MINUTE + SECOND, -SECOND)] == [
        Word.GIVE, Word.GIVE, Word.STOP, Word.STOP,
    ]  # fmt: skip
    case = Case(request=request(), snapshot=snapshot(), policy=POLICY, at=NOON)
    assert overrides.is_resuscitation(case) is False


def test_a_second_nurse_who_is_a_student_too_is_none():
    both = Practitioner(id="ns", name="ns", roles=("nurse", "student"))
    facts = merged(FACTS, practitioners=(both,), patients=(replace(PATIENT_A, weight_at=NOON - 9 * DAY),),
                   orders=(replace(TABLET_ORDER, items=(replace(
                       TABLET_ORDER.items[0], dose=dose("0.5", "mg/kg")),)),))  # fmt: skip
    entered = {"entered": Entered(dose=dose(30, "mg"))}
    words = [give(facts, overrides=ack("DOSE-WEIGHT", by=person), **entered).word for person in ("n2", "ns")]
    assert words == [Word.GIVE, Word.STOP]
    own = Operator(id="ns", roles=("student",), instructor_id="ns", instructor_badge_at=NOON)
    assert told(give(facts, operator=own, **entered))[0].startswith("SYS-STUDENT")


def test_a_site_that_only_notes_the_second_person_still_has_the_row():
    noted = SitePolicy(severities={"WIT-RECOMMENDED": Severity.INFO})
    result = give(tablet(high_alert=2), noted)
    assert (told(result), marks(result)["witness"]) == (["WIT-RECOMMENDED INFO ack | level=2"], "ok")


def test_only_the_highest_level_needs_two_calculations_and_blood_none():
    witness = Witness(id="n2", roles=("nurse",), badge_at=NOON)
    assert [give(tablet(high_alert=level), witness=witness).needs for level in (1, 2, 3)] == [
        (), (), ("second-calculation", "own-calculation"),
    ]  # fmt: skip
    blood = merged(FACTS, orders=(replace(DRIP_ORDER, kind="transfusion"),),
                   products=(replace(CEFA, high_alert=3),))  # fmt: skip
    assert ask(start(witness=witness), blood).needs == ()


def test_clocks_have_exact_limits():
    def clock(**state):
        return [line.split(" | ")[0] for line in told(give(handheld=handheld(**state)))]

    assert [clock(clock_offset_s=seconds) for seconds in (120, 120.5, 300, 300.5)] == [
        [], ["SYS-CLOCK WARN none"], ["SYS-CLOCK WARN none"], ["SYS-CLOCK STOP none"],
    ]  # fmt: skip
    hours = (24 * HOUR, 24 * HOUR + SECOND, 72 * HOUR, 72 * HOUR + SECOND)
    assert [clock(last_time_sync=NOON - ago) for ago in hours] == [
        [], ["SYS-CLOCK-AGE WARN second"], ["SYS-CLOCK-AGE WARN second"], ["SYS-CLOCK-AGE STOP second"],
    ]  # fmt: skip


@pytest.mark.parametrize("action", [Action.RATE, Action.RESUME])
def test_an_offline_change_of_a_high_alert_flow_needs_a_second_person(action):
    state = InfusionState.RUNNING if action is Action.RATE else InfusionState.PAUSED
    risky = merged(running(state=state), products=(replace(CEFA, high_alert=2),))
    asked = {"handheld": handheld(online=False), "entered": Entered(rate_ml_h=Decimal(60))}
    assert "SYS-OFFLINE-HA STOP second | level=2" in told(flow(action, risky, **asked))


def test_a_changed_order_is_a_stop_of_its_own_row():
    result = give(order_version=9)
    assert (told(result), marks(result)["system"]) == (["SYS-STATE-CHANGED REFRESH none | version=1"], "stop")


def test_a_note_is_never_marked_as_accepted():
    moved = stay(moved_at=NOON - HOUR)
    result = give(moved, overrides=ack("PT-TRANSFERRED", by="d1"))
    assert [one.overridden for one in result.findings] == [False]


def test_a_flow_without_a_wristband_still_knows_the_bed():
    elsewhere = flow(Action.PAUSE, band=None, handheld=handheld(bed_seen="02"))
    assert (told(elsewhere), elsewhere.patient_id) == (["PT-BED-MISMATCH WARN second"], "pA")


def test_names_sound_alike_whatever_their_spaces_and_capitals():
    def note(first, second, **more):
        mine = replace(PATIENT_A, name_latin=first)
        twin = Patient(id="pC", mrn="MC", name="嘉", name_latin=second, allergy_status="none")
        there = Encounter(id="eC", patient_id="pC", status="in-progress", ward="W1", bed="03")
        return told(give(merged(FACTS, patients=(mine, twin), encounters=(replace(there, **more),))))

    alike = ["PT-NAME-ALIKE INFO none"]
    assert [note("Jia Yi", "jiayi"), note("JIAYI", "Jia  Yi"), note("Jia", "Ji a")] == [alike, alike, alike]
    assert [note("Jia", "Jie"), note("", ""), note("Jia", "Jia", status="finished")] == [[], [], []]


def test_without_a_staff_list_the_roles_of_a_second_persons_session_count():
    unlisted = replace(tablet(high_alert=2), practitioners=())
    witness = Witness(id="n7", roles=("nurse",), badge_at=NOON)
    assert told(give(unlisted, witness=witness)) == []
    assert told(give(unlisted, witness=replace(witness, roles=("doctor",)))) == ["WIT-ROLE STOP none"]
