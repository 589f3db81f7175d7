"""The ward as this handheld knows it: the server's facts, and on top what was recorded here just now.

A dose recorded offline must be seen by the next check at once, so events that the server has not yet
turned into facts are laid over its facts. They are laid again after each change that arrives, until the
server's own record of them is there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar, assert_never, get_args, get_type_hints

from clinical import quantities
from clinical.bedside_check.snapshot import Snapshot
from clinical.commit import STATUS_AFTER
from clinical.exchange import (
    AdministrationCorrected,
    AdministrationRecorded,
    AlarmAcknowledged,
    CareRecorded,
    Changes,
    Charted,
    CheckEvaluated,
    DeviceAssociated,
    DeviceReleased,
    Event,
    InfusionChanged,
    InfusionStarted,
    PatrolRecorded,
    ResuscitationChanged,
    ScanRefused,
    Ward,
)
from clinical.policy import SitePolicy
from clinical.records import (
    USABLE,
    Administration,
    Association,
    Dose,
    Facts,
    Flow,
    Infusion,
    InfusionState,
    Label,
    Order,
    Product,
    TaskStatus,
)
from pda_app import laid_care

R = TypeVar("R")

_NAME_OF: dict[type[Any], str] = {get_args(hint)[0]: name for name, hint in get_type_hints(Facts).items()}
_KINDS = tuple(_NAME_OF.values())
_FLOW_POINTS = 4_000  # a little over an hour at one a second; thinned afterwards
_REMEMBERED = timedelta(minutes=10)
_MOST_SAMPLES = 720
RATE = "drop-rate"
"""The code under which an infusion's measured drops per minute are remembered."""
_CHANGED = {
    "pause": (InfusionState.PAUSED, TaskStatus.PAUSED),
    "resume": (InfusionState.RUNNING, TaskStatus.RUNNING),
    "complete": (InfusionState.COMPLETED, TaskStatus.COMPLETED),
    "stop-early": (InfusionState.STOPPED_EARLY, TaskStatus.STOPPED_EARLY),
}
FUTURE = timedelta(minutes=1)
"""What is stamped later than this after now has no known age: a clock was set back meanwhile."""
_NO_AGE = timedelta(days=365)
_NO_WARD = Ward(id="", display=Label(zh="", en=""), zone="UTC", beds=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value as it was heard."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPoint:
    """One measured remaining volume."""

    at: datetime
    remaining_ml: float


class Book:
    """All facts by kind and id. ``version`` changes with every change, from the server or from here."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.ward = _NO_WARD
        self.policy = SitePolicy.default()
        self.epoch = ""
        self.cursor = 0
        self.fetched_at: datetime | None = None
        self.version = 0
        self._base: dict[str, dict[str, Any]] = {kind: {} for kind in _KINDS}
        self._view: dict[str, dict[str, Any]] = {kind: {} for kind in _KINDS}
        self._here: dict[str, Event] = {}
        self._settled: set[str] = set()
        self._flows: dict[str, deque[FlowPoint]] = {}
        self._samples: dict[tuple[str, str], deque[Sample]] = {}
        self._snapshot: tuple[tuple[int, datetime], Snapshot] | None = None

    # --- what comes in ------------------------------------------------------------------------------

    def merge(self, changes: Changes, fetched_at: datetime) -> None:
        """Take the server's changes; a complete answer replaces everything it knew before."""
        if changes.complete:
            self._base = {kind: {} for kind in _KINDS}
        for kind in _KINDS:
            self._base[kind].update({record.id: record for record in getattr(changes.facts, kind)})
            for id_ in changes.removed.get(kind, ()):
                self._base[kind].pop(id_, None)
        if changes.policy:
            self.policy = SitePolicy.from_dict(changes.policy)
        self.ward, self.epoch, self.cursor = changes.ward, changes.epoch, changes.cursor
        self.fetched_at = fetched_at
        self._note_flows(changes.facts.flows)
        self._note_samples(changes.facts)
        for id_ in self._settled:
            self._here.pop(id_, None)
        self._settled.clear()
        self._rebuild()

    def refreshed(self, fetched_at: datetime) -> None:
        """The server said that nothing changed: the picture is as fresh as this moment."""
        self.fetched_at = fetched_at
        self._snapshot = None

    def add(self, event: Event) -> None:
        """Lay an event recorded here over the facts; what changes none of them costs nothing."""
        if isinstance(event, CheckEvaluated | ScanRefused):
            return
        self._here[event.id] = event
        self._rebuild()

    def settle(self, event_ids: tuple[str, ...]) -> None:
        """The server has these events: its next changes tell what became of them."""
        self._settled.update(event_ids)

    def _rebuild(self) -> None:
        self._view = {kind: dict(records) for kind, records in self._base.items()}
        for event in self._here.values():
            self._lay(event)
        self.version += 1
        self._snapshot = None

    def _note_flows(self, flows: tuple[Flow, ...]) -> None:
        for flow in flows:
            points = self._flows.setdefault(flow.id, deque(maxlen=_FLOW_POINTS))
            if flow.remaining_ml is not None and (not points or points[-1].at < flow.effective):
                points.append(FlowPoint(at=flow.effective, remaining_ml=flow.remaining_ml))

    def _note_samples(self, facts: Facts) -> None:
        """Keep the last minutes, for the curve of an alarm; of those who left, nothing."""
        for one in facts.observations:
            if one.value is not None and one.validity in USABLE:
                self._note((one.patient_id, one.code), one.effective, float(one.value))
        for flow in facts.flows:
            if flow.gtt_min is not None and flow.state not in {"stale", "unknown"}:
                self._note((flow.id, RATE), flow.effective, flow.gtt_min)
        here = self._base["patients"].keys() | self._base["infusions"].keys()
        self._samples = {key: kept for key, kept in self._samples.items() if key[0] in here}

    def _note(self, key: tuple[str, str], at: datetime, value: float) -> None:
        kept = self._samples.setdefault(key, deque(maxlen=_MOST_SAMPLES))
        if kept and kept[-1].at >= at:
            return
        kept.append(Sample(at=at, value=value))
        while kept[0].at < at - _REMEMBERED:
            kept.popleft()

    # --- what was recorded here ---------------------------------------------------------------------

    def _lay(self, event: Event) -> None:
        match event:
            case AdministrationRecorded():
                self._lay_administration(event)
            case AdministrationCorrected(administration_id=id_):
                self._change("administrations", id_, outcome=event.outcome, dose=event.dose)
            case InfusionStarted():
                self._lay_start(event)
            case InfusionChanged():
                self._lay_change(event)
            case AlarmAcknowledged():
                self._lay_acknowledgement(event)
            case DeviceAssociated():
                self._lay_association(event)
            case DeviceReleased(association_id=id_):
                self._change("associations", id_, end=event.at)
            case CareRecorded() | Charted() | PatrolRecorded() | ResuscitationChanged():
                laid_care.lay(self._view, event, self.policy)
            case CheckEvaluated() | ScanRefused():
                pass
            case _:
                assert_never(event)

    def _lay_administration(self, event: AdministrationRecorded) -> None:
        order = self._view["orders"].get(event.order_id)
        if event.id in self._base["administrations"] or order is None:
            return
        request = event.request
        self._view["administrations"][event.id] = Administration(
            id=event.id,
            task_id=event.task_id,
            order_id=event.order_id,
            patient_id=order.patient_id,
            outcome=event.outcome,
            at=event.at,
            operator=event.operator,
            ingredients=self._given(order, event),
            dose=event.dose,
            route=request.entered.route or order.route,
            site=request.entered.site,
            reason=request.entered.reason_code,
            witness=request.witness.id if request.witness else "",
        )
        self._change(
            "tasks",
            event.task_id,
            status=STATUS_AFTER.get(event.outcome, TaskStatus.NOT_GIVEN),
            changed_at=event.at,
        )

    def _given(self, order: Order, event: AdministrationRecorded) -> tuple[tuple[str, Dose], ...]:
        """What went in by ingredient, so that interval and daily limits see it offline as well."""
        if event.outcome not in {"given", "partial"}:
            return ()
        return quantities.ingredients_given(order.items, lambda id_: self.get(Product, id_), event.dose)

    def _lay_start(self, event: InfusionStarted) -> None:
        order = self._view["orders"].get(event.order_id)
        if event.infusion_id in self._base["infusions"] or order is None:
            return
        self._view["infusions"][event.infusion_id] = Infusion(
            id=event.infusion_id,
            order_id=event.order_id,
            task_id=event.task_id,
            encounter_id=order.encounter_id,
            patient_id=order.patient_id,
            state=InfusionState.RUNNING,
            rate_ml_h=event.rate_ml_h,
            drops_per_ml=event.drops_per_ml,
            volume_ml=event.volume_ml,
            started_at=event.at,
            bag_id=event.bag_id,
            device_id=event.device_id,
            site=event.site,
            started_by=event.operator,
            order_version=event.order_version,
            ordered_rate_ml_h=order.rate_ml_h if order.version == event.order_version else None,
        )
        self._change("tasks", event.task_id, status=TaskStatus.RUNNING, changed_at=event.at)
        self._change("bags", event.bag_id, state="running")
        self._change("blood_units", event.bag_id, state="running")
        if event.device_id:
            id_ = f"{event.infusion_id}/device"
            self._view["associations"][id_] = Association(
                id=id_,
                device_id=event.device_id,
                encounter_id=order.encounter_id,
                start=event.at,
                infusion_id=event.infusion_id,
                by=event.operator,
            )

    def _lay_change(self, event: InfusionChanged) -> None:
        infusion = self._view["infusions"].get(event.infusion_id)
        if infusion is None:
            return
        values: dict[str, Any] = {}
        if event.rate_ml_h is not None:
            values["rate_ml_h"] = event.rate_ml_h
            values["ordered_rate_ml_h"] = self._ordered_rate(infusion, event.order_version)
        if event.action in _CHANGED:
            values["state"], status = _CHANGED[event.action]
            self._change("tasks", infusion.task_id, status=status, changed_at=event.at)
        if event.action in {"complete", "stop-early"}:
            values |= {"ended_at": event.at, "residual_ml": event.residual_ml}
            self._change("blood_units", infusion.bag_id, state="ended", ended_at=event.at)
        if event.action == "pause":
            values["paused_at"] = event.at
        self._change("infusions", event.infusion_id, **values)

    def _ordered_rate(self, infusion: Infusion, version: int) -> Decimal | None:
        """The rate that was ordered when another was set, as far as this handheld knows that version."""
        order = self._view["orders"].get(infusion.order_id)
        known = order is not None and order.version == version
        return order.rate_ml_h if known and order is not None else infusion.ordered_rate_ml_h

    def _lay_acknowledgement(self, event: AlarmAcknowledged) -> None:
        alarm = self._base["alarms"].get(event.alarm_id)
        if alarm is not None and not alarm.acknowledged_by:
            self._change(
                "alarms", event.alarm_id, signal="acknowledged", acknowledged_by=event.operator,
                acknowledged_at=event.at,
            )  # fmt: skip

    def _lay_association(self, event: DeviceAssociated) -> None:
        self._view["associations"].setdefault(
            event.association_id,
            Association(
                id=event.association_id,
                device_id=event.device_id,
                encounter_id=event.encounter_id,
                start=event.at,
                infusion_id=event.infusion_id,
                by=event.operator,
            ),
        )

    def _change(self, kind: str, id_: str, **values: Any) -> None:
        record = self._view[kind].get(id_)
        if record is not None:
            self._view[kind][id_] = replace(record, **values)

    # --- what is asked ------------------------------------------------------------------------------

    @property
    def facts(self) -> Facts:
        """Everything, server's facts and what was recorded here."""
        return Facts(**{kind: tuple(records.values()) for kind, records in self._view.items()})

    @property
    def snapshot_version(self) -> str:
        """Which state of the server's facts this is."""
        return f"{self.epoch}:{self.cursor}"

    def snapshot(self, now: datetime) -> Snapshot:
        """The indexed view the bedside check reads; made once per change."""
        fetched_at = aged(self.fetched_at or now, now)
        if self._snapshot is None or self._snapshot[0] != (self.version, fetched_at):
            made = Snapshot.of(self.facts, version=self.snapshot_version, fetched_at=fetched_at)
            self._snapshot = ((self.version, fetched_at), made)
        return self._snapshot[1]

    def get(self, kind: type[R], id_: str) -> R | None:
        """Return one record by kind and id."""
        return self._view[_NAME_OF[kind]].get(id_)

    def all(self, kind: type[R]) -> tuple[R, ...]:
        """Return every record of a kind."""
        return tuple(self._view[_NAME_OF[kind]].values())

    def flow_points(self, infusion_id: str) -> tuple[FlowPoint, ...]:
        """Measured remaining volumes since this handheld began to listen, oldest first."""
        return tuple(self._flows.get(infusion_id, ()))

    def samples(self, owner: str, code: str) -> tuple[Sample, ...]:
        """Values of the last minutes: of a patient by code, or of an infusion's drop rate (``RATE``)."""
        return tuple(self._samples.get((owner, code), ()))


def aged(moment: datetime, now: datetime) -> datetime:
    """Return a moment to judge an age by: one from the future is taken for a very old one."""
    return moment.replace(second=0, microsecond=0) - _NO_AGE if moment - now > FUTURE else moment
