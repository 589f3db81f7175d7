"""What happens because time passes: tasks fall due, silence is judged, alarms escalate, old data go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete

from clinical import windows
from clinical.records import FLOWING, PRESENT, Alarm, AlarmPriority, Encounter, Flow, Infusion, Order, Task
from server.alarms import escalation
from server.alarms import service as alarms
from server.assignments import service as assignments
from server.chart.tidy import tidy_chart
from server.devices import leaving
from server.infusions.flow import FlowWatch
from server.live.silent import SilentScreens
from server.nodes.silent import SilentNodes
from server.observations.limits import LimitWatch
from server.observations.warning import EarlyWarning
from server.sites import Site
from server.storage import keeper, schema
from server.storage.codec import TYPE_OF, Record
from server.storage.picture import patient_of
from server.storage.store import Store, UnitOfWork
from server.tasks import service as tasks
from server.timed import Rule, Timed
from server.verbal_orders import service as verbal_orders
from server.verbal_orders import spoken
from server.worklist import service as worklist

TICK_S = 1.0
_EXTEND_EVERY, _TIDY_EVERY = timedelta(minutes=10), timedelta(minutes=5)
_KEEP_FINISHED, _KEEP_ALARMS = timedelta(hours=48), timedelta(hours=12)
_MINUTE = timedelta(minutes=1)
KEEP_SAMPLES = timedelta(days=30)
"""Single samples; their minutes stay for good."""
_KEEP_STAYS, _KEEP_SESSIONS = timedelta(hours=24), timedelta(days=30)


class Ticker:
    """Runs every second on the event loop; its work is on the writer's thread."""

    def __init__(
        self,
        store: Store,
        site: Site,
        watch: FlowWatch,
        each_second: tuple[Callable[[], None], ...],
        wave_retention: timedelta,
        gaps: Callable[[], frozenset[tuple[str, str]]] = frozenset,
        limits: LimitWatch | None = None,
        each_minute: tuple[Callable[[UnitOfWork], None], ...] = (),
    ) -> None:
        self._limits = limits or LimitWatch(site.policy)
        self._warning = EarlyWarning()
        self._gaps = gaps
        self._store, self._site, self._watch = store, site, watch
        self._each_minute = each_minute
        self._each_second, self._wave_retention = each_second, wave_retention
        began = store.clock()
        self._silent = SilentNodes(began)
        self._screens = SilentScreens(
            site.screens, site.generations, timedelta(seconds=site.policy.screen_silent_s), began
        )
        self._timed = Timed(self._rules(), began)

    def _rules(self) -> tuple[Rule, ...]:
        policy, site = self._site.policy, self._site
        each_minute = (
            Rule(name=f"minute-{number}", apply=work, every=_MINUTE)
            for number, work in enumerate(self._each_minute, 1)
        )
        return (
            Rule(name="tasks", apply=self._advance),
            Rule(name="flow", apply=self._watch.tick),
            Rule(name="limits", apply=self._limits.tick),
            Rule(name="care", apply=lambda unit: worklist.tick(unit, site)),
            Rule(name="warning", apply=self._warning.tick),
            Rule(name="verbal-orders", apply=lambda unit: verbal_orders.tick(unit, site)),
            Rule(name="spoken", apply=lambda unit: spoken.tick(unit, site)),
            Rule(name="nodes", apply=self._silent.tick),
            Rule(name="screens", apply=self._screens.tick),
            Rule(name="gaps", apply=self._note_gaps),
            Rule(name="escalation", apply=lambda unit: escalation.tick(unit, policy)),
            Rule(name="minutes", apply=lambda unit: keeper.remake(unit.connection), every=_MINUTE),
            *each_minute,
            Rule(name="plan", apply=lambda unit: tasks.extend(unit, policy), every=_EXTEND_EVERY),
            Rule(name="tidy", apply=lambda unit: tidy(unit, self._wave_retention), every=_TIDY_EVERY),
        )

    async def run(self) -> None:
        """Tick until cancelled; what fails is tried again with the next tick and stops nothing else."""
        while True:
            await self.tick()
            await asyncio.sleep(TICK_S)

    async def tick(self) -> None:
        """Let time pass since the last tick, each rule in a transaction of its own."""
        await self._timed.turn(self._store)
        for follower in self._each_second:
            follower()

    def step(self, unit: UnitOfWork) -> None:
        """Let time pass since the last step, in one transaction: for a ward that runs in fast time."""
        self._timed.apply_all(unit)

    def state(self) -> dict[str, Any]:
        """How the timed rules are, for health."""
        return self._timed.state(self._store.clock())

    def _advance(self, unit: UnitOfWork) -> None:
        for task in tasks.advance(unit):
            tasks.tell_missed(unit, task)

    def _note_gaps(self, unit: UnitOfWork) -> None:
        """Alarm while a node holds back numbers that were asked for: something between it and us is lost."""
        holding = {f"{node}/{outbox}": node for node, outbox in self._gaps()}
        for subject, node in holding.items():
            alarms.begin(
                unit,
                alarms.Condition(
                    condition="data-gap",
                    priority=AlarmPriority.LOW,
                    at=unit.now,
                    params={"node": node},
                    subject=subject,
                ),
            )
        for alarm in [one for one in unit.all(Alarm) if one.condition == "data-gap" and one.present]:
            if alarm.params.get("subject") not in holding:
                alarms.end(unit, alarm, unit.now)


def tidy(unit: UnitOfWork, wave_retention: timedelta) -> None:
    """Take what is long over out of the picture (the store keeps it) and drop waves past their retention."""
    for alarm in list(unit.all(Alarm)):
        if not alarms.is_open(alarm) and _before(alarm.ended_at, unit.now - _KEEP_ALARMS):
            unit.retire(Alarm, alarm.id)
    for infusion in list(unit.all(Infusion)):
        if infusion.state not in FLOWING and _before(infusion.ended_at, unit.now - _KEEP_FINISHED):
            unit.retire(Infusion, infusion.id)
            unit.retire(Flow, infusion.id)
    for task in list(unit.all(Task)):
        over = task.status not in windows.WAITING | windows.ONGOING
        if over and _before(task.changed_at, unit.now - _KEEP_FINISHED):
            unit.retire(Task, task.id)
    tidy_chart(unit, _KEEP_FINISHED)
    assignments.tidy(unit, _KEEP_FINISHED)
    _tidy_stays(unit)
    _tidy_doors(unit)
    keeper.keep(unit.connection, unit.now, samples=KEEP_SAMPLES, waves=wave_retention)


def _tidy_stays(unit: UnitOfWork) -> None:
    for stay in list(unit.all(Encounter)):
        if stay.status in PRESENT or not _before(stay.moved_at, unit.now - _KEEP_STAYS):
            continue
        if leaving.bags(unit, stay.id):
            continue  # a bag that hangs open is never forgotten
        if any(one.patient_id == stay.patient_id and one.id != stay.id for one in unit.all(Encounter)):
            _retire_stay(unit, stay)
        else:
            _retire_patient(unit, stay)
        unit.retire(Encounter, stay.id)


def _retire_stay(unit: UnitOfWork, stay: Encounter) -> None:
    """Take what belongs to one stay alone; its patient has come back and everything else goes on."""
    orders = {order.id for order in unit.all(Order) if order.encounter_id == stay.id}

    def belongs(record: Record) -> bool:
        return getattr(record, "encounter_id", "") == stay.id or getattr(record, "order_id", "") in orders

    _retire(unit, belongs)


def _retire_patient(unit: UnitOfWork, stay: Encounter) -> None:
    """Take everything about a patient who is not here any more."""

    def belongs(record: Record) -> bool:
        return patient_of(record) == stay.patient_id or getattr(record, "encounter_id", "") == stay.id

    _retire(unit, belongs)


def _retire(unit: UnitOfWork, belongs: Callable[[Record], bool]) -> None:
    """Take records out of the picture, and the flow of each bag with it; what still sounds stays."""
    for kind, entries in unit.view.kinds.items():
        for record in [entry.record for entry in entries.values() if belongs(entry.record)]:
            if isinstance(record, Alarm) and alarms.is_open(record):
                continue
            unit.retire(TYPE_OF[kind], record.id)
            if isinstance(record, Infusion):
                unit.retire(Flow, record.id)


def _tidy_doors(unit: UnitOfWork) -> None:
    """Forget sessions, codes and leases that open nothing any more."""
    for table, keep in (
        (schema.sessions, _KEEP_SESSIONS),
        (schema.one_time_codes, timedelta(0)),
        (schema.leases, timedelta(0)),
    ):
        unit.connection.execute(delete(table).where(table.c.expires < unit.now - keep))


def _before(at: datetime | None, limit: datetime) -> bool:
    return at is not None and at < limit
