"""``wardlink edge``: a bedside node, its simulated devices, and a look into its outbox."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

from deploy.version import __version__


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", type=Path, help="settings of the node (TOML)")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    simulate = actions.add_parser("simulate", help="run the simulated devices of a node")
    simulate.add_argument("--config", type=Path, help="which devices (TOML)", dest="devices")
    simulate.add_argument("--scenario", type=Path, help="devices and what happens to them over time (TOML)")
    simulate.add_argument("--speed", type=float, default=1.0, help="how much faster than life it plays (1)")
    outbox = actions.add_parser("outbox", help="look into a node's outbox, also of a stopped or damaged one")
    outbox.add_argument("step", choices=("inspect", "export"), help="a summary, or every message that waits")
    outbox.add_argument("file", type=Path, help="the outbox file")
    replay = actions.add_parser("replay", help="run recorded frames through today's profiles")
    replay.add_argument("source", type=Path, help="the node's flight directory, or one file of it")
    replay.add_argument("--profile", type=Path, action="append", default=[], help="a newer profile to use")
    replay.add_argument("--device", default="", help="only frames of this device")
    replay.add_argument("--node", type=Path, help="settings of the node, for the keys of sealed adverts")
    selftest = actions.add_parser("selftest", help="is this node well? exits 1 if it is not")
    selftest.add_argument("--config", type=Path, required=True, help="settings of the node", dest="node")


def run(args: argparse.Namespace) -> int:
    """Run the node, or one of the actions."""
    if args.action == "simulate":
        return _simulate(args)
    if args.action == "replay":
        return _replay(args)
    if args.action == "selftest":
        return _selftest(args.node)
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


def _simulate(args: argparse.Namespace) -> int:
    from clinical.errors import BadInputError
    from edge_node.settings import SimulationSettings, load
    from edge_node.simulators import world
    from edge_node.simulators.scenario import Scenario, load_scenario

    if args.devices is None and args.scenario is None:
        raise BadInputError("config-missing", "say which devices: --config FILE or --scenario FILE")
    scenario: Scenario | None = load_scenario(args.scenario) if args.scenario is not None else None
    settings = load(args.devices, SimulationSettings) if args.devices is not None else None

    async def serve() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        chosen = settings if settings is not None else SimulationSettings()
        if scenario is not None and settings is None:
            chosen = scenario.devices
        async with world.running(chosen) as (devices, address):
            ready = {
                "ready": True,
                "dbus": address,
                "serial_dir": str(devices.serial_dir),
                "control": str(devices.control_path),
            }
            print(json.dumps(ready), flush=True)
            if scenario is not None:
                playing = asyncio.ensure_future(
                    scenario.play(devices, args.speed, lambda event: print(json.dumps(event), flush=True))
                )
                stopped = asyncio.ensure_future(stop.wait())
                await asyncio.wait([playing, stopped], return_when=asyncio.FIRST_COMPLETED)
                if playing.done():
                    playing.result()
                playing.cancel()
            await stop.wait()

    asyncio.run(serve())
    return 0


def _replay(args: argparse.Namespace) -> int:
    from clinical.errors import NotFoundError
    from edge_node import bound
    from edge_node.adapters import flight_recorder
    from edge_node.replay import replayed
    from edge_node.settings import EdgeSettings, load
    from firmware_profiles import registry
    from firmware_profiles.load import load_file

    if not args.source.exists():
        raise NotFoundError("no-file", f"there is no file {args.source}")
    shipped = registry.load()
    newer = {profile.id: profile for profile in map(load_file, args.profile)}
    devices = load(args.node, EdgeSettings).devices if args.node is not None else ()
    contexts = {device.uid: bound.context(device) for device in devices}
    rows = (row for row in flight_recorder.rows(args.source) if args.device in {"", row.device})
    for document in replayed(rows, lambda name: newer.get(name) or shipped.get(name), contexts):
        print(json.dumps(document, ensure_ascii=False))
    return 0


def _selftest(config: Path) -> int:
    from edge_node import selftest
    from edge_node.settings import EdgeSettings, load

    findings = asyncio.run(selftest.run(load(config, EdgeSettings)))
    for finding in findings:
        print(json.dumps(finding.document(), ensure_ascii=False))
    return 0 if all(finding.ok for finding in findings) else 1


def _outbox(step: str, file: Path) -> int:
    from edge_node.adapters import outbox_tool

    if step == "inspect":
        print(json.dumps(outbox_tool.inspect(file), ensure_ascii=False))
    else:
        for document in outbox_tool.export(file):
            print(json.dumps(document, ensure_ascii=False))
    return 0
