"""``wardlink broker``: a private Mosquitto with this product's rules, and the contract it serves."""

from __future__ import annotations

import argparse
import json
import queue
import signal
from pathlib import Path

from broker import acl, asyncapi
from broker.local import LocalBroker, configuration
from clinical.errors import BadInputError

WATCH_S = 0.5
"""How often it is looked whether the broker still lives, in seconds."""


def _add_files(parser: argparse.ArgumentParser, *, port: int) -> None:
    parser.add_argument("--state-dir", type=Path, required=True, help="ACL, store and log lie here")
    parser.add_argument("--ca-file", type=Path, required=True, help="authority of the client certificates")
    parser.add_argument("--cert-file", type=Path, required=True, help="the broker's certificate")
    parser.add_argument("--key-file", type=Path, required=True, help="its private key")
    parser.add_argument("--crl-file", type=Path, help="revoked client certificates")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=port, help=f"TCP port ({port}; 0 picks a free one)")


def _add_shares(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--share",
        action="append",
        default=[],
        metavar="NAME",
        help="a share of the wards with its own server",
    )


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    run_it = actions.add_parser("run", help="start Mosquitto and stay until Ctrl-C; SIGHUP reloads the CRL")
    _add_files(run_it, port=8883)
    _add_shares(run_it)
    run_it.add_argument("--json", action="store_true", help="say ready as one JSON line")
    config = actions.add_parser("config", help="print mosquitto.conf")
    _add_files(config, port=8883)
    rules = actions.add_parser("acl", help="print the access rules")
    _add_shares(rules)
    rules.add_argument("--deny", action="append", default=[], metavar="NODE", help="silence a revoked node")
    contract = actions.add_parser("asyncapi", help="print the AsyncAPI document of topics and messages")
    contract.add_argument("--json", action="store_true", help="as JSON instead of YAML")


def _broker(args: argparse.Namespace) -> LocalBroker:
    return LocalBroker(
        args.state_dir,
        args.ca_file,
        args.cert_file,
        args.key_file,
        crl_file=args.crl_file,
        port=args.port,
        host=args.host,
        shares=args.share,
    )


def _run_broker(args: argparse.Namespace) -> int:
    broker = _broker(args)
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()
    # Handlers only note what was asked: printing or reloading inside one could interrupt itself.
    for one in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda number, _frame: asked.put(number))
    with broker:
        ready = {"ready": True, "host": broker.host, "port": broker.port, "pid": broker.pid}
        text = f"Broker ready on {broker.host}:{broker.port} (TLS, client certificates). Ctrl-C ends it."
        print(json.dumps(ready) if args.json else text, flush=True)
        while broker.running:
            try:
                number = asked.get(timeout=WATCH_S)
            except queue.Empty:
                continue
            if number != signal.SIGHUP:
                return 0
            _reload(broker, as_json=args.json)
        return 1


def _reload(broker: LocalBroker, *, as_json: bool) -> None:
    try:
        broker.reload()
    except BadInputError as error:  # the old list stays in force; say so and go on serving
        print(json.dumps({"reload": error.code}) if as_json else error.message, flush=True)


def run(args: argparse.Namespace) -> int:
    """Run or print."""
    if args.action == "run":
        return _run_broker(args)
    if args.action == "config":
        print(
            configuration(
                state_dir=args.state_dir,
                ca_file=args.ca_file,
                cert_file=args.cert_file,
                key_file=args.key_file,
                crl_file=args.crl_file,
                host=args.host,
                port=args.port,
            ),
            end="",
        )
    elif args.action == "acl":
        print(acl.text(denied=args.deny, shares=args.share), end="")
    else:
        print(json.dumps(asyncapi.document(), indent=2) if args.json else asyncapi.text(), end="")
    return 0
