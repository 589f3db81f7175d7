"""What happens because time passes: tasks fall due, silence is judged, alarms escalate, old data go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete

from clinical import alarms as machine
from clinical import windows
from clinical.alarms import EffectKind
from clinical.errors import UnavailableError
from clinical.records import FLOWING, PRESENT, Alarm, AlarmPriority, Encounter, Flow, Infusion, Order, Task
from server.alarms import service as alarms
from server.chart.tidy import tidy_chart
from server.infusions.flow import FlowWatch
from server.nodes.silent import SilentNodes
from server.observations.limits import LimitWatch
from server.observations.warning import EarlyWarning
from server.sites import Site
from server.storage import keeper, schema
from server.storage.codec import TYPE_OF, Record
from server.storage.picture import patient_of
from server.storage.store import Store, UnitOfWork
from server.tasks import service as tasks
from server.verbal_orders import service as verbal_orders
from server.worklist import service as worklist

log = structlog.get_logger(__name__)
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
        self._each_minute, self._minute = each_minute, store.clock()
        self._each_second, self._wave_retention = each_second, wave_retention
        self._before = store.clock()
        self._silent = SilentNodes(self._before)
        self._extended = self._tidied = self._before

    async def run(self) -> None:
        """Tick until cancelled; a store that does not answer is tried again with the next tick."""
        while True:
            try:
                await self._store.write_async(self.step)
            except UnavailableError:
                log.warning("tick-skipped")
            for follower in self._each_second:
                follower()
            await asyncio.sleep(TICK_S)

    def step(self, unit: UnitOfWork) -> None:
        """Let time pass since the last step."""
        for task in tasks.advance(unit):
            self._missed(unit, task)
        self._watch.tick(unit)
        self._limits.tick(unit)
        worklist.tick(unit, self._site)
        self._warning.tick(unit)
        verbal_orders.tick(unit, self._site)
        self._silent.tick(unit)
        self._note_gaps(unit)
        self._step_alarms(unit)
        if unit.now - self._minute >= _MINUTE:
            self._minute = unit.now
            keeper.remake(unit.connection)
            for work in self._each_minute:
                work(unit)
        if unit.now - self._extended >= _EXTEND_EVERY:
            self._extended = unit.now
            tasks.extend(unit, self._site.policy)
        if unit.now - self._tidied >= _TIDY_EVERY:
            self._tidied = unit.now
            tidy(unit, self._wave_retention)
        self._before = unit.now

    def _missed(self, unit: UnitOfWork, task: Task) -> None:
        alarms.begin(
            unit,
            alarms.Condition(
                condition="dose-missed",
                priority=AlarmPriority.LOW,
                at=unit.now,
                encounter_id=task.encounter_id,
                generation=alarms.generation_of(unit, task.patient_id),
                subject=task.id,
            ),
        )

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

    def _step_alarms(self, unit: UnitOfWork) -> None:
        for alarm in list(unit.all(Alarm)):
            if not alarms.is_open(alarm):
                continue
            step = machine.tick(alarm, unit.now, self._before, self._site.policy)
            told = [effect.to for effect in step.effects if effect.kind is EffectKind.ESCALATED]
            if step.alarm is not None:
                unit.put(alarms.escalated(step.alarm, told))
            for to in told:
                unit.audit(
                    "alarm-escalate",
                    actor=alarms.SERVER,
                    entity=f"alarm:{alarm.id}",
                    patient=alarm.patient_id,
                    detail=to,
                )


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
    _tidy_stays(unit)
    _tidy_doors(unit)
    keeper.keep(unit.connection, unit.now, samples=KEEP_SAMPLES, waves=wave_retention)


def _tidy_stays(unit: UnitOfWork) -> None:
    for stay in list(unit.all(Encounter)):
        if stay.status in PRESENT or not _before(stay.moved_at, unit.now - _KEEP_STAYS):
            continue
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
