"""Runs what others use beside our path: the same beds, the same messages, one after the other in one run.

* **Node-RED**: MQTT in, a function that gathers rows for 100 ms, one SQLite transaction for each batch, which
  is its cheapest way to a store. It checks little, files nothing, tells no node and shows nothing.
* **thingsboard-gateway**: MQTT in, a JSON converter, telemetry out to a stub of its platform. It stores
  nothing itself; waveforms it cannot read, so it is given the readings alone.

``--peers DIR`` names the directory they are installed in (``DIR/node_modules``, ``DIR/tb``); what is not
there is said and left out. Our server speaks TLS to the broker and tells nodes and screens; the peers do
neither.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench import path, processes
from bench.path import WARM_S, Plan, await_port, line_of, program_of, tell
from bench.peer import Peer
from bench.peer_node_red import NODE_RED
from bench.peer_thingsboard import THINGSBOARD
from broker.local import free_ports, program
from clinical.errors import BadInputError

_POLL_S = 4.0
_PATIENCE_S = 20.0


def measure(peers: Path | None = None, beds: int = 500, seconds: int = 10) -> list[dict[str, Any]]:
    """Run each peer and then our path on SQLite.

    Args:
        peers: The directory that the peers are installed in.
        beds: Beds that send.
        seconds: How long each is measured, after three seconds of warming up.

    Raises:
        BadInputError: No directory was named.
    """
    if peers is None:
        raise BadInputError(
            "bench-peers", "say where the peers are installed: --peers DIR, with node_modules or tb in it"
        )
    results = []
    for peer in (NODE_RED, THINGSBOARD):
        found = peer.find(peers)
        if found is None:
            results.append({"id": peer.name, "note": f"not installed in {peers}; {peer.install}"})
        else:
            results.append(_run(peer, found, beds, seconds))
    ours = path.run(Plan(beds, seconds))
    cost = ours["cpu_s_per_million_messages"]["server_and_store"]
    memory = ours["memory_mib"]["server"]
    for result in results:
        if "cpu_s_per_million_messages" in result:
            result["cpu_ratio"] = round(result["cpu_s_per_million_messages"] / cost, 2)
            result["memory_ratio"] = round(result["memory_mib"] / memory, 2)
            result["note"] = (
                f"CPU {result['cpu_ratio']} times ours, memory {result['memory_ratio']} times ours"
            )
    return [*results, ours]


def _run(peer: Peer, command: list[str], beds: int, seconds: int) -> dict[str, Any]:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wardlink-bench-")))
        port = free_ports(1)[0]
        stack.enter_context(_broker(home, port))
        process, count = peer.start(command, home, port, stack)
        load = program_of(stack, "bench.path_load", _load(beds, seconds, port))
        line_of(load)
        before = processes.cpu_s(processes.family(process.pid))
        begin = time.time() + 1.0
        tell(load, {"begin": begin})
        line_of(load)
        memory = processes.memory_mib(processes.family(process.pid))
        took = time.time() - begin
        sent = beds * peer.messages * (seconds + WARM_S)
        through = _settled(count, sent)
        used = processes.cpu_s(processes.family(process.pid)) - before
        return {
            "id": peer.name, "beds": beds, "seconds": round(took, 1), "messages_per_s": beds * peer.messages,
            "sent": sent, "through": through, "lost": sent - through, "memory_mib": memory,
            "cpu_s_per_million_messages": round(used / sent * 1e6, 1),
        }  # fmt: skip


def _settled(count: Callable[[], int], sent: int) -> int:
    """Wait for what a peer still holds, until nothing more comes: that costs it processor time too."""
    last, deadline = count(), time.time() + _PATIENCE_S
    while last < sent and time.time() < deadline:
        time.sleep(_POLL_S)
        now = count()
        if now == last:
            break
        last = now
    return last


def _load(beds: int, seconds: int, port: int) -> dict[str, Any]:
    return {
        "first": 0, "beds": beds, "seconds": WARM_S + seconds, "port": port, "password": "bench",
        "run": "peers", "tls": None,
    }  # fmt: skip


@contextmanager
def _broker(home: Path, port: int) -> Iterator[None]:
    state = home / "broker"
    state.mkdir()
    (state / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 1000000\n"
        "max_inflight_messages 1000\nset_tcp_nodelay true\n"
    )
    with (state / "log").open("wb") as log:
        process = subprocess.Popen([program(), "-c", str(state / "mosquitto.conf")], stderr=log)
    try:
        await_port(port)
        yield
    finally:
        process.terminate()
        process.wait(20)
