"""``wardlink pda``: a handheld, for a nurse or a doctor, in a window of this machine or on its own screen.

wardlink pda nurse --server https://ward:8443 --ca ca.pem --store handheld
wardlink pda nurse --config handheld.toml
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from clinical.errors import BadInputError, UnavailableError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``wardlink pda``."""
    parser.add_argument("role", choices=("nurse", "doctor"), help="whose app")
    parser.add_argument("--config", type=Path, help="settings file (TOML); the other options override it")
    parser.add_argument("--server", default="", help="https://host:port of the ward server")
    parser.add_argument("--ca", type=Path, help="the hospital's certificate authority (PEM)")
    parser.add_argument("--store", type=Path, help="directory for the encrypted store of this handheld")
    parser.add_argument("--name", default="", help="name of this handheld on the ward (default pda-1)")
    parser.add_argument("--lang", choices=("zh", "en"), help="language at the start")
    parser.add_argument("--dark", action="store_true", help="dark theme at the start")
    parser.add_argument("--text-scale", type=float, metavar="1.0-1.3", help="text size at the start")
    parser.add_argument("--demo", action="store_true", help="show the demo band from the start")


def run(args: argparse.Namespace) -> int:
    """Open the window; returns when it is closed."""
    from pda_app.main import run as open_window

    if sys.platform == "linux" and not _has_screen():
        raise UnavailableError(
            "no-screen", "there is no display here: set DISPLAY, or SDL_VIDEODRIVER=kmsdrm on a console"
        )
    return open_window(settings(args), role=args.role, demo=args.demo)


def _has_screen() -> bool:
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"))


def settings(args: argparse.Namespace) -> Any:
    """Settings from the file, overridden by the command line.

    Raises:
        BadInputError: A setting is missing or wrong; the message names it.
    """
    from pydantic import ValidationError

    from pda_app.settings import HandheldSettings, load

    base = load(args.config).model_dump() if args.config else {"handheld": "pda-1"}
    try:
        return HandheldSettings(**_merged(base, _given(args)))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInputError(
            "settings-value", f"setting {where}: {first['msg']} (see wardlink pda --help)", setting=where
        ) from error


def _given(args: argparse.Namespace) -> dict[str, Any]:
    server = {"url": args.server or None, "ca_file": args.ca}
    look = {"language": args.lang, "dark": args.dark or None, "text_scale": args.text_scale}
    return {"handheld": args.name or None, "state_dir": args.store, "server": server, "look": look}


def _merged(base: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in given.items():
        if isinstance(value, dict):
            inner = _merged(merged.get(name, {}), value)
            if inner:
                merged[name] = inner
        elif value is not None:
            merged[name] = value
    return merged
