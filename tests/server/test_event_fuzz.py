"""Every kind of event, made from its own dataclass and then damaged: each gets its outcome, nothing stops."""

from __future__ import annotations

import copy
import dataclasses
import random
import types
import typing
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clinical.exchange import Event
from clinical.records import Task
from server.storage import care
from server.sync import events
from tests.server.storage.test_store import HARD_NAMES
from tests.support.ward_http import bearer, serving, token_of

pytestmark = [pytest.mark.requirement("R-SRV-12"), pytest.mark.hazard("H-SRV-07")]
KINDS = typing.get_args(Event)
NOW = datetime(2026, 5, 4, 1, 0, tzinfo=UTC)
JUNK = [
    None, "", -1, 2**60, 1e300, True, [], {}, "\x00", "\ud800", "x" * 9_000, "2026-05-04T09:00:00", "NaN",
    *HARD_NAMES,
]  # fmt: skip
STATUSES = {"accepted", "accepted-exception", "duplicate", "refused", "replayed", "refresh"}


def of(hint: Any, names: list[str]) -> st.SearchStrategy[Any]:
    """Values of a type as a handheld would write them, with ids that the ward knows among the texts."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        return st.one_of([of(one, names) for one in inner])
    if origin is typing.Literal:
        return st.sampled_from(inner)
    if origin is tuple:
        if inner[-1] is Ellipsis:
            return st.lists(of(inner[0], names), max_size=2).map(tuple)
        return st.tuples(*(of(one, names) for one in inner))
    if origin in {list, frozenset}:
        return st.lists(of(inner[0], names), max_size=2)
    if origin in {dict, typing.Mapping} or str(origin).endswith("Mapping'>"):
        return st.dictionaries(st.sampled_from(names), of(inner[1], names), max_size=2)
    if dataclasses.is_dataclass(hint):
        return record(hint, names)
    return _plain(hint, names)


def _plain(hint: Any, names: list[str]) -> st.SearchStrategy[Any]:
    plain: dict[Any, Callable[[], st.SearchStrategy[Any]]] = {
        str: lambda: st.sampled_from(names) | st.text(max_size=12),
        int: lambda: st.integers(-3, 500),
        float: lambda: st.floats(-10, 500, allow_nan=False),
        bool: st.booleans,
        Decimal: lambda: st.decimals(-1, 500, places=1, allow_nan=False),
        datetime: lambda: st.integers(-90, 30).map(lambda minutes: NOW + timedelta(minutes=minutes)),
        date: lambda: st.just(NOW.date()),
        type(None): st.none,
    }
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    return plain[hint]()


def record(kind: Any, names: list[str]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    fields = {field.name: hints[field.name] for field in dataclasses.fields(kind)}
    return st.builds(kind, **{name: of(hint, names) for name, hint in fields.items()})


def damaged(item: dict[str, Any], seed: int) -> dict[str, Any]:
    """The same event with one leaf, somewhere, that is not what it should be."""
    chance = random.Random(seed)
    broken = copy.deepcopy(item)
    place: Any = broken
    while True:
        keys = [key for key in (place if isinstance(place, dict) else range(len(place))) if key != "type"]
        if not keys:
            return broken
        key = chance.choice(list(keys))
        if isinstance(place[key], dict | list) and place[key] and chance.random() < 0.7:
            place = place[key]
            continue
        place[key] = chance.choice(JUNK)
        return broken


@pytest.fixture
def names(ward: Any) -> list[str]:
    """Ids that an event of this ward may name, and texts that break programs."""
    ward.admit("1001", "01")
    task = ward.task_of(ward.order_bag("1001", "B1"))
    bag = ward.bag(task.id)
    assert ward.store.picture.get(Task, task.id)
    return [
        "", task.id, "O-B1", bag.id, "E-V1001", "P-1001", "N20713", "I-1", "ble:c0-00-00-00-01-01", "pda-1",
        "IV", *HARD_NAMES,
    ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_event_gets_its_outcome_whatever_is_in_it(ward: Any, names: list[str], kind: Any) -> None:
    session, done = ward.session(), 0

    @given(event=record(kind, names), seed=st.integers(0, 2**32))
    @settings(
        max_examples=6, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def post(event: Any, seed: int) -> None:
        nonlocal done
        done += 1
        event = dataclasses.replace(event, id=f"{kind.__name__}-{done}", operator="N20713")
        whole = msgspec.json.decode(msgspec.json.encode(event))
        outcomes = events.receive(ward.store, ward.site, session, [whole, damaged(whole, seed)])
        assert {one.status for one in outcomes} <= STATUSES
        again = events.receive(ward.store, ward.site, session, [whole])[0]
        assert again.status in {"replayed", "refused"}

    post()
    url = ward.store.engine.url.render_as_string(hide_password=False)
    assert care.verify(url)["problems"] == []


def test_half_of_a_character_pair_is_put_aside_and_stops_none_of_the_others(
    ward: Any, tmp_path: Path
) -> None:
    """A handheld sends its outbox until it is taken: one text that no store holds must not hold it up."""
    half = '{"type": "alarm-acknowledged", "id": "\\ud800", "operator": "a\\ud800", "at": NaN}'
    good = (
        '{"type": "scan-refused", "id": "e-2", "at": "2026-05-04T01:00:00Z", "sent": "2026-05-04T01:00:00Z",'
    )
    good += ' "operator": "N20713", "handheld": "pda-1", "reason": "unreadable"}'
    with serving(ward.store, ward.site, tmp_path) as client:
        head = bearer(token_of(ward.store, "N20713")) | {"content-type": "application/json"}
        answer = client.post("/api/v1/events", headers=head, content=f'{{"events": [{half}, {good}]}}')
        assert answer.status_code == 200, answer.text
        outcomes = [(one["event_id"], one["status"]) for one in answer.json()["outcomes"]]
    assert outcomes == [("", "refused"), ("e-2", "accepted")]
    with ward.store.reading() as connection:
        kept = connection.exec_driver_sql("SELECT body FROM quarantined_events").scalar()
    assert "\\ud800" in kept
