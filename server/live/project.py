"""Turns committed facts into the rows that screens show. Names are masked here, before they leave.

Runs on the event loop. Beds, tasks and alarms follow facts; vitals follow readings as they are committed.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from broker.messages import Readings
from clinical.codes import FLOW_CODES
from clinical.infusion.arithmetic import gtt_per_min
from clinical.records import (
    FLOWING,
    PRESENT,
    Alarm,
    Allergy,
    Device,
    Encounter,
    Flow,
    Generation,
    Infusion,
    Order,
    Patient,
    Practitioner,
    Task,
    TaskStatus,
    Validity,
)
from server.live.hub import Hub
from server.live.vitals import Shown, sounding_by_code, vital_row
from server.nodes.service import NodeState
from server.observations.service import news2_of
from server.storage.picture import EVERY_WARD, Change, Picture, patient_of
from server.storage.store import Committed

_SHOWN_TASKS = frozenset(
    {TaskStatus.DUE, TaskStatus.OVERDUE, TaskStatus.RUNNING, TaskStatus.PAUSED, TaskStatus.ERROR}
)
_BED_KINDS = frozenset({"encounters", "patients", "allergies", "tasks", "observations"})
_MOST_UNSEEN = 20_000
STALE = timedelta(seconds=10)


class Projector:
    """Keeps one ward's hub in step with the store."""

    def __init__(self, hub: Hub, loop: asyncio.AbstractEventLoop, ward: str, beds: tuple[str, ...]) -> None:
        self._hub, self._loop, self._ward, self._beds = hub, loop, ward, beds
        self._nodes: dict[str, NodeState] = {}
        self._vitals: dict[str, Shown] = {}
        self._unseen: dict[tuple[str, str, int], tuple[Encounter, Readings]] = {}
        self._stale_beds: set[str] = set()
        self._picture: Picture | None = None
        hub.catch_up = self._catch_up

    def committed(self, commit: Committed) -> None:
        """Take note of a commit (writer's thread)."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.apply, commit.picture, commit.changes)

    def start(self, picture: Picture) -> None:
        """Fill the hub from the store."""
        self._picture = picture
        self._show_beds(picture)
        for kind, show in self._shows().items():
            for record_id in picture.kinds.get(kind, {}):
                show(picture, record_id)

    def _shows(self) -> dict[str, Callable[[Picture, str], None]]:
        return {
            "infusions": self._show_infusion,
            "flows": self._show_infusion,
            "alarms": self._show_alarm,
            "tasks": self._show_task,
        }

    def apply(self, picture: Picture, changes: Iterable[Change]) -> None:
        """Show what one commit changed for this ward (event loop)."""
        self._picture = picture
        shows = self._shows()
        kinds: set[str] = set()
        beds: set[str] = set()
        for change in changes:
            kinds.add(change.kind)
            show = shows.get(change.kind)
            if show is not None:
                show(picture, change.id)
            if change.kind in _BED_KINDS:
                beds |= self._beds_of(picture, change)
        self._show_some(picture, beds)
        if "alarms" in kinds:
            self._refresh_vitals(picture, self._vitals)
        if "encounters" in kinds:
            self._forget_left(picture)

    def _beds_of(self, picture: Picture, change: Change) -> set[str]:
        """Beds whose row a change may touch."""
        stays = [one for one in (change.old, change.new) if isinstance(one, Encounter)]
        patients = {patient_of(one) for one in (change.old, change.new) if one is not None}
        for patient_id in patients - {""}:
            stays += picture.stays_of(patient_id)
        return {stay.bed for stay in stays if stay.ward == self._ward}

    def nodes(self, nodes: Iterable[NodeState]) -> None:
        """Take what is known of the bedside nodes."""
        before = self._nodes
        self._nodes = {node.id: node for node in nodes if node.ward == self._ward}
        if self._picture is not None and before != self._nodes:
            self._show_some(self._picture, set(self._beds))

    def tick(self) -> None:
        """Let time pass over the rows: an age grows, a score of old values is none any more."""
        if self._picture is not None and self._hub.is_watched:
            self._show_beds(self._picture)

    def readings(self, picture: Picture, shown: Iterable[tuple[Encounter, Readings, int]]) -> None:
        """Show committed readings of this ward: stay, message, layout.

        Without a screen only the last of each layout is kept, for the screen that may come.
        """
        if self._hub.is_watched:
            self.vitals(picture, itertools.chain.from_iterable(_each(stay, said) for stay, said, _ in shown))
            return
        for stay, message, layout in shown:
            key = (stay.id, message.device, layout)
            before = self._unseen.get(key)
            if before is None or before[1].effective <= message.effective:
                self._unseen[key] = (stay, message)
        if len(self._unseen) > _MOST_UNSEEN:
            self._catch_up()

    def _catch_up(self) -> None:
        """Put what came while no screen watched into the hub."""
        if self._picture is None:
            return
        unseen, self._unseen = self._unseen, {}
        ordered = sorted(unseen.values(), key=lambda one: one[1].effective)
        self.vitals(self._picture, itertools.chain.from_iterable(_each(*one) for one in ordered))
        stale, self._stale_beds = self._stale_beds, set()
        self._show_beds(self._picture, stale)

    def _show_some(self, picture: Picture, beds: set[str]) -> None:
        if self._hub.is_watched:
            self._show_beds(picture, beds)
        else:
            self._stale_beds |= beds

    def vitals(self, picture: Picture, shown: Iterable[Shown]) -> None:
        """Show committed values; an older value never replaces a newer one."""
        fresh: dict[str, Shown] = {}
        for one in shown:
            stay = picture.get(Encounter, one.encounter_id)
            if stay is None or stay.ward != self._ward or stay.status not in PRESENT:
                continue
            key = f"{stay.bed}/{one.code}"
            before = self._vitals.get(key)
            if before is None or before.encounter_id != one.encounter_id or before.effective <= one.effective:
                self._vitals[key] = fresh[key] = one
        self._refresh_vitals(picture, fresh)

    def _refresh_vitals(self, picture: Picture, which: dict[str, Shown]) -> None:
        if not which:
            return
        sounding = sounding_by_code(alarm for alarm in picture.all(Alarm) if alarm.present)
        for key, shown in which.items():
            self._hub.put("vital", key, vital_row(key.partition("/")[0], shown, sounding))

    def _forget_left(self, picture: Picture) -> None:
        lying = {stay.bed: stay.id for stay in self._stays(picture)}
        for key, shown in list(self._vitals.items()):
            if lying.get(key.partition("/")[0]) != shown.encounter_id:
                del self._vitals[key]
                self._hub.put("vital", key, None)
        for infusion_id in picture.kinds.get("infusions", {}):
            self._show_infusion(picture, infusion_id)

    def _stays(self, picture: Picture) -> list[Encounter]:
        of_ward = picture.grouped(Encounter, "ward").get(self._ward, [])
        return [stay for stay in of_ward if stay.status in PRESENT]

    def _show_beds(self, picture: Picture, which: set[str] | None = None) -> None:
        """Show the rows of some beds, all of them unless told."""
        if which is not None and not which:
            return
        lying = {stay.bed: stay for stay in self._stays(picture)}
        tasks = picture.grouped(Task, "encounter_id")
        for bed in self._beds:
            if which is None or bed in which:
                self._hub.put("bed", bed, self._bed_row(picture, bed, lying.get(bed), tasks))

    def _bed_row(
        self, picture: Picture, bed: str, stay: Encounter | None, tasks: Mapping[str, list[Task]]
    ) -> dict[str, Any]:
        patient = picture.get(Patient, stay.patient_id) if stay else None
        of_stay = tasks.get(stay.id, []) if stay else []
        return {
            "bed": bed,
            "occupied": stay is not None,
            "name": masked(patient.name) if patient else "",
            "sex": patient.sex.value if patient else "unknown",
            "age": _age(patient, self._hub.clock()) if patient else None,
            "care_level": stay.care_level.value if stay and stay.care_level else None,
            "risks": list(stay.risks) if stay else [],
            "allergy": _allergy(picture, patient) if patient else "not-recorded",
            "news2": news2_of(picture, patient.id, self._hub.clock()) if patient else None,
            "tasks_due": sum(task.status is TaskStatus.DUE for task in of_stay),
            "tasks_overdue": sum(task.status in {TaskStatus.OVERDUE, TaskStatus.MISSED} for task in of_stay),
            "node": self._node_row(bed),
            "demo": patient is not None and patient.generation is not Generation.REAL,
        }

    def _node_row(self, bed: str) -> dict[str, Any] | None:
        node = next((node for node in self._nodes.values() if bed in node.beds), None)
        if node is None:
            return None
        state = "online" if node.state == "online" else "offline"
        return {"id": node.id, "state": state, "since": _iso(node.since)}

    def _show_infusion(self, picture: Picture, infusion_id: str) -> None:
        infusion = picture.get(Infusion, infusion_id)
        stay = picture.get(Encounter, infusion.encounter_id) if infusion else None
        shown = (
            infusion is not None
            and stay is not None
            and stay.ward == self._ward
            and infusion.state in FLOWING
        )
        row = infusion_row(picture, infusion, stay) if shown and infusion and stay else None
        self._hub.put("infusion", infusion_id, row)

    def _show_alarm(self, picture: Picture, alarm_id: str) -> None:
        alarm = picture.get(Alarm, alarm_id)
        entry = picture.entry("alarms", alarm_id)
        here = entry is not None and entry.ward in {self._ward, ""}
        row = alarm_row(picture, alarm) if alarm is not None and here and alarm.signal != "off" else None
        self._hub.put("alarm", alarm_id, row)

    def _show_task(self, picture: Picture, task_id: str) -> None:
        task = picture.get(Task, task_id)
        stay = picture.get(Encounter, task.encounter_id) if task else None
        here = stay is not None and stay.ward == self._ward and stay.status in PRESENT
        shown = task is not None and here and task.status in _SHOWN_TASKS
        self._hub.put("task", task_id, task_row(picture, task, stay) if shown and task and stay else None)


def _each(stay: Encounter, message: Readings) -> Iterator[Shown]:
    """The values of one reading, each as a screen shows it."""
    for value in message.values:
        if value.code not in FLOW_CODES:
            yield Shown(
                encounter_id=stay.id,
                code=value.code,
                value=value.n,
                unit=value.unit,
                validity=value.validity,
                effective=message.effective,
                generation=message.generation,
            )


class Wards:
    """Gives each ward's projector what concerns it, once per commit however many wards there are."""

    def __init__(self, loop: asyncio.AbstractEventLoop, projectors: dict[str, Projector]) -> None:
        self._loop, self._projectors = loop, projectors

    def committed(self, commit: Committed) -> None:
        """Take note of a commit (writer's thread)."""
        by_ward: dict[str, list[Change]] = {}
        for change in commit.changes:
            for ward in {change.ward, change.left or change.ward, *_wards_of_stay(change)}:
                by_ward.setdefault(ward, []).append(change)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._apply, commit.picture, by_ward)

    def _apply(self, picture: Picture, by_ward: dict[str, list[Change]]) -> None:
        for_all = by_ward.pop(EVERY_WARD, None)
        touched = self._projectors if for_all else by_ward.keys() & self._projectors.keys()
        for ward in touched:
            changes = [*by_ward.get(ward, ()), *(for_all or ())]
            self._projectors[ward].apply(picture, changes)


def _wards_of_stay(change: Change) -> set[str]:
    return {one.ward for one in (change.old, change.new) if isinstance(one, Encounter)}


def masked(name: str) -> str:
    """Mask a name for a wall: the family name and the last character stay, as 王*国; latin J*** S***."""
    words = name.split()
    if len(words) > 1:
        return " ".join(word[:1] + "*" * (len(word) - 1) for word in words)
    return (
        name if len(name) < 2 else name[0] + "*" * max(1, len(name) - 2) + (name[-1] if len(name) > 2 else "")
    )


def _age(patient: Patient, now: datetime) -> int | None:
    born = patient.birth_date
    if born is None:
        return None
    return now.year - born.year - ((now.month, now.day) < (born.month, born.day))


def _allergy(picture: Picture, patient: Patient) -> str:
    if patient.id in picture.grouped(Allergy, "patient_id"):
        return "known"
    return patient.allergy_status


def infusion_row(picture: Picture, infusion: Infusion, stay: Encounter) -> dict[str, Any]:
    """Build one bag as a screen shows it; the time left is only ever from a drip that is heard."""
    flow = picture.get(Flow, infusion.id)
    order = picture.get(Order, infusion.order_id)
    device = picture.get(Device, infusion.device_id)
    drug = next((item.display for item in order.items if item.role != "base"), None) if order else None
    drug = drug or (order.items[0].display if order and order.items else None)
    end = None
    if flow is not None and flow.time_left_min is not None:
        end = flow.effective + timedelta(minutes=flow.time_left_min)
    return {
        "id": infusion.id,
        "bed": stay.bed,
        "drug": {"zh": drug.zh, "en": drug.en} if drug else {"zh": "", "en": ""},
        "state": infusion.state.value,
        "volume_ml": float(infusion.volume_ml),
        "rate_ml_h": float(infusion.rate_ml_h),
        "drops_per_ml": infusion.drops_per_ml,
        "ordered_gtt_min": round(gtt_per_min(float(infusion.rate_ml_h), infusion.drops_per_ml), 1),
        "measured_gtt_min": flow.gtt_min if flow else None,
        "measured_ml_h": flow.rate_ml_h if flow else None,
        "infused_ml": flow.infused_ml if flow else None,
        "remaining_ml": flow.remaining_ml if flow else None,
        "time_left_min": flow.time_left_min if flow else None,
        "end_at": _iso(end),
        "deviation_percent": flow.deviation_percent if flow else None,
        "flow": flow.state if flow else "unknown",
        "effective": _iso(flow.effective) if flow else None,
        "validity": (flow.validity if flow else Validity.NOT_AVAILABLE).value,
        "started_at": _iso(infusion.started_at),
        "device": (device.label or device.id) if device else infusion.device_id,
    }


def alarm_row(picture: Picture, alarm: Alarm) -> dict[str, Any]:
    """Build one alarm as a screen shows it; who has seen it is shown by name, as staff wear theirs."""
    person = picture.get(Practitioner, alarm.acknowledged_by) if alarm.acknowledged_by else None
    return {
        "id": alarm.id,
        "bed": alarm.bed,
        "condition": alarm.condition,
        "kind": alarm.kind,
        "priority": alarm.priority.value,
        "present": alarm.present,
        "signal": alarm.signal,
        "params": alarm.params,
        "started_at": _iso(alarm.started_at),
        "ended_at": _iso(alarm.ended_at),
        "acknowledged_by": person.name if person else alarm.acknowledged_by,
        "acknowledged_at": _iso(alarm.acknowledged_at),
        "generation": alarm.generation.value,
    }


def task_row(picture: Picture, task: Task, stay: Encounter) -> dict[str, Any]:
    """Build one task as a screen shows it."""
    order = picture.get(Order, task.order_id)
    first = order.items[0].display if order and order.items else None
    return {
        "id": task.id,
        "bed": stay.bed,
        "kind": task.kind,
        "status": task.status.value,
        "planned_at": _iso(task.planned_at),
        "latest": _iso(task.latest),
        "text": {"zh": first.zh, "en": first.en} if first else {"zh": task.detail, "en": task.detail},
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
