"""The bedside node's use cases put together: what a frame, a lost device, a command and a second mean.

Knows no library that touches the world: those are in ``adapters/`` and are joined in :mod:`edge_node.main`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog

from broker.messages import Command, Config, Reply, Status, Targets
from broker.topics import Up
from clinical.errors import BadInputError
from clinical.policy import SitePolicy
from clinical.records import AlarmPriority, Generation
from edge_node import health, staleness
from edge_node.clock import NodeClock
from edge_node.collect import Collector, Sample
from edge_node.device_clock import ClockReport, ClockWatch
from edge_node.estimate import PROGRESS_KEY, TARGETS_KEY, FlowWatch
from edge_node.local_alarms import STATE_KEY, LocalAlarms, Subject
from edge_node.outbox import Draft, Outbox
from edge_node.ports import Frame, RowClass, Wire
from edge_node.records import Record, RecordBook, restored_counters, saved_counters
from edge_node.sessions import Session, SessionState, Transition
from edge_node.staleness import Aged
from edge_node.uplink import DownHandlers, Uplink
from firmware_profiles.decode import Context
from firmware_profiles.plan import Profile
from firmware_profiles.schema import AlarmRule

CONFIG_KEY = "config"
BUTTON = "bedside-button"
RECORDS_KEY = "records"
COUNTERS_KEY = "counters"
REFUSED_EVERY_S = 3600.0
"""A device that does not prove to be the bound one is told about this often."""
NOT_PROVEN = frozenset(("wrong-serial", "wrong-model", "not-bonded", "pairing-failed", "wrong-device"))
EXPIRE_EVERY_S = 60.0
ABSENT_S = 60.0
"""A device that has a target but was not found for so long after the start counts as lost."""
UNKNOWN_EVERY_S = 24 * 3600.0
UNKNOWN_MAX = 256

log = structlog.get_logger()


class RemoteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the server may set on a node."""

    waves: bool = True  # whether waveforms are sent


class Node:
    """One node.

    Args:
        node_id: Its id.
        version: Of the product.
        generation: Real, Test or Demo: marks every reading and alarm.
        clock: The clocks.
        outbox: Store and forward.
        wire: The broker.
        process: Figures about this process for the health document.
    """

    def __init__(
        self,
        *,
        node_id: str,
        version: str,
        generation: Generation,
        clock: NodeClock,
        outbox: Outbox,
        wire: Wire,
        process: Callable[[], dict[str, int]] = dict,
    ) -> None:
        self.id = node_id
        self.clock = clock
        self.outbox = outbox
        self.sessions: dict[str, Session] = {}
        self.watch = FlowWatch(clock.now)
        self.alarms = LocalAlarms(outbox.put, outbox.envelope, clock.now, SitePolicy.default(), generation)
        self.collector = Collector(outbox.envelope, generation)
        handlers = DownHandlers(
            targets=self.on_targets,
            command=self.on_command,
            config=self.on_config,
            status=self.status,
            alarm_active=self.alarms.is_active,
            refused=lambda holds: self.alarms.node(
                "publish-refused", holds=holds, priority=AlarmPriority.MEDIUM
            ),
        )
        self.clocks: dict[str, ClockWatch] = {}
        self.uplink = Uplink(wire, outbox, node_id, clock, handlers)
        self.health = health.HealthSources(
            node=node_id,
            version=version,
            clock=clock,
            outbox=outbox,
            uplink=self.uplink,
            alarms=self.alarms,
            sessions=lambda: list(self.sessions.values()),
            rejected=lambda: sum(self.collector.rejected.values()),
            process=process,
            clocks=self.clocks,
        )
        self._version = version
        self._generation = generation
        self._settings = RemoteSettings()
        self._started = clock.now()
        self._expired_s = self._started.mono_s
        self._unknown: dict[str, float] = {}
        self._rules: dict[str, Sequence[AlarmRule]] = {}
        self.records = RecordBook()
        self.identify: Callable[[], bool] = lambda: False
        self._refused: dict[tuple[str, str], float] = {}

    # ---- starting
    def restore(self) -> None:
        """Go on where the node stopped: targets, progress of the bags, standing alarms, settings."""
        store = self.outbox.store
        try:
            self.watch.restore(store.state(TARGETS_KEY), store.state(PROGRESS_KEY))
            self.alarms.restore(store.state(STATE_KEY))
            self.records.restore(store.state(RECORDS_KEY))
            self.collector.counters = restored_counters(store.state(COUNTERS_KEY))
            self._settings = msgspec.json.decode(store.state(CONFIG_KEY) or b"{}", type=RemoteSettings)
        except (BadInputError, msgspec.DecodeError) as error:
            log.warning("state-unreadable", error=type(error).__name__)
            self.outbox.event("state-unreadable")
        self.outbox.event("booted", {"version": self._version, "generation": self._generation.value})

    def session(self, device: str, profile: Profile, context: Context | None = None) -> Session:
        """Begin to keep a session with a device, or return the one that is kept.

        Args:
            device: Its uid.
            profile: How it is read.
            context: Its address and key, where its adverts are sealed.
        """
        if context is not None:
            self.collector.contexts[device] = context
        self._rules[profile.id] = profile.file.alarm
        if device not in self.sessions:
            momentary = profile.file.link.mode == "on-advert"
            self.sessions[device] = Session(device, profile.id, self.on_transition, momentary=momentary)
        return self.sessions[device]

    # ---- devices
    def on_frame(self, session: Session, profile: Profile, frame: Frame) -> None:
        """Take one frame of a device."""
        samples, waves = self.collector.decode(session.device, profile, frame)
        if self._settings.waves:
            for wave in waves:
                self.outbox.put(wave)
        for sample in samples:
            self._on_sample(sample, stored=profile.file.racp is not None)

    def _on_sample(self, sample: Sample, *, stored: bool) -> None:
        if sample.drops is not None:
            self.watch.observe(sample.device, sample.drops, sample.stamp)
        self.alarms.vitals(sample.device, sample.values)
        rules = self._rules.get(sample.profile, ())
        self.alarms.device_rules(sample.device, rules, sample.facts)
        said = {name: True for name, fact in sample.facts.items() if fact.value is not None}
        for condition in staleness.absences(sample.device, rules, said):
            self.alarms.observe(condition)
        if not self.collector.due(sample):
            return
        reports = self.watch.reports(sample.stamp.mono_s, sample.device) if sample.drops else []
        for report in reports:
            self.alarms.flow(report)
        flow = reports[0] if reports else None
        if flow is None and not self._is_watched(sample.device) and not self.collector.worth_telling(sample):
            return
        draft = self.collector.reading(
            sample,
            tuple(flow.values()) if flow else (),
            flow.infusion if flow else None,
            self._to_remember(sample, with_progress=flow is not None, stored=stored),
        )
        if draft is not None:
            self.outbox.put(draft)

    def _to_remember(self, sample: Sample, *, with_progress: bool, stored: bool) -> dict[str, bytes]:
        """What of the node's memory is written in one transaction with this sample."""
        state = {PROGRESS_KEY: self.watch.progress()} if with_progress else {}
        if stored and sample.sequence is not None and sample.device_time is not None:
            self.records.note(
                sample.device, Record(number=sample.sequence, time=sample.device_time.isoformat())
            )
            state[RECORDS_KEY] = self.records.saved()
        if sample.device in self.collector.counters:
            state[COUNTERS_KEY] = saved_counters(self.collector.counters)
        return state

    def on_transition(self, step: Transition) -> None:
        """A session made a step: tell it, and withdraw what the device had said."""
        log.info("session", device=step.device, state=step.state.value, reason=step.reason)
        if step.state is SessionState.STREAMING:
            self.outbox.event("device-connected", device=step.device)
            self.alarms.device_lost(step.device, lost=False)
        elif step.state is SessionState.LOST and step.before in {SessionState.STREAMING, SessionState.READY}:
            self.collector.forget(step.device)
            self.outbox.event("device-lost", {"reason": step.reason}, device=step.device)
            self.alarms.device_lost(
                step.device, lost=True, reason=step.reason, watched=self._is_watched(step.device)
            )
        elif step.state is SessionState.SEARCHING:
            self.collector.forget(step.device)
        if step.reason in NOT_PROVEN:
            self._not_proven(step.device, step.reason)

    def _not_proven(self, device: str, reason: str) -> None:
        """Something answers in the place of a bound device that is not it: tell, but not at each attempt."""
        now = self.clock.mono_s()
        if now - self._refused.get((device, reason), -REFUSED_EVERY_S) >= REFUSED_EVERY_S:
            self._refused[device, reason] = now
            self.outbox.event("device-refused", {"reason": reason}, device=device)

    def _is_watched(self, device: str) -> bool:
        return any(target.device == device for target in self.watch.targets)

    def _was_only_wanted(self, subject: Subject) -> bool:
        """Whether an alarm is about a device that is known only because a target once named it."""
        session = self.sessions.get(subject.device)
        never_here = session is not None and session.state is SessionState.SEARCHING
        return never_here and not subject.infusion and not self._is_watched(subject.device)

    def on_unknown(self, device: str, profile: str) -> None:
        """A device nobody bound to this node speaks: report it once a day, never use it."""
        if self._is_news(device):
            self.outbox.event("device-unknown", {"profile": profile}, device=device)

    def on_ambiguous(self, device: str, profiles: Sequence[str]) -> None:
        """Two profiles claim one device equally: say so once a day and in the health document."""
        if self._is_news(device):
            log.warning("device-ambiguous", device=device, profiles=list(profiles))
            self.outbox.event("device-ambiguous", {"profiles": ", ".join(profiles)}, device=device)
            self.health.ambiguous[device] = tuple(profiles)
            while len(self.health.ambiguous) > UNKNOWN_MAX:
                self.health.ambiguous.pop(next(iter(self.health.ambiguous)))

    def _is_news(self, device: str) -> bool:
        now = self.clock.mono_s()
        if now - self._unknown.get(device, -UNKNOWN_EVERY_S) < UNKNOWN_EVERY_S:
            return False
        if len(self._unknown) >= UNKNOWN_MAX:
            self._unknown.pop(next(iter(self._unknown)))
        self._unknown[device] = now
        return True

    def on_radio(self, listening: bool, reason: str, adapter: str = "") -> None:
        """An adapter began or ceased to listen; the node listens as long as one of them does."""
        radio = self.health.radio
        if radio.adapters.get(adapter) != (listening, reason):
            log.info("radio", listening=listening, reason=reason, adapter=adapter)
        radio.adapters[adapter] = (listening, reason)
        silent = [why for listens, why in radio.adapters.values() if not listens]
        radio.listening = len(silent) < len(radio.adapters)
        radio.reason = "" if radio.listening else silent[0]
        # One of several adapters lost costs range, all of them cost every device.
        priority = AlarmPriority.LOW if radio.listening else AlarmPriority.MEDIUM
        self.alarms.node("radio-lost", holds="radio-unavailable" in silent, priority=priority)

    def device_clock(self, device: str, profile: Profile) -> ClockWatch:
        """What is known of a device's own clock."""

        def tell(report: ClockReport) -> None:
            kind = "device-clock-set" if report.was_set else "device-clock"
            log.info(kind, device=device, **report.detail())
            self.outbox.event(kind, report.detail(), device=device)

        return self.clocks.setdefault(device, ClockWatch(profile.file.clock, self.clock.now, tell))

    # ---- told by the server
    def on_targets(self, targets: Targets) -> None:
        """Take the complete new set of infusions to watch, and keep it for a restart."""
        self.outbox.remember(self.watch.set_targets(targets))
        kept = {target.infusion for target in targets.targets}
        self.alarms.withdraw(lambda subject: bool(subject.infusion) and subject.infusion not in kept)
        self.alarms.withdraw(lambda subject: bool(subject.device) and self._was_only_wanted(subject))
        log.info("targets", version=targets.version, count=len(targets.targets))

    def on_button(self, alarm: str) -> None:
        """The button at the bed acknowledges an alarm; nobody knows who pressed it."""
        if self.alarms.acknowledge(alarm, BUTTON):
            self.outbox.event("button", {"alarm": alarm})

    def on_config(self, config: Config) -> None:
        """Take new settings; a wrong one is refused and the last good one stays."""
        try:
            settings = msgspec.convert(config.settings, RemoteSettings)
        except msgspec.ValidationError as error:
            detail: dict[str, str | int | float] = {"version": config.version, "reason": str(error)[:200]}
            self.outbox.event("config-refused", detail)
            return
        self._settings = settings
        self.outbox.remember({CONFIG_KEY: msgspec.json.encode(settings)})
        self.outbox.event("config-applied", {"version": config.version})

    def on_command(self, command: Command) -> None:
        """Do what is asked and answer."""
        stamp = self.clock.now()
        if command.expires is not None and command.expires < stamp.utc and stamp.clock.state != "unset":
            self._reply(command, ok=False, code="expired")
            return
        match command.kind:
            case "acknowledge-alarm":
                known = self.alarms.acknowledge(command.alarm or "", command.by)
                self._reply(command, ok=known, code="" if known else "no-such-alarm")
            case "identify":
                log.info("identify")
                self.outbox.event("identified")
                self._reply(command, ok=True, code="" if self.identify() else "no-lamp")
            case "health":
                self._reply(command, ok=True, detail=health.document(self.health))

    def _reply(
        self, command: Command, *, ok: bool, code: str = "", detail: dict[str, Any] | None = None
    ) -> None:
        stamp = self.clock.now()
        message = Reply(**self.outbox.envelope(), command=command.id, ok=ok, code=code, detail=detail or {})
        self.outbox.put(
            Draft(
                message=message,
                kind=Up.REPLIES,
                row_class=RowClass.ALARM,
                id=f"reply:{uuid.uuid4()}",
                effective=stamp.utc,
                mono_ns=stamp.mono_ns,
            )
        )

    # ---- time
    def status(self) -> Status:
        """The retained presence message."""
        return Status(
            node=self.id,
            state="online",
            since=self._started.utc,
            boot=self.clock.boot_id,
            outbox=self.outbox.store.outbox_id,
            depth=self.outbox.depth,
            last_seq=self.outbox.store.last_seq,
            version=self._version,
            devices={device: session.state.value for device, session in self.sessions.items()},
            generation=self._generation,
        )

    def second(self) -> None:
        """Everything that time alone brings; call it about once a second."""
        step = self.clock.look()
        if step:
            self.outbox.event("clock-stepped", {"seconds": round(step, 3)})
        now = self.clock.mono_s()
        self._withdraw_aged(now)
        for report in self.watch.reports(now):
            self.alarms.flow(report)
        self._look_for_absent(now)
        self.alarms.node("outbox-full", holds=self.outbox.full, priority=AlarmPriority.MEDIUM)
        self.alarms.tick()
        if now - self._expired_s >= EXPIRE_EVERY_S:
            self._expired_s = now
            self.outbox.expire(self.clock.now().utc)

    def _withdraw_aged(self, now: float) -> None:
        """A device that still talks but no longer says a value has lost it: nobody may see it as now."""
        by_device: dict[str, list[Aged]] = {}
        for one in self.collector.freshness.aged(now):
            by_device.setdefault(one.device, []).append(one)
        for device, aged in by_device.items():
            subjects = {Subject(device=device, code=one.code) for one in aged if one.code}
            self.alarms.withdraw(subjects.__contains__)
            rules = self._rules.get(aged[0].profile, ())
            for condition in staleness.absences(device, rules, {one.name: False for one in aged}):
                self.alarms.observe(condition)
            draft = self.collector.withdrawal(aged, self.clock.now())
            if draft is not None:
                self.outbox.put(draft)

    def _look_for_absent(self, now: float) -> None:
        """A target whose device is ours but was never found is as bad as one that was lost.

        A target for a device of another node says nothing here: whoever hears it watches it.
        """
        if now - self._started.mono_s < ABSENT_S:
            return
        for target in self.watch.targets:
            session = self.sessions.get(target.device)
            if session is not None and session.state is SessionState.SEARCHING:
                self.alarms.device_lost(target.device, lost=True, reason="not-found", watched=True)
