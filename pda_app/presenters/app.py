"""The whole handheld without a window: presenters over ports, one scan queue, one background loop.

A window (or a script) makes one ``App``, awaits ``start()``, draws ``app.state`` and the presenters'
states, and calls their methods. Methods a person triggers are plain functions that return at once;
slow work runs in the background and ``await settle()`` waits for it.

Public surface (the presenters' own methods are in their files):
    presenters  sign_in, today, ward, patient, check, care, forms, round, alarms, uploads
    life        await start(), await stop(), await settle(), await run()
    scanning    scan(Read | Broken), open_scan_sheet(), close_scan_sheet(), typed(text), type_reason(id),
                enter_typed()
    moving      go(Screen), back(), open_patient(id), open_task(id), open_infusion(id)
    session     touch(), lock(), sign_out()
    over it     ask(Dialog, on_answer), answer_dialog(id), set_language("zh"|"en"), set_dark(bool),
                set_text_scale(1.0-1.3)
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from clinical.errors import UnavailableError
from clinical.records import Alarm, Infusion, Order, Task
from pda_app.book import Book
from pda_app.ports import Broken, Cue, Ports, Read
from pda_app.presenters import infusions
from pda_app.presenters.alarms import Alarms
from pda_app.presenters.background import Background
from pda_app.presenters.care.step import CareStep
from pda_app.presenters.check import MedicationCheck
from pda_app.presenters.desk import Desk
from pda_app.presenters.forms.desk import Forms
from pda_app.presenters.frame import LEAVE_CHECK
from pda_app.presenters.patient import PatientPage
from pda_app.presenters.round import InfusionRound
from pda_app.presenters.scan_sheet import ScanSheetFrame
from pda_app.presenters.scans import ScanRouter
from pda_app.presenters.sign_in import SignIn
from pda_app.presenters.states import Msg, Screen, Tone
from pda_app.presenters.status import status_bar
from pda_app.presenters.today import Today
from pda_app.presenters.uploads import Uploads
from pda_app.presenters.ward import Ward
from pda_app.scanning import ScanQueue
from pda_app.session import Sessions
from pda_app.settings import HandheldSettings
from pda_app.sync import Sync

ROOTS = frozenset({Screen.TODAY, Screen.WARD, Screen.ALARMS, Screen.UPLOADS, Screen.MORE})


class App(ScanSheetFrame):
    """One running handheld."""

    def __init__(self, *, settings: HandheldSettings, ports: Ports) -> None:
        super().__init__(ports, settings.look)
        self._settings = settings
        self._background = Background(self._draw)
        self._history: list[Screen] = []
        self._dirty = asyncio.Event()
        self._desk = self._make_desk()
        self._make_presenters()

    def _make_desk(self) -> Desk:
        ports, settings = self._ports, self._settings
        book = Book()
        sessions = Sessions(
            api=ports.api,
            store=ports.store,
            clock=ports.clock,
            handheld=settings.handheld,
            security=settings.security,
        )
        sync = Sync(
            ports=ports, book=book, sessions=sessions, settings=settings.server, on_change=self._changed
        )
        return Desk(
            ports=ports,
            book=book,
            sync=sync,
            sessions=sessions,
            settings=settings,
            spawn=self._background.spawn,
            toast=self.toast,
            speak=self._speak,
        )

    def _make_presenters(self) -> None:
        desk = self._desk
        self.queue = ScanQueue()
        self.sign_in = SignIn(desk, self._signed_in)
        self.today = Today(desk)
        self.ward = Ward(desk)
        self.patient = PatientPage(desk, self.ask)
        self.check = MedicationCheck(desk, self._check_done, self.open_scan_sheet)
        self.care = CareStep(
            desk, on_done=self._care_done, on_scan=self.open_scan_sheet, on_infusion=self.open_infusion
        )
        self.forms = Forms(desk)
        self.round = InfusionRound(desk, self._round_done)
        self.alarms = Alarms(desk, self._go_to_alarm)
        self.uploads = Uploads(desk)
        self._router = ScanRouter(desk, self)

    @property
    def desk(self) -> Desk:
        """What the presenters share; scripts and tests look at the book and the link here."""
        return self._desk

    # --- life ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the store, show what it kept, and begin to listen."""
        await self._ports.store.open()
        await self._desk.sync.refresh_counts()
        await self.sign_in.load()
        for source in self._ports.scanners:
            source.start(self.scan)
        self._background.for_ever(
            self._scan_loop(), self._draw_loop(), self._tick_loop(), self._desk.sync.run()
        )
        self._draw()

    async def run(self) -> None:
        """Run until something fails for good; its error comes out here, and no verdict stays."""
        failure = await self._background.failure()
        self._clear_work()
        raise failure

    async def stop(self) -> None:
        """Stop listening and close everything; what a person has just touched is still written."""
        self.close_scan_sheet()
        for source in self._ports.scanners:
            source.stop()
        await self._background.stop()
        await self._ports.api.close()
        await self._ports.store.close()

    async def settle(self) -> None:
        """Wait until every scan and every touch so far has been worked through."""
        await self.queue.join()
        await self._background.settled()
        self._draw()

    async def _scan_loop(self) -> None:
        while True:
            read = await self.queue.get()
            try:
                await self._router.handle(read)
            finally:
                self.queue.done()
            self._draw()

    async def _draw_loop(self) -> None:
        """Draw at most ten times a second, however fast facts come in."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            self._draw()
            await asyncio.sleep(0.1)

    async def _tick_loop(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.tick()

    def tick(self) -> None:
        """Once a second: locks, distances, leases, alarm rhythm."""
        if self._desk.sessions.lock_when_idle():
            self._came_down()
        self._end_toast()
        self.alarms.tick()
        self._draw()

    def _changed(self) -> None:
        self._dirty.set()

    # --- drawing ------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Bring every visible state up to date; unchanged states tell nobody."""
        if self._desk.session is None and self.state.screen is not Screen.SIGN_IN:
            self._leave()
        locked = self._desk.sessions.locked
        if locked and not self.state.locked:
            self.sign_in.ask_pin()
        self._set(
            replace(
                self.state,
                locked=locked,
                status=status_bar(self._desk),
                can_go_back=self.state.screen not in ROOTS and self.state.screen is not Screen.SIGN_IN,
            )
        )
        self.sign_in.refresh()
        self.alarms.refresh()
        self.check.refresh()
        self.care.refresh()
        self._draw_screen()

    def _draw_screen(self) -> None:
        match self.state.screen:
            case Screen.TODAY:
                self.today.refresh()
            case Screen.WARD:
                self.ward.refresh()
            case Screen.PATIENT:
                self.patient.refresh()
            case Screen.ROUND:
                self.round.refresh()
            case Screen.FORM:
                self.forms.refresh()
            case Screen.UPLOADS:
                self.uploads.refresh()
            case _:
                pass

    # --- scanning -----------------------------------------------------------------------------------

    def scan(self, read: Read | Broken) -> None:
        """Take a read from any scanner; call it on the event loop's own thread."""
        self.touch()
        if not self.queue.put(read):
            self._desk.cue(Cue.REFUSED)
            self.toast(Msg("scan.too-fast"), Tone.WARN)

    # --- moving -------------------------------------------------------------------------------------

    def go(self, screen: Screen) -> None:
        """Open a root page, or a page whose content was opened before."""
        self.touch()
        if self._desk.session is None or screen is self.state.screen:
            return
        if screen in ROOTS:
            self._history = []
        else:
            self._history.append(self.state.screen)
        self._show(screen)

    def back(self) -> None:
        """Go back; an unrecorded check asks first, because a reserved task and scans would be lost."""
        self.touch()
        screen = self.state.screen
        given = screen is Screen.CHECK and self.check.is_open and self.check.state.verdict.kind == "give"
        if given or (screen is Screen.CARE and self.care.state.verdict.kind == "give"):
            self.ask(LEAVE_CHECK, lambda answer: self._go_back() if answer == "leave" else None)
            return
        self._go_back()

    def _go_back(self) -> None:
        if self.state.screen is Screen.CHECK:
            self.check.clear()
        elif self.state.screen is Screen.CARE:
            self.care.clear()
        self._show(self._history.pop() if self._history else Screen.TODAY)

    def open_patient(self, patient_id: str) -> None:
        """The patient's page."""
        self.patient.open(patient_id)
        self.go(Screen.PATIENT)
        self._draw()

    def open_task(self, task_id: str) -> None:
        """Whatever a task is: its running infusion, or its check."""
        task = self._desk.book.get(Task, task_id)
        order = self._desk.book.get(Order, task.order_id) if task else None
        if task is None:
            return
        if order is not None and order.kind == task.kind and self.care.takes(order.kind):
            self.care.begin(order.kind, task_id=task.id)
            self.go(Screen.CARE)
            return
        running = [one for one in infusions.running(self._desk, task.patient_id) if one.task_id == task.id]
        if running:
            self.open_infusion(running[0].id)
        elif order is not None:
            self.check.begin(task_id=task.id)
            self.go(Screen.CHECK)
        else:
            self.open_patient(task.patient_id)

    def open_form(self, kind: str, patient_id: str = "") -> None:
        """What is written down of a patient: vital signs, intake and output, critical values."""
        self.forms.open(kind, patient_id or self.patient.patient_id)
        self.go(Screen.FORM)

    def open_infusion(self, infusion_id: str) -> None:
        """The round of one infusion."""
        self.round.open(infusion_id)
        self.go(Screen.ROUND)

    def _show(self, screen: Screen) -> None:
        self.close_scan_sheet()
        self._set(replace(self.state, screen=screen))
        self._draw()

    def _check_done(self, patient_id: str) -> None:
        self.toast(self._desk.recorded_text(), Tone.OK)
        running, now = infusions.running(self._desk, patient_id), self._desk.now()
        started = [one for one in running if (now - one.started_at).total_seconds() < 10]
        self._history = []
        if started:
            self.round.open(started[-1].id)
            self._history = [Screen.TODAY]
            self._show(Screen.ROUND)
        else:
            self._show_patient(patient_id)
        self.check.clear()

    def _show_patient(self, patient_id: str) -> None:
        self.patient.open(patient_id)
        self._history = [Screen.TODAY]
        self._show(Screen.PATIENT)

    def _round_done(self, patient_id: str) -> None:
        self.toast(self._desk.recorded_text(), Tone.OK)
        self._show_patient(patient_id)

    def _care_done(self, patient_id: str, kind: str) -> None:
        """Another tube of the same patient keeps the page; after everything else comes the patient."""
        self.toast(self._desk.recorded_text(), Tone.OK)
        if kind:
            self._show_patient(patient_id)

    def _clear_work(self) -> None:
        self.check.clear()
        self.care.clear()
        self.forms.clear()

    def _go_to_alarm(self, alarm: Alarm) -> None:
        if alarm.infusion_id and self._desk.book.get(Infusion, alarm.infusion_id) is not None:
            self.open_infusion(alarm.infusion_id)
        elif alarm.patient_id:
            self.open_patient(alarm.patient_id)

    # --- session ------------------------------------------------------------------------------------

    def touch(self) -> None:
        """Somebody is there: the idle time begins again."""
        if not self._desk.sessions.locked:
            self._desk.sessions.touch()

    def lock(self) -> None:
        """Lock now; the work below stays."""
        if self._desk.session is not None:
            self._desk.sessions.locked = True
            self._came_down()

    def _came_down(self) -> None:
        self.close_scan_sheet()
        self._draw()

    def sign_out(self) -> None:
        """Hand the handheld on: unrecorded work is thrown away, what was recorded is sent later."""
        self._leave()
        self._background.spawn(self._sign_out())

    async def _sign_out(self) -> None:
        await self._desk.sessions.sign_out()
        self._desk.sync.forget()

    def _leave(self) -> None:
        self._clear_work()
        self.round.open("")
        self.patient.open("")
        self._begin_anew()
        self._on_answer = None
        self.close_scan_sheet()
        self._set(replace(self.state, screen=Screen.SIGN_IN, dialog=None, locked=False))
        self.sign_in.ask_badge(Msg("sign-in.wiped") if self._desk.sync.wiped else "")

    def _begin_anew(self) -> None:
        """What the nurse before looked for must not hide a task from the next."""
        self._history = []
        self.today.reset()
        self.ward.reset()

    def _signed_in(self, same_nurse: bool) -> None:
        """The pad was right. Another nurse never sees the work of the one before."""
        if not same_nurse:
            self._clear_work()
            self.round.open("")
            self._begin_anew()
            self.close_scan_sheet()
            self._set(replace(self.state, screen=Screen.TODAY, dialog=None))
        self._background.spawn(self._load())

    async def _load(self) -> None:
        try:
            await self._desk.sync.load()
        except UnavailableError as error:
            self._desk.failed(error)
        self._desk.sync.kick()
        self._draw()
