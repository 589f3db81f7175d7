"""The server's HTTP application in this very process, over a ward whose clock stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from clinical.exchange import Ward
from clinical.records import Practitioner
from server.app import create_app
from server.context import Context
from server.people import service as people
from server.settings import Listener, ServerSettings, Storage, WardFiles
from server.sites import Site
from server.storage.store import Store
from server.sync.service import ChangeSignal

LIMITS = people.Limits(attempts=5, lockout=timedelta(minutes=5), life=timedelta(hours=12))


def with_second_ward(site: Site) -> Site:
    """The same site with a ward W2 beside the first."""
    second = Ward(
        id="W2", display=site.first.display, zone=site.first.zone, beds=tuple(f"2{n}" for n in range(1, 9))
    )
    return replace(
        site,
        wards=site.wards | {"W2": second},
        generations=site.generations | {"W2": site.generations[site.first.id]},
    )


def put_person(store: Store, person_id: str, *roles: str, wards: tuple[str, ...] = ("W1",)) -> Practitioner:
    """Put somebody on record, without badge or PIN."""
    person = Practitioner(id=person_id, name=person_id, roles=roles, badge=person_id, wards=wards)
    store.write(lambda unit: unit.put(person))
    return person


def token_of(store: Store, person_id: str, handheld: str = "pda-1") -> str:
    """A fresh session of somebody, without the slow hash."""
    person = store.picture.get(Practitioner, person_id)
    assert person is not None
    opened = store.write(
        lambda unit: people.open_session(unit, LIMITS, person, kind="bearer", handheld=handheld)
    )
    return opened[0]


@contextmanager
def serving(
    store: Store, site: Site, tmp_path: Path, *, listener: dict[str, Any] | None = None, **parts: Any
) -> Iterator[TestClient]:
    """A client without a session; ``authorization`` is the caller's."""
    settings = ServerSettings(
        server=Listener(state_dir=tmp_path, **(listener or {})),
        storage=Storage(url="sqlite://"),
        ward=WardFiles(seed=tmp_path / "ward.toml"),
    )
    loop = asyncio.new_event_loop()
    context = Context(settings=settings, store=store, site=site, hubs={}, signal=ChangeSignal(loop), **parts)
    try:
        with TestClient(create_app(context), base_url="http://ward", raise_server_exceptions=False) as client:
            yield client
    finally:
        context.doors.pool.shutdown()
        loop.close()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}
