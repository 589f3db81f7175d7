"""Stores, wards and people for the server's tests; real files, real clusters, real sockets."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from broker.local import free_ports
from clinical.bedside_check.model import (
    Action,
    CheckRequest,
    Entered,
    HandheldState,
    Operator,
    Scan,
    ScanMethod,
)
from clinical.exchange import AdministrationRecorded, InfusionStarted
from clinical.identifiers import hospital
from clinical.records import Bag, Generation, Infusion, Practitioner, Sex, Task
from server import seed as seeds
from server.devices import leaving
from server.his.port import AdmitPatient, Demographics, ItemFact, Place, PlaceOrder
from server.hospital import HospitalFactsService
from server.people.service import Session, hash_pin
from server.preparations import service as preparations
from server.sites import Site
from server.storage.engine import open_engine, upgrade
from server.storage.store import Store

WARD_FILE = Path(__file__).parents[1] / "data" / "ward.toml"
START = datetime(2026, 5, 4, 1, 0, tzinfo=UTC)  # 09:00 on the ward, a Monday


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


_PG = Path("/usr/lib/postgresql/15/bin")


def _as_postgres(*command: str) -> subprocess.CompletedProcess[str]:
    words = ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else list(command)
    return subprocess.run(words, check=True, capture_output=True, text=True, cwd="/", timeout=60)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A private cluster on a free loopback port; stopped and removed afterwards."""
    if os.environ.get("WARDLINK_NO_POSTGRES"):
        pytest.skip("WARDLINK_NO_POSTGRES is set")
    if not (_PG / "pg_ctl").exists():
        pytest.fail(
            "PostgreSQL 15 is missing: apt-get install -y postgresql-15 (or set WARDLINK_NO_POSTGRES=1)"
        )
    home = Path(tempfile.mkdtemp(prefix="wardlink-pg-"))
    home.chmod(0o755)
    data = home / "data"
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(data, "postgres")
    port = free_ports(1)[0]
    _as_postgres(str(_PG / "initdb"), "-D", str(data), "-U", "ward", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    log = data / "log.txt"
    _as_postgres(str(_PG / "pg_ctl"), "-D", str(data), "-w", "-l", str(log), "-o", options, "start")
    try:
        yield f"postgresql+psycopg://ward@127.0.0.1:{port}"
    finally:
        _as_postgres(str(_PG / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(home)


_numbers = itertools.count(1)


def _fresh_database(server_url: str) -> str:
    import psycopg

    name = f"ward{next(_numbers)}"
    address = server_url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server_url}/{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty store of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'any.db'}"
    return _fresh_database(request.getfixturevalue("postgres_url"))


OpenStore = Callable[[str], Store]


@pytest.fixture
def open_store_at(clock: FakeClock) -> Iterator[OpenStore]:
    """Open stores that are closed when the test ends."""
    opened: list[Store] = []

    def open_at(url: str) -> Store:
        engine = open_engine(url)
        upgrade(engine)
        store = Store(engine, clock)
        opened.append(store)
        return store

    yield open_at
    for store in opened:
        store.close()


@pytest.fixture
def any_store(any_url: str, open_store_at: OpenStore) -> Store:
    return open_store_at(any_url)


@pytest.fixture
def store(tmp_path: Path, open_store_at: OpenStore) -> Store:
    return open_store_at(f"sqlite:///{tmp_path / 'ward.db'}")


@dataclass
class WardBench:
    """A planted ward and the few things tests do to it."""

    store: Store
    site: Site
    clock: FakeClock
    hospital: HospitalFactsService

    def admit(self, mrn: str, bed: str, name: str = "张建国", *, demo: bool = True) -> str:
        fact = AdmitPatient(
            mrn=mrn,
            visit_number=f"V{mrn}",
            place=Place(ward="W1", bed=bed),
            who=Demographics(
                name=name, sex=Sex.MALE, birth_date=datetime(1958, 6, 14, tzinfo=UTC).date(), allergies=()
            ),
            at=self.clock() - timedelta(hours=3),
            demo=demo,
        )
        applied = self.hospital.apply(fact)
        assert applied.ok, applied
        return f"P-{mrn}"

    def off(self, mrn: str = "1001") -> None:
        """A nurse says that what was to come off a patient is off."""
        stay = f"E-V{mrn}"
        self.store.write(lambda unit: leaving.confirm(unit, stay, self.clock(), "N20713"))

    def order(self, mrn: str, placer: str, **said: object) -> str:
        fields: dict[str, object] = {
            "items": (ItemFact(code="PCT500", text="对乙酰氨基酚", amount=Decimal(1), unit="片"),),
            "route": "PO",
            "frequency": "once",
            "start": self.clock(),
            "at": self.clock(),
            "verified_by": "PH1",
        }
        applied = self.hospital.apply(PlaceOrder(mrn=mrn, placer_id=placer, **(fields | said)))  # type: ignore[arg-type]
        assert applied.ok, applied
        return f"O-{placer}"

    def order_bag(self, mrn: str, placer: str, **said: object) -> str:
        fields: dict[str, object] = {
            "kind": "infusion",
            "items": (ItemFact(code="NS100", text="氯化钠", amount=Decimal(100), unit="mL"),),
            "route": "IV",
            "rate_ml_h": Decimal(60),
            "volume_ml": Decimal(100),
            "drops_per_ml": 20,
        }
        return self.order(mrn, placer, **(fields | said))

    def task_of(self, order_id: str) -> Task:
        return next(task for task in self.store.picture.all(Task) if task.order_id == order_id)

    def bag(self, task_id: str) -> Bag:
        bag = self.store.write(lambda unit: preparations.label(unit, task_id, "N20488", self.site.policy))
        return self.made_up(bag.id)

    def made_up(self, bag_id: str, by: str = "N20488", checker: str = "N10001") -> Bag:
        """Take a labelled bag through the chain; nothing is scanned into it."""
        self.store.write(lambda unit: preparations.lay(unit, bag_id, by))
        self.store.write(lambda unit: preparations.prepare(unit, bag_id, by))
        return self.store.write(
            lambda unit: preparations.check(unit, bag_id, checker, self.site.policy, "no-code")
        )

    def session(self, person: str = "N20713") -> Session:
        practitioner = self.store.picture.get(Practitioner, person)
        assert practitioner is not None
        return Session(
            id="s1",
            practitioner=practitioner,
            kind="bearer",
            handheld="pda-1",
            expires=self.clock() + timedelta(hours=1),
        )

    def scan(self, raw: str) -> Scan:
        return Scan(raw=raw, method=ScanMethod.SCAN, at=self.clock())

    def request(
        self,
        request_id: str,
        action: Action = Action.GIVE,
        *,
        mrn: str = "1001",
        items: tuple[str, ...] = (),
        person: str = "N20713",
        **entered: object,
    ) -> CheckRequest:
        return CheckRequest(
            id=request_id,
            action=action,
            now=self.clock(),
            handheld=HandheldState(id="pda-1", last_time_sync=self.clock(), battery_percent=80),
            operator=Operator(id=person, roles=("nurse",), badge_at=self.clock()),
            patient_scan=self.scan(hospital.encode("wristband", mrn, "1")),
            items=tuple(self.scan(raw) for raw in items),
            entered=Entered(**entered),  # type: ignore[arg-type]
        )

    def given(
        self, event_id: str, task: Task, request: CheckRequest, **said: object
    ) -> AdministrationRecorded:
        fields: dict[str, object] = {
            "id": event_id,
            "at": self.clock(),
            "sent": self.clock(),
            "operator": request.operator.id,
            "handheld": "pda-1",
            "request": request,
            "task_id": task.id,
            "order_id": task.order_id,
            "order_version": task.order_version,
            "outcome": "given",
        }
        return AdministrationRecorded(**(fields | said))  # type: ignore[arg-type]

    def started(self, event_id: str, task: Task, request: CheckRequest, **said: object) -> InfusionStarted:
        fields: dict[str, object] = {
            "id": event_id,
            "at": self.clock(),
            "sent": self.clock(),
            "operator": request.operator.id,
            "handheld": "pda-1",
            "request": request,
            "infusion_id": f"I-{event_id}",
            "task_id": task.id,
            "order_id": task.order_id,
            "order_version": task.order_version,
            "bag_id": "",
            "rate_ml_h": Decimal(60),
            "drops_per_ml": 20,
            "volume_ml": Decimal(100),
            "device_id": "ble:c0-00-00-00-01-01",
        }
        return InfusionStarted(**(fields | said))  # type: ignore[arg-type]

    def infusion(self, infusion_id: str) -> Infusion:
        found = self.store.picture.get(Infusion, infusion_id)
        assert found is not None
        return found


@pytest.fixture
def bench_of(store: Store, clock: FakeClock) -> Callable[[Path, Path], WardBench]:
    """A bench over another seed and policy."""

    def make(seed: Path, policy: Path) -> WardBench:
        site = seeds.plant(store, read_seed(seed), seeds.read_policy(policy))
        return WardBench(store, site, clock, HospitalFactsService(store, site))

    return make


@functools.cache
def hashed_once(pin: str) -> str:
    return hash_pin(pin)


def read_seed(file: Path) -> seeds.Seed:
    """A seed whose PINs are hashed already: hashing is slow by design, and once is enough for all tests."""
    seed = seeds.read(file)
    people = tuple(
        one.model_copy(update={"pin": "", "pin_hash": hashed_once(one.pin)}) for one in seed.people
    )
    return seed.model_copy(update={"people": people})


def plant(store: Store, clock: FakeClock) -> WardBench:
    site = seeds.plant(store, read_seed(WARD_FILE), seeds.read_policy(None))
    assert site.generations["W1"] is Generation.DEMO
    return WardBench(store, site, clock, HospitalFactsService(store, site))


@pytest.fixture
def ward(store: Store, clock: FakeClock) -> WardBench:
    return plant(store, clock)


@pytest.fixture
def any_ward(any_store: Store, clock: FakeClock) -> WardBench:
    return plant(any_store, clock)
