"""A small ward with one server and two handhelds, driven at random: what must never happen does not.

The model keeps to the product's way of working. A nurse scans at a handheld, which checks on its own copy of
the facts. Online, the server checks again on its facts and clock, and only a task that nobody else holds is
let through. Offline, the handheld's own GIVE counts, and the act is reported later. Every act that was
reported is kept.

The oracle below judges each authorised act by the plain facts, without any code of the bedside check.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from clinical import commit
from clinical.bedside_check import Snapshot, check, labels
from clinical.bedside_check.model import Action, CheckResult, Entered, Operator, Severity, Witness, Word
from clinical.bedside_check.rules import RULES
from clinical.commit import Act
from clinical.quantities import ingredient_amounts
from clinical.records import Administration, Facts, TaskStatus
from tests.support.bedside import (
    BAG_B_SCAN,
    BAG_SCAN,
    BAND_A,
    BAND_B,
    DRIP,
    FACTS,
    NOON,
    POLICY,
    TABLET,
    TABLET_ORDER,
    TABLET_SCAN,
    ack,
    dose,
    handheld,
    ingredient,
    merged,
    order,
    product,
    request,
    task,
)

pytestmark = [
    pytest.mark.requirement("R-CLIN-59"),
    pytest.mark.hazard("H-CLIN-01"),
    pytest.mark.hazard("H-CLIN-02"),
    pytest.mark.hazard("H-CLIN-03"),
]
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
AMPOULE_SCAN, PARA_SCAN = "]d20106931475000148", "]d20106931475000155"
AMPOULE = product(
    "AMP10", "{ampoule}", "injection", *TABLET.ingredients, gtins=("06931475000148",), routes=("IV",)
)
PARA = product(
    "PARA", "{tablet}", "tablet", ingredient("paracetamol", "500", "mg"), gtins=("06931475000155",)
)
PARA_ORDER = order("oP", "PARA", dose(1, "g"), frequency="q6h")
SLOTS = (
    task(TABLET_ORDER, NOON), task(TABLET_ORDER, NOON + 8 * HOUR),
    *(task(PARA_ORDER, NOON + hours * HOUR) for hours in (0, 6, 12, 18, 24)),
)  # fmt: skip
START = merged(FACTS, products=(AMPOULE, PARA), orders=(PARA_ORDER,), tasks=SLOTS)
BANDS = {BAND_A: "pA", BAND_B: "pB"}
BAGS = {BAG_SCAN: "B1", BAG_B_SCAN: "B2"}
PRODUCTS = {TABLET_SCAN: "TAB10", AMPOULE_SCAN: "AMP10", PARA_SCAN: "PARA"}
PERSONS = ("n1", "n2", "n3", "s1", "d1", "x1")
ITEMS = (*PRODUCTS, *BAGS, BAND_A, "rubbish")
GIVEN = {"given", "running"}


@dataclass
class Handheld:
    """One handheld: its copy of the facts, its clock and what it still has to report."""

    name: str
    facts: Facts
    version: int
    fetched: object
    online: bool = True
    clock: timedelta = timedelta(0)
    known_offset: timedelta = timedelta(0)
    queue: list = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """An act as a handheld reports it."""

    act: Act
    record: Administration


def by_id(records, name):
    return next(record for record in records if record.id == name)


class Ward(RuleBasedStateMachine):
    """The ward; every rule is something that happens on it."""

    @initialize()
    def opens(self):
        self.now, self.version, self.facts, self.count = NOON, 1, START, 0
        self.handhelds = [Handheld(name, START, 1, NOON) for name in ("h1", "h2")]
        self.reported: dict[str, commit.Commit] = {}
        self.made: dict[str, Report] = {}

    # --- what happens -------------------------------------------------------------------------------------

    @rule(minutes=st.sampled_from([0, 1, 3, 10, 30, 59, 61, 240, 480]))
    def time_passes(self, minutes):
        self.now += minutes * MINUTE

    @rule(index=st.integers(0, 1), seconds=st.sampled_from([-900, -301, -90, 0, 90, 200, 400, 3600]))
    def clock_jumps(self, index, seconds):
        self.handhelds[index].clock = timedelta(seconds=seconds)

    @rule(index=st.integers(0, 1))
    def network_goes(self, index):
        self.handhelds[index].online = False

    @rule(index=st.integers(0, 1))
    def network_comes(self, index):
        """Back online, a handheld reports what it has and fetches the facts."""
        device = self.handhelds[index]
        device.online = True
        for report in device.queue:
            self.receive(report)
        device.queue = []
        self.fetch(device)

    @rule(index=st.integers(0, 1))
    def fetches(self, index):
        if self.handhelds[index].online:
            self.fetch(self.handhelds[index])

    def fetch(self, device):
        device.facts, device.version, device.fetched = self.facts, self.version, self.now + device.clock
        device.known_offset = device.clock

    @rule(
        name=st.sampled_from(["oT", "oD", "oP", "oB"]),
        change=st.sampled_from([
            {"status": "stopped"}, {"status": "on-hold"}, {"status": "active", "stopped_at": None},
            {"do_not_give": True}, {"do_not_give": False}, {"rate_ml_h": Decimal(90)}, {"route": "IV"},
            {"end": NOON + HOUR}, {"end": None}, {"frequency": "q12h"},
        ]),
    )  # fmt: skip
    def doctor_changes_an_order(self, name, change):
        old = by_id(self.facts.orders, name)
        changed = replace(old, version=old.version + 1, changed_at=self.now, **change)
        if change.get("status") == "stopped":
            changed = replace(changed, stopped_at=self.now)
        self.put(orders=(labels.carry(old, changed),))

    def put(self, **records):
        self.facts, self.version = merged(self.facts, **records), self.version + 1

    @precondition(lambda self: self.made)
    @rule(data=st.data())
    def a_report_comes_again(self, data):
        """The network repeats what was sent."""
        name = data.draw(st.sampled_from(sorted(self.made)))
        if name in self.reported:
            before = (self.reported[name], self.facts)
            self.receive(self.made[name])
            assert (self.reported[name], self.facts) == before

    # --- a nurse at a bed ---------------------------------------------------------------------------------

    @rule(
        index=st.integers(0, 1), who=st.sampled_from(PERSONS),
        band=st.sampled_from([*BANDS, "rubbish", None]),
        items=st.lists(st.sampled_from(ITEMS), min_size=1, max_size=2),
        action=st.sampled_from([Action.GIVE, Action.START]),
        amount=st.sampled_from([None, dose(10, "mg"), dose(1, "g"), dose(2, "g"), dose(100, "mg"),
                                dose(1, "mg")]),
        accepts=st.sampled_from(["", "n1", "n2", "d1", None]), second=st.sampled_from([None, *PERSONS]),
        route=st.sampled_from(["", "PO", "IV"]),
    )  # fmt: skip
    def a_nurse_scans_anything(self, index, who, band, items, action, amount, accepts, second, route):
        entered = Entered(device_id=DRIP, dose=amount, route=route, site="left-forearm")
        self.ask(index, who, band, items, action, entered, accepts, second)

    @rule(
        index=st.integers(0, 1), who=st.sampled_from(["n1", "n2"]),
        what=st.sampled_from([
            (TABLET_SCAN, Action.GIVE), (PARA_SCAN, Action.GIVE), (BAG_SCAN, Action.START),
        ]),
        amount=st.sampled_from([None, None, dose(2, "{tablet}"), dose(1, "{tablet}"), dose("1.5", "g")]),
        accepts=st.sampled_from([None, None, "", "n2", "d1"]),
    )  # fmt: skip
    def a_nurse_does_it_nearly_right(self, index, who, what, amount, accepts):
        raw, action = what
        entered = Entered(device_id=DRIP if action is Action.START else "", dose=amount)
        self.ask(index, who, BAND_A, [raw], action, entered, accepts, None)

    def ask(self, index, who, band, items, action, entered, accepts, second):
        device = self.handhelds[index]
        overrides = () if accepts is None else ack(*RULES, by=accepts)

        def asked(at, offset):
            witness = None if second is None else Witness(id=second, roles=("nurse",), badge_at=at)
            return request(
                action, *items, now=at, band=band, entered=entered, witness=witness, overrides=overrides,
                operator=Operator(id=who, roles=("nurse",), badge_at=at),
                handheld=handheld(at, id=device.name, online=device.online, clock_offset_s=offset),
            )  # fmt: skip

        offset = device.known_offset.total_seconds()
        local_time = self.now + device.clock
        mine = check(
            asked(local_time, offset), self.view(device.facts, device.version, device.fetched), POLICY
        )
        if not device.online:
            self.authorise(mine, device.facts, local_time, device, band, items, accepts, who)
            return
        theirs = check(asked(self.now, offset), self.view(self.facts, self.version, self.now), POLICY)
        self.agree(device, mine, theirs)
        if mine.word is Word.GIVE:
            self.authorise(theirs, self.facts, self.now, device, band, items, accepts, who)

    @staticmethod
    def view(facts, version, fetched):
        return Snapshot.of(facts, version=str(version), fetched_at=fetched)

    @staticmethod
    def agree(device, mine, theirs):
        """Handheld and server say the same whenever facts and clock are the same."""
        if device.clock == timedelta(0) and mine.snapshot_version == theirs.snapshot_version:
            age = {"SYS-SNAPSHOT-AGE"}  # how old the copy is says nothing about the facts
            assert [one for one in mine.findings if one.code not in age] == [
                one for one in theirs.findings if one.code not in age
            ]
            assert (mine.task_id, mine.order_id, mine.needs) == (
                theirs.task_id,
                theirs.order_id,
                theirs.needs,
            )

    def authorise(self, result, facts, at, device, band, items, accepts, who):
        if result.word is not Word.GIVE:
            return
        oracle(result, facts, at, band, items, accepts, who)
        self.count += 1
        name = f"e{self.count}"
        outcome = "running" if result.bag_id else "given"
        amount = result.dose or dose(0, "mg")
        record = Administration(
            id=name, task_id=result.task_id, order_id=result.order_id, patient_id=result.patient_id,
            outcome=outcome, at=at, operator=who, dose=amount, route=result.route,
            ingredients=given_amounts(facts, result),
        )  # fmt: skip
        act = Act(event_id=name, task_id=result.task_id, order_id=result.order_id,
                  order_version=result.order_version, at=at, outcome=outcome)  # fmt: skip
        report = Report(act, record)
        self.made[name] = report
        if device.online:
            assert self.receive(report).status != commit.DUPLICATE, "two handhelds were let through online"
        else:
            device.queue.append(report)
            device.facts = stored(device.facts, record)

    def receive(self, report):
        """The server keeps what was done, whatever stands against it."""
        act = report.act
        found = commit.judge(
            act,
            order=next((one for one in self.facts.orders if one.id == act.order_id), None),
            task=next((one for one in self.facts.tasks if one.id == act.task_id), None),
            earlier=tuple(one for one in self.facts.administrations if one.task_id == act.task_id),
        )
        if found.status == commit.REPLAYED:
            return found
        assert found.status == commit.ACCEPTED or found.tell
        flagged = "" if found.status == commit.ACCEPTED else found.status
        self.reported[act.event_id] = found
        self.facts = stored(self.facts, replace(report.record, flagged=flagged))
        self.version += 1
        return found

    # --- what always holds --------------------------------------------------------------------------------

    @invariant()
    def every_reported_dose_is_kept_once(self):
        if not hasattr(self, "facts"):
            return
        kept = [one.id for one in self.facts.administrations]
        waiting = [report.act.event_id for device in self.handhelds for report in device.queue]
        assert sorted(kept + waiting) == sorted(self.made)

    @invariant()
    def a_task_given_twice_is_flagged(self):
        if not hasattr(self, "facts"):
            return
        clean = [one.task_id for one in self.facts.administrations if one.flagged != commit.DUPLICATE]
        assert len(clean) == len(set(clean))


def stored(facts, record):
    """Return the facts with an act done: its task decided, its bag used."""
    done = TaskStatus.RUNNING if record.outcome == "running" else TaskStatus.GIVEN
    slot = replace(by_id(facts.tasks, record.task_id), status=done)
    bags = tuple(replace(bag, state="used") for bag in facts.bags if bag.task_id == record.task_id)
    return merged(facts, tasks=(slot,), administrations=(record,), bags=bags)


def given_amounts(facts, result):
    """Return how much of each ingredient went in, as the store notes it."""
    line = by_id(facts.orders, result.order_id).items[0]
    found = by_id(facts.products, line.product_id)
    return ingredient_amounts(result.dose, found) if result.dose else ()


def milligrams(amount, *, paracetamol=False):
    """Return milligrams of an amount; a tablet of the ward has 10 mg, one of paracetamol 500."""
    return amount.value * {"mg": 1, "g": 1000, "{tablet}": 500 if paracetamol else 10}[amount.unit]


def oracle(result: CheckResult, facts, at, band, items, accepts, who):
    """Judge an authorised act by the plain facts."""
    rules = {finding.code: finding for finding in result.findings if finding.severity is not Severity.INFO}
    assert all(finding.overridden for finding in rules.values()), "an unmet finding was let through"
    for finding in rules.values():
        accepted_by(finding, accepts, who)
    found = by_id(facts.orders, result.order_id)
    assert BANDS.get(band) == result.patient_id == found.patient_id, "wrong patient"
    people = {one.id: one for one in facts.practitioners}
    assert people[who].active, "nobody of this ward"
    assert set(people[who].roles) & {"nurse", "charge-nurse"}, "may not give"
    assert found.status == "active" or "ORD-ON-HOLD" in rules, "order not active"
    assert not found.do_not_give
    assert found.end is None or at < found.end, "order ended"
    for raw in items:
        right_item(raw, found, facts, rules)
    assert result.route == found.route, "wrong route"
    slot = by_id(facts.tasks, result.task_id)
    assert slot.order_id == found.id
    assert not [one for one in facts.administrations if one.task_id == slot.id], "one task twice"
    assert result.dose is not None
    of = found.id == "oP"
    most = milligrams(found.items[0].dose)
    assert milligrams(result.dose, paracetamol=of) <= most or "DOSE-OVER" in rules, "too much"
    within_limits(result, found, facts, at, rules)
    in_time(found, slot, at, rules)


def accepted_by(finding, accepts, who):
    """Exactly the override bc-1 allows: nobody for class none, a doctor for a doctor's."""
    kind = finding.override.value
    assert kind != "none", f"{finding.code} may not be accepted by anybody"
    if kind in {"prescriber", "emerg"}:
        assert accepts == "d1"
    if kind == "second":
        assert accepts in {"n1", "n2"}
        assert accepts != who


def right_item(raw, found, facts, rules):
    bag = next((one for one in facts.bags if one.id == BAGS.get(raw)), None)
    if bag is not None:
        assert (bag.order_id, bag.patient_id) == (found.id, found.patient_id), "wrong bag"
        return
    if raw not in PRODUCTS:
        assert "MED-UNKNOWN" in rules, "an unreadable item was let through"
        return
    scanned = by_id(facts.products, PRODUCTS[raw])
    ordered = by_id(facts.products, found.items[0].product_id)
    same = scanned.id in {line.product_id for line in found.items}
    alike = (scanned.ingredients, scanned.form) == (ordered.ingredients, ordered.form)
    assert same or (alike and "MED-NOT-IDENTICAL" in rules), "wrong drug or form"


def within_limits(result, found, facts, at, rules):
    if found.id != "oP":
        return
    assert milligrams(result.dose, paracetamol=True) <= 1000 or "DOSE-SINGLE-MAX" in rules, (
        "above the single maximum"
    )
    day = [one for one in facts.administrations if one.order_id == "oP" and at - 24 * HOUR < one.at <= at]
    total = sum(milligrams(one.dose, paracetamol=True) for one in [*day, result])
    assert total <= 4000 or "DOSE-24H-MAX" in rules, "above the maximum of a day"


def in_time(found, slot, at, rules):
    """Outside half the interval nothing is on time without a word about it."""
    limit = 120 * MINUTE
    if slot.planned_at is not None and abs(at - slot.planned_at) > limit:
        assert {"TIME-EARLY", "TIME-LATE", "TIME-TOO-EARLY"} & set(rules), "not the time, and nobody said so"


def drive(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Ward,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_no_history_of_a_ward_authorises_what_must_not_be_given():
    drive(40, 25)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_no_long_history_of_a_ward_authorises_what_must_not_be_given():
    drive(1500, 60)
