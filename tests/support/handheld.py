"""Fakes of the handheld's own ports, and a small ward whose facts are easy to reason about."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from clinical.bedside_check import Snapshot, check
from clinical.bedside_check.model import (
    CheckRequest,
    Confirmation,
    Finding,
    Right,
    ScanMethod,
    Severity,
    Verdict,
    Word,
)
from clinical.chart_records import CriticalValue
from clinical.errors import RefusedError, UnavailableError
from clinical.exchange import Changes, Charted, CheckAnswer, Event, Lease, Outcome, Ward
from clinical.identifiers import hospital
from clinical.policy import SitePolicy
from clinical.records import (
    Alarm,
    AlarmPriority,
    Allergy,
    Bag,
    CareLevel,
    Device,
    Dose,
    Encounter,
    Facts,
    Flow,
    Generation,
    Ingredient,
    Label,
    Order,
    OrderItem,
    Patient,
    Practitioner,
    Product,
    Sex,
    Task,
    TaskStatus,
    Validity,
    Wristband,
)
from pda_app.adapters.local_store import EncryptedStore
from pda_app.adapters.sealing import PinCost, stretch
from pda_app.ports import Cue, Ports, Read, SecondPin, SignedIn, Verifier
from pda_app.presenters.app import App
from pda_app.settings import HandheldSettings, Look, Security, Server

NOW = datetime(2026, 11, 25, 1, 42, tzinfo=UTC)  # 09:42 on the ward
ZONE = "Asia/Shanghai"
FAST = PinCost(memory_kib=64, passes=1)
NURSE = Practitioner(id="N20713", name="王丽", name_latin="WANG Li", roles=("nurse",), badge="N20713")
OTHER_NURSE = Practitioner(id="N20488", name="陈静", roles=("nurse",), badge="N20488")
DOCTOR = Practitioner(id="D30115", name="李明远", roles=("doctor",), badge="D30115")
PINS = {"N20713": "274913", "N20488": "580264"}
WARD = Ward(id="W1", display=Label(zh="演示病区", en="Demo ward"), zone=ZONE, beds=("01", "02", "03"))


def at(minutes: float) -> datetime:
    """So many minutes from now."""
    return NOW + timedelta(minutes=minutes)


def wristband(mrn: str) -> Read:
    """What a scanner reads from this patient's wristband."""
    return Read(raw=hospital.encode("wristband", mrn, "1"), method=ScanMethod.SCAN)


def bag(bag_id: str) -> Read:
    """What a scanner reads from this bag."""
    return Read(raw=hospital.encode("bag", bag_id), method=ScanMethod.SCAN)


def badge(number: str) -> Read:
    """What a scanner reads from this badge."""
    return Read(raw=hospital.encode("badge", number), method=ScanMethod.SCAN)


def device_label(uid: str) -> Read:
    """What a scanner reads from this device's label."""
    return Read(raw=hospital.encode("device", uid), method=ScanMethod.SCAN)


def patient(number: int, name: str, latin: str) -> Patient:
    """A demo patient."""
    return Patient(
        id=f"p{number}",
        mrn=f"M{number:06d}",
        name=name,
        name_latin=latin,
        sex=Sex.MALE,
        birth_date=date(1958, 6, 14),
        allergy_status="none",
        generation=Generation.DEMO,
    )


def product(id_: str, zh: str, en: str, unit: str = "{tablet}", strength: str = "47.5") -> Product:
    """A formulary entry with one ingredient."""
    label = Label(zh=zh, en=en)
    ingredient = Ingredient(code=f"i-{id_}", display=label, strength=Dose(value=Decimal(strength), unit="mg"))
    form = "infusion-solution" if unit == "mL" else "tablet"
    return Product(id=id_, display=label, unit=unit, form=form, ingredients=(ingredient,))


def drug_order(id_: str, patient_id: str, product_id: str, planned: datetime, **changes: Any) -> Order:
    """A daily tablet."""
    item = OrderItem(
        product_id=product_id,
        display=Label(zh=product_id, en=product_id),
        dose=Dose(value=Decimal("47.5"), unit="mg"),
    )
    order = Order(
        id=id_,
        version=1,
        status="active",
        encounter_id=f"e-{patient_id}",
        patient_id=patient_id,
        kind="medication",
        category="standing",
        items=(item,),
        route="PO",
        frequency="qd",
        start=planned - timedelta(days=1),
        nurse_verified=True,
        pharmacist_verified=True,
        changed_at=planned - timedelta(days=1),
    )
    return replace(order, **changes)


def task_of(order: Order, planned: datetime, side_min: int = 60) -> Task:
    """The execution of an order that is planned for this time."""
    return Task(
        id=f"t-{order.id}",
        order_id=order.id,
        order_version=order.version,
        encounter_id=order.encounter_id,
        patient_id=order.patient_id,
        kind=order.kind,
        status=TaskStatus.PENDING,
        planned_at=planned,
        earliest=planned - timedelta(minutes=side_min),
        latest=planned + timedelta(minutes=side_min),
    )


def bag_of(order: Order) -> Bag:
    """A checked bag for an order."""
    return Bag(
        id=f"b-{order.id}",
        order_id=order.id,
        order_version=order.version,
        patient_id=order.patient_id,
        task_id=f"t-{order.id}",
        printed_at=at(-60),
        prepared_by="N20488",
        checked_by="N10021",
        state="checked",
    )


def ward_facts() -> Facts:
    """Three patients: a tablet on time, one 102 minutes late, an infusion due now."""
    people = (
        patient(1, "张建国", "ZHANG Jianguo"),
        patient(2, "李秀兰", "LI Xiulan"),
        patient(3, "王志强", "WANG Zhiqiang"),
    )
    products = (
        product("metoprolol", "美托洛尔缓释片", "Metoprolol ER"),
        product("aspirin", "阿司匹林肠溶片", "Aspirin EC"),
        product("saline", "0.9% 氯化钠", "0.9% NaCl", unit="mL", strength="9"),
    )
    on_time = drug_order("o1", "p1", "metoprolol", at(0))
    late = drug_order("o2", "p2", "aspirin", at(-102), frequency="bid")
    water = OrderItem(
        product_id="saline",
        display=Label(zh="盐水", en="NaCl"),
        dose=Dose(value=Decimal(100), unit="mL"),
        role="base",
    )
    drip = drug_order(
        "o3",
        "p3",
        "saline",
        at(0),
        kind="infusion",
        items=(water,),
        route="IVPB",
        frequency="bid",
        rate_ml_h=Decimal(120),
        volume_ml=Decimal(100),
        drops_per_ml=20,
    )
    orders = (on_time, late, drip)
    return Facts(
        practitioners=(NURSE, OTHER_NURSE, DOCTOR),
        patients=people,
        encounters=tuple(
            Encounter(
                id=f"e-{one.id}",
                patient_id=one.id,
                status="in-progress",
                ward="W1",
                bed=f"0{number}",
                admitted_at=at(-9000),
                care_level=CareLevel.FIRST,
                diagnosis="心衰",
            )
            for number, one in enumerate(people, start=1)
        ),
        wristbands=tuple(Wristband(id=f"{one.mrn}/1", patient_id=one.id, serial="1") for one in people),
        allergies=(
            Allergy(
                id="a1",
                patient_id="p1",
                substance="penicillin",
                display=Label(zh="青霉素", en="penicillin"),
                reaction="皮疹",
            ),
        ),
        products=products,
        orders=orders,
        tasks=(task_of(on_time, at(0)), task_of(late, at(-102)), task_of(drip, at(0))),
        bags=tuple(bag_of(order) for order in orders),
        devices=(
            Device(
                id="ble:c0-00-00-00-01-01",
                kind="drip-sensor",
                profile="wardlink_drip",
                label="D-0101",
                generation=Generation.DEMO,
            ),
        ),
    )


def alarm(
    id_: str,
    bed: str,
    condition: str = "no-flow",
    priority: AlarmPriority = AlarmPriority.HIGH,
    **changes: Any,
) -> Alarm:
    """An alarm that calls."""
    made = Alarm(
        id=id_,
        condition=condition,
        kind="physiological",
        priority=priority,
        present=True,
        signal="on",
        started_at=at(-1),
        bed=bed,
        patient_id=f"p{int(bed)}",
        encounter_id=f"e-p{int(bed)}",
    )
    return replace(made, **changes)


def flow(infusion_id: str, effective: datetime, **changes: Any) -> Flow:
    """A measured flow, 15 % fast."""
    made = Flow(
        id=infusion_id,
        effective=effective,
        validity=Validity.VALID,
        gtt_min=46.0,
        rate_ml_h=138.0,
        infused_ml=40.0,
        remaining_ml=60.0,
        time_left_min=26.0,
        state="fast",
        deviation_percent=15.0,
    )
    return replace(made, **changes)


class FakeClock:
    """A clock that a test moves."""

    def __init__(self, now: datetime = NOW) -> None:
        self.utc, self.mono = now, 1000.0

    def now(self) -> datetime:
        return self.utc

    def monotonic(self) -> float:
        return self.mono

    def advance(self, seconds: float) -> None:
        self.utc += timedelta(seconds=seconds)
        self.mono += seconds


class FakeSound:
    """Remembers the cues."""

    def __init__(self) -> None:
        self.played: list[Cue] = []
        self.is_silent = False

    def play(self, cue: Cue) -> None:
        self.played.append(cue)


class FakeSpeech:
    """Remembers the sentences."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def say(self, text: str, language: str) -> None:
        self.said.append((text, language))


class FakeBattery:
    """A full enough battery."""

    def percent(self) -> int | None:
        return 80


@dataclass
class FakeServer:
    """A ward server in memory: the real check over its own facts, leases, idempotent events.

    ``up`` False refuses connections; ``silent`` True takes requests and never answers; ``gone`` answers 410.
    """

    clock: FakeClock
    facts: Facts = field(default_factory=ward_facts)
    up: bool = True
    silent: bool = False
    gone: bool = False
    sessions_valid: bool = True
    refusal: str = "session"  # with which code an invalid session is refused
    cursor: int = 1
    epoch: str = "epoch-1"
    events: dict[str, Event] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    checks: list[CheckRequest] = field(default_factory=list)
    sign_ins: int = 0
    confirmed: list[SecondPin] = field(default_factory=list)
    charted: dict[str, Charted] = field(default_factory=dict)  # sets of observations
    called: dict[str, CriticalValue] = field(default_factory=dict)
    verifier_life: timedelta = timedelta(hours=12)
    clock_offset_s: float = 0.0

    def now(self) -> datetime:
        return self.clock.now() + timedelta(seconds=self.clock_offset_s)

    def change(self, **facts: Any) -> None:
        """Replace or add records; everybody who polls hears of it."""
        for kind, records in facts.items():
            merged = {one.id: one for one in getattr(self.facts, kind)} | {one.id: one for one in records}
            self.facts = replace(self.facts, **{kind: tuple(merged.values())})
        self.cursor += 1

    def give_outcome(self, event_type: str, status: str, code: str = "") -> None:
        """The next events of this type get this outcome."""
        self.outcomes[event_type] = Outcome(event_id="", status=status, code=code)


class FakeApi:
    """One handheld's connection to the fake server."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.token = ""

    def use(self, token: str) -> None:
        self.token = token

    async def _reach(self, *, signed: bool = True) -> None:
        if not self.server.up:
            raise UnavailableError("server-silent", "down")
        if self.server.silent:
            await asyncio.sleep(3600)
        if self.server.gone:
            raise RefusedError("device-wiped", "gone")
        if signed and not (self.token and self.server.sessions_valid):
            raise RefusedError(self.server.refusal, "sign in first")

    async def sign_in(self, badge: str, pin: str, handheld: str) -> SignedIn:
        del handheld
        await self._reach(signed=False)
        person = next((one for one in self.server.facts.practitioners if one.id == badge), None)
        if person is None or PINS.get(badge) != pin:
            raise RefusedError("sign-in", "wrong")
        self.server.sign_ins += 1
        self.server.sessions_valid = True
        return SignedIn(
            token=f"token-{badge}",
            expires=self.server.now() + timedelta(hours=12),
            practitioner=person,
            ward=WARD,
            offline_verifier=verifier(pin, self.server.now() + self.server.verifier_life),
        )

    async def sign_out(self) -> None:
        await self._reach()

    async def changes(self, ward: str, *, since: int, epoch: str, wait_s: float) -> Changes:
        del ward
        await self._reach()
        server = self.server
        complete = since == 0 or epoch != server.epoch
        if not complete and since == server.cursor:
            await self._wait(server, since, wait_s)
        changed = complete or since != server.cursor
        return Changes(
            epoch=server.epoch,
            since=since,
            cursor=server.cursor,
            at=server.now(),
            complete=changed,
            ward=WARD,
            facts=server.facts if changed else Facts(),
            policy=SitePolicy.default().to_dict() if complete else {},
        )

    @staticmethod
    async def _wait(server: FakeServer, since: int, wait_s: float) -> None:
        for _ in range(int(wait_s * 100)):
            if server.cursor != since:
                return
            await asyncio.sleep(0.01)

    async def check(self, request: CheckRequest) -> CheckAnswer:
        await self._reach()
        server = self.server
        server.checks.append(request)
        now = server.now()
        snapshot = Snapshot.of(server.facts, version=f"{server.epoch}:{server.cursor}", fetched_at=now)
        result = check(replace(request, now=now), snapshot, SitePolicy.default())
        if result.word is not Word.GIVE:
            return CheckAnswer(result=result, at=now)
        held = server.leases.get(result.task_id)
        if held is not None and held.operator != request.operator.id and held.expires > now:
            finding = Finding(
                code="TASK-LEASED",
                severity=Severity.STOP,
                right=Right.SYSTEM,
                params=(("operator", held.operator),),
            )
            result = replace(
                result, word=Word.STOP, verdict=Verdict.STOP, findings=(finding, *result.findings)
            )
            return CheckAnswer(result=result, at=now)
        lease = Lease(
            id=f"lease-{request.id}",
            task_id=result.task_id,
            operator=request.operator.id,
            expires=now + timedelta(seconds=120),
        )
        server.leases[result.task_id] = lease
        return CheckAnswer(result=result, lease=lease, at=now)

    async def confirm(self, second: SecondPin) -> Confirmation:
        await self._reach()
        person = next((one for one in self.server.facts.practitioners if one.badge == second.badge), None)
        if person is None or PINS.get(second.badge) != second.pin:
            raise RefusedError("sign-in", "wrong")
        self.server.confirmed.append(second)
        return Confirmation(by=person.id, purpose=second.purpose.value, token=f"proof-{second.request.id}")

    async def send(self, events: Sequence[Event]) -> tuple[Outcome, ...]:
        await self._reach()
        return tuple(self._take(event) for event in events)

    def _take(self, event: Event) -> Outcome:
        if event.id in self.server.events:
            return Outcome(event_id=event.id, status="replayed")
        self.server.events[event.id] = event
        if isinstance(event, Charted) and event.observed is not None:
            self.server.charted[event.id] = event
        if isinstance(event, Charted) and event.critical is not None:
            self.server.called[event.id] = event.critical
        planned = self.server.outcomes.get(event.type, Outcome(event_id="", status="accepted"))
        return replace(planned, event_id=event.id)

    async def close(self) -> None:
        self.token = ""

    def sent(self, kind: type[Any]) -> list[Any]:
        """Events of one class that arrived."""
        return [event for event in self.server.events.values() if isinstance(event, kind)]


def verifier(pin: str, expires: datetime) -> Verifier:
    """What the server sends so that the same PIN is known offline."""
    salt = b"0123456789abcdef"
    made = stretch(pin, salt, FAST)
    params = {"m": FAST.memory_kib, "t": FAST.passes, "p": FAST.lanes, "length": 32}
    return Verifier(
        salt=base64.b64encode(salt).decode(),
        params=params,
        hash=base64.b64encode(made).decode(),
        expires=expires,
    )


@dataclass
class Rig:
    """One handheld on the fake server."""

    app: App
    server: FakeServer
    api: FakeApi
    clock: FakeClock
    sound: FakeSound
    speech: FakeSpeech
    store: EncryptedStore

    async def sign_in(self, number: str = "N20713", pin: str = "") -> None:
        """Badge and PIN, as a nurse does it."""
        self.app.scan(badge(number))
        await self.app.settle()
        for digit in pin or PINS[number]:
            self.app.sign_in.digit(digit)
        await self.app.settle()

    async def scan(self, *reads: Any) -> None:
        """Scan one after the other, and wait for what follows."""
        for read in reads:
            self.app.scan(read)
            await self.app.settle()

    async def second_pin(self, pin: str = PINS["N20488"]) -> None:
        """The second person types her PIN, key by key as the sheet shows it, and confirms."""
        check = self.app.check
        for digit in pin:
            assert check.state.second is not None
            assert check.state.second.secret
            check.second_value(check.state.second.value + digit)
        check.second_done()
        await self.app.settle()

    async def sign_out_and_in(self, number: str) -> None:
        """Let another person be known on this handheld; then the first one goes on."""
        for person in (number, "N20713"):
            self.app.sign_out()
            await self.app.settle()
            await self.sign_in(person)
            await self.synced()

    async def synced(self, seconds: float = 60.0) -> None:
        """Wait until the server's newest facts are here and kept, and nothing waits to be sent."""
        async with asyncio.timeout(seconds):
            while not await self._is_synced():  # noqa: ASYNC110 - several states, not one event
                await asyncio.sleep(0.01)
        await self.app.settle()

    async def _is_synced(self) -> bool:
        sync, book = self.app.desk.sync, self.app.desk.book
        if not sync.link.online or book.cursor != self.server.cursor or sync.counts.queued:
            return False
        kept = await self.store.kept()
        return kept is not None and kept.changes.cursor == book.cursor

    async def until(self, condition: Any, seconds: float = 60.0) -> None:
        """Wait for something to become true."""
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - any condition, not one event
                await asyncio.sleep(0.01)

    def text(self, message: Any, language: str = "zh") -> str:
        """A message in words."""
        from pda_app.i18n import Catalog

        return Catalog(language).text(message)


def settings(directory: Path, **security: Any) -> HandheldSettings:
    """Settings with short waits."""
    return HandheldSettings(
        handheld="pda-01",
        state_dir=directory,
        demo=True,
        server=Server(url="https://server.test", check_silence_s=0.2, poll_s=5.0),
        security=Security(**security),
        look=Look(),
    )


@asynccontextmanager
async def handheld(directory: Path, server: FakeServer | None = None, **security: Any) -> Any:
    """A running handheld; stopped afterwards."""
    clock = server.clock if server is not None else FakeClock()
    server = server or FakeServer(clock=clock)
    api, sound, speech = FakeApi(server), FakeSound(), FakeSpeech()
    store = EncryptedStore(directory, cost=FAST)
    ports = Ports(api=api, store=store, clock=clock, sound=sound, speech=speech, battery=FakeBattery())
    app = App(settings=settings(directory, **security), ports=ports)
    await app.start()
    try:
        yield Rig(app=app, server=server, api=api, clock=clock, sound=sound, speech=speech, store=store)
    finally:
        await app.stop()
