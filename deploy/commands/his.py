"""``wardlink his``: hospital messages, HL7 v2 over MLLP."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import ssl
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from clinical.errors import BadInputError
from deploy.commands import his_tables
from server.his.conformance import markdown
from server.his.explain import explain, lacking
from server.his.mllp import MllpClient, MllpServer, MllpSettings, serve
from server.his.reading import Site
from server.his.samples import load
from server.his.stand_in import StandIn
from server.his.tables import shipped
from server.his.trial import Exchange, send_all


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    send = actions.add_parser("send", help="send message files and show the answers", allow_abbrev=False)
    send.add_argument("files", nargs="+", type=Path, metavar="FILE")
    send.add_argument("--to", required=True, metavar="HOST:PORT")
    send.add_argument(
        "--timeout", type=float, default=10.0, metavar="S", help="seconds to wait for an answer"
    )
    listen = actions.add_parser(
        "listen", help="be the hospital: keep and answer messages", allow_abbrev=False
    )
    listen.add_argument("--port", type=int, default=0, help="0 takes a free one and says which")
    listen.add_argument("--host", default="127.0.0.1")
    listen.add_argument("--sender", action="append", default=[], metavar="ADDRESS", help="who may send")
    listen.add_argument("--store", type=Path, metavar="DIR", help="keep each message as a file there")
    listen.add_argument("--answer", choices=["AA", "AE", "AR"], default="AA", help="refuse on purpose")
    about = actions.add_parser("explain", help="what a message means and would do", allow_abbrev=False)
    about.add_argument("file", type=Path, metavar="FILE")
    about.add_argument("--lang", choices=["zh", "en"], default="en")
    about.add_argument("--tables", type=Path, metavar="TOML", help="the site's own mapping tables")
    about.add_argument("--config", type=Path, metavar="TOML", help="also say which codes this ward lacks")
    his_tables.configure(actions)
    actions.add_parser("conformance", help="what is taken and sent, as Markdown tables", allow_abbrev=False)
    for action in (send, listen, about):
        action.add_argument("--json", action="store_true", help="one JSON document")
        action.add_argument("--zone", default="Asia/Shanghai", help="zone of times without an offset")
    for action in (send, listen):
        action.add_argument("--ca", type=Path, help="with --cert and --key: mutual TLS")
        action.add_argument("--cert", type=Path)
        action.add_argument("--key", type=Path)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    doers = {
        "send": _send,
        "listen": _listen,
        "explain": _explain,
        "conformance": _conformance,
        "map": his_tables.run_map,
        "reconcile": his_tables.run_reconcile,
    }
    return doers[args.action](args)


def _conformance(args: argparse.Namespace) -> int:
    del args
    print(markdown(), end="")
    return 0


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadInputError("zone", f"{name} is not a time zone; write it as Asia/Shanghai") from error


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise BadInputError("address", "write the address as HOST:PORT, for example 127.0.0.1:2575")
    return host.strip("[]"), int(port)


def _tls(args: argparse.Namespace, *, server: bool) -> ssl.SSLContext | None:
    files = (args.ca, args.cert, args.key)
    if not any(files):
        return None
    if not all(files):
        raise BadInputError("tls-files", "mutual TLS needs all three of --ca, --cert and --key")
    from broker import tls

    if server:
        return tls.server_context(args.cert, args.key, client_ca_file=args.ca)
    return tls.client_context(*files)


def _send(args: argparse.Namespace) -> int:
    now, zone = datetime.now(UTC), _zone(args.zone)
    batches = [(file, load(file, now=now, zone=zone)) for file in args.files]
    host, port = _address(args.to)
    client = MllpClient(host, port, tls=_tls(args, server=False), timeout_s=args.timeout)
    exchanges = asyncio.run(send_all([one for _, batch in batches for one in batch], client))
    names = [file.name for file, batch in batches for _ in batch]
    if args.json:
        print(json.dumps(_summary(names, exchanges), ensure_ascii=False))
    else:
        for name, exchange in zip(names, exchanges, strict=True):
            print(f"{name}: {exchange.type} {_verdict(exchange)}")
    return 0


def _summary(names: list[str], exchanges: list[Exchange]) -> dict[str, Any]:
    messages = [{"file": name} | one.as_dict() for name, one in zip(names, exchanges, strict=True)]
    return {"sent": len(messages), "accepted": sum(one.accepted for one in exchanges), "messages": messages}


def _verdict(exchange: Exchange) -> str:
    words = [" ".join(part for part in (one.code, one.error, one.text) if part) for one in exchange.answers]
    return "; ".join(words) or "(no answer was asked for)"


def _listen(args: argparse.Namespace) -> int:
    return asyncio.run(_listening(args))


async def _listening(args: argparse.Namespace) -> int:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for messages
    stand_in = StandIn(args.store, args.answer, _printer(as_json=args.json), Site(zone=_zone(args.zone)))
    settings = MllpSettings(host=args.host, port=args.port, senders=tuple(args.sender), workers=1)
    server = await serve(settings, stand_in.handle, tls=_tls(args, server=True))
    _say_ready(server, as_json=args.json)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()
    await server.close()
    return 0


def _say_ready(server: MllpServer, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"ready": True, "port": server.port}), flush=True)
    else:
        print(f"listening on {server.settings.host}:{server.port}; Ctrl-C ends", flush=True)


def _printer(*, as_json: bool) -> Any:
    def heard(facts: dict[str, Any]) -> None:
        if as_json:
            print(json.dumps(facts, ensure_ascii=False), flush=True)
        else:
            print("{received} {type} {control_id} -> {answer} {file}".format(**facts), flush=True)

    return heard


def _explain(args: argparse.Namespace) -> int:
    tables = shipped().with_site(args.tables) if args.tables else shipped()
    site = Site(zone=_zone(args.zone), tables=tables)
    messages = load(args.file, now=datetime.now(UTC), zone=site.zone)
    if args.config is not None:
        site = replace(site, tables=his_tables.tables_of(args.config))
    results = [explain(message, site) for message in messages]
    if args.config is not None:
        results = [
            _on_the_ward(result, raw, args.config) for result, raw in zip(results, messages, strict=True)
        ]
    if args.json:
        print(json.dumps(results[0] if len(results) == 1 else results, ensure_ascii=False, indent=2))
    else:
        for result in results:
            _print_explained(result, args.lang)
    return 0


def _on_the_ward(result: dict[str, Any], raw: bytes, config: Path) -> dict[str, Any]:
    """Add which codes of a message the ward's tables lack: with one of them it would be refused."""
    from server import hospital_maps

    with his_tables.reading(config) as (connection, site):
        missing = hospital_maps.missing_in(raw, hospital_maps.Known(connection, site))
    codes = [{"system": system, "code": code} for system, code, _ in sorted(missing)]
    return lacking(result, codes)


def _print_explained(result: dict[str, Any], language: str) -> None:
    for segment in result["segments"]:
        print(f"{segment['segment']}  {segment['name'][language]}")
        for field in segment["fields"]:
            value = '""' if field["deletes"] else field["value"]
            print(f"    {field['field']:8} {field['label'][language]}: {value}")
    print()
    for effect in result["effects"]:
        print(f"→ {effect[language]}")
    reason = result["reason"]
    if reason is not None:
        print(
            f"→ {result['answer']} {reason['hl7_code']} {reason['where']}: {reason[language]}",
            file=sys.stdout,
        )
