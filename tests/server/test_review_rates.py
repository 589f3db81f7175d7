"""A rate that is told late, and a sensor that hangs at a bed: what runs now is what counts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert

from clinical.records import Association
from server.his.port import MovePatient, Place
from server.storage.schema import device_places
from tests.server.test_infusions import DRIP, change, open_alarms
from tests.server.test_leaving import hang_drip


@pytest.mark.requirement("R-SRV-08")
@pytest.mark.hazard("H-SRV-06")
def test_an_older_rate_that_is_told_late_never_takes_the_place_of_the_one_that_runs(ward: Any) -> None:
    hang_drip(ward)
    before = ward.clock()
    ward.clock.move(minutes=5)
    change(ward, "c2", "rate", rate_ml_h=Decimal(80))
    ward.clock.move(minutes=5)
    late = change(ward, "c1", "rate", rate_ml_h=Decimal(40), at=before)
    assert (late.status, late.code) == ("accepted-exception", "INF-TRANSITION")
    assert ward.infusion("I-s1").rate_ml_h == Decimal(80)
    assert "given-against-order" in open_alarms(ward)


@pytest.mark.requirement("R-SRV-08")
@pytest.mark.hazard("H-SRV-06")
def test_a_sensor_of_a_bed_that_watches_a_running_bag_moves_with_the_patient_unasked(ward: Any) -> None:
    place = {"device_id": DRIP, "ward": "W1", "bed": "01"}
    ward.store.write(lambda unit: unit.connection.execute(insert(device_places).values(**place)))
    hang_drip(ward)
    moved = MovePatient(mrn="1001", visit_number="V1001", place=Place(ward="W1", bed="02"), at=ward.clock())
    assert ward.hospital.apply(moved).ok
    [watching] = [
        one
        for one in ward.store.picture.all(Association)
        if one.device_id == DRIP and one.infusion_id and one.end is None
    ]
    assert watching.release_asked_at is None
