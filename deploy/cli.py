"""The one front door: ``wardlink COMMAND …``.

Each command lives in its own module of :mod:`deploy.commands`, which is imported only when that command
is asked for, so that a bedside node never imports Kivy and ``wardlink scan`` answers at once.

Exit codes: 0 the command did its work, whatever the verdict; 1 it could not; 2 it was misused.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence

from clinical.errors import WardlinkError
from deploy.version import __version__

COMMANDS: dict[str, str] = {
    "demo": "one ward, running: broker, server, bedside nodes on simulated devices, central screen, handheld",
    "test": "every check, as CI runs it (--quick under 3 minutes, --full adds the long proofs)",
    "server": "the ward server",
    "edge": "a bedside node, or its simulated devices",
    "pda": "a handheld: nurse or doctor",
    "broker": "a private Mosquitto with this product's rules; write its configuration, ACL and contract",
    "provision": "certificates and nodes (engineers)",
    "scan": "what a barcode is: TEXT, an image file, or --stdin",
    "check": "the bedside check on a case file or --stdin; --schema prints its JSON Schemas",
    "score": "clinical scores on --stdin: news2, mews, braden, morse",
    "profile": "device profiles: list, check, decode, simulate, new",
    "his": "hospital messages: send, listen, explain, map, reconcile, conformance (HL7 v2 over MLLP)",
    "label": "printable labels with the right barcodes: wristband, bag, tube, bed, node, device, badge",
    "bench": "a claim, measured: clinical, edge (runs from a checkout)",
    "data": "the hospital's own data: export, verify, backup, restore",
}


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """Build the parser; only the chosen command's module is imported and asked for its options.

    A command module offers ``configure(parser)`` and ``run(args) -> int``.
    """
    parser = argparse.ArgumentParser(
        prog="wardlink", description="Mobile nursing and bedside IoT.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"wardlink {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        if name == chosen:
            module = importlib.import_module(f"deploy.commands.{name}")
            module.configure(command)
            command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in arguments if word in COMMANDS), None)
    args = build_parser(chosen).parse_args(arguments)
    try:
        return int(args.run(args))
    except WardlinkError as error:
        if getattr(args, "json", False):
            print(json.dumps({"error": {"code": error.code, "message": error.message}}))
        print(f"wardlink {args.command}: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
