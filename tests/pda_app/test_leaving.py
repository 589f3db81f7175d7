"""A nurse says on the patient's page that the devices of somebody who was moved or sent home are off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from clinical.exchange import DeviceReleased
from clinical.records import Association, Encounter
from tests.support.handheld import Rig, at

Play = Callable[..., None]
pytestmark = [pytest.mark.requirement("R-INF-03"), pytest.mark.hazard("H-INF-02")]


def test_devices_that_wait_are_confirmed_with_one_button_and_no_others(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.open_patient("p1")
        assert rig.app.patient.state.release == ""
        rig.app.patient.release()
        assert rig.app.state.dialog is None
        stay = rig.app.desk.book.get(Encounter, "e-p1")
        assert stay is not None
        on = Association(
            id="a1", device_id="d1", encounter_id=stay.id, start=at(-60), release_asked_at=at(-1)
        )
        kept = replace(on, id="a2", device_id="d2", release_asked_at=None)
        gone = replace(on, id="a3", end=at(-1))
        leaving = replace(stay, status="leaving", leaves_as="finished")
        rig.server.change(encounters=(leaving,), associations=(on, kept, gone))
        await rig.synced()
        rig.app.ward.refresh()
        assert "p1" in [card.patient_id for card in rig.app.ward.state.cards]
        assert rig.text(rig.app.patient.state.release) == "设备已全部取下"
        for answer in ("leave", "off"):
            rig.app.patient.release()
            assert rig.app.state.dialog is not None
            rig.app.answer_dialog(answer)
            await rig.app.settle()
        await rig.synced()
        sent = [one for one in rig.server.events.values() if isinstance(one, DeviceReleased)]
        assert [one.association_id for one in sent] == ["a1"]
        assert rig.app.patient.state.release == ""

    signed_in(scenario)
