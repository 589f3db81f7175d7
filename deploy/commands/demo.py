"""``wardlink demo``: one ward, running on this machine."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from clinical.errors import BadInputError
from deploy.demo.program import Program
from deploy.demo.report import Report

GRACE_S = 150
"""Longest time the scripted nurse may take beyond the asked seconds, on a slow machine."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--headless", action="store_true", help="no window: a scripted nurse, then a report")
    parser.add_argument(
        "--seconds", type=float, default=0.0, metavar="N",
        help="headless: run at least so long, and until the nurse is done; otherwise: stop after N",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="headless: the report as one JSON document")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep state and logs there")
    parser.add_argument("--lang", choices=["zh", "en"], default="zh", help="language of the handheld")


def run(args: argparse.Namespace) -> int:
    """Run the ward until it is done or somebody stops it."""
    started = time.monotonic()
    if args.json and not args.headless:
        raise BadInputError(
            "usage", "--json belongs to --headless: it prints the report of the scripted nurse"
        )
    try:
        return asyncio.run(_headless(args, started) if args.headless else _for_people(args, started))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ---- for people


async def _for_people(args: argparse.Namespace, started: float) -> int:
    from deploy.demo.play import Director
    from deploy.demo.staff import CHARGE_NURSE, COLLEAGUE, Colleague, prepare_bags
    from deploy.demo.ward import DemoWard

    stop = _stop_signal()
    _say("Starting the demo ward …")
    async with DemoWard(args.keep) as ward:
        charge_nurse = await Colleague.sign_in(ward.url, ward.tls, CHARGE_NURSE)
        colleague = await Colleague.sign_in(ward.url, ward.tls, COLLEAGUE)
        bags = await prepare_bags(colleague, charge_nurse)
        director = Director(ward, charge_nurse)
        await director.print_labels(bags)
        code = await charge_nurse.one_time_code()
        _tell(ward.plain_url, code, director.label_directory, time.monotonic() - started)
        window = _open_handheld(ward.directory, ward.url, ward.ca_file, args.lang)
        play = asyncio.create_task(director.run())
        with suppress(TimeoutError):
            async with asyncio.timeout(args.seconds or None):
                await stop.wait()
        _say("Stopping …")
        play.cancel()
        if window is not None:
            window.stop()
        await charge_nurse.close()
        await colleague.close()
    _say("Stopped; nothing is left running.")
    return 0


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    return stop


def _tell(url: str, code: str, labels: Path, ready_s: float) -> None:
    from deploy.demo.staff import NURSE, pins

    _say(
        f"""
Ready in {ready_s:.1f} s.

  Central screen   {url}/#code={code}
                   (the code signs one browser in, once, within ten minutes)
  Handheld         badge {NURSE}, PIN {pins()[NURSE]}   (王丽 WANG Li)
  Labels to scan   {labels}
  Simulated devices only: everything is marked DEMO 演示. Ctrl-C stops it all.
"""
    )


def _open_handheld(directory: Path, url: str, ca_file: Path, language: str) -> Program | None:
    """Open the nurse's window where there is a display."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        _say("  (no display here: start the handheld elsewhere with `wardlink pda nurse`)\n")
        return None
    arguments = [
        "pda",
        "nurse",
        "--server",
        url,
        "--ca",
        str(ca_file),
        "--store",
        str(directory / "handheld"),
    ]
    window = Program("handheld", [*arguments, "--demo", "--lang", language], directory / "handheld.log")
    window.start()
    return window


# ---- headless


async def _headless(args: argparse.Namespace, started: float) -> int:
    from deploy.demo.rehearsal import rehearse

    task = asyncio.ensure_future(rehearse(args.keep, seconds=args.seconds, started=started, say=_say))
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, task.cancel)
    async with asyncio.timeout(args.seconds + GRACE_S):
        report = await task
    _print(report, as_json=args.json)
    return 0 if report.passed else 1


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report.as_dict(), ensure_ascii=False))
        return
    for name, value in report.as_dict().items():
        print(f"{name:20} {value}")
