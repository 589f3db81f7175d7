"""The record of one bag: acts, rounds, the line that was set and the curve that was measured."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from broker.messages import Clock, Readings, Value
from clinical.codes import DROP_COUNT, INFUSED
from clinical.exchange import PatrolRecorded
from clinical.records import Generation, InfusionEntry
from server.infusions import record
from server.infusions.flow import FlowWatch
from server.ingest.commit import BatchWriter
from server.ingest.decode import Decoded
from server.storage import keeper
from server.storage.schema import samples
from server.ticker import tidy
from tests.server.test_infusions import DRIP, change, send, start
from tests.support.ward_http import bearer, put_person, serving, token_of

pytestmark = [pytest.mark.requirement("R-INF-08"), pytest.mark.hazard("H-INF-03")]


def drip(ward: Any, minutes: int, ml_per_min: float) -> None:
    """The sensor counts, a reading every ten seconds."""
    writer = BatchWriter(FlowWatch(ward.site.policy))
    begun, batch = ward.infusion("I-s1").started_at, []
    for number in range(minutes * 6):
        ward.clock.move(seconds=10)
        now = ward.clock()
        ml = (now - begun).total_seconds() / 60 * ml_per_min
        values = [
            Value(code=DROP_COUNT, n=Decimal(round(ml * 20)), unit="1"),
            Value(code=INFUSED, n=Decimal(str(round(ml, 3))), unit="mL"),
        ]
        seq = int(now.timestamp()) + number
        reading = Readings(
            node="bed-01", boot="b", outbox="o", seq=seq, sent=now, id=f"r{seq}", device=DRIP,
            profile="wardlink_drip", effective=now, mono_ns=0, clock=Clock(state="synchronised"),
            generation=Generation.DEMO, values=values,
        )  # fmt: skip
        batch.append(Decoded(reading, False))
    ward.store.write(lambda unit: writer.write(unit, batch))


def look(ward: Any, event_id: str) -> None:
    said = {"at": ward.clock(), "sent": ward.clock(), "operator": "N20713", "handheld": "pda-1"}
    event = PatrolRecorded(
        id=event_id, infusion_id="I-s1", seen_gtt_min=19.0, remaining_ml=88.0, site_finding="redness", **said
    )
    assert send(ward, event).status == "accepted"


def of(ward: Any) -> record.InfusionRecord:
    with ward.store.reading() as connection:
        return record.read(connection, record.find(connection, "I-s1").infusion, ward.clock())


@pytest.fixture
def dripped(any_ward: Any) -> Any:
    """A bag set to 60 mL/h that runs at 54, looked at, paused and completed."""
    any_ward.admit("1001", "01")
    any_ward.order_bag("1001", "B1")
    assert start(any_ward).status == "accepted"
    drip(any_ward, 10, 0.9)
    look(any_ward, "p1")
    any_ward.clock.move(seconds=1)
    assert change(any_ward, "c1", "pause").status == "accepted"
    any_ward.clock.move(minutes=5)
    assert change(any_ward, "c2", "resume").status == "accepted"
    assert change(any_ward, "c3", "rate", rate_ml_h=Decimal(90)).code == "INF-RATE-SET"
    any_ward.clock.move(minutes=10)
    return any_ward


def test_the_record_has_every_act_and_round_the_set_line_and_the_counted_curve(dripped: Any) -> None:
    found = of(dripped)
    assert [one.action for one in found.entries] == ["start", "patrol", "pause", "resume", "rate"]
    assert [one.by for one in found.entries] == ["N20713"] * 5
    look_ = found.entries[1]
    assert (look_.site_finding, look_.seen_gtt_min, look_.remaining_ml) == ("redness", 19.0, 88.0)
    assert found.entries[-1].flagged == "INF-RATE-SET"
    assert [round(one.ml, 1) for one in found.expected] == [0, 10, 10, 10, 25]
    assert len(found.measured) == 60
    assert found.measured[-1].ml == pytest.approx(9.0)
    assert found.measured[-1].at == dripped.infusion("I-s1").started_at + timedelta(minutes=10)


def test_the_record_outlives_the_picture_and_its_single_counts(dripped: Any) -> None:
    change(dripped, "c4", "complete", residual_ml=Decimal(0))
    dripped.store.write(lambda unit: keeper.remake(unit.connection))
    dripped.store.write(lambda unit: unit.connection.execute(delete(samples)) and None)
    dripped.clock.move(hours=60)
    dripped.store.write(lambda unit: tidy(unit, timedelta(hours=1)))
    assert not list(dripped.store.picture.all(InfusionEntry))
    found = of(dripped)
    assert [one.action for one in found.entries][-1] == "complete"
    assert len(found.expected) == 5
    assert 8 <= len(found.measured) <= 11
    assert found.measured[-1].ml == pytest.approx(9.0, abs=1.0)


def test_a_long_curve_is_thinned_and_its_newest_point_stays(dripped: Any) -> None:
    drip(dripped, 31, 0.9)
    found = of(dripped)
    assert len(found.measured) <= record.POINTS
    assert found.measured[-1].at == dripped.clock()


def test_people_of_the_ward_read_it_and_nobody_else(ward: Any, tmp_path: Path) -> None:
    ward.admit("1001", "01")
    ward.order_bag("1001", "B1")
    start(ward)
    put_person(ward.store, "elsewhere", "nurse", wards=("W2",))
    with serving(ward.store, ward.site, tmp_path) as client:

        def status(person: str, infusion: str = "I-s1") -> int:
            head = bearer(token_of(ward.store, person))
            return client.get(f"/api/v1/infusions/{infusion}/record", headers=head).status_code

        head = bearer(token_of(ward.store, "N20713"))
        body = client.get("/api/v1/infusions/I-s1/record", headers=head).json()
        assert (body["infusion"]["id"], body["measured"], len(body["expected"])) == ("I-s1", [], 2)
        assert [one["action"] for one in body["entries"]] == ["start"]
        assert (status("elsewhere"), status("E90001"), status("N20713", "none")) == (403, 403, 404)
