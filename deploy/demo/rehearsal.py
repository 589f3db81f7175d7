"""A headless run of the demo ward with the scripted nurse, ending in a ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from clinical.records import Administration
from deploy.demo.nurse import ScriptedNurse, handheld
from deploy.demo.report import Report
from deploy.demo.screen import ScreenProbe, percentile
from deploy.demo.staff import CHARGE_NURSE, COLLEAGUE, Colleague, prepare_bags
from deploy.demo.stationery import Stationery
from deploy.demo.ward import NODES, DemoWard

Disturbance: TypeAlias = Callable[[DemoWard, ScriptedNurse], Awaitable[None]]
"""Something that happens to the ward while the nurse works."""

DRAIN_S = 30.0
"""Longest wait for the nodes' outboxes to be committed after the devices have stopped."""


async def rehearse(
    directory: Path | None,
    *,
    seconds: float,
    started: float,
    say: Callable[[str], None],
    during: Disturbance | None = None,
) -> Report:
    """Run the ward for at least ``seconds`` and until the nurse is done.

    Args:
        directory: Where state is kept; None for a temporary one.
        seconds: Shortest run.
        started: ``time.monotonic()`` when the command began, for ``ready_s``.
        say: Progress, for people.
        during: Happens beside the nurse's work; what it raises ends the run.
    """
    async with DemoWard(directory) as ward:
        charge_nurse = await Colleague.sign_in(ward.url, ward.tls, CHARGE_NURSE)
        colleague = await Colleague.sign_in(ward.url, ward.tls, COLLEAGUE)
        probe = ScreenProbe(f"{ward.url.replace('https', 'wss')}/ws/central", charge_nurse.token, ward.tls)
        watching = asyncio.create_task(probe.run())
        try:
            ready_s = time.monotonic() - started
            say(f"ready in {ready_s:.1f} s; the nurse begins")
            begun = time.monotonic()
            surprises = await _work(ward, charge_nurse, colleague, during)
            await asyncio.sleep(max(0.0, seconds - (time.monotonic() - begun)))
            run_s = time.monotonic() - begun
            say("the nurse is done; waiting until everything is committed")
            nodes = await _drain(ward)
            ledger = await charge_nurse.ask("GET", "/ledger")
            given = {
                one.task_id for one in (await charge_nurse.changes()).facts.administrations if _gave(one)
            }
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            await charge_nurse.close()
            await colleague.close()
        return _report(
            nodes, ledger, probe, surprises, ready_s=ready_s, run_s=run_s, given=len(given), ward=ward
        )


def _gave(administration: Administration) -> bool:
    """Whether something went into the patient; the same task may have several such acts."""
    return administration.outcome not in {"held", "refused", "not-given"}


async def _work(
    ward: DemoWard, charge_nurse: Colleague, colleague: Colleague, during: Disturbance | None
) -> list[str]:
    bags = await prepare_bags(colleague, charge_nurse)
    stationery = Stationery(facts=(await charge_nurse.changes()).facts)
    app = handheld(ward, ward.directory / "handheld")
    await app.start()
    nurse = ScriptedNurse(app, ward, stationery, bags)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(nurse.work())
            if during is not None:
                group.create_task(_as_coroutine(during(ward, nurse)))
    finally:
        await app.stop()
    if not await _administration_reported(ward):
        nurse.surprises.append("the hospital should have received RAS^O17 for what was given")
    return nurse.surprises


async def _as_coroutine(work: Awaitable[None]) -> None:
    await work


async def _administration_reported(ward: DemoWard, within_s: float = 15.0) -> bool:
    for _ in range(int(within_s / 0.2)):
        received = (ward.directory / "hospital").glob("*.hl7")
        if any(b"RAS^O17" in file.read_bytes() for file in received):
            return True
        await asyncio.sleep(0.2)
    return False


async def _drain(ward: DemoWard) -> dict[str, dict[str, Any]]:
    """Stop the devices, wait until the outboxes are empty, and return the nodes' last word."""
    for simulator in ward.simulators.values():
        await asyncio.to_thread(simulator.program.stop)
    health: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + DRAIN_S
    while True:
        for bed in NODES.values():
            health[bed] = await ward.node_health(bed)
        if not any(one["outbox"]["depth"] for one in health.values()) or time.monotonic() > deadline:
            return health
        await asyncio.sleep(0.2)


def _lost(nodes: Mapping[str, dict[str, Any]], ledger: Mapping[str, Any]) -> int:
    """Numbers that entered an outbox and are neither stored, nor declared evicted, nor still on the node."""
    lost = 0
    committed: dict[str, dict[str, list[list[int]]]] = ledger["readings"]["outboxes"]
    for node, bed in NODES.items():
        outbox = nodes[bed]["outbox"]
        ranges = committed.get(node, {}).get(outbox["id"], [])
        stored = sum(last - first + 1 for first, last in ranges)
        lost += outbox["last_seq"] - stored - outbox["depth"]
    return lost


def _report(
    nodes: Mapping[str, dict[str, Any]],
    ledger: Mapping[str, Any],
    probe: ScreenProbe,
    surprises: list[str],
    *,
    ready_s: float,
    run_s: float,
    given: int,
    ward: DemoWard,
) -> Report:
    sent = sum(1 for file in (ward.directory / "hospital").glob("*.hl7") if b"RAS^O17" in file.read_bytes())
    return Report(
        readings_produced=sum(one["outbox"]["readings"] for one in nodes.values()),
        readings_stored=ledger["readings"]["stored"],
        lost=_lost(nodes, ledger),
        duplicates_dropped=ledger["readings"]["duplicates_dropped"],
        orders=ledger["orders"],
        administrations=given,
        stops=ledger["stops"],
        alarms=ledger["alarms"],
        bed_to_screen_ms={"p50": percentile(probe.ages_ms, 0.5), "p99": percentile(probe.ages_ms, 0.99)},
        ready_s=round(ready_s, 2),
        run_s=round(run_s, 1),
        his_sent=sent,
        surprises=tuple(surprises),
    )
