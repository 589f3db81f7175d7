"""``bench peers``: what is not installed is said, and with a stand-in for a peer the figures are counted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench import peers
from bench.path import WARM_S
from bench.peer import Peer, process_of
from clinical.errors import BadInputError

COUNTER = """
import sys
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
seen = 0
def heard(client, data, message):
    global seen
    seen += 1
    open('count', 'w').write(str(seen))
client = Client(CallbackAPIVersion.VERSION2)
client.on_message = heard
client.on_subscribe = lambda *_: open('count', 'w').write('0')
client.on_connect = lambda *_: client.subscribe('wardlink/v1/+/up/readings', 1)
client.connect('127.0.0.1', int(sys.argv[1]))
client.loop_forever()
"""


def _start(
    command: list[str], home: Path, port: int, stack: ExitStack
) -> tuple[subprocess.Popen[bytes], Callable[[], int]]:
    process = process_of([*command, "-c", COUNTER, str(port)], home, stack)
    count = home / "count"
    while not count.exists() and process.poll() is None:
        pass
    return process, lambda: int(count.read_text() or 0)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_what_a_peer_took_and_cost_is_counted() -> None:
    peer = Peer("counter", "nothing", 1, lambda _: [sys.executable], _start)
    found = peers._run(peer, [sys.executable], 5, 1)
    assert (found["sent"], found["through"], found["lost"]) == (5 * (1 + WARM_S), 5 * (1 + WARM_S), 0)
    assert found["cpu_s_per_million_messages"] >= 0  # so little that the clock may not see it
    assert found["memory_mib"] > 1


def test_peers_that_are_not_installed_are_named_with_what_installs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInputError, match="--peers DIR"):
        peers.measure()
    cost = {"server_and_store": 50.0}
    ours = {"id": "path", "cpu_s_per_million_messages": cost, "memory_mib": {"server": 200.0}}
    monkeypatch.setattr(peers.path, "run", lambda _plan: ours)
    found = peers.measure(tmp_path)
    assert [one["id"] for one in found] == ["node-red", "thingsboard-gateway", "path"]
    assert "npm install node-red" in found[0]["note"]
    assert "pip install thingsboard-gateway" in found[1]["note"]
