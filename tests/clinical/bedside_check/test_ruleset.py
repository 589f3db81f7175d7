"""The ruleset bc-1 as its specification lists it: how much each rule weighs and who may accept it."""

from __future__ import annotations

import pytest

from clinical.bedside_check.rules import RULES, WEIGHT

pytestmark = [pytest.mark.requirement("R-CLIN-33"), pytest.mark.hazard("H-CLIN-08")]

BY_NOBODY = """
SYS-ROLE SYS-STUDENT SYS-CLOCK SYS-TRAY-STALE SYS-ACTION TASK-LEASED PT-MISMATCH PT-LABEL-REVOKED
PT-NOT-ADMITTED MED-UNREADABLE MED-WRONG-PATIENT MED-WRONG-DRUG MED-WRONG-ROUTE MED-WRONG-STRENGTH
MED-INCOMPLETE MED-EXPIRED MED-BUD MED-RECALLED MED-USED ORD-ENDED ORD-DISCONTINUED ORD-DO-NOT-GIVE
ORD-LABEL-OUTDATED TIME-DUP TIME-LATER-GIVEN TIME-ONCE-DONE TIME-FUTURE DOSE-UNIT DOSE-TENFOLD
DOSE-CALC-DIFF DOSE-WASTE ROUTE-MISMATCH ROUTE-FORM ROUTE-NOT-REMOVED SAFE-SKIN-MISSING
SAFE-SKIN-POSITIVE SAFE-SKIN-EXPIRED SAFE-SKIN-LOT WIT-REQUIRED WIT-SELF WIT-ROLE WIT-STALE WIT-DISAGREE
INF-TRANSITION INF-SECOND-BAG INF-DEVICE-OTHER BLD-PATIENT BLD-UNIT BLD-PRODUCT BLD-ABO BLD-XM
BLD-EXPIRED BLD-LEAK-CLOT BLD-SECOND BLD-DRUG SPC-PATIENT SPC-ORDER SPC-DONE SPC-TUBE SPC-CROSSMATCH
SKT-EARLY SKT-SECOND SKT-DISAGREE
"""
BY_A_SECOND_NURSE = """
SYS-CLOCK-AGE SYS-SNAPSHOT-AGE SYS-OFFLINE-HA PT-NOT-SCANNED MED-UNKNOWN MED-NOT-VERIFIED DOSE-WEIGHT
SAFE-VITAL-MISSING SAFE-LAB-MISSING TIME-BACKDATED BLD-BASE
"""
BY_A_PRESCRIBER = """
ORD-NOT-STARTED ORD-ON-HOLD TIME-TOO-EARLY TIME-INTERVAL DOSE-OVER DOSE-SINGLE-MAX DOSE-24H-MAX
DOSE-RATE-MAX ROUTE-LINE SAFE-ALLERGY SAFE-VITAL-OUT SAFE-LAB-OUT PRN-INTERVAL PRN-MAX INF-RATE-SET
BLD-RH BLD-OUT BLD-FAST BLD-REACT BLD-4H
"""
WARNINGS = """
SYS-KEYED PT-SCAN-IMPLAUSIBLE MED-NOT-IDENTICAL ORD-UNVERIFIED ORD-CHANGED-UNSEEN TIME-EARLY TIME-LATE
DOSE-PARTIAL DOSE-SPLIT ROUTE-SITE SAFE-ALLERGY-UNKNOWN SAFE-INTERACTION SAFE-DUP-THERAPY SAFE-NPO
SAFE-MEAL WIT-RECOMMENDED PRN-EFFECT INF-DEVICE-NONE INF-OVERRUN INF-RATE-DEV BLD-15 SPC-PREPRINT
SPC-TIMING SPC-ARM SKT-LATE
"""
NOTES = "SYS-DIALOG-SCAN PT-NAME-ALIKE PT-TRANSFERRED MED-AMBIGUOUS TIME-RECENT PRN-HISTORY BLD-BAG"
GROUPS = {
    ("STOP", "none"): BY_NOBODY,
    ("STOP", "second"): BY_A_SECOND_NURSE,
    ("STOP", "prescriber"): BY_A_PRESCRIBER,
    ("STOP", "emerg"): "ORD-NONE BLD-CONSENT",
    ("WARN", "ack"): WARNINGS,
    ("WARN", "second"): "PT-BED-MISMATCH",
    ("WARN", "prescriber"): "TIME-MISSED-SLOT SAFE-ALLERGY-CLASS",
    ("INFO", "none"): NOTES,
    ("REFRESH", "none"): "SYS-STATE-CHANGED",
}
USUAL = {
    "SYS": "system", "TASK": "system", "PT": "patient", "MED": "drug", "ORD": "drug", "TIME": "time",
    "DOSE": "dose", "ROUTE": "route", "SAFE": "safety", "WIT": "witness", "SKT": "time", "SPC": "drug",
    "INF": "system", "BLD": "safety", "PRN": "time",
}  # fmt: skip
OTHERWISE = {
    "drug": "SYS-TRAY-STALE INF-SECOND-BAG BLD-UNIT BLD-PRODUCT BLD-EXPIRED BLD-LEAK-CLOT",
    "patient": "MED-WRONG-PATIENT BLD-PATIENT SPC-PATIENT",
    "dose": "PRN-MAX INF-RATE-SET INF-RATE-DEV BLD-FAST",
    "time": "INF-OVERRUN BLD-OUT BLD-15 BLD-4H SPC-DONE SPC-TIMING",
    "witness": "BLD-SECOND SPC-CROSSMATCH SKT-SECOND SKT-DISAGREE",
    "route": "BLD-DRUG SPC-ARM",
    "documentation": "PRN-EFFECT BLD-BAG",
}


def test_every_rule_weighs_and_is_accepted_as_the_specification_says():
    listed = {code: kind for kind, names in GROUPS.items() for code in names.split()}
    assert {code: (rule.severity.value, rule.override.value) for code, rule in RULES.items()} == listed
    assert [code for code, rule in RULES.items() if rule.code != code] == []


def test_every_rule_is_shown_at_the_right_it_is_about():
    special = {code: right for right, names in OTHERWISE.items() for code in names.split()}
    about = {code: special.get(code, USUAL[code.split("-")[0]]) for code in RULES}
    assert {code: rule.right.value for code, rule in RULES.items()} == about


def test_a_refresh_outweighs_a_stop_a_stop_a_warning_and_a_warning_a_note():
    assert [weight.value for weight in sorted(WEIGHT, key=WEIGHT.__getitem__)] == [
        "INFO", "WARN", "STOP", "REFRESH",
    ]  # fmt: skip
