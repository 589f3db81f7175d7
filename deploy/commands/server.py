"""``wardlink server``: run the ward server.

How to start one to work against (handheld, web, demo)::

    wardlink server --config server.toml [--one-time N0001]

``server.toml``, smallest form (no broker, no hospital, plain HTTP on the loopback address only)::

    [server]
    state_dir = "state"
    plain_port = 8080
    [storage]
    url = "sqlite:////absolute/path/state/ward.db"
    [ward]
    seed = "ward.toml"          # see server/seed.py; an example is tests/data/ward.toml

When everything listens, one JSON line goes to standard output::

    {"ready": true, "urls": {"http": "http://127.0.0.1:8080"}, "mllp_port": 0, "one_time_code": "…"}

Servers that share a PostgreSQL database own a schema of it each (``[storage] pg_schema``). One that is given
several files takes the first store that no other server has, and stands by while each has one::

    wardlink server --config east.toml west.toml

``--one-time PERSON`` makes a one-time web sign-in for that person (``POST /api/v1/sessions/one-time``).
``--openapi`` prints the HTTP contract and ends. Stop with SIGTERM or Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from clinical.errors import BadInputError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``wardlink server``."""
    parser.add_argument(
        "--config", type=Path, nargs="+", help="settings file (TOML); of several the first with a free store"
    )
    parser.add_argument(
        "--one-time", default="", metavar="PERSON", help="print a one-time web sign-in for this person"
    )
    parser.add_argument(
        "--openapi", action="store_true", help="print the HTTP contract (OpenAPI, JSON) and end"
    )
    parser.add_argument("--json", action="store_true", help="errors as JSON too")


def run(args: argparse.Namespace) -> int:
    """Run the server until it is stopped."""
    if args.openapi:
        from server.app import create_app

        print(json.dumps(create_app(None).openapi(), indent=2, ensure_ascii=False, sort_keys=True))
        return 0
    if args.config is None:
        raise BadInputError("usage", "name a settings file: wardlink server --config FILE")
    from server import main, settings

    return main.run([settings.read(path) for path in args.config], one_time_for=args.one_time)
