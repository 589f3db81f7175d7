"""A nurse of a shift: the whole handheld without its window, over real HTTP, through a Wi-Fi that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from clinical.bedside_check.model import CheckRequest, ScanMethod
from clinical.errors import UnavailableError
from clinical.exchange import Changes, CheckAnswer, Event, Outcome
from clinical.identifiers import hospital
from clinical.records import Infusion, Task, Wristband
from clinical.schedule import task_id
from pda_app.adapters.http import HttpApi
from pda_app.adapters.local_store import EncryptedStore
from pda_app.ports import Api, Ports, Read, SignedIn
from pda_app.presenters.app import App
from pda_app.presenters.states import Screen
from pda_app.settings import HandheldSettings, Security, Server
from tests.support.handheld import FAST, FakeBattery, FakeSound, FakeSpeech
from tests.support.shift_clock import ShiftClock

T = TypeVar("T")


class Wifi:
    """The handheld's way to the server. ``down``: nothing passes; ``swallows``: no answer comes back."""

    def __init__(self, api: HttpApi) -> None:
        self._api = api
        self.state = "up"
        self.sent: dict[str, Event] = {}
        self.uploads = 0

    def use(self, token: str) -> None:
        self._api.use(token)

    async def _pass(self, work: Callable[[], Any]) -> Any:
        if self.state == "down":
            raise UnavailableError("server-silent", "no network")
        answer = await work()
        if self.state != "up":
            raise UnavailableError("server-silent", "the answer was lost")
        return answer

    async def sign_in(self, badge: str, pin: str, handheld: str) -> SignedIn:
        signed: SignedIn = await self._pass(lambda: self._api.sign_in(badge, pin, handheld))
        return signed

    async def sign_out(self) -> None:
        await self._pass(self._api.sign_out)

    async def changes(self, ward: str, *, since: int, epoch: str, wait_s: float) -> Changes:
        got: Changes = await self._pass(
            lambda: self._api.changes(ward, since=since, epoch=epoch, wait_s=wait_s)
        )
        return got

    async def check(self, request: CheckRequest) -> CheckAnswer:
        answer: CheckAnswer = await self._pass(lambda: self._api.check(request))
        return answer

    async def confirm(self, second: Any) -> Any:
        return await self._pass(lambda: self._api.confirm(second))

    async def send(self, events: Sequence[Event]) -> tuple[Outcome, ...]:
        self.sent |= {event.id: event for event in events}
        self.uploads += len(events) if self.state != "down" else 0
        outcomes: tuple[Outcome, ...] = await self._pass(lambda: self._api.send(events))
        return outcomes

    async def close(self) -> None:
        await self._api.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What a nurse did with her hands: the raw input of the ledger."""

    at: datetime
    nurse: str
    did: str  # given, refused, held, started, completed, stopped-early, patrol, stop-seen
    mrn: str
    placer: str
    slot: datetime | None
    saw: str = ""
    offline: bool = False
    infusion: str = ""


@dataclass(slots=True)
class Nurse:
    """Scans, reads the big word, touches; a surprise fails the shift at once."""

    badge: str
    pin: str
    app: App
    wifi: Wifi
    clock: ShiftClock
    cursor: Callable[[], int]
    acts: list[Act] = field(default_factory=list)

    # ---- hands
    async def sign_in(self) -> None:
        await self.scan(hospital.encode("badge", self.badge))
        for digit in self.pin:
            self.app.sign_in.digit(digit)
        await self.app.settle()
        await self.until(lambda: self.app.state.screen is Screen.TODAY, "signed in")
        await self.synced()

    async def scan(self, raw: str) -> None:
        self.app.scan(Read(raw=raw, method=ScanMethod.SCAN))
        await self.app.settle()

    async def until(self, condition: Callable[[], Any], what: str, seconds: float = 20.0) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, f"{self.badge}: {what}; {self.sees()}"
            await asyncio.sleep(0.005)

    def sees(self) -> str:
        """What the screen says, for a failure."""
        check = self.app.check.state
        lines = ",".join(line.code for line in check.findings)
        return (
            f"{self.app.state.screen} {check.verdict.kind} [{lines}] {check.primary} {self.app.state.toast}"
        )

    async def synced(self) -> None:
        """Everything written is sent, and the newest facts are here; without network nothing is awaited."""
        if self.wifi.state == "up":
            sync = self.app.desk.sync
            await self.until(
                lambda: (
                    sync.link.online and not sync.counts.queued and self.app.desk.book.cursor >= self.cursor()
                ),
                "the handheld should be up to date",
            )
        await self.app.settle()

    async def answer_alarms(self) -> int:
        """Take over what calls, one after the other: nothing else can be done while an alarm is shown."""
        count = 0
        while self.app.alarms.state.current is not None:
            before = self.app.alarms.state.current.alarm_id
            self.app.alarms.acknowledge()
            await self.app.settle()
            await self.synced()
            current = self.app.alarms.state.current
            assert current is None or current.alarm_id != before, "an acknowledged alarm should leave"
            count += 1
        return count

    async def _begin(self, mrn: str, item: str, device: str = "") -> str:
        """Wristband, item, perhaps a sensor; returns the big word when the screen has settled.

        An alarm in between covers the screen and refuses the scan: she takes it over and begins again.
        """
        for _ in range(6):
            await self.synced()
            await self.answer_alarms()
            self.app.go(Screen.TODAY)
            codes = [self.wristband(mrn), item, *([hospital.encode("device", device)] if device else [])]
            if not await self._scan_all(codes):
                continue
            if device:
                self.app.check.site("left-forearm")
            await self.app.settle()
            await self.until(lambda: self.app.check.state.verdict.kind != "waiting", "a verdict")
            return str(self.app.check.state.verdict.kind)
        raise AssertionError(f"{self.badge} came to nothing: {self.sees()}")

    async def _scan_all(self, codes: list[str]) -> bool:
        """Scan one after the other; False when an alarm came in between."""
        for raw in codes:
            if self.app.alarms.state.current is not None:
                return False
            await self.scan(raw)
        return self.app.alarms.state.current is None

    def wristband(self, mrn: str) -> str:
        bands = self.app.desk.book.all(Wristband)
        band = next(one for one in bands if one.patient_id == f"P-{mrn}" and one.active)
        return hospital.encode("wristband", mrn, band.serial)

    async def _record(self) -> None:
        self.app.check.primary()
        await self.app.settle()
        await self.until(lambda: not self.app.check.is_open, "recorded")
        await self.synced()

    def _note(self, did: str, mrn: str, placer: str, slot: datetime | None, **said: Any) -> None:
        act = Act(
            at=self.clock(), nurse=self.badge, did=did, mrn=mrn, placer=placer, slot=slot,
            offline=self.wifi.state != "up", **said,
        )  # fmt: skip
        self.acts.append(act)

    # ---- what a nurse does
    async def give(self, mrn: str, placer: str, slot: datetime, item: str) -> None:
        """A dose on time: GIVE, recorded."""
        word = await self._begin(mrn, item)
        assert word == "give", f"{placer} for {mrn}: {self.sees()}"
        await self._record()
        self._note("given", mrn, placer, slot, saw=word)

    async def sees_stop(self, mrn: str, placer: str, item: str) -> None:
        """A check that has to say STOP; nothing is recorded."""
        word = await self._begin(mrn, item)
        assert word == "stop", f"{placer} for {mrn}: {self.sees()}"
        self._note("stop-seen", mrn, placer, None, saw=word)
        self.app.back()
        await self.synced()

    async def not_given(self, mrn: str, placer: str, slot: datetime, outcome: str, reason: str) -> None:
        """Held or refused, with its reason."""
        await self.synced()
        await self.answer_alarms()
        self.app.open_task(task_id(f"O-{placer}", slot))
        await self.app.settle()
        check = self.app.check
        check.secondary()
        check.outcome(outcome)
        check.not_given_reason(reason)
        check.record_not_given()
        await self.app.settle()
        await self.until(lambda: not check.is_open, "recorded as not given")
        await self.synced()
        self._note(outcome, mrn, placer, slot)

    async def verdict_of(self, mrn: str, item: str) -> str:
        """Scan and read the big word; nothing is recorded yet."""
        return await self._begin(mrn, item)

    def gives_way(self, mrn: str, placer: str) -> None:
        """Read STOP because somebody else is at it, and leave."""
        self._note("stop-seen", mrn, placer, None, saw="stop")
        self.app.back()

    async def records(self, mrn: str, placer: str, slot: datetime) -> None:
        """Give what GIVE was read for."""
        await self._record()
        self._note("given", mrn, placer, slot, saw="give")

    def back_online(self) -> None:
        """The network is there again; the handheld would find out by itself a little later."""
        self.wifi.state = "up"
        self.app.desk.sync.kick()

    async def clear_the_page(self) -> None:
        """Take over every alarm of the page of alarms that nobody has."""
        while True:
            await self.synced()
            rest = [row.alarm_id for row in self.app.alarms.state.rows if not row.acknowledged]
            if not rest:
                return
            self.app.alarms.show(rest[0])
            self.app.alarms.acknowledge()
            await self.app.settle()
            await self.synced()
            left = {row.alarm_id for row in self.app.alarms.state.rows if not row.acknowledged}
            assert rest[0] not in left, "an alarm of the page should be taken over"

    async def start(self, mrn: str, placer: str, slot: datetime, bag: str, device: str) -> str:
        """Open a bag with its sensor; returns the id of the infusion that runs now."""
        word = await self._begin(mrn, bag, device)
        assert word == "give", f"{placer} for {mrn}: {self.sees()}"
        known = {one.id for one in self.app.desk.book.all(Infusion)}
        await self._record()
        made = next(
            one for one in self.app.desk.book.all(Infusion)
            if one.id not in known and one.order_id == f"O-{placer}"
        )  # fmt: skip
        self._note("started", mrn, placer, slot, saw=word, infusion=made.id)
        return made.id

    async def finish(self, mrn: str, placer: str, slot: datetime, infusion: str, mode: str) -> None:
        """Complete a bag, or stop it early."""
        await self._round(infusion)
        rounds = self.app.round
        rounds.secondary()
        rounds.mode(mode)
        rounds.residual("0" if mode == "complete" else "40")
        if mode == "stop-early":
            rounds.finish_reason("order-stopped")
        rounds.finish()
        await self.app.settle()
        await self.synced()
        did = "completed" if mode == "complete" else "stopped-early"
        self._note(did, mrn, placer, slot, infusion=infusion)

    async def set_rate(self, mrn: str, placer: str, slot: datetime, infusion: str, rate: str) -> None:
        """Turn the clamp to the new rate that was ordered, and say so."""
        await self._round(infusion)
        rounds = self.app.round
        rounds.secondary()
        rounds.mode("rate")
        assert rounds.state.sheet is not None
        assert rounds.state.sheet.record.enabled, self.sees()
        rounds.finish()
        await self.app.settle()
        await self.synced()
        self._note("rate-set", mrn, placer, slot, infusion=infusion, saw=rate)

    async def patrol(self, mrn: str, placer: str, slot: datetime, infusion: str) -> None:
        """Look at a bag: the site is well."""
        await self._round(infusion)
        self.app.round.finding("normal")
        self.app.round.primary()
        await self.app.settle()
        await self.synced()
        self._note("patrol", mrn, placer, slot, infusion=infusion)

    async def _round(self, infusion: str) -> None:
        await self.synced()
        await self.answer_alarms()
        self.app.go(Screen.TODAY)
        self.app.open_infusion(infusion)
        await self.app.settle()
        assert self.app.round.state.infusion_id == infusion, self.sees()

    def task(self, placer: str, slot: datetime) -> Task | None:
        """A task as this handheld knows it."""
        return self.app.desk.book.get(Task, task_id(f"O-{placer}", slot))


def make(
    badge: str, pin: str, url: str, directory: Path, clock: ShiftClock, cursor: Callable[[], int]
) -> Nurse:
    """A nurse with a handheld of her own."""
    name = f"pda-{badge}"
    settings = HandheldSettings(
        handheld=name, state_dir=directory / name, demo=True,
        server=Server(url=url, poll_s=5, check_silence_s=10),
        security=Security(pin_length=len(pin), lock_after_s=7 * 86_400),
    )  # fmt: skip
    wifi = Wifi(HttpApi(url))
    api: Api = wifi
    ports = Ports(
        api=api, store=EncryptedStore(directory / name, cost=FAST), clock=clock, sound=FakeSound(),
        speech=FakeSpeech(), battery=FakeBattery(),
    )  # fmt: skip
    return Nurse(badge, pin, App(settings=settings, ports=ports), wifi, clock, cursor)
