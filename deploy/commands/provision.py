"""``wardlink provision``: certificates for servers, brokers and bedside nodes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from broker.acl import is_server, server_user
from clinical.errors import BadInputError
from deploy.provision.authority import Authority, Issued


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    init = actions.add_parser("init", help="make the hospital's certificate authority, once")
    init.add_argument("--hospital", required=True, help="name that stands in every certificate")
    server = actions.add_parser("server", help="certificates of the ward server and its broker")
    server.add_argument("--host", action="append", required=True, help="name or address it answers under")
    server.add_argument("--share", default="", help="its share of the wards, where it is not the only one")
    node = actions.add_parser("node", help="the identity of bedside nodes")
    node.add_argument("names", nargs="+", metavar="NODE")
    revoke = actions.add_parser("revoke", help="take identities back; then reload the broker")
    revoke.add_argument("names", nargs="+", metavar="NAME")
    for action in (init, server, node, revoke):
        action.add_argument("--dir", type=Path, required=True, help="the authority's directory")
        action.add_argument("--json", action="store_true", help="one JSON document instead of text")


def _described(issued: Issued) -> dict[str, str]:
    return {
        "name": issued.name,
        "certificate": str(issued.certificate),
        "key": str(issued.key),
        "expires": issued.expires.isoformat(),
    }


def _answer(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    if args.action == "init":
        authority = Authority.create(args.dir, organisation=args.hospital)
        mark = authority.fingerprint()
        return (
            {"directory": str(args.dir), "fingerprint": mark},
            f"Certificate authority made in {args.dir}. Fingerprint {mark}.\n"
            f"Move {args.dir / 'root.key'} to a stick and lock it away: only a new issuing CA needs it.",
        )
    authority = Authority(args.dir)
    if args.action == "server":
        made = [
            authority.server("web", tuple(args.host)),
            authority.server("broker", tuple(args.host)),
            authority.client(server_user(args.share)),
        ]
    elif args.action == "node":
        for name in filter(is_server, args.names):
            raise BadInputError("reserved-name", f"{name} is a server's own identity, not a node's")
        made = [authority.client(name) for name in args.names]
    else:
        count = authority.revoke(tuple(args.names))
        return (
            {"revoked": args.names, "crl": str(authority.crl), "entries": count},
            f"Revoked. {authority.crl} now lists {count}; reload the broker (SIGHUP) to apply it.",
        )
    lines = [f"{one.name}: {one.certificate}, key {one.key}, until {one.expires:%Y-%m-%d}" for one in made]
    return {"issued": [_described(one) for one in made]}, "\n".join(lines)


def run(args: argparse.Namespace) -> int:
    """Do it and say what was made."""
    document, text = _answer(args)
    print(json.dumps(document, ensure_ascii=False) if args.json else text)
    return 0
