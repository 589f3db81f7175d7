"""``wardlink edge``: a bedside node, its simulated devices, and a look into its outbox."""

from __future__ import annotations

import argparse
import asyncio
import atexit
import gc
import json
import signal
from pathlib import Path

from deploy.version import __version__


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", type=Path, help="settings of the node (TOML)")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    simulate = actions.add_parser("simulate", help="run the simulated devices of a node")
    simulate.add_argument("--config", type=Path, required=True, help="which devices (TOML)", dest="devices")
    outbox = actions.add_parser("outbox", help="look into a node's outbox, also of a stopped or damaged one")
    outbox.add_argument("step", choices=("inspect", "export"), help="a summary, or every message that waits")
    outbox.add_argument("file", type=Path, help="the outbox file")


def run(args: argparse.Namespace) -> int:
    """Run the node, or one of the actions."""
    # msgspec 0.22 can crash the interpreter in the collection that ends it; nothing needs collecting then.
    atexit.register(gc.freeze)
    if args.action == "simulate":
        return _simulate(args.devices)
    if args.action == "outbox":
        return _outbox(args.step, args.file)
    return _node(args.config)


def _node(config: Path | None) -> int:
    from clinical.errors import BadInputError
    from edge_node import main
    from edge_node.settings import EdgeSettings, load

    if config is None:
        raise BadInputError("config-missing", "say which node: wardlink edge --config FILE")
    main.run(load(config, EdgeSettings), __version__)
    return 0


def _simulate(config: Path) -> int:
    from edge_node.settings import SimulationSettings, load
    from edge_node.simulators import world

    settings = load(config, SimulationSettings)

    async def serve() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with world.running(settings) as (devices, address):
            ready = {
                "ready": True,
                "dbus": address,
                "serial_dir": str(devices.serial_dir),
                "control": str(devices.control_path),
            }
            print(json.dumps(ready), flush=True)
            await stop.wait()

    asyncio.run(serve())
    return 0


def _outbox(step: str, file: Path) -> int:
    from edge_node.adapters import outbox_tool

    if step == "inspect":
        print(json.dumps(outbox_tool.inspect(file), ensure_ascii=False))
    else:
        for document in outbox_tool.export(file):
            print(json.dumps(document, ensure_ascii=False))
    return 0
