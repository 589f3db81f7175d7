"""A backup while the ward goes on: it ends, and it is the store as it was at one instant."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from clinical.records import Patient
from server.storage import care, schema
from server.storage.engine import open_engine
from server.storage.store import Store, UnitOfWork

PORTIONS = 10
"""How often a copy pauses at this size; between them the ward commits."""


@pytest.mark.requirement("R-SRV-24")
@pytest.mark.hazard("H-SRV-01")
def test_a_backup_ends_while_the_ward_never_stops_writing(ward: Any, tmp_path: Path) -> None:
    store: Store = ward.store
    fill = text(
        "INSERT INTO ingest_quarantine (recorded, topic, reason, digest, payload) "
        "VALUES (0, 't', 'r', :digest, zeroblob(8192000))"
    )
    for number in range(PORTIONS):
        store.write(lambda unit, number=number: unit.connection.execute(fill, {"digest": str(number)}))
    going, ended = threading.Event(), threading.Event()

    def admit_and_note(unit: UnitOfWork) -> None:
        number = len(list(unit.all(Patient)))
        unit.put(Patient(id=f"P-{number}", mrn=str(number), name="张建国"))
        unit.audit("admit", actor="N20713", entity=f"patient:{number}")

    def go_on() -> None:
        while not ended.is_set():
            store.write(admit_and_note)
            going.set()

    writer = threading.Thread(target=go_on)
    writer.start()
    assert going.wait(10)
    began = time.monotonic()
    try:
        report = care.backup(f"sqlite:///{tmp_path / 'ward.db'}", tmp_path / "backup.db")
    finally:
        ended.set()
        writer.join()
    assert report["problems"] == []
    assert time.monotonic() - began < 10
    engine = open_engine(f"sqlite:///{tmp_path / 'backup.db'}")
    with engine.connect() as connection:
        patients = select(func.count()).select_from(schema.facts).where(schema.facts.c.kind == "patients")
        copied = connection.scalar(patients)
        admitted = connection.scalar(
            select(func.count()).select_from(schema.audit).where(schema.audit.c.action == "admit")
        )
    engine.dispose()
    assert 0 < copied == admitted < len(list(store.picture.all(Patient)))
