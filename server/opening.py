"""Opens the store a server owns: the one it is told of, or the first of several that no other server has."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog

from clinical.errors import BadInputError, UnavailableError
from server import seed as seeds
from server import sites
from server.settings import ServerSettings
from server.sites import Site
from server.storage import ownership
from server.storage.engine import address, open_engine, upgrade
from server.storage.ownership import TRY_EVERY_S
from server.storage.store import Clock, Store

log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """Return the present."""
    return datetime.now(UTC)


def open_store(settings: ServerSettings, clock: Clock = utc_now) -> tuple[Store, Site]:
    """Open the store, bring it to the newest schema, and load the seed on the first start.

    On PostgreSQL this waits for as long as another server owns the store.

    Raises:
        BadInputError: The settings, seed or policy cannot be used.
        UnavailableError: The store does not answer.
    """
    settings.server.state_dir.mkdir(parents=True, exist_ok=True)
    engine = open_engine(address(settings.storage.url, settings.storage.pg_schema))
    upgrade(engine)
    store = Store(engine, clock)
    return store, _site(store, settings)


def open_first(
    choices: Sequence[ServerSettings],
    clock: Clock = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[ServerSettings, Store, Site]:
    """Open the first store that no server has; waits while each has one.

    So one process more than there are stores stands by for all of them.

    Raises:
        BadInputError: Of several stores one is not PostgreSQL, or settings, seed or policy cannot be used.
        UnavailableError: No store answers at the first try.
    """
    if len(choices) == 1:
        return choices[0], *open_store(choices[0], clock)
    if any(not one.storage.url.startswith("postgresql") for one in choices):
        raise BadInputError("storage-choice", "only servers of PostgreSQL stores stand by for each other")
    told = False
    while True:
        for settings in choices:
            store = _if_free(settings, clock, told=told)
            if store is not None:
                log.info("store-taken", pg_schema=settings.storage.pg_schema)
                return settings, store, _site(store, settings)
        if not told:
            log.info("standing-by", stores=len(choices))
            told = True
        sleep(TRY_EVERY_S)


def _if_free(settings: ServerSettings, clock: Clock, *, told: bool) -> Store | None:
    settings.server.state_dir.mkdir(parents=True, exist_ok=True)
    engine = open_engine(address(settings.storage.url, settings.storage.pg_schema))
    owner = ownership.of(engine)
    try:
        if upgrade(engine, wait=False) and owner.try_take():
            return Store(engine, clock, owner)
    except UnavailableError:
        if not told:
            raise
        log.warning("store-unreachable")
    engine.dispose()
    return None


def _site(store: Store, settings: ServerSettings) -> Site:
    with store.reading() as connection:
        site = sites.load(connection)
    if site is None:
        seed, policy = seeds.read(settings.ward.seed), seeds.read_policy(settings.ward.policy)
        site = seeds.plant(store, seed, policy)
        log.info("seed-loaded", ward=site.first.id)
    return site
