"""Composition root of the bedside node: the one place that knows every concrete class."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import structlog
from structlog.types import Processor

from broker import topics
from broker.messages import Status, encode
from clinical.errors import ConflictError, UnavailableError
from edge_node import bound, health
from edge_node.adapters import kernel
from edge_node.adapters.ble import BleRadio, Heard
from edge_node.adapters.ble_link import AdvertTransport
from edge_node.adapters.ble_pool import BleRadios
from edge_node.adapters.flight_recorder import FlightRecorder
from edge_node.adapters.gpio import GpioAnnunciator
from edge_node.adapters.mqtt import BrokerAddress, PahoWire
from edge_node.adapters.serial_port import SerialDirectory
from edge_node.adapters.sqlite_outbox import open_or_recreate, salvage
from edge_node.annunciate import STEP_S, Signals
from edge_node.clock import NodeClock
from edge_node.node import Node
from edge_node.outbox import Budget, Outbox
from edge_node.ports import Frame, Transport
from edge_node.sessions import Backoff, Session, keep
from edge_node.settings import EdgeSettings, ble_uid, serial_uid
from firmware_profiles import match, registry
from firmware_profiles.plan import Profile

FLUSH_S = 0.05
UPLINK_TICK_S = 0.25
RESTART_S = 2.0
FILE_LIMIT_FACTOR = 2
"""The database file may be this much larger than what its rows count, for pages and indices."""
BUS_VARIABLE = "DBUS_SYSTEM_BUS_ADDRESS"

log = structlog.get_logger()


def configure_logging(level: int = logging.INFO) -> None:
    """Write one JSON line per event to stderr; the libraries' own warnings come the same way."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


class App:
    """One running node."""

    def __init__(self, settings: EdgeSettings, version: str) -> None:
        self._settings = settings
        self._clock = NodeClock(time.time_ns, time.monotonic_ns, kernel.clock_synchronised, kernel.boot_id())
        self._wire = self._make_wire(version)
        self._profiles = registry.load()
        self._check_profiles()
        outbox, self._damaged = self._make_outbox()
        self.node = Node(
            node_id=settings.node.id,
            version=version,
            generation=settings.node.generation,
            clock=self._clock,
            outbox=outbox,
            wire=self._wire,
            process=kernel.process_figures,
        )
        self._recorder = self._make_recorder()
        self._signals = self._make_signals()
        self._service = kernel.ServiceManager(os.environ.get("NOTIFY_SOCKET", ""))
        self._group: asyncio.TaskGroup | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: dict[str, AdvertTransport] = {}
        self._attached: set[str] = set()

    def _make_wire(self, version: str) -> PahoWire:
        mqtt = self._settings.mqtt
        will = Status(
            node=self._settings.node.id,
            state="offline",
            boot=self._clock.boot_id,
            version=version,
            generation=self._settings.node.generation,
        )
        address = BrokerAddress(
            host=mqtt.host,
            port=mqtt.port,
            ca_file=mqtt.ca_file,
            cert_file=mqtt.cert_file,
            key_file=mqtt.key_file,
        )
        return PahoWire(address, self._settings.node.id, encode(will), random.Random())

    def _make_outbox(self) -> tuple[Outbox, Path | None]:
        settings = self._settings
        budget = Budget.of(settings.outbox.max_bytes, settings.outbox.max_age_h)
        store, damaged = open_or_recreate(
            settings.node.state_dir / "outbox.db",
            max_bytes=budget.max_bytes * FILE_LIMIT_FACTOR,
            reserve_bytes=budget.reserve_bytes,
        )
        return Outbox(store, settings.node.id, self._clock, budget), damaged

    def _make_signals(self) -> Signals | None:
        """Lamp and buzzer; a node whose lamp is broken says so and goes on without."""
        if self._settings.lamp is None:
            return None
        try:
            signals = Signals(
                GpioAnnunciator(self._settings.lamp),
                lambda: self.node.alarms.standing,
                self.node.on_button,
            )
        except UnavailableError as error:
            log.warning("lamp-unavailable", code=error.code)
            self.node.outbox.event("lamp-unavailable", {"reason": error.code})
            return None
        self.node.identify = signals.identify
        return signals

    def _make_recorder(self) -> FlightRecorder | None:
        recorder = self._settings.recorder
        if not recorder.max_bytes:
            return None
        return FlightRecorder(
            self._settings.node.state_dir / "flight",
            max_bytes=recorder.max_bytes,
            max_age=timedelta(hours=recorder.max_age_h),
        )

    def _check_profiles(self) -> None:
        """Find a wrong profile name now, not when the device is first heard."""
        for device in self._settings.devices:
            bound.check(device, self._profiles.get(device.profile))
        for port in self._settings.serial.ports:
            bound.check_cable(self._profiles.get(port.profile))

    def _start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        if self._group is not None:
            self._tasks.append(self._group.create_task(self._supervised(name, work)))

    # ---- devices
    def _attach(self, device: str, profile: Profile, transport: Transport) -> None:
        node = self.node
        if device in self._attached:
            return
        self._attached.add(device)
        session = node.session(device, profile)

        def deliver(_session: Session, frame: Frame) -> None:
            if self._recorder is not None:
                self._recorder.record(device, profile.id, frame)
            node.on_frame(session, profile, frame)

        tells_all = session.momentary and profile.file.serial is not None

        async def run() -> None:
            await keep(
                session,
                transport,
                deliver,
                Backoff(random.Random()),
                profile.file.link.max_quiet_s,
                "done" if tells_all else "transient",
            )

        self._start(f"session {device}", run)

    def _start_bluetooth(self) -> None:
        settings = self._settings.bluetooth
        self.node.health.radio.enabled = True
        held: set[str] = set()
        radios = BleRadios(
            [
                BleRadio(
                    self._clock.now,
                    adapter=adapter,
                    bound={device.address for device in self._settings.devices},
                    on_heard=self._heard,
                    on_radio=functools.partial(self.node.on_radio, adapter=adapter),
                    held=held,
                )
                for adapter in settings.adapters or ("",)
            ]
        )
        self._start("radio", radios.run)
        for device in self._settings.devices:
            profile = self._profiles.get(device.profile)
            self.node.session(device.uid, profile, bound.context(device))
            if bound.broadcasts(profile):
                listener = bound.listened_to(self._clock.now, profile)
                self._listeners[device.address] = listener
                self._attach(device.uid, profile, listener)
            else:
                clock = self.node.device_clock(device.uid, profile)
                way = bound.connected(radios, device, profile, self.node.records, clock)
                self._attach(device.uid, profile, way)

    def _heard(self, heard: Heard) -> None:
        listener = self._listeners.get(heard.address)
        if listener is not None:
            listener.heard(heard)
        if any(device.address == heard.address for device in self._settings.devices):
            return
        seen = bound.advertisement(heard)
        try:
            profile = match.match(self._profiles, seen)
        except ConflictError:
            found = match.candidates(self._profiles, seen)
            equal = [one.profile.id for one in found if one.priority == found[0].priority]
            self.node.on_ambiguous(ble_uid(heard.address), equal)
            return
        if profile is not None:
            self.node.on_unknown(ble_uid(heard.address), profile.id)

    def _serial_port(self, directory: SerialDirectory, root: Path, name: str, profile_id: str) -> None:
        profile, device = self._profiles.get(profile_id), serial_uid(name)
        clock = self.node.device_clock(device, profile)
        self._attach(device, profile, bound.cabled(directory, root / name, profile, self._clock.now, clock))

    # ---- running
    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set, then flush and say goodbye."""
        structlog.contextvars.bind_contextvars(node=self.node.id)
        self.node.restore()
        if self._damaged is not None:
            self.node.outbox.take_in(list(salvage(self._damaged)), "outbox-damaged")
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for name, work in self._work().items():
                    self._start(name, work)
                if self._settings.bluetooth.enabled:
                    self._start_bluetooth()
                self._service.tell("READY=1")
                log.info("node-ready", outbox=self.node.outbox.store.outbox_id)
                await stop.wait()
                await self._goodbye()
                for task in self._tasks:
                    task.cancel()
        finally:
            if self._signals is not None:
                self._signals.close()
            if self._recorder is not None:
                self._recorder.flush(self._clock.now().utc)
            self.node.outbox.flush()
            self.node.outbox.store.close()

    def _work(self) -> dict[str, Callable[[], Awaitable[None]]]:
        uplink, settings = self.node.uplink, self._settings
        work: dict[str, Callable[[], Awaitable[None]]] = {
            "broker": lambda: self._wire.run(uplink.on_state, uplink.on_delivery, uplink.on_message),
            "flush": lambda: _each(FLUSH_S, self.node.outbox.flush),
            "uplink": lambda: _each(UPLINK_TICK_S, uplink.tick),
            "second": lambda: _each(1.0, self._second),
        }
        if settings.health.port:
            work["health"] = lambda: health.serve(
                settings.health.port, lambda: health.document(self.node.health)
            )
        signals = self._signals
        if signals is not None:
            work["lamp"] = lambda: _each(STEP_S, signals.step)
        root = settings.serial.directory
        if root is not None:
            directory = SerialDirectory(
                root, [(port.glob, port.profile) for port in settings.serial.ports], settings.serial.poll_s
            )
            work["serial"] = lambda: directory.run(
                lambda name, profile: self._serial_port(directory, root, name, profile),
                lambda name: self.node.on_unknown(serial_uid(name), ""),
            )
        return work

    def _second(self) -> None:
        self.node.second()
        if self._recorder is not None:
            self._recorder.flush(self._clock.now().utc)
        self._service.tell("WATCHDOG=1")

    async def _goodbye(self) -> None:
        self._service.tell("STOPPING=1")
        self.node.outbox.flush()
        status = self.node.status()
        offline = Status(
            node=status.node,
            state="offline",
            since=self._clock.now().utc,
            boot=status.boot,
            outbox=status.outbox,
            depth=status.depth,
            last_seq=status.last_seq,
            version=status.version,
            generation=status.generation,
        )
        await self._wire.say_goodbye(topics.status(status.node), encode(offline))

    async def _supervised(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run one part for ever: a fault in it is told and it begins again, the others go on."""
        while True:
            try:
                await work()
            except Exception:  # the one supervisor of this process
                log.exception("part-failed", part=name)
                self.node.outbox.event("part-failed", {"part": name})
            await asyncio.sleep(RESTART_S)


async def _each(period_s: float, work: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(period_s)
        work()


async def _until_signal(app: App) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await app.run(stop)


def run(settings: EdgeSettings, version: str) -> None:
    """Run one node until SIGTERM or SIGINT.

    Raises:
        BadInputError: The settings name a profile that does not fit.
        NotFoundError: The settings name a profile that does not exist.
    """
    configure_logging()
    if settings.bluetooth.bus:
        os.environ[BUS_VARIABLE] = settings.bluetooth.bus  # where the Bluetooth library looks
    asyncio.run(_until_signal(App(settings, version)))
