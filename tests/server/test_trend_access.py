"""The trend of a stay that has left the picture is still shown to its own ward alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clinical.errors import NotFoundError, RefusedError
from clinical.records import Encounter
from server.context import Context
from server.observations.routes import read_trend
from server.people.service import Session
from tests.server.conftest import WardBench


class _Ctx:
    def __init__(self, ward: WardBench) -> None:
        self.store = ward.store


class _Who:
    """A person of one ward with every role asked for."""

    def __init__(self, ward: str) -> None:
        self._ward = ward

    def require(self, *_roles: str) -> None:
        return None

    def require_ward(self, ward: str) -> None:
        if ward != self._ward:
            raise RefusedError("ward", "another ward's")


def ask(ward: WardBench, who: str, stay: str) -> list[object]:
    session: Session = _Who(who)  # type: ignore[assignment]
    context: Context = _Ctx(ward)  # type: ignore[assignment]
    since = ward.clock() - timedelta(hours=1)
    return list(read_trend(stay, session, context, "MDC_PULS_RATE", since, ward.clock(), 10).points)


@pytest.mark.requirement("R-SRV-34")
@pytest.mark.hazard("H-SRV-03")
def test_a_stay_of_long_ago_belongs_to_its_ward_and_one_that_never_was_is_unknown(ward: WardBench) -> None:
    ward.admit("1001", "01")
    stay = next(iter(ward.store.picture.all(Encounter)))
    ward.store.write(lambda unit: unit.retire(Encounter, stay.id))
    assert ask(ward, "W1", stay.id) == []
    with pytest.raises(RefusedError):
        ask(ward, "W2", stay.id)
    with pytest.raises(NotFoundError):
        ask(ward, "W1", "E-never")
