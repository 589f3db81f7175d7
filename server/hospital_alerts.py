"""Alerts of other makers' devices, and the silence of their gateways, as alarms of the ward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select

from clinical.errors import WardlinkError
from clinical.records import Alarm, AlarmPriority, Encounter, Generation
from server.alarms import service as alarms
from server.alarms import store as sources
from server.his.mapping import facts_of
from server.his.message import parse
from server.his.reading import Site as HisSite
from server.his.reported import GatewayAlive, ReportAlert
from server.hospital_codes import CodeTables
from server.hospital_reports import NOT_HERE
from server.hospital_whom import must_fit, stay_for
from server.storage.schema import hl7_messages
from server.storage.store import Store, UnitOfWork

log = structlog.get_logger(__name__)
_MISSED = 3
"""So many watchdog messages may be missing before the gateway counts as lost (proposal)."""
_LOOK_BACK = 5_000
"""So many of the newest messages are looked through for watchdog messages after a restart."""
_BEAT = "watchdog"
LOST = "device-lost"


def alerted(unit: UnitOfWork, codes: CodeTables, fact: ReportAlert) -> str:
    """Begin, follow or end the alarm of an alert; returns what a person may want to know.

    An alert that names neither patient nor bed is about the device alone and alarms without a bed.

    Raises:
        WardlinkError: It cannot be known for certain about whom it is; see :mod:`server.hospital_whom`.
    """
    if not (fact.whom.mrn or fact.whom.place):
        stay = None
    else:
        stay = stay_for(unit, codes, fact.whom)
        if stay is None:
            return NOT_HERE
        must_fit(unit, stay.patient_id, fact.generation)
    source = alarms.Source(name=source_name(fact.gateway), alarm_id=fact.alert)
    at = min(fact.at or unit.now, unit.now)
    newest = sources.newest_of(unit.connection, source.name, source.alarm_id)
    if newest is not None and newest > at:
        return "A later phase of this alert is known; this one changes nothing."
    _follow(unit, fact, _condition(unit, codes, fact, stay, at), source)
    return ""


def source_name(gateway: str) -> str:
    """Name a gateway among the sources of alarms."""
    return f"his:{gateway}"[:64]


def _follow(unit: UnitOfWork, fact: ReportAlert, seen: alarms.Condition, source: alarms.Source) -> None:
    known_id = sources.alarm_of(unit.connection, source.name, source.alarm_id)
    known = unit.get(Alarm, known_id) if known_id else None
    match fact.phase:
        case "acknowledged":
            if known is not None and known.present:
                alarms.acknowledge(unit, known, source.name, seen.at)
        case "end":
            alarm = known or alarms.present(unit, seen) or alarms.begin(unit, seen, source)
            alarms.end(unit, alarm, seen.at, source, latching=True)
        case "moment":
            alarms.end(unit, alarms.begin(unit, seen, source), seen.at, source, latching=True)
        case _:
            alarms.begin(unit, seen, source)


def _condition(
    unit: UnitOfWork, codes: CodeTables, fact: ReportAlert, stay: Encounter | None, at: datetime
) -> alarms.Condition:
    params: dict[str, str | float] = {"gateway": fact.gateway, "event": fact.event, "detail": fact.text}
    if fact.measured is not None:
        params |= {
            "code": codes.observation(fact.code),
            "measured": float(fact.measured),
            "unit": codes.unit_of(fact.unit),
        }
    physiological = fact.kind == "physiological"
    return alarms.Condition(
        condition="device-limit" if physiological else "device-fault",
        kind=fact.kind,
        priority=fact.priority,
        at=at,
        encounter_id=stay.id if stay is not None else "",
        device_id=(fact.whom.device or fact.gateway)[:96],
        params={name: value for name, value in params.items() if value != ""},
        generation=alarms.generation_of(unit, stay.patient_id) if stay is not None else fact.generation,
        subject=fact.alert,
    )


@dataclass(slots=True)
class GatewayWatch:
    """Alarms when a gateway that has a watchdog falls silent, and ends that when it speaks again.

    After a restart it goes on from the watchdog messages that were stored last, so that a gateway which died
    meanwhile is missed too.
    """

    store: Store
    _due: dict[str, tuple[datetime, Generation]] = field(default_factory=dict)

    def alive(self, unit: UnitOfWork, fact: GatewayAlive) -> str:
        """Note that a gateway works, or that it ends as it should."""
        alarms.end_condition(unit, _lost(unit, fact.gateway, fact.generation))
        due = unit.now + timedelta(seconds=_MISSED * fact.timeout_s)
        unit.after_commit(self._note(fact, due))
        return f"{_BEAT} {fact.timeout_s} s"

    def resume(self) -> None:
        """Wait for the gateways that spoke last before this start, from now on."""
        table, now = hl7_messages, self.store.clock()
        with self.store.reading() as connection:
            newest = connection.scalar(select(func.max(table.c.n))) or 0
            rows = connection.execute(
                select(table.c.raw)
                .where(table.c.n > newest - _LOOK_BACK, table.c.detail.like(f"{_BEAT} %"))
                .order_by(table.c.n)
            ).all()
        last = {fact.gateway: fact for row in rows for fact in _beats(bytes(row.raw))}
        for fact in last.values():
            self._note(fact, now + timedelta(seconds=_MISSED * fact.timeout_s))()

    def _note(self, fact: GatewayAlive, due: datetime) -> Callable[[], None]:
        def note() -> None:
            self._due.pop(fact.gateway, None)
            if fact.active:
                self._due[fact.gateway] = (due, fact.generation)

        return note

    def tick(self) -> None:
        """Alarm for every gateway that is overdue."""
        now = self.store.clock()
        for gateway, (due, generation) in list(self._due.items()):
            if now > due:
                self.store.write(self._lose(gateway, generation))
                self._due.pop(gateway, None)

    @staticmethod
    def _lose(gateway: str, generation: Generation) -> Callable[[UnitOfWork], object]:
        return lambda unit: alarms.begin(unit, _lost(unit, gateway, generation))


def _beats(raw: bytes) -> Iterator[GatewayAlive]:
    try:
        facts = facts_of(parse(raw), HisSite())
    except WardlinkError as error:  # it was read by the tables of its time; the server starts all the same
        log.warning("watchdog-unread", error=type(error).__name__, reason=error.code)
        return iter(())
    return (fact for fact in facts if isinstance(fact, GatewayAlive))


def _lost(unit: UnitOfWork, gateway: str, generation: Generation) -> alarms.Condition:
    return alarms.Condition(
        condition=LOST,
        priority=AlarmPriority.MEDIUM,
        at=unit.now,
        device_id=gateway[:96],
        params={"gateway": gateway, "label": gateway},
        generation=generation,
        subject=gateway,
    )
