"""What left a ward is listed for handhelds that were away, but not for ever."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from clinical.records import Wristband
from server.storage import picture as pictures
from server.storage import schema
from server.storage.picture import Change, Entry, Picture
from server.storage.rows import read_picture
from server.sync.service import Cursor, changes


@pytest.mark.requirement("R-SRV-04")
@pytest.mark.hazard("H-SRV-04")
def test_the_list_of_what_left_is_bounded_and_an_old_reader_starts_anew(
    any_ward: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MOST_GONE", 20)
    monkeypatch.setattr(pictures, "FORGOTTEN_AT_ONCE", 5)
    ward = any_ward
    ward.admit("1001", "01")
    first = ward.store.picture.cursor
    for number in range(40):
        band = Wristband(id=f"b{number}", patient_id="P-1001", serial=str(number))
        ward.store.write(lambda unit, band=band: unit.put(band))
        ward.store.write(lambda unit, band=band: unit.retire(Wristband, band.id))
    picture = ward.store.picture
    assert len(picture.gone) <= 20
    assert first < picture.floor < picture.cursor
    with ward.store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.fact_removals)) == len(picture.gone)
        again = read_picture(connection, picture.epoch)
    assert (again.gone, again.floor) == (picture.gone, picture.floor)

    def answer(since: int) -> Any:
        return changes(picture, ward.site, "W1", Cursor(since=since, epoch=picture.epoch), ward.clock())

    assert answer(first).complete
    assert not answer(picture.floor).complete
    assert set(answer(picture.floor).removed["wristbands"]) == {key[2] for key in picture.gone}


def test_a_picture_that_loses_nothing_forgets_nothing() -> None:
    band = Wristband(id="b", patient_id="p", serial="1")
    before = Picture(epoch="e", kinds={"wristbands": {"b": Entry(band, 1, "W1")}})
    after = before.after(2, [Change("wristbands", "b", band, None, "W1")])
    assert (after.floor, dict(after.gone)) == (0, {("W1", "wristbands", "b"): 2})
