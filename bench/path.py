"""Measures the whole path: beds → Mosquitto → server → store → screens, beside a naive server.

Each bed has its own MQTT 5 connection and sends three messages a second: ten readings in one, and two
waveforms of 250 samples. Broker, server, store, beds and screens are processes of their own on this machine;
broker and store are private ones that the bench starts and removes. Five screens each watch one ward.

As in the product: the broker's settings and access rules, mutual TLS between broker and server, QoS 1 and
acknowledgement after the commit, ``down/acks`` to every node, SQLite with synchronous FULL or PostgreSQL
with fsync. Not as in the product: the beds speak without TLS, each with a password (4,000 bedside nodes
have 4,000 processors for it, this machine has not); ``--bed-tls`` has them speak TLS too.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import create_engine, text

from bench import hospital, processes
from bench.postgres import cluster
from broker import acl
from broker.local import configuration, free_ports, program
from clinical.errors import UnavailableError
from tests.support.pki import Pki
from tests.support.server_process import ROOT, WardProcess

SCREENS = 5
READINGS, MESSAGES, VALUES = 1, 3, len(hospital.VALUES)
WARM_S = 3
NAIVE_BEDS, NAIVE_S = 40, 8
KNEE_P99_MS = 500
KNEE_STEPS = (250, 500, 1000, 1500, 2000, 3000, 4000, 5000, 6000, 8000, 10_000)


@dataclass(frozen=True, slots=True)
class Plan:
    """One run."""

    beds: int
    seconds: int
    store: str = "sqlite"
    naive: bool = False
    bed_tls: bool = False
    load_processes: int = 1
    reader: str = "asyncio"


def measure(
    beds: int = 200,
    seconds: int = 10,
    store: str = "sqlite",
    *,
    knee: bool = False,
    naive: bool = True,
    bed_tls: bool = False,
    reader: str = "asyncio",
) -> list[dict[str, Any]]:
    """Run the path and say what it cost.

    Args:
        beds: Beds that send.
        seconds: How long they are measured, after three seconds of warming up.
        store: ``sqlite`` or ``postgresql``.
        knee: Go on with more beds until the delay or the losses say stop.
        naive: Run the naive server first, for the ratio.
        bed_tls: Let the beds speak TLS too.
        reader: Broker client of the server, ``paho`` or ``asyncio``.
    """
    results = []
    plain = run(Plan(NAIVE_BEDS, NAIVE_S, store, naive=True)) if naive else None
    if plain is not None:
        results.append(plain)
    steps = KNEE_STEPS if knee else (beds,)
    for count in steps:
        result = run(Plan(count, seconds, store, bed_tls=bed_tls, reader=reader))
        if plain is not None:
            result["naive_cpu_ratio"] = _ratio(plain, result)
        results.append(result)
        if knee and not _holds(result):
            break
    if knee:
        held = [one["beds"] for one in results if not one["naive"] and _holds(one)]
        results.append(
            {"id": "knee", "beds": max(held, default=0), "ok": bool(held), "store": store, "how": "run"}
        )
    return results


def _ratio(plain: dict[str, Any], result: dict[str, Any]) -> float:
    cost = result["cpu_s_per_million_messages"]["server_and_store"]
    return round(plain["cpu_s_per_million_messages"]["server_and_store"] / cost, 1) if cost else 0.0


def _holds(result: dict[str, Any]) -> bool:
    p99 = result["bed_to_screen_ms"]["p99"]
    return bool(result["lost"] == 0 and p99 is not None and p99 < KNEE_P99_MS)


def run(plan: Plan) -> dict[str, Any]:
    """Run one plan on parts of its own."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wardlink-bench-")))
        parts = _Parts(plan, home, stack)
        return _measured(plan, parts, stack)


class _Parts:
    """Broker, store and server of one run."""

    def __init__(self, plan: Plan, home: Path, stack: ExitStack) -> None:
        self.home, self.plan = home, plan
        self.run = secrets.token_hex(4)
        self.pki = Pki(home / "pki")
        self.password = "bench"  # noqa: S105 - of a broker that lives for seconds on the loopback address
        self.tls_port, self.port = free_ports(2)
        self.broker = stack.enter_context(self._broker())
        if plan.store == "postgresql":
            found = stack.enter_context(cluster())
            self.url, self.postmaster = found.url, found.postmaster
        else:
            self.url, self.postmaster = f"sqlite:///{home / 'ward.db'}", 0
        self.wards = [] if plan.naive else hospital.plant(self.url, plan.beds)
        self.server, self.screens = self._naive(stack) if plan.naive else self._server(stack)

    @contextmanager
    def _broker(self) -> Iterator[int]:
        state = self.home / "broker"
        state.mkdir()
        acl.write(state / "acl")
        (state / "passwords").write_text("".join(_password_lines(self.plan.beds, self.password)))
        settings = configuration(
            state_dir=state, ca_file=self.pki.ca_file, cert_file=self.pki.server.cert,
            key_file=self.pki.server.key, port=self.tls_port, user="root" if os.geteuid() == 0 else "",
        )  # fmt: skip
        settings += f"listener {self.port} 127.0.0.1\npassword_file {state / 'passwords'}\n"
        (state / "mosquitto.conf").write_text(settings)
        (state / "passwords").chmod(0o600)
        with (state / "log").open("wb") as log:
            process = subprocess.Popen([program(), "-c", str(state / "mosquitto.conf")], stderr=log)
        try:
            await_port(self.port)
            yield process.pid
        finally:
            process.terminate()
            process.wait(20)

    def _server(self, stack: ExitStack) -> tuple[int, dict[str, Any]]:
        mine = self.pki.client("wardlink-server")
        mqtt = (
            f'[mqtt]\nport = {self.tls_port}\nca_file = "{self.pki.ca_file}"\n'
            f'cert_file = "{mine.cert}"\nkey_file = "{mine.key}"\nmax_buffered = 200000\n'
            f'client = "{self.plan.reader}"\n'
        )
        server = WardProcess(self.home / "server", self.home / "no-seed.toml", url=self.url, mqtt=mqtt)
        server.start()
        stack.callback(server.stop)
        process = server._process  # its costs are what is measured
        if process is None:
            raise UnavailableError("bench-server", "the server did not start")
        with httpx2.Client(base_url=f"{server.base}/api/v1", timeout=30.0) as client:
            body = {"badge": hospital.BADGE, "pin": hospital.PIN, "handheld": "bench"}
            token = client.post("/sessions", json=body).json()["token"]
        socket_url = server.base.replace("http", "ws", 1)
        step = max(1, len(self.wards) // SCREENS)
        shown = [self.wards[(index * step) % len(self.wards)] for index in range(SCREENS)]
        urls = [f"{socket_url}/ws/central?ward={ward}" for ward in shown]
        return process.pid, {"token": token, "urls": urls}

    def _naive(self, stack: ExitStack) -> tuple[int, dict[str, Any]]:
        mine, port = self.pki.client("wardlink-server"), free_ports(1)[0]
        words = ["--url", self.url, "--ca", self.pki.ca_file, "--cert", mine.cert, "--key", mine.key]
        ports = ["--mqtt-port", self.tls_port, "--port", port]
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.naive_server", *map(str, [*words, *ports])],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        stack.callback(_end, process)
        line_of(process)
        return process.pid, {"token": "", "urls": [f"ws://127.0.0.1:{port}/ws/central"] * SCREENS}


def _measured(plan: Plan, parts: _Parts, stack: ExitStack) -> dict[str, Any]:
    screens = program_of(stack, "bench.path_screens", parts.screens)
    line_of(screens)
    loads = [program_of(stack, "bench.path_load", said) for said in _loads(plan, parts)]
    for load in loads:
        line_of(load)
    begin = time.time() + 1.0
    since, until = begin + WARM_S, begin + WARM_S + plan.seconds
    tell(screens, {"since": since, "until": until})
    for load in loads:
        tell(load, {"begin": begin})
    pids = {"broker": [parts.broker], "server": [parts.server], "store": processes.family(parts.postmaster)}
    pids |= {"load": [load.pid for load in loads], "screens": [screens.pid]}
    time.sleep(max(0.0, since - time.time()))
    before = {name: processes.cpu_s(of) for name, of in pids.items()}
    time.sleep(max(0.0, until - time.time()))
    if parts.postmaster:
        pids["store"] = processes.family(parts.postmaster)
    used = {name: processes.cpu_s(of) - before[name] for name, of in pids.items()}
    memory = {name: processes.memory_mib(pids[name]) for name in ("broker", "server", "store")}
    said = [json.loads(line_of(load)) for load in loads]
    stored = _stored(plan, parts, sum(one["sent"] for one in said))
    tell(screens, {})
    seen = json.loads(line_of(screens))
    return _report(plan, used, memory, said, stored, seen)


def _loads(plan: Plan, parts: _Parts) -> list[dict[str, Any]]:
    each = plan.beds // plan.load_processes
    tls = None
    if plan.bed_tls:
        for number in range(plan.beds):
            parts.pki.client(hospital.Bed(number).node)
        tls = {"ca_file": str(parts.pki.ca_file), "directory": str(parts.pki.directory)}
    return [
        {
            "first": index * each,
            "beds": each,
            "seconds": WARM_S + plan.seconds,
            "port": parts.tls_port if plan.bed_tls else parts.port,
            "password": parts.password,
            "run": parts.run,
            "tls": tls,
        }
        for index in range(plan.load_processes)
    ]


def _report(
    plan: Plan,
    used: dict[str, float],
    memory: dict[str, float],
    said: list[dict[str, Any]],
    stored: dict[str, int],
    seen: dict[str, Any],
) -> dict[str, Any]:
    messages = plan.beds * MESSAGES * plan.seconds
    values = plan.beds * VALUES * plan.seconds
    cost = {**used, "server_and_store": used["server"] + used["store"]}
    name = "naive" if plan.naive else "path"
    return {
        "id": f"{name}-{plan.store}-{plan.beds}",
        "naive": plan.naive,
        "store": plan.store,
        "beds": plan.beds,
        "seconds": plan.seconds,
        "reader": plan.reader,
        "tls": {"server": True, "beds": plan.bed_tls},
        "values_per_s": plan.beds * VALUES,
        "messages_per_s": plan.beds * MESSAGES,
        "cores": {name: round(one / plan.seconds, 3) for name, one in used.items()},
        "cpu_s_per_million_messages": {
            name: round(one / messages * 1e6, 1) for name, one in cost.items() if name not in _OURS
        },
        "cpu_s_per_million_values": {
            name: round(one / values * 1e6, 1) for name, one in cost.items() if name not in _OURS
        },
        "memory_mib": memory,
        "bed_to_screen_ms": seen["values"],
        "wave_to_screen_ms": seen["waves"],
        "load_late_p99_ms": max(one["late_p99_ms"] for one in said),
        "refused": sum(one["refused"] for one in said),
        **stored,
        "knee": _knee(plan, used),
        "ok": stored["lost"] == 0 and stored["duplicates"] == 0,
    }


def _knee(plan: Plan, used: dict[str, float]) -> dict[str, Any]:
    """Beds at which the busier of broker and server would fill its one core; ``--knee`` goes there."""
    part = max(("broker", "server"), key=lambda name: used[name])
    cores = used[part] / plan.seconds
    return {"beds": int(plan.beds / cores) if cores else None, "part": part, "how": "projected"}


_OURS = frozenset({"load", "screens"})
_OURS_NAIVE = "SELECT (SELECT count(*) FROM naive_values) / 10 + (SELECT count(*) FROM naive_waves)"
_STORED = "SELECT (SELECT count(*) FROM samples) + (SELECT count(*) FROM waves)"
_DIFFERENT = "SELECT (SELECT count(DISTINCT id) FROM samples) + (SELECT count(DISTINCT id) FROM waves)"
_COMMITTED = "SELECT coalesce(sum(last - first + 1), 0) FROM ingest_intervals"
_PATIENCE_S = 30.0


def _stored(plan: Plan, parts: _Parts, sent: int) -> dict[str, int]:
    """Count what is in the store, once the server had time to finish."""
    engine = create_engine(parts.url)
    deadline = time.time() + _PATIENCE_S
    while True:
        with engine.connect() as connection:
            rows = int(connection.scalar(text(_OURS_NAIVE if plan.naive else _STORED)) or 0)
            committed = rows if plan.naive else int(connection.scalar(text(_COMMITTED)) or 0)
        if committed >= sent or time.time() > deadline:
            break
        time.sleep(0.5)
    with engine.connect() as connection:  # one lost and one doubled must not make up for each other
        different = rows if plan.naive else int(connection.scalar(text(_DIFFERENT)) or 0)
    engine.dispose()
    return {"sent": sent, "stored": rows, "lost": max(0, sent - different), "duplicates": rows - different}


def _password_lines(beds: int, password: str) -> Iterator[str]:
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101, 64)
    words = "$".join(base64.b64encode(part).decode() for part in (salt, digest))
    for number in range(beds):
        yield f"{hospital.Bed(number).node}:$7$101${words}\n"


def program_of(stack: ExitStack, module: str, said: dict[str, Any]) -> subprocess.Popen[str]:
    """Start a part of the bench in a process of its own and tell it what it is to do."""
    process = subprocess.Popen(
        [sys.executable, "-m", module], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    stack.callback(_end, process)
    tell(process, said)
    return process


def tell(process: subprocess.Popen[str], said: dict[str, Any]) -> None:
    """Send a part one line."""
    if process.stdin is not None:
        process.stdin.write(json.dumps(said) + "\n")
        process.stdin.flush()


def line_of(process: subprocess.Popen[str]) -> str:
    """Read one line of a part.

    Raises:
        UnavailableError: It has ended.
    """
    line = process.stdout.readline() if process.stdout is not None else ""
    if not line:
        raise UnavailableError("bench-part", "a part of the bench ended early; see its message above")
    return line


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(30)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def await_port(port: int) -> None:
    """Wait until somebody listens on a port."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise UnavailableError("bench-broker", "the broker did not start")
