"""The work sheet of one check: what has been found out so far, and the findings.

A phase reads and fills the sheet; it is made for one check and thrown away, so the check itself stays a pure
function of request, snapshot and policy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from clinical.bedside_check.model import Action, CheckRequest, Finding, OverrideClass, Right, Scan, Severity
from clinical.bedside_check.rules import RULES
from clinical.care_records import BloodUnit, RunningSkinTest, Specimen
from clinical.records import (
    Administration,
    Bag,
    Dose,
    Encounter,
    Infusion,
    Ingredient,
    Order,
    Patient,
    Product,
    Task,
)

if TYPE_CHECKING:
    from clinical.bedside_check.snapshot import Snapshot
    from clinical.identifiers import Identified
    from clinical.policy import SitePolicy

GIVING = frozenset({Action.GIVE, Action.START, Action.BAG_CHANGE, Action.SKINTEST_START})
"""Actions that put a drug into a patient: every right is judged."""
FLOW = frozenset(
    {Action.PAUSE, Action.RESUME, Action.RATE, Action.COMPLETE, Action.STOP_EARLY, Action.PATROL}
)
"""Actions on an infusion that is there."""
SKIPPING = frozenset({Action.HOLD, Action.REFUSE, Action.NOT_GIVEN})
"""Actions that say why a dose was not given."""
FOLLOWING = frozenset({Action.REMOVE, Action.PRN_EFFECT})
"""Actions on a task that follows on a dose: what was worn comes off, an effect is looked at."""
BLOOD = frozenset({
    Action.BLOOD_RECEIVE, Action.BLOOD_CHECK, Action.BLOOD_START, Action.BLOOD_OBS, Action.BLOOD_END,
})  # fmt: skip
"""Actions on a blood component."""
WRISTBAND = GIVING | {
    Action.RESUME, Action.RATE, Action.REMOVE, Action.BLOOD_CHECK, Action.BLOOD_START, Action.BLOOD_OBS,
    Action.COLLECT, Action.SKINTEST_READ,
}  # fmt: skip
"""Actions for which the wristband must be read. Stopping a flow is never held up by a missing scan."""
BAG_LIKE = frozenset({"infusion", "transfusion"})
GIVEN = frozenset({"given", "partial", "running", "completed", "stopped-early", "paused"})
"""Outcomes after which some of the drug is in the patient."""
FLOWING = GIVEN - {"given", "partial"}
"""Outcomes of one bag, each told by its own event."""
CARRIER = "carrier"
"""Class of ingredients that only carry others (saline, glucose): no dose interval counts for them."""

FUTURE = timedelta(minutes=1)
"""Two clocks may differ by this much; a time stamp further ahead is not believed."""


@dataclass(slots=True, kw_only=True)
class Item:
    """One scanned item and what it turned out to be."""

    scan: Scan
    found: Identified
    product: Product | None = None
    bag: Bag | None = None


@dataclass(slots=True, kw_only=True)
class Case:
    """Everything one check knows."""

    request: CheckRequest
    snapshot: Snapshot
    policy: SitePolicy
    at: datetime
    findings: list[Finding] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    judged: set[Right] = field(default_factory=set)
    patient: Patient | None = None
    encounter: Encounter | None = None
    items: list[Item] = field(default_factory=list)
    bag: Bag | None = None
    order: Order | None = None
    task: Task | None = None
    product: Product | None = None  # the scanned one, or the order's first drug
    infusion: Infusion | None = None  # the one that is acted on
    unit: BloodUnit | None = None
    specimen: Specimen | None = None
    skin_test: RunningSkinTest | None = None
    candidates: tuple[str, ...] = ()
    dose: Dose | None = None
    route: str = ""
    rate_ml_h: Decimal | None = None
    variance_min: int | None = None
    complete: bool = False  # every phase has run

    @property
    def action(self) -> Action:
        """What is asked."""
        return self.request.action

    @property
    def patient_id(self) -> str:
        """The patient's id; empty while the patient is not certain."""
        return self.patient.id if self.patient is not None else ""

    def add(
        self,
        code: str,
        *,
        severity: Severity | None = None,
        override: OverrideClass | None = None,
        **params: object,
    ) -> None:
        """Write down a finding with the rule's own weight, or the site's, or the one given here.

        A site that raised a rule above the weight given here keeps its own.
        """
        rule = RULES[code]
        weight = severity or rule.severity
        site = self.policy.severities.get(code)
        if site is not None:
            weight = site if severity is None or severity is rule.severity else weight
        self.findings.append(
            Finding(
                code=code,
                severity=weight,
                right=rule.right,
                override=rule.override if override is None else override,
                params=tuple(
                    (name, _text(value)) for name, value in params.items() if value not in {None, ""}
                ),
            )
        )

    def need(self, name: str) -> None:
        """Write down an input that is missing."""
        if name not in self.needs:
            self.needs.append(name)

    def has_stop(self, *rights: Right) -> bool:
        """Tell whether a STOP that nobody may override was found for one of the rights."""
        return any(
            finding.right in rights
            and finding.severity is Severity.STOP
            and finding.override is OverrideClass.NONE
            for finding in self.findings
        )

    def products(self) -> list[Product]:
        """Return the products that go into the patient: those of the order's lines, and the scanned ones."""
        ids = [line.product_id for line in self.order.items] if self.order else []
        known = [self.snapshot.products[name] for name in ids if name in self.snapshot.products]
        scanned = [
            item.product for item in self.items if item.product is not None and item.product not in known
        ]
        return known + scanned

    def ingredients(self) -> list[Ingredient]:
        """Return every ingredient that goes into the patient."""
        return [ingredient for product in self.products() for ingredient in product.ingredients]

    def high_alert(self) -> int:
        """Return the highest alert level of what is given."""
        return max((product.high_alert for product in self.products()), default=0)

    def bag_unit(self) -> BloodUnit | None:
        """Return the unit of blood that the infusion at hand gives."""
        return self.snapshot.blood_units.get(self.infusion.bag_id) if self.infusion is not None else None

    def given(self, within: timedelta | None = None) -> list[Administration]:
        """Return what this patient has got, oldest first, not counting the task at hand.

        A bag that was started, paused and completed is one administration with the whole amount: its first
        record in the time asked for counts, so a bag that began before and ran into it counts too.
        """
        start = None if within is None else self.at - within
        own = self.task.id if self.task is not None and self.task.planned_at is not None else None
        seen: set[str] = set()
        found = []
        for past in self.snapshot.administrations_of.get(self.patient_id, ()):
            outside = past.at > self.at or (start is not None and past.at <= start)
            if past.outcome not in GIVEN or past.task_id == own or outside or past.task_id in seen:
                continue
            if past.outcome in FLOWING:
                seen.add(past.task_id)
            found.append(past)
        return found


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value.normalize() if value else value, "f")
    return str(value)


def minutes(span: timedelta) -> float:
    """Return a span in minutes."""
    return span.total_seconds() / 60.0


def is_future(moment: datetime, now: datetime) -> bool:
    """Tell whether a time stamp lies ahead of ``now`` by more than clocks may differ."""
    return moment - now > FUTURE


def is_stale(moment: datetime, now: datetime, limit_min: float) -> bool:
    """Tell whether a stamp is too old to count; one from the future has no age and counts as too old."""
    return older_than(moment, now, limit_min) or is_future(moment, now)


def older_than(moment: datetime, now: datetime, limit_min: float) -> bool:
    """Tell whether a moment lies more than so many minutes before ``now``."""
    return now - moment > timedelta(minutes=limit_min)
