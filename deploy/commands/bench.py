"""``wardlink bench NAME``: measures one part on this machine and prints the figures beside their limits.

The measurements live under ``bench/`` in the source tree, which is not part of the installed package: they
run from a checkout.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from clinical.errors import BadInputError, UnavailableError

BENCHES: dict[str, str] = {
    "clinical": "bedside check, GS1 parser and drop estimator, beside plain variants",
    "edge": "one node with 30 simulated BLE and 4 serial devices: CPU, memory, delay; decoding side by side",
    "his": "hospital messages a second, committed before they are answered, on one connection and on ten",
    "store": "what people ask a store with a hospital's month in it, beside the query budgets; both stores",
    "path": "beds, broker, server, store and screens as one: cost, delay and losses, beside a naive server",
    "peers": "Node-RED and thingsboard-gateway with the same beds, beside our path",
    "estimator": "drip estimators and flow judgement against a simulated truth: bias, error, detection time",
}
"""Benches by name; each is a module of ``bench/`` with ``measure() -> list[dict]``.

A bench whose figures are the same on any machine also has ``render(results) -> str``, its document."""
_OPTIONS = ("beds", "seconds", "store", "knee", "reader", "hours", "days", "peers")
_ROOT = Path(__file__).resolve().parents[2]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    listed = "; ".join(f"{name}: {what}" for name, what in BENCHES.items())
    parser.add_argument("name", choices=sorted(BENCHES), help=listed)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--beds", type=int, help="beds that send, or are in the store (path, store)")
    parser.add_argument("--seconds", type=int, help="how long is measured (path, his)")
    parser.add_argument("--store", choices=("sqlite", "postgresql"), help="the store (path, store)")
    parser.add_argument(
        "--reader", choices=("paho", "asyncio"), help="the server's broker client (path only)"
    )
    parser.add_argument("--peers", type=Path, metavar="DIR", help="where they are installed (peers only)")
    parser.add_argument("--hours", type=int, help="how long back every second is kept (store only)")
    parser.add_argument("--days", type=int, help="how long back every minute is kept (store only)")
    parser.add_argument("--knee", action="store_true", help="go on with more beds until it gives (path only)")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="also write the bench's document (estimator only)"
    )


def run(args: argparse.Namespace) -> int:
    """Measure and print; a missed limit is an answer and says so.

    Raises:
        BadInputError: ``--write`` for a bench that has no document.
    """
    module = _load(args.name)
    if args.write is not None and not hasattr(module, "render"):
        raise BadInputError("bench-no-document", f"bench {args.name} writes no document; leave out --write")
    document = {"bench": args.name, "machine": _machine(), "results": module.measure(**_said(args, module))}
    if args.write is not None:
        args.write.write_text(module.render(document["results"]), encoding="utf-8")
    document["ok"] = all(result.get("ok", True) for result in document["results"])
    if args.json:
        print(json.dumps(document, indent=2))
    else:
        print("\n".join(_line(result) for result in document["results"]))
    return 0


def _said(args: argparse.Namespace, module: Any) -> dict[str, Any]:
    """Return the options that were given.

    Raises:
        BadInputError: The bench has no such option.
    """
    said = {name: value for name in _OPTIONS if (value := getattr(args, name))}
    unknown = said.keys() - inspect.signature(module.measure).parameters.keys()
    if unknown:
        raise BadInputError("bench-option", f"bench {args.name} has no option --{min(unknown)}")
    return said


def _load(name: str) -> Any:
    """Import a bench from the checkout this module belongs to.

    Raises:
        UnavailableError: The package was installed without its source tree.
    """
    if not (_ROOT / "bench" / f"{name}.py").is_file():
        raise UnavailableError("bench-needs-checkout", "benches run from a checkout of the source tree")
    if str(_ROOT) not in sys.path:
        sys.path.insert(0, str(_ROOT))
    return importlib.import_module(f"bench.{name}")


def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(), "system": platform.system(), "machine": platform.machine(),
        "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2),
    }  # fmt: skip


def _line(result: dict[str, Any]) -> str:
    figures = "  ".join(
        f"{name} {result[name]} {result['unit']}" for name in ("median", "p99") if name in result
    )
    limit = f"  limit {result['limit']} ({result['limit_of']})" if "limit" in result else ""
    verdict = "" if "ok" not in result else ("  ok" if result["ok"] else "  MISSED")
    return f"{result['id']:<28} {figures}{limit}{verdict}  {result.get('note', '')}".rstrip()
