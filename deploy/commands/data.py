"""``wardlink data``: verify, export, back up and restore the hospital's own data.

All but restore work while the server runs.

::

    wardlink data verify --config server.toml          # audit chain, schema, facts, committed intervals
    wardlink data export --config server.toml --to DIR # one JSON Lines file per table, with a manifest
    wardlink data backup --config server.toml --to FILE # a consistent copy (PostgreSQL: a dump), verified
    wardlink data restore --config server.toml --from FILE  # the server stopped; what was there is kept
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``wardlink data``."""
    parser.add_argument("action", choices=("verify", "export", "backup", "restore"))
    parser.add_argument("--config", type=Path, required=True, help="the server's settings file (TOML)")
    parser.add_argument("--to", type=Path, help="export: a new directory; backup: a new file")
    parser.add_argument("--from", dest="source", type=Path, help="restore: a file that backup wrote")
    parser.add_argument(
        "--force", action="store_true", help="restore: replace a store that holds data; it is kept beside"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Run one action; exit 1 when the data are not what they should be."""
    from clinical.errors import BadInputError
    from server import settings
    from server.audit import anchors
    from server.storage import care, dumps
    from server.storage.engine import address

    known = settings.read(args.config)
    url = address(known.storage.url, known.storage.pg_schema)
    if args.action == "verify":
        return _show(args, care.verify(url, known.server.state_dir / anchors.FILE))
    if args.action == "restore":
        return _restore(args, url)
    if args.to is None:
        raise BadInputError("usage", "say where to: --to PATH")
    if args.action == "export":
        return _show(args, care.export(url, args.to))
    copy = dumps.backup if url.startswith("postgresql") else care.backup
    return _show(args, copy(url, args.to))


def _restore(args: argparse.Namespace, url: str) -> int:
    from clinical.errors import BadInputError
    from server.storage import dumps
    from server.storage.restore import restore

    if args.source is None:
        raise BadInputError("usage", "say which backup: --from FILE")
    put = dumps.restore if url.startswith("postgresql") else restore
    return _show(args, put(url, args.source, force=args.force))


def _show(args: argparse.Namespace, report: dict[str, Any]) -> int:
    if args.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        for key, value in report.items():
            print(f"{key}: {value}")
    return 0 if report["ok"] else 1
