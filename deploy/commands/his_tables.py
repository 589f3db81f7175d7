"""``wardlink his map`` and ``his reconcile``: the ward's mapping tables, and both sides beside each other.

``map import`` writes the store and so needs it for itself: stop the server, or let somebody who may map codes
use the worklist of the running one. Everything else only reads.
"""

from __future__ import annotations

import argparse
import getpass
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical.errors import BadInputError, ConflictError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from server.his.tables import Tables
    from server.sites import Site


def configure(actions: Any) -> None:
    """Declare the options of both."""
    about = "mapping tables: import FILE, list, unmapped"
    tables = actions.add_parser("map", help=about, description=about, allow_abbrev=False)
    tables.add_argument("what", choices=("import", "list", "unmapped"))
    tables.add_argument("file", nargs="?", type=Path, metavar="FILE", help="import: .csv or .toml")
    tables.add_argument("--system", default="", help="list: only this table")
    tables.add_argument("--by", default="", help="import: who does it, for the audit (default: the account)")
    about = "compare a CSV export of the hospital (kind,key,value) with the ward"
    both = actions.add_parser("reconcile", help=about, description=about, allow_abbrev=False)
    both.add_argument("file", type=Path, metavar="FILE")
    for action in (tables, both):
        action.add_argument("--config", type=Path, required=True, help="the server's settings file (TOML)")
        action.add_argument("--json", action="store_true", help="one JSON document")


@contextmanager
def _engine(config: Path) -> Iterator[Engine]:
    from server import settings
    from server.storage.engine import address, open_engine

    storage = settings.read(config).storage
    engine = open_engine(address(storage.url, storage.pg_schema))
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def reading(config: Path) -> Iterator[tuple[Connection, Site]]:
    """Open the ward's store for reading.

    Raises:
        BadInputError: There is no store yet.
    """
    from sqlalchemy.exc import DBAPIError

    from server import sites

    with _engine(config) as engine:
        try:
            with engine.connect() as connection, connection.begin():
                site = sites.load(connection)
                if site is None:
                    raise BadInputError("no-store", "this store holds no ward yet; start the server once")
                yield connection, site
        except DBAPIError as error:
            raise BadInputError(
                "no-store", "there is no store at this address; start the server once"
            ) from error


def tables_of(config: Path) -> Tables:
    """Return the tables by which this ward reads messages."""
    from server.hospital_maps import reading_tables

    with reading(config) as (connection, _):
        return reading_tables(connection)


def run_map(args: argparse.Namespace) -> int:
    """Import, list, or say what is missing."""
    return {"import": _import, "list": _list, "unmapped": _unmapped}[args.what](args)


def _import(args: argparse.Namespace) -> int:
    from server import hospital_maps
    from server.storage import ownership
    from server.storage.store import Store

    if args.file is None:
        raise BadInputError("usage", "say which file: his map import FILE")
    rows, digest = hospital_maps.read(args.file)
    by = args.by or f"engineer:{getpass.getuser()}"
    with reading(args.config) as (_, site), _engine(args.config) as engine:
        owner = ownership.of(engine)
        try:
            free = owner.try_take()
        except ConflictError:
            free = False
        if not free:
            raise ConflictError(
                "server-running", "the server is running on this store; stop it, import, and start it again"
            )
        owner.let_go()
        with closing(Store(engine, lambda: datetime.now(UTC))) as store:
            done = store.write(lambda unit: hospital_maps.take(unit, site, rows, by=by[:96], digest=digest))
    return _show(args, asdict(done), f"version {done.version}: {done.added} new, {done.changed} changed")


def _list(args: argparse.Namespace) -> int:
    from server import hospital_maps

    with reading(args.config) as (connection, _):
        version, rows = hospital_maps.listed(connection, args.system)
    document = {"version": version, "rows": [[row.system, row.code, row.target] for row in rows]}
    return _show(args, document, "\n".join(f"{row.system},{row.code},{row.target}" for row in rows))


def _unmapped(args: argparse.Namespace) -> int:
    from server import hospital_maps

    with reading(args.config) as (connection, site):
        missing = hospital_maps.unmapped(connection, site)
    document = {"unmapped": [asdict(one) | {"last": one.last.isoformat()} for one in missing]}
    lines = [f"{one.count:5} × {one.system:12} {one.code}  {one.text}" for one in missing]
    return _show(args, document, "\n".join(lines) or "every code that was used is mapped")


def run_reconcile(args: argparse.Namespace) -> int:
    """Compare both sides; that they differ is an answer and no failure."""
    from server import hospital_reconcile

    with reading(args.config) as (connection, _):
        result = hospital_reconcile.compare(
            hospital_reconcile.read(args.file), hospital_reconcile.ward_side(connection)
        )
    document = {
        "equal": result.equal,
        "compared": dict(result.compared),
        "differences": [asdict(one) for one in result.differences],
    }
    lines = [f"{one.kind} {one.key}: hospital {one.hospital or '–'}, ward {one.ward or '–'}"
             for one in result.differences]  # fmt: skip
    counts = ", ".join(f"{count} {kind}" for kind, count in result.compared.items())
    return _show(args, document, "\n".join([*lines, f"{'equal' if result.equal else 'DIFFERENT'}: {counts}"]))


def _show(args: argparse.Namespace, document: dict[str, Any], text: str) -> int:
    print(json.dumps(document, ensure_ascii=False) if args.json else text)
    return 0
