"""Every rule code of ruleset bc-1 with its default weight, override class and the right it is about.

One line a rule, so that a reviewer reads the whole ruleset on one screen and the hospital sees what it
may change: a site policy may raise or lower a severity, never below STOP where the override is ``none``.

Source: bc-1 §5.5 and §5.8 to §5.10, in ``docs/clinical-rules.md`` with what each section rests on.
"""

from __future__ import annotations

from dataclasses import dataclass

from clinical.bedside_check.model import OverrideClass, Right, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: its code, how much it weighs by default, and who may accept it."""

    code: str
    severity: Severity
    override: OverrideClass
    right: Right


_TABLE = """
SYS-ROLE              STOP    none        system
SYS-STUDENT           STOP    none        system
SYS-CLOCK             STOP    none        system
SYS-CLOCK-AGE         STOP    second      system
SYS-SNAPSHOT-AGE      STOP    second      system
SYS-STATE-CHANGED     REFRESH none        system
SYS-TRAY-STALE        STOP    none        drug
SYS-DIALOG-SCAN       INFO    none        system
SYS-KEYED             WARN    ack         system
SYS-OFFLINE-HA        STOP    second      system
SYS-ACTION            STOP    none        system
TASK-LEASED           STOP    none        system
PT-NOT-SCANNED        STOP    second      patient
PT-MISMATCH           STOP    none        patient
PT-LABEL-REVOKED      STOP    none        patient
PT-NOT-ADMITTED       STOP    none        patient
PT-SCAN-IMPLAUSIBLE   WARN    ack         patient
PT-BED-MISMATCH       WARN    second      patient
PT-NAME-ALIKE         INFO    none        patient
PT-TRANSFERRED        INFO    none        patient
MED-UNREADABLE        STOP    none        drug
MED-UNKNOWN           STOP    second      drug
MED-WRONG-PATIENT     STOP    none        patient
MED-WRONG-DRUG        STOP    none        drug
MED-WRONG-ROUTE       STOP    none        drug
MED-WRONG-STRENGTH    STOP    none        drug
MED-NOT-IDENTICAL     WARN    ack         drug
MED-AMBIGUOUS         INFO    none        drug
MED-INCOMPLETE        STOP    none        drug
MED-EXPIRED           STOP    none        drug
MED-BUD               STOP    none        drug
MED-RECALLED          STOP    none        drug
MED-USED              STOP    none        drug
MED-NOT-VERIFIED      STOP    second      drug
ORD-NONE              STOP    emerg       drug
ORD-NOT-STARTED       STOP    prescriber  drug
ORD-ENDED             STOP    none        drug
ORD-DISCONTINUED      STOP    none        drug
ORD-DO-NOT-GIVE       STOP    none        drug
ORD-ON-HOLD           STOP    prescriber  drug
ORD-UNVERIFIED        WARN    ack         drug
ORD-CHANGED-UNSEEN    WARN    ack         drug
ORD-LABEL-OUTDATED    STOP    none        drug
TIME-EARLY            WARN    ack         time
TIME-LATE             WARN    ack         time
TIME-TOO-EARLY        STOP    prescriber  time
TIME-DUP              STOP    none        time
TIME-LATER-GIVEN      STOP    none        time
TIME-INTERVAL         STOP    prescriber  time
TIME-RECENT           INFO    none        time
TIME-MISSED-SLOT      WARN    prescriber  time
TIME-ONCE-DONE        STOP    none        time
TIME-FUTURE           STOP    none        time
TIME-BACKDATED        STOP    second      time
DOSE-UNIT             STOP    none        dose
DOSE-OVER             STOP    prescriber  dose
DOSE-TENFOLD          STOP    none        dose
DOSE-PARTIAL          WARN    ack         dose
DOSE-SPLIT            WARN    ack         dose
DOSE-SINGLE-MAX       STOP    prescriber  dose
DOSE-24H-MAX          STOP    prescriber  dose
DOSE-RATE-MAX         STOP    prescriber  dose
DOSE-WEIGHT           STOP    second      dose
DOSE-CALC-DIFF        STOP    none        dose
DOSE-WASTE            STOP    none        dose
ROUTE-MISMATCH        STOP    none        route
ROUTE-FORM            STOP    none        route
ROUTE-SITE            WARN    ack         route
ROUTE-LINE            STOP    prescriber  route
ROUTE-NOT-REMOVED     STOP    none        route
SAFE-ALLERGY          STOP    prescriber  safety
SAFE-ALLERGY-CLASS    WARN    prescriber  safety
SAFE-ALLERGY-UNKNOWN  WARN    ack         safety
SAFE-INTERACTION      WARN    ack         safety
SAFE-DUP-THERAPY      WARN    ack         safety
SAFE-VITAL-MISSING    STOP    second      safety
SAFE-LAB-MISSING      STOP    second      safety
SAFE-VITAL-OUT        STOP    prescriber  safety
SAFE-LAB-OUT          STOP    prescriber  safety
SAFE-SKIN-MISSING     STOP    none        safety
SAFE-SKIN-POSITIVE    STOP    none        safety
SAFE-SKIN-EXPIRED     STOP    none        safety
SAFE-SKIN-LOT         STOP    none        safety
SAFE-NPO              WARN    ack         safety
SAFE-MEAL             WARN    ack         safety
WIT-REQUIRED          STOP    none        witness
WIT-RECOMMENDED       WARN    ack         witness
WIT-SELF              STOP    none        witness
WIT-ROLE              STOP    none        witness
WIT-STALE             STOP    none        witness
WIT-DISAGREE          STOP    none        witness
PRN-INTERVAL          STOP    prescriber  time
PRN-MAX               STOP    prescriber  dose
PRN-HISTORY           INFO    none        time
PRN-EFFECT            WARN    ack         documentation
INF-TRANSITION        STOP    none        system
INF-SECOND-BAG        STOP    none        drug
INF-DEVICE-OTHER      STOP    none        system
INF-DEVICE-NONE       WARN    ack         system
INF-RATE-SET          STOP    prescriber  dose
INF-OVERRUN           WARN    ack         time
INF-RATE-DEV          WARN    ack         dose
BLD-PATIENT           STOP    none        patient
BLD-UNIT              STOP    none        drug
BLD-PRODUCT           STOP    none        drug
BLD-ABO               STOP    none        safety
BLD-RH                STOP    prescriber  safety
BLD-XM                STOP    none        safety
BLD-EXPIRED           STOP    none        drug
BLD-LEAK-CLOT         STOP    none        drug
BLD-SECOND            STOP    none        witness
BLD-CONSENT           STOP    emerg       safety
BLD-OUT               STOP    prescriber  time
BLD-BASE              STOP    second      safety
BLD-15                WARN    ack         time
BLD-FAST              STOP    prescriber  dose
BLD-REACT             STOP    prescriber  safety
BLD-4H                STOP    prescriber  time
BLD-DRUG              STOP    none        route
BLD-BAG               INFO    none        documentation
SPC-PATIENT           STOP    none        patient
SPC-ORDER             STOP    none        drug
SPC-DONE              STOP    none        time
SPC-TUBE              STOP    none        drug
SPC-PREPRINT          WARN    ack         drug
SPC-TIMING            WARN    ack         time
SPC-ARM               WARN    ack         route
SPC-CROSSMATCH        STOP    none        witness
SKT-EARLY             STOP    none        time
SKT-LATE              WARN    ack         time
SKT-SECOND            STOP    none        witness
SKT-DISAGREE          STOP    none        witness
"""

RULES: dict[str, Rule] = {
    code: Rule(code=code, severity=Severity(severity), override=OverrideClass(override), right=Right(right))
    for code, severity, override, right in (line.split() for line in _TABLE.strip().splitlines())
}
"""All rules of bc-1 by code, in the order of the phases."""

WEIGHT: dict[Severity, int] = {
    Severity.INFO: 0,
    Severity.WARN: 1,
    Severity.STOP: 2,
    Severity.REFRESH: 3,
}
"""How severities compare; the worst finding is the verdict."""
