"""Where a scan goes: what the code is decides, never which field happens to be focused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clinical.bedside_check.model import Scan, ScanMethod
from clinical.errors import WardlinkError
from clinical.exchange import ScanRefused
from clinical.identifiers import Identified, resolve
from clinical.records import Device, Encounter, Order, Patient, Practitioner
from pda_app.ports import Broken, Cue, Read
from pda_app.presenters.care.plan import patient_of
from pda_app.presenters.desk import Desk
from pda_app.presenters.states import Button, Choice, Msg, Picture, ScanSheet, Screen, Text, Tone
from pda_app.scanning import split_aim
from pda_app.session import badge_number

if TYPE_CHECKING:
    from pda_app.presenters.app import App

TYPE_REASONS = ("label-damaged", "label-missing", "scanner-broken", "other")
_ITEMS = frozenset({"bag", "gs1", "traceability", "ean", "udi-ma"})

_CARE_OF = {"tube": "specimen", "isbt128": "transfusion"}
"""Codes that belong to one kind of care alone."""
_PLACED = frozenset({"skin-test"})
"""Orders whose drug is scanned like any other, and which are no medication check."""


class ScanRouter:
    """Takes reads from the queue one by one."""

    def __init__(self, desk: Desk, app: App) -> None:
        self._desk = desk
        self._app = app

    async def handle(self, read: Read | Broken) -> None:
        """Refuse it, or bring it to the screen it belongs to."""
        if isinstance(read, Broken):
            await self._refuse("broken", Msg("scan.broken"))
            return
        read = split_aim(read)
        seen = resolve(read.raw, symbology=read.symbology)
        if self._app.state.screen is Screen.SIGN_IN or self._app.state.locked:
            await self._sign_in(read, seen)
        elif (covered := self._covered()) is not None:
            await self._refuse("dialog-open", covered)
        else:
            self._app.close_scan_sheet()
            if self._desk.picture is Picture.HERE:
                await self._work(read, seen)
            else:
                await self._refuse("no-data", Msg("scan.no-data"))

    def _covered(self) -> Msg | None:
        """What lies over the screen: a scan would change what the nurse cannot see."""
        app = self._app
        if app.state.dialog is not None:
            return Msg("scan.dialog-open")
        if app.alarms.state.current is not None:
            return Msg("scan.alarm-open")
        checking, rounding = app.state.screen is Screen.CHECK, app.state.screen is Screen.ROUND
        check = app.check.state
        sheet = (check.not_given or check.second) if checking else app.round.state.sheet if rounding else None
        covered = sheet is not None or (self._caring and app.care.is_covered)
        return Msg("scan.dialog-open") if covered else None

    async def _sign_in(self, read: Read, seen: Identified) -> None:
        if seen.kind == "badge" and seen.valid:
            self._desk.cue(Cue.SCAN_READ)
            self._app.sign_in.badge(read.raw)
        else:
            await self._refuse("unknown", Msg("scan.badge-first"))

    async def _work(self, read: Read, seen: Identified) -> None:
        scan = self._scan(read)
        if seen.kind == "wristband":
            self._wristband(scan)
        elif seen.kind in _CARE_OF and self._finished(_CARE_OF[seen.kind]):
            self._care(_CARE_OF[seen.kind], scan)
        elif seen.kind in _CARE_OF:
            await self._refuse("unfinished", Msg("scan.finish-first"))
        elif seen.kind in _ITEMS:
            self._item(scan)
        elif seen.kind == "device" and seen.valid:
            await self._device(seen)
        elif seen.kind == "bed" and seen.valid:
            await self._bed(seen)
        elif seen.kind == "badge" and seen.valid:
            await self._badge(seen)
        elif self._checking or self._caring:
            # The check itself says that nobody knows this code, and it is stored as a near miss.
            self._item(scan)
        else:
            await self._refuse("unknown", Msg("scan.unknown"))

    @property
    def _checking(self) -> bool:
        return self._app.state.screen is Screen.CHECK and self._app.check.is_open

    @property
    def _caring(self) -> bool:
        return self._app.state.screen is Screen.CARE and self._app.care.is_open

    def _scan(self, read: Read) -> Scan:
        at = read.at or self._desk.now()
        return Scan(raw=read.raw, method=read.method, at=at, symbology=read.symbology, reason=read.reason)

    def _wristband(self, scan: Scan) -> None:
        found = patient_of(self._desk, scan) if self._app.state.screen is Screen.FORM else None
        if found is not None:
            self._desk.cue(Cue.SCAN_READ)
            self._app.forms.open(self._app.forms.state.kind, found.id)
        elif self._caring:
            self._app.care.patient(scan)
        elif self._checking:
            self._app.check.patient(scan)
        else:
            self._app.check.begin(patient_scan=scan)
            self._app.go(Screen.CHECK)

    def _item(self, scan: Scan) -> None:
        if self._caring:
            self._app.care.item(scan)
            return
        if not self._checking:
            self._app.check.begin()
            self._app.go(Screen.CHECK)
        self._app.check.item(scan)
        order = self._desk.book.get(Order, self._app.check.order_id)
        if order is not None and order.kind in _PLACED:
            self._care(order.kind, scan)

    def _finished(self, kind: str) -> bool:
        """Whether nothing else waits for its one touch: a scan must not throw away what can be recorded."""
        app = self._app
        if self._checking:
            return app.check.state.verdict.kind != "give"
        return not self._caring or app.care.kind == kind or app.care.state.verdict.kind != "give"

    def _care(self, kind: str, scan: Scan) -> None:
        """A tube, a unit of blood, the drug of a skin test: what a wristband began goes on there."""
        if not self._caring or self._app.care.kind != kind:
            band = self._app.check.patient_scan if self._checking else None
            self._app.check.clear()
            self._app.care.begin(kind, patient_scan=band)
            self._app.go(Screen.CARE)
        self._app.care.item(scan)

    async def _device(self, seen: Identified) -> None:
        device = self._desk.book.get(Device, seen.value)
        if device is None or not device.active:
            await self._refuse("unknown", Msg("scan.device-unknown"))
            return
        if self._checking:
            self._desk.cue(Cue.SCAN_READ)
            self._app.check.device(device.id)
        elif self._app.state.screen is Screen.ROUND:
            self._desk.cue(Cue.SCAN_READ)
            self._app.round.device(device.id)
        else:
            await self._refuse("unknown", Msg("scan.device-nowhere"))

    async def _bed(self, seen: Identified) -> None:
        """A bed's label opens the patient in it; it never stands for the wristband."""
        bed = seen.serial or seen.value
        stays = (one for one in self._desk.book.all(Encounter) if one.status == "in-progress")
        found = next((one for one in stays if one.bed == bed), None)
        if found is None or self._desk.book.get(Patient, found.patient_id) is None:
            await self._refuse("unknown", Msg("scan.bed-empty"))
            return
        self._desk.cue(Cue.SCAN_READ)
        self._app.open_patient(found.patient_id)

    async def _badge(self, seen: Identified) -> None:
        session = self._desk.session
        everybody = self._desk.book.all(Practitioner)
        person = next((one for one in everybody if badge_number(one.badge) == seen.value), None)
        if person is None:
            await self._refuse("unknown", Msg("scan.badge-unknown"))
        elif self._caring and session is not None and person.id != session.practitioner.id:
            self._desk.cue(Cue.SCAN_READ)
            self._app.care.badge(person)
        elif self._checking and session is not None and person.id != session.practitioner.id:
            self._desk.cue(Cue.SCAN_READ)
            self._app.check.badge(person)
        else:
            await self._refuse("unknown", Msg("scan.badge-nowhere"))

    async def _refuse(self, reason: str, text: Text) -> None:
        """Sound, word and record; the event keeps only why, never what was on the code."""
        self._desk.cue(Cue.REFUSED)
        self._desk.toast(text, Tone.WARN)
        if self._desk.session is None:
            return
        try:
            await self._desk.sync.record(ScanRefused(**self._desk.event_base(), reason=reason))
        except WardlinkError as error:
            self._desk.failed(error)


class TypedEntry:
    """A code typed by hand: only with a reason, and it stays marked as typed."""

    def __init__(self) -> None:
        self._text = self._reason = ""
        self._camera = False
        self._error: Text = ""

    def open(self, *, camera: bool, error: Text) -> ScanSheet:
        """Begin empty; ``camera`` tells whether it runs, ``error`` why it does not."""
        self._text = self._reason = ""
        self._camera, self._error = camera, error
        return self._sheet()

    def text(self, text: str) -> ScanSheet:
        """The field changed."""
        self._text = text.strip()
        return self._sheet()

    def reason(self, reason: str) -> ScanSheet:
        """Why it is typed."""
        self._reason = reason if reason in TYPE_REASONS else self._reason
        return self._sheet()

    def read(self) -> Read | None:
        """The typed code, or None while something is missing."""
        if not self._text or not self._reason:
            return None
        return Read(raw=self._text, method=ScanMethod.KEY, reason=self._reason)

    def _sheet(self) -> ScanSheet:
        missing = Msg("scan.type-code") if not self._text else Msg("scan.choose-reason")
        ready = self.read() is not None
        reasons = tuple(
            Choice(id=one, text=Msg(f"type-reason.{one}"), selected=one == self._reason)
            for one in TYPE_REASONS
        )
        enter = Button(text=Msg("scan.use"), enabled=ready, tone=Tone.ACT, missing="" if ready else missing)
        return ScanSheet(
            typed=self._text, reasons=reasons, enter=enter, camera=self._camera, error=self._error
        )
