"""A hospital of any size for the benches: wards of 40 beds, in each bed a demo patient with one monitor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import insert

from clinical.exchange import Ward
from clinical.policy import SitePolicy
from clinical.records import Association, Device, Encounter, Generation, Label, Patient, Practitioner
from server import sites
from server.people.service import hash_pin
from server.people.store import add_credential
from server.sites import Site
from server.storage import schema
from server.storage.codec import to_text
from server.storage.engine import open_engine, upgrade
from server.storage.store import Store, UnitOfWork

WARD_BEDS = 40
BADGE, PIN = "N20713", "2580"
VALUES = (
    ("MDC_ECG_HEART_RATE", "/min", 72),
    ("MDC_PULS_OXIM_SAT_O2", "%", 97),
    ("MDC_RESP_RATE", "/min", 16),
    ("MDC_PULS_OXIM_PULS_RATE", "/min", 72),
    ("MDC_TEMP_BODY", "Cel", 36.7),
    ("MDC_PRESS_BLD_NONINV_SYS", "mm[Hg]", 121),
    ("MDC_PRESS_BLD_NONINV_DIA", "mm[Hg]", 78),
    ("MDC_PRESS_BLD_NONINV_MEAN", "mm[Hg]", 92),
    ("MDC_PULS_OXIM_PERF_REL", "%", 4.2),
    ("MDC_AWAY_CO2_ET", "mm[Hg]", 38),
)
"""What each monitor measures every second: code, unit, a usual value."""
WAVES = ("MDC_ECG_ELEC_POTL_II", "MDC_PULS_OXIM_PLETH")


@dataclass(frozen=True, slots=True)
class Bed:
    """One bed of the bench."""

    number: int

    @property
    def ward(self) -> str:
        """Id of its ward."""
        return f"W{self.number // WARD_BEDS + 1:03d}"

    @property
    def name(self) -> str:
        """Its name within the ward."""
        return f"{self.number % WARD_BEDS + 1:02d}"

    @property
    def node(self) -> str:
        """Id of the bedside node."""
        return f"bed-{self.number:05d}"

    @property
    def device(self) -> str:
        """Id of the monitor."""
        return f"serial:monitor-{self.number:05d}"

    @property
    def patient(self) -> str:
        """Id of who lies there."""
        return f"P-{self.number:05d}"

    @property
    def encounter(self) -> str:
        """Id of the stay of who lies there."""
        return f"E-{self.number:05d}"


def plant(url: str, beds: int) -> list[str]:
    """Fill an empty store with a hospital and return the ids of its wards."""
    engine = open_engine(url)
    upgrade(engine)
    store = Store(engine, lambda: datetime.now(UTC))
    every = [Bed(number) for number in range(beds)]
    site = _site(every)
    try:
        store.write(lambda unit: _load(unit, site, every))
    finally:
        store.close()
    return list(site.wards)


def _site(beds: list[Bed]) -> Site:
    names: dict[str, list[str]] = {}
    for bed in beds:
        names.setdefault(bed.ward, []).append(bed.name)
    policy = SitePolicy.default()
    return Site(
        wards={
            ward: Ward(id=ward, display=Label(zh=ward, en=ward), zone="Asia/Shanghai", beds=tuple(of_ward))
            for ward, of_ward in names.items()
        },
        generations=dict.fromkeys(names, Generation.DEMO),
        policy=policy,
        policy_document=policy.to_dict(),
    )


def _load(unit: UnitOfWork, site: Site, beds: list[Bed]) -> None:
    sites.save(unit.connection, site)
    roles = ("nurse", "charge-nurse", "engineer")
    unit.put(Practitioner(id=BADGE, name="王丽", name_latin="WANG Li", roles=roles, badge=BADGE))
    add_credential(unit.connection, BADGE, BADGE, hash_pin(PIN))
    for bed in beds:
        for record in _records(bed, unit.now - timedelta(hours=1)):
            unit.put(record)
    rows = [
        {"id": bed.node, "ward": bed.ward, "beds": to_text([bed.name]), "since": unit.now, "status": ""}
        for bed in beds
    ]
    unit.connection.execute(insert(schema.nodes), rows)


def _records(bed: Bed, since: datetime) -> Iterator[Patient | Encounter | Device | Association]:
    yield Patient(
        id=bed.patient, mrn=f"{bed.number:05d}", name="张建国", birth_date=date(1958, 6, 14),
        generation=Generation.DEMO,
    )  # fmt: skip
    yield Encounter(
        id=bed.encounter, patient_id=bed.patient, status="in-progress", ward=bed.ward, bed=bed.name,
        admitted_at=since,
    )  # fmt: skip
    yield Device(
        id=bed.device, kind="monitor", profile="bench_monitor", label=f"M-{bed.number:05d}", serial="",
        generation=Generation.DEMO,
    )  # fmt: skip
    yield Association(
        id=f"A-{bed.number:05d}", device_id=bed.device, encounter_id=bed.encounter, start=since, by="bed"
    )
