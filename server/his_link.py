"""Joins the hospital's wire and the ward's services: listener in, sender out, the teller between."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import structlog

from broker.tls import client_context, server_context
from clinical.errors import BadInputError, UnavailableError
from server.administrations.outbound import tell_pending
from server.his import mllp
from server.his.administration import Addresses
from server.his.port import AdministrationFact
from server.his.reading import Site as HisSite
from server.his.receiver import Receiver
from server.his.sender import Sender
from server.his.told import Report
from server.his_intake import GroupIntake
from server.his_store import SqlMessageStore, queue
from server.hospital import HospitalFactsService
from server.hospital_maps import reading_tables
from server.hospital_told import Teller
from server.settings import His
from server.sites import Site
from server.storage.store import Store, UnitOfWork

log = structlog.get_logger(__name__)
_TELL_EVERY_S = 1.0
_PENDING = 100


class _NoHospital:
    """The sink of a ward without a hospital system: nobody has to be told."""

    def administered(self, fact: AdministrationFact) -> None:
        del fact


class HospitalLink:
    """Everything between the hospital's system and this server."""

    def __init__(self, settings: His, store: Store, site: Site) -> None:
        self._settings, self._store = settings, store
        self.messages = SqlMessageStore(store, silent_after=timedelta(seconds=settings.silent_after_s))
        self._files = _tls_files(settings)
        zone = ZoneInfo(site.first.zone)
        with store.reading() as connection:
            tables = reading_tables(connection)
        service = HospitalFactsService(store, site)
        self.gateways = service.gateways
        self.gateways.resume()
        self._receiver = Receiver(
            intake=GroupIntake(store, service),
            site=HisSite(zone=zone, tables=tables),
            application=settings.sending_application,
            facility=settings.sending_facility,
            clock=store.clock,
        )
        self._listener: mllp.MllpServer | None = None
        self._sender = _sender(settings, self.messages, zone, self._files) if settings.send_to else None
        self._teller = Teller(store, self._queue) if self._sender is not None else None

    @property
    def port(self) -> int:
        """The port the listener is on; 0 without one."""
        return self._listener.port if self._listener is not None else 0

    async def start(self) -> None:
        """Listen for the hospital, if the settings say so."""
        if self._settings.mllp_port:
            settings = mllp.MllpSettings(
                host=self._settings.mllp_host, port=self._settings.mllp_port, senders=self._settings.senders
            )
            tls = None
            if self._files is not None:
                files = self._files
                tls = server_context(files.cert, files.key, client_ca_file=files.ca)
            self._listener = await mllp.serve(settings, self._receiver.handle, tls=tls)

    def take_again(self, raw: bytes) -> None:
        """Take a message that was put aside as if the hospital had just sent it."""
        self._receiver.handle(raw, "worklist")

    async def run_sender(self) -> None:
        """Send what is queued, until cancelled."""
        if self._sender is not None:
            await self._sender.run()

    async def run_teller(self) -> None:
        """Pass what was committed to the sender's queue, until cancelled."""
        while True:
            try:
                told = await asyncio.to_thread(self.tell)
            except UnavailableError:
                log.warning("telling-postponed")
                told = 0
            if told < _PENDING:
                await asyncio.sleep(_TELL_EVERY_S)

    def tell(self) -> int:
        """Queue what was committed, and watch the gateways; returns how many facts were looked at."""
        self.gateways.tick()
        told = tell_pending(self._store, self._sender or _NoHospital(), limit=_PENDING)
        if self._teller is not None and self._sender is not None:
            more = self._teller.tell(limit=_PENDING)
            if more:
                self._sender.wake()
            told = max(told, more)
        return told

    def _queue(self, unit: UnitOfWork, report: Report) -> None:
        if self._sender is not None:
            queue(unit, self._sender.told(report))

    async def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            await self._listener.close()

    def state(self) -> dict[str, Any]:
        """Counts and health for screens and the ledger."""
        counts = self.messages.counts()
        incoming = sum(count for name, count in counts.items() if name.startswith("in-"))
        outgoing = sum(count for name, count in counts.items() if name.startswith("out-"))
        errors = sum(counts.get(name, 0) for name in ("in-error", "in-rejected", "out-rejected"))
        return {
            "ok": self.word() != "error",
            "state": self.word(),
            "in": incoming,
            "out": outgoing,
            "errors": errors,
            "messages": counts,
        }

    def word(self) -> str:
        """``ok``, ``error`` or ``off``, for the screens."""
        if self._sender is not None and self._sender.state == "error":
            return "error"
        return "ok" if self._listener is not None or self._sender is not None else "off"

    @property
    def last(self) -> str | None:
        """When the hospital last answered us."""
        at = self._sender.last if self._sender is not None else None
        return at.isoformat().replace("+00:00", "Z") if at else None


class _TlsFiles(NamedTuple):
    """The hospital link's own certificate, and whose certificates it takes."""

    ca: Path
    cert: Path
    key: Path


def _tls_files(settings: His) -> _TlsFiles | None:
    files = (settings.ca_file, settings.cert_file, settings.key_file)
    if not any(files):
        return None
    ca, cert, key = files
    if ca is None or cert is None or key is None:
        raise BadInputError("his-tls", "his needs ca_file, cert_file and key_file together, or none of them")
    return _TlsFiles(ca, cert, key)


def _sender(settings: His, messages: SqlMessageStore, zone: ZoneInfo, files: _TlsFiles | None) -> Sender:
    host, _, port = settings.send_to.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise BadInputError("his-send-to", "his.send_to is written HOST:PORT")
    if files is None and not mllp.may_be_plain(host, settings.senders):
        raise BadInputError(
            "his-plain",
            "his.send_to would carry names in the clear; set ca_file, cert_file and key_file, or name its "
            "address in senders",
        )
    tls: ssl.SSLContext | None = client_context(*files) if files is not None else None
    return Sender(
        store=messages,
        link=mllp.MllpClient(host=host, port=int(port), tls=tls),
        addresses=Addresses(
            application=settings.sending_application,
            facility=settings.sending_facility,
            receiver_application=settings.receiving_application,
            receiver_facility=settings.receiving_facility,
            zone=zone,
        ),
    )
