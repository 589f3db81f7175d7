"""SYS and PT: who asks, with what, and for whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from clinical.bedside_check import system
from clinical.bedside_check.model import Action, Operator, OverrideClass, ScanMethod, Severity, Word
from clinical.bedside_check.snapshot import Sighting
from clinical.identifiers.hospital import encode
from clinical.policy import SitePolicy
from clinical.records import Encounter, Patient, Wristband
from tests.support.bedside import (
    BAG_SCAN,
    BAND_A,
    BAND_B,
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    NOON,
    PATIENT_A,
    TABLET,
    TABLET_SCAN,
    TABLET_TASK,
    ack,
    ask,
    codes,
    handheld,
    infusion,
    marks,
    merged,
    request,
    scan,
    start,
)

pytestmark = [
    pytest.mark.requirement("R-CLIN-10"),
    pytest.mark.requirement("R-CLIN-11"),
    pytest.mark.hazard("H-CLIN-01"),
]
MINUTE = timedelta(minutes=1)


def severity(result, code):
    return next(finding.severity for finding in result.findings if finding.code == code)


def test_the_right_tablet_for_the_right_patient_is_give():
    result = ask(request(Action.GIVE, TABLET_SCAN))
    assert (result.word, codes(result), result.needs) == (Word.GIVE, [], ())
    assert result.patient_id == "pA"
    assert set(marks(result).values()) == {"ok"}


@pytest.mark.parametrize(
    "operator",
    [
        Operator(id="", roles=("nurse",)),
        Operator(id="n9", roles=("nurse",)),
        Operator(id="x1", roles=("nurse",)),
        Operator(id="e1", roles=("nurse", "engineer")),
    ],
)
def test_nobody_without_a_nurse_on_record_may_ask_and_nothing_is_shown(operator):
    result = ask(request(Action.GIVE, TABLET_SCAN, operator=operator))
    assert codes(result) == ["SYS-ROLE"]
    assert (result.word, result.patient_id, result.task_id) == (Word.STOP, "", "")


def test_roles_of_the_session_count_only_where_no_staff_list_is_known():
    facts = replace(FACTS, practitioners=())
    assert ask(request(Action.GIVE, TABLET_SCAN), facts).word is Word.GIVE


@pytest.mark.parametrize(
    ("instructor", "minutes", "word"),
    [
        ("", 0, Word.STOP),
        ("s1", 0, Word.STOP),
        ("e1", 0, Word.STOP),
        ("i1", 6, Word.STOP),
        ("i1", 5, Word.GIVE),
    ],
)
def test_a_student_needs_an_instructor_whose_badge_is_fresh(instructor, minutes, word):
    operator = Operator(
        id="s1", roles=("student",), instructor_id=instructor, instructor_badge_at=NOON - minutes * MINUTE
    )
    result = ask(request(Action.GIVE, TABLET_SCAN, operator=operator))
    assert result.word is word
    assert ("SYS-STUDENT" in codes(result)) is (word is Word.STOP)


def test_an_instructor_without_a_badge_time_does_not_count():
    operator = Operator(id="s1", roles=("student",), instructor_id="i1")
    assert codes(ask(request(Action.GIVE, TABLET_SCAN, operator=operator))) == ["SYS-STUDENT"]


def test_every_action_is_judged_and_one_that_were_not_is_refused(monkeypatch):
    assert frozenset(Action) == system.JUDGED
    monkeypatch.setattr(system, "JUDGED", system.JUDGED - {Action.COLLECT})
    (finding,) = ask(request(Action.COLLECT, TABLET_SCAN)).findings
    assert (finding.code, finding.params) == ("SYS-ACTION", (("action", "COLLECT"),))


@pytest.mark.parametrize(
    ("seconds", "expected"), [(120, None), (-121, Severity.WARN), (300, Severity.WARN), (301, Severity.STOP)]
)
def test_a_wrong_clock_warns_then_stops(seconds, expected):
    result = ask(request(Action.GIVE, TABLET_SCAN, handheld=handheld(clock_offset_s=seconds)))
    assert (severity(result, "SYS-CLOCK") if expected else None) == expected
    assert result.word is not Word.GIVE or expected is None


@pytest.mark.parametrize(
    ("hours", "expected"), [(24, None), (25, Severity.WARN), (73, Severity.STOP), (None, Severity.WARN)]
)
def test_a_clock_that_was_not_compared_for_long_warns_then_stops(hours, expected):
    synced = None if hours is None else NOON - timedelta(hours=hours)
    result = ask(request(Action.GIVE, TABLET_SCAN, handheld=handheld(last_time_sync=synced)))
    assert codes(result) == ([] if expected is None else ["SYS-CLOCK-AGE"])
    if expected:
        assert severity(result, "SYS-CLOCK-AGE") is expected


@pytest.mark.parametrize(
    ("minutes", "word"), [(15, Word.GIVE), (16, Word.GIVE), (61, Word.CHECK), (241, Word.STOP)]
)
def test_old_facts_are_noted_then_warned_about_then_stop(minutes, word):
    from clinical.bedside_check import Snapshot, check
    from tests.support.bedside import POLICY

    snapshot = Snapshot.of(FACTS, version="v1", fetched_at=NOON - minutes * MINUTE)
    result = check(request(Action.GIVE, TABLET_SCAN), snapshot, POLICY)
    assert result.word is word
    assert ("SYS-SNAPSHOT-AGE" in codes(result)) is (minutes > 15)


def test_a_scan_that_came_while_a_dialog_was_open_has_no_effect_and_is_noted():
    asked = request(Action.GIVE, items=(scan(TABLET_SCAN, reason="dialog-open"),))
    result = ask(asked)
    assert codes(result) == ["SYS-DIALOG-SCAN"]
    assert (result.needs, result.word) == (("item-scan",), Word.CHECK)
    result = ask(request(Action.GIVE, TABLET_SCAN, band=scan(BAND_A, reason="dialog-open")))
    assert result.needs == ("patient-scan",)


def test_a_typed_code_is_a_warning_to_acknowledge():
    typed = (scan(TABLET_SCAN, method=ScanMethod.KEY, reason="damaged"),)
    assert codes(ask(request(Action.GIVE, items=typed))) == ["SYS-KEYED"]
    assert ask(request(Action.GIVE, items=typed, overrides=ack("SYS-KEYED"))).word is Word.GIVE


def test_a_high_alert_drug_offline_needs_a_second_nurse():
    risky = merged(FACTS, products=(replace(TABLET, high_alert=2),))
    asked = request(
        Action.GIVE, TABLET_SCAN, handheld=handheld(online=False), overrides=ack("WIT-RECOMMENDED")
    )
    assert "SYS-OFFLINE-HA" in codes(ask(asked, risky))
    allowed = replace(asked, overrides=ack("WIT-RECOMMENDED") + ack("SYS-OFFLINE-HA", by="n2"))
    assert ask(allowed, risky).word is Word.GIVE


def test_without_a_wristband_nothing_is_judged_or_shown():
    result = ask(request(Action.GIVE, TABLET_SCAN, band=None))
    assert (result.word, result.needs, result.findings, result.patient_id) == (
        Word.CHECK, ("patient-scan",), (), "",
    )  # fmt: skip


def test_a_wristband_read_long_ago_must_be_read_again():
    result = ask(request(Action.GIVE, TABLET_SCAN, band=scan(BAND_A, NOON - 11 * MINUTE)))
    assert result.needs == ("patient-scan",)


def test_an_unreadable_wristband_needs_a_second_nurse_and_a_reason():
    by_eye = scan("MA", method=ScanMethod.NONE, reason="damaged-wristband")
    result = ask(request(Action.GIVE, TABLET_SCAN, band=by_eye))
    assert (result.word, codes(result), result.patient_id) == (Word.STOP, ["PT-NOT-SCANNED"], "")
    again = request(Action.GIVE, TABLET_SCAN, band=by_eye, overrides=ack("PT-NOT-SCANNED", by="n2"))
    assert ask(again).word is Word.GIVE
    silent = scan("MA", method=ScanMethod.NONE)
    result = ask(request(Action.GIVE, TABLET_SCAN, band=silent, overrides=ack("PT-NOT-SCANNED", by="n2")))
    assert result.needs == ("unable-to-scan-reason",)


def test_the_second_nurse_is_not_the_first_nor_a_student_nor_unknown():
    by_eye = scan("MA", method=ScanMethod.NONE, reason="damaged-wristband")
    for person in ("n1", "s1", "x1", "nobody", "d1", ""):
        asked = request(Action.GIVE, TABLET_SCAN, band=by_eye, overrides=ack("PT-NOT-SCANNED", by=person))
        assert ask(asked).word is Word.STOP, person


@pytest.mark.parametrize(
    "raw",
    [
        encode("bed", "W1", "01"), encode("badge", "n1"), encode("bag", "B1"), TABLET_SCAN, "MA",
        BAND_A[:-1] + "Z",
    ],
)  # fmt: skip
def test_only_a_wristband_identifies_a_patient(raw):
    result = ask(request(Action.GIVE, TABLET_SCAN, band=raw))
    assert codes(result) == ["PT-NOT-SCANNED"]
    assert result.findings[0].override is OverrideClass.NONE


def test_a_typed_hospital_number_identifies_the_patient_but_is_a_workaround():
    typed = scan("MA", method=ScanMethod.KEY, reason="damaged")
    result = ask(request(Action.GIVE, TABLET_SCAN, band=typed))
    assert (result.patient_id, codes(result)) == ("pA", ["SYS-KEYED"])


@pytest.mark.parametrize("serial", ["0", "7"])
def test_an_old_or_unknown_wristband_is_revoked(serial):
    result = ask(request(Action.GIVE, TABLET_SCAN, band=encode("wristband", "MA", serial)))
    assert codes(result) == ["PT-LABEL-REVOKED"]


def test_a_wristband_filed_for_another_patient_is_revoked():
    facts = merged(FACTS, wristbands=(Wristband(id="MA/1", patient_id="pB", serial="1"),))
    assert codes(ask(request(Action.GIVE, TABLET_SCAN), facts)) == ["PT-LABEL-REVOKED"]


def test_an_older_wristband_form_without_a_serial_is_read_by_the_sites_prefix():
    policy = SitePolicy(prefixes={"PID:": "wristband"})
    assert ask(request(Action.GIVE, TABLET_SCAN, band="PID:MA"), policy=policy).word is Word.GIVE


def test_a_patient_nobody_knows_here_is_not_admitted():
    result = ask(request(Action.GIVE, TABLET_SCAN, band=encode("wristband", "MZ", "1")))
    assert codes(result) == ["PT-NOT-ADMITTED"]


@pytest.mark.parametrize("status", ["finished", "cancelled", "planned"])
def test_a_patient_who_is_not_in_the_hospital_stops(status):
    facts = merged(FACTS, encounters=(replace(FACTS.encounters[0], status=status),))
    result = ask(request(Action.GIVE, TABLET_SCAN), facts)
    assert (codes(result), result.patient_id) == (["PT-NOT-ADMITTED"], "")


def test_a_patient_without_any_stay_stops():
    facts = replace(FACTS, encounters=())
    assert codes(ask(request(Action.GIVE, TABLET_SCAN), facts)) == ["PT-NOT-ADMITTED"]


def test_a_patient_on_leave_is_a_warning_to_acknowledge():
    facts = merged(FACTS, encounters=(replace(FACTS.encounters[0], status="onleave"),))
    assert ask(request(Action.GIVE, TABLET_SCAN), facts).word is Word.CHECK
    asked = request(Action.GIVE, TABLET_SCAN, overrides=ack("PT-NOT-ADMITTED"))
    assert ask(asked, facts).word is Word.GIVE


def test_an_open_stay_counts_before_an_older_finished_one():
    old = Encounter(id="e0", patient_id="pA", status="finished", ward="W1", bed="09")
    for encounters in ((old, *FACTS.encounters), (*FACTS.encounters, old)):
        assert ask(request(Action.GIVE, TABLET_SCAN), replace(FACTS, encounters=encounters)).word is Word.GIVE


def test_a_chosen_task_or_infusion_of_another_patient_is_a_mismatch_without_details():
    result = ask(request(Action.GIVE, TABLET_SCAN, band=BAND_B, task_id=TABLET_TASK.id))
    assert (codes(result), result.patient_id, result.task_id) == (["PT-MISMATCH"], "", "")
    facts = merged(FACTS, infusions=(infusion(DRIP_ORDER, DRIP_TASK, "B1"),))
    result = ask(request(Action.PAUSE, band=BAND_B, infusion_id="i-B1"), facts)
    assert codes(result) == ["PT-MISMATCH"]


def test_the_same_wristband_at_two_places_within_minutes_is_not_plausible():
    seen = Sighting(patient_id="pA", handheld="h2", bed="07", at=NOON - timedelta(seconds=90))
    result = ask(request(Action.GIVE, TABLET_SCAN), sightings=(seen,))
    assert codes(result) == ["PT-SCAN-IMPLAUSIBLE"]
    for other in (replace(seen, at=NOON - 6 * MINUTE), replace(seen, handheld="h1"), replace(seen, bed="01")):
        assert codes(ask(request(Action.GIVE, TABLET_SCAN), sightings=(other,))) == []


def test_the_wrong_bed_warns_and_stops_for_high_alert_drugs():
    asked = request(Action.GIVE, TABLET_SCAN, handheld=handheld(bed_seen="02"))
    assert ask(asked).word is Word.CHECK
    risky = merged(FACTS, products=(replace(TABLET, high_alert=1),))
    result = ask(asked, risky)
    assert (result.word, codes(result)) == (Word.STOP, ["PT-BED-MISMATCH"])
    here = request(Action.GIVE, TABLET_SCAN, handheld=handheld(bed_seen="01"))
    assert codes(ask(here)) == []


def test_a_namesake_on_the_ward_is_noted():
    twin = Patient(id="pC", mrn="MC", name="嘉", name_latin="Jia", allergy_status="none")
    stay = Encounter(id="eC", patient_id="pC", status="in-progress", ward="W1", bed="03")
    facts = merged(FACTS, patients=(twin,), encounters=(stay,))
    assert codes(ask(request(Action.GIVE, TABLET_SCAN), facts)) == ["PT-NAME-ALIKE"]
    elsewhere = merged(FACTS, patients=(twin,), encounters=(replace(stay, ward="W2"),))
    assert codes(ask(request(Action.GIVE, TABLET_SCAN), elsewhere)) == []
    nameless = merged(FACTS, patients=(replace(PATIENT_A, name_latin=""),))
    assert codes(ask(request(Action.GIVE, TABLET_SCAN), nameless)) == []


def test_a_recent_transfer_is_noted():
    moved = replace(FACTS.encounters[0], moved_at=NOON - timedelta(hours=72))
    assert codes(ask(request(Action.GIVE, TABLET_SCAN), merged(FACTS, encounters=(moved,)))) == [
        "PT-TRANSFERRED"
    ]
    old = replace(moved, moved_at=NOON - timedelta(hours=73))
    assert codes(ask(request(Action.GIVE, TABLET_SCAN), merged(FACTS, encounters=(old,)))) == []


def test_stopping_a_flow_is_never_held_up_by_a_missing_wristband():
    facts = merged(FACTS, infusions=(infusion(DRIP_ORDER, DRIP_TASK, "B1"),))
    result = ask(request(Action.PAUSE, band=None, infusion_id="i-B1"), facts)
    assert (result.word, result.patient_id) == (Word.GIVE, "pA")
    by_bag = ask(request(Action.PAUSE, BAG_SCAN, band=None), facts)
    assert (by_bag.word, by_bag.patient_id) == (Word.GIVE, "pA")


def test_an_infusion_of_a_patient_who_is_not_known_stops():
    facts = merged(FACTS, infusions=(infusion(DRIP_ORDER, DRIP_TASK, "B1", patient_id="pZ"),))
    assert codes(ask(request(Action.PAUSE, band=None, infusion_id="i-B1"), facts)) == ["PT-NOT-ADMITTED"]


def test_blood_at_the_wrong_bed_stops():
    facts = merged(FACTS, orders=(replace(DRIP_ORDER, kind="transfusion"),))
    result = ask(start(handheld=handheld(bed_seen="02")), facts)
    assert "PT-BED-MISMATCH" in codes(result)
    assert result.word is Word.STOP
