"""Puts the ward server together and runs it: the only file that knows every part.

One event loop: two listeners of one application (TLS for everybody, plain on the loopback address for the
ward's own browser), the ingest, the ticker, the hospital link. One writer's thread owns the store.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import structlog

from broker import topics
from broker.acl import server_user
from broker.tls import client_context
from clinical.errors import BadInputError
from server.alarms.clips import Clips
from server.alarms.to_nodes import AcknowledgementPublisher
from server.app import create_app
from server.audit.anchors import Anchors
from server.context import Context
from server.fhir.hooks import HookSender
from server.his_link import HospitalLink
from server.infusions.flow import FlowWatch
from server.infusions.targets import TargetPublisher
from server.ingest.commit import BatchWriter, Written
from server.ingest.mqtt import PahoBroker
from server.ingest.port import Broker, Packet
from server.ingest.reader import AsyncioBroker
from server.ingest.service import Ingest
from server.listening import Listener, addresses, listeners_of, until_started
from server.live.hub import Hub
from server.live.project import Projector, Wards
from server.live.waves import Lanes
from server.nodes.service import NodeState, read_all
from server.observations import unassigned as observations
from server.observations.limits import LimitWatch
from server.opening import open_first
from server.people.service import make_code
from server.settings import ServerSettings
from server.sites import Site
from server.storage.retention import Retention
from server.storage.store import Store
from server.sync.service import ChangeSignal
from server.ticker import Ticker

log = structlog.get_logger(__name__)
_RESTART_S = 1.0
_NODES_EVERY_S = 1.0
"""When many nodes come at once, what is known of all of them is read this often and not for each."""
_ROWS_EVERY_S = 5
_COLLECT_AFTER = (100_000, 20, 100)
_SWITCH_S = 0.0005
"""How long the writer's thread may keep the event loop waiting each time the loop has touched a socket."""


def configure_logging() -> None:
    """Write log lines as JSON to stderr; constant event names, never patient data."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


class WardServer:
    """One running ward server."""

    def __init__(self, settings: ServerSettings, store: Store, site: Site) -> None:
        self._settings, self._store, self._site = settings, store, site
        loop = asyncio.get_running_loop()
        self.signal = ChangeSignal(loop)
        self.hubs = {ward.id: Hub(_ward_row(site, ward.id), store.clock) for ward in site.wards.values()}
        self._projectors = {
            ward.id: Projector(self.hubs[ward.id], loop, ward.id, ward.beds) for ward in site.wards.values()
        }
        self._lanes = {ward: Lanes(hub, ward) for ward, hub in self.hubs.items()}
        self._watch = FlowWatch(site.policy)
        self._limits = LimitWatch(site.policy)
        self.his = HospitalLink(settings.his, store, site)
        self._nodes: list[NodeState] = []
        self._nodes_changed, self._nodes_read = False, 0.0
        self._broker = _broker(settings, store)
        self._writer = BatchWriter(self._watch, self._limits)
        self._writer.begin_at(store.clock())
        self.ingest = (
            Ingest(
                store,
                self._broker,
                self._writer,
                self._written,
                batch_s=settings.mqtt.batch_ms / 1000,
                max_buffered=settings.mqtt.max_buffered,
                unassigned=observations.count_unassigned(store),
            )
            if self._broker is not None
            else None
        )
        self._targets = TargetPublisher(loop, self._publish_retained, site.policy, lambda: self._nodes)
        self._seconds = 0
        self._ticker: Ticker | None = None
        self.app = create_app(self._context())
        self._listen()

    def _context(self) -> Context:
        probes: dict[str, Callable[[], dict[str, Any]]] = {
            "his": self.his.state,
            "ticker": lambda: self._ticker.state() if self._ticker is not None else {"ok": True},
        }
        if self.ingest is not None:
            probes["ingest"] = self.ingest.state
            probes["broker"] = lambda: {"ok": self._broker is not None and self._broker.connected}
        return Context(
            settings=self._settings,
            store=self._store,
            site=self._site,
            hubs=self.hubs,
            signal=self.signal,
            probes=probes,
            take_message=self.his.take_again,
            filed=self._filed,
            take_packet=self._take_packet if self.ingest is not None else None,
        )

    def _take_packet(self, topic: str, payload: bytes) -> None:
        """Take a node's message that was put aside once more; its broker has long had its acknowledgement."""
        if self.ingest is not None:
            self.ingest.received([Packet(topic, payload, retained=False, token=(0, 0))])

    def _filed(self, count: int) -> None:
        """Readings were taken off the worklist."""
        if self.ingest is not None:
            self.ingest.unassigned = max(0, self.ingest.unassigned - count)

    def _listen(self) -> None:
        self._store.listen(self.signal)
        self._store.listen(Wards(asyncio.get_running_loop(), self._projectors))
        if self._broker is not None:
            self._store.listen(self._targets)
            self._store.listen(AcknowledgementPublisher(self._store, self._publish))

    def _publish(self, topic: str, payload: bytes) -> None:
        if self._broker is not None:
            self._broker.publish(topic, payload)

    def _publish_retained(self, topic: str, payload: bytes) -> None:
        if self._broker is not None:
            self._broker.publish(topic, payload, retain=True)

    def _written(self, written: Written) -> None:
        """Show what one batch brought (event loop)."""
        picture = self._store.picture
        for ward, shown in written.shown.items():
            if ward in self._projectors:
                self._projectors[ward].readings(picture, shown)
        for ward, waves in written.waves.items():
            if ward in self._lanes:
                self._lanes[ward].show(picture, waves)
        if written.nodes_changed:
            self._nodes_changed = True
            if time.monotonic() - self._nodes_read >= _NODES_EVERY_S:
                self._read_nodes()
                self._targets.send(picture)
        self._targets.heard(picture, written.heard)

    def _read_nodes(self) -> None:
        self._nodes_changed, self._nodes_read = False, time.monotonic()
        with self._store.reading() as connection:
            self._nodes = read_all(connection)
        for projector in self._projectors.values():
            projector.nodes(self._nodes)

    def _each_second(self) -> None:
        self._seconds += 1
        if self._seconds % 2 == 0:
            self.signal.flush()
        if self.ingest is not None:
            self.ingest.ask_for_gaps()
        if self._nodes_changed:
            self._read_nodes()
            self._targets.send(self._store.picture)
        by_ward: dict[str, list[NodeState]] = {}
        for node in self._nodes:
            by_ward.setdefault(node.ward, []).append(node)
        for ward, hub in self.hubs.items():
            hub.put("health", "health", self._health_row(by_ward.get(ward, [])))
            if self._seconds % _ROWS_EVERY_S == 0:
                self._projectors[ward].tick()

    def _health_row(self, nodes: list[NodeState]) -> dict[str, Any]:
        return {
            "nodes_online": sum(node.state == "online" for node in nodes),
            "nodes_total": len(nodes),
            "broker": self._broker is not None and self._broker.connected,
            "his": {"state": self.his.word(), "last": self.his.last},
            "unassigned": self.ingest.unassigned if self.ingest is not None else 0,
        }

    def _broker_connected(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        def connected() -> None:
            loop.call_soon_threadsafe(lambda: self._targets.send(self._store.picture, always=True))

        return connected

    async def run(self, ready: Callable[[dict[str, Any]], None]) -> None:
        """Run until SIGTERM or SIGINT; what was received is committed before the end."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        self._read_nodes()
        for projector in self._projectors.values():
            projector.start(self._store.picture)
        await self.his.start()
        listeners = listeners_of(self.app, self._settings)
        work = [self._supervised(name, job) for name, job in self._jobs().items()]
        tasks = [asyncio.create_task(job) for job in work]
        served = [asyncio.create_task(listener.serve([listener.bound])) for listener in listeners]
        if self._broker is not None and self.ingest is not None:
            self._broker.start(self.ingest.received, self._broker_connected(loop))
        try:
            await until_started(listeners, served)
            _settle()
            ready(addresses(listeners, self.his.port))
            await stop.wait()
        finally:
            await self._shut_down(listeners, served, tasks)

    def _jobs(self) -> dict[str, Callable[[], Awaitable[None]]]:
        storage = self._settings.storage
        retention = timedelta(hours=storage.wave_retention_h)
        keep = {"samples": timedelta(days=storage.sample_retention_d), "waves": retention}
        anchors = Anchors(self._site.policy.zone, self._settings.server.state_dir)
        gaps = self.ingest.old_gaps if self.ingest is not None else frozenset
        ticker = self._ticker = Ticker(
            self._store,
            self._site,
            self._watch,
            (self._each_second,),
            retention,
            gaps,
            self._limits,
            (self._writer.end_idle, Clips().keep, anchors.tick),
        )
        jobs: dict[str, Callable[[], Awaitable[None]]] = {"ticker": ticker.run, "teller": self.his.run_teller}
        jobs["fhir-hooks"] = HookSender(self._store, self._site, self._settings.fhir).run
        jobs["retention"] = Retention(self._store, keep).run
        if self.ingest is not None:
            jobs["ingest"] = self.ingest.run
        if self._settings.his.send_to:
            jobs["his-sender"] = self.his.run_sender
        return jobs

    @staticmethod
    async def _supervised(name: str, job: Callable[[], Awaitable[None]]) -> None:
        """Run a job for ever: what it did not expect is logged and it starts again."""
        while True:
            try:
                await job()
            except Exception:
                log.exception("job-restarted", job=name)
                await asyncio.sleep(_RESTART_S)
            else:
                return

    async def _shut_down(
        self, listeners: list[Listener], served: list[asyncio.Task[None]], tasks: list[asyncio.Task[None]]
    ) -> None:
        log.info("stopping")
        self.signal.close()
        for hub in self.hubs.values():
            hub.close()
        for listener in listeners:
            listener.should_exit = True
        await asyncio.gather(*served, return_exceptions=True)
        await self.his.close()
        if self.ingest is not None and self._broker is not None:
            self.ingest.stop()
            await asyncio.sleep(self._settings.mqtt.batch_ms / 1000)
            self._broker.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._store.close()


def _settle() -> None:
    """Tell the garbage collector that the ward's facts are here to stay.

    It would otherwise walk over all of them every few seconds, for the cycles that messages do not make.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def _broker(settings: ServerSettings, store: Store) -> Broker | None:
    mqtt, share = settings.mqtt, settings.storage.pg_schema
    if not mqtt.port:
        return None
    if mqtt.ca_file is None or mqtt.cert_file is None or mqtt.key_file is None:
        raise BadInputError(
            "mqtt-tls", "mqtt needs ca_file, cert_file and key_file; nothing connects in the clear"
        )
    client = AsyncioBroker if mqtt.client == "asyncio" else PahoBroker
    return client(
        mqtt.host,
        mqtt.port,
        client_context(mqtt.ca_file, mqtt.cert_file, mqtt.key_file),
        client_id=server_user(share),
        topics=_topics_of_its_wards(store) if share else topics.EVERY_NODE,
    )


def _topics_of_its_wards(store: Store) -> tuple[str, ...]:
    with store.reading() as connection:
        return topics.of_nodes(node.id for node in read_all(connection))


def _ward_row(site: Site, ward_id: str) -> dict[str, Any]:
    ward = site.wards[ward_id]
    return {
        "id": ward.id,
        "display": {"zh": ward.display.zh, "en": ward.display.en},
        "zone": ward.zone,
        "beds": list(ward.beds),
        "generation": site.generations[ward_id].value,
    }


def run(choices: Sequence[ServerSettings], *, one_time_for: str = "") -> int:
    """Run the server until it is told to stop; prints one JSON line when it is ready.

    Args:
        choices: What the configuration says; of several the first whose store no other server has.
        one_time_for: A person for whom a one-time web sign-in is made and printed with the ready line.
    """
    configure_logging()
    sys.setswitchinterval(_SWITCH_S)
    settings, store, site = open_first(choices)

    def ready(found: dict[str, Any]) -> None:
        if one_time_for:
            code, expires = make_code(store, one_time_for)
            found |= {"one_time_code": code, "one_time_expires": expires.isoformat()}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()

    async def main() -> None:
        await WardServer(settings, store, site).run(ready)

    asyncio.run(main())
    return 0
