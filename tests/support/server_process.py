"""A real ward server in its own process, and a node stand-in with an outbox, for tests that kill things."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from broker import topics
from broker.local import free_ports
from broker.messages import (
    Acks,
    Clock,
    Command,
    Readings,
    Status,
    Targets,
    UpMessage,
    Value,
    decode,
    encode,
)
from broker.topics import Down, Up
from clinical.records import Generation

ROOT = Path(__file__).parents[2]


def until(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Wait for something to become true and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"did not become true in {seconds:.0f} s")


class WardProcess:
    """``wardlink server`` in its own process, on a free plain port."""

    def __init__(
        self,
        directory: Path,
        seed: Path,
        *,
        url: str = "",
        mqtt: str = "",
        listener: str = "",
        pg_schema: str = "",
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.config = directory / "server.toml"
        self.url = url or f"sqlite:///{directory / 'ward.db'}"
        port = free_ports(1)[0]
        self.config.write_text(
            f'[server]\nstate_dir = "{directory}"\nplain_port = {port}\n{listener}\n'
            f'[storage]\nurl = "{self.url}"\npg_schema = "{pg_schema}"\n[ward]\nseed = "{seed}"\n{mqtt}\n'
        )
        self._process: subprocess.Popen[str] | None = None
        self.ready: dict[str, Any] = {}

    def start(self, *options: str) -> None:
        with (self.directory / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", "server", "--config", str(self.config), *options],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self.log
        self.ready = json.loads(line)

    @property
    def log(self) -> str:
        return (self.directory / "server.log").read_text()

    @property
    def base(self) -> str:
        return str(self.ready["urls"]["http"])

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        os.kill(process.pid, number)
        code = process.wait(timeout=20)
        if process.stdout is not None:
            process.stdout.close()
        return code

    def client(self, badge: str = "N20713", pin: str = "2580") -> httpx2.Client:
        with httpx2.Client(base_url=f"{self.base}/api/v1", timeout=30.0) as client:
            answer = client.post("/sessions", json={"badge": badge, "pin": pin, "handheld": "pda-1"})
        assert answer.status_code == 201, answer.text
        headers = {"authorization": f"Bearer {answer.json()['token']}"}
        return httpx2.Client(base_url=f"{self.base}/api/v1", timeout=30.0, headers=headers)


class NodeStandIn:
    """Speaks for one node: numbers messages, keeps them until ``down/acks``, sends the rest again."""

    def __init__(self, node: str, outbox: str, host: str, port: int, tls: ssl.SSLContext) -> None:
        self.node, self.outbox_id = node, outbox
        self.seq = 0
        self.waiting: dict[int, tuple[str, bytes]] = {}
        self.acks: list[Acks] = []
        self.targets: list[Targets] = []
        self.commands: list[Command] = []
        self._lock = threading.Lock()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=node, protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.tls_set_context(tls)
        self._client.username_pw_set(node)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._connected
        self._client.on_message = self._heard
        self._client.connect_async(host, port, keepalive=10)
        self._client.loop_start()
        until(self._client.is_connected)

    def _connected(self, client: Client, *_rest: Any) -> None:
        client.subscribe([(topics.down(self.node, kind), 1) for kind in Down])

    def _heard(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        kind = message.topic.rsplit("/", 1)[1]
        if kind == Down.ACKS:
            acks = decode(message.payload, Acks)
            self.acks.append(acks)
            self._forget(acks)
        elif kind == Down.TARGETS:
            self.targets.append(decode(message.payload, Targets))
        elif kind == Down.COMMANDS:
            self.commands.append(decode(message.payload, Command))

    def _forget(self, acks: Acks) -> None:
        with self._lock:
            for first, last in acks.committed:
                for seq in [seq for seq in self.waiting if first <= seq <= last]:
                    del self.waiting[seq]

    def envelope(self) -> dict[str, Any]:
        self.seq += 1
        return {
            "node": self.node,
            "boot": "boot-1",
            "outbox": self.outbox_id,
            "seq": self.seq,
            "sent": datetime.now(UTC),
        }

    def reading(self, device: str, values: dict[str, tuple[float | None, str]], **said: Any) -> Readings:
        envelope = self.envelope()
        fields: dict[str, Any] = {
            "id": f"{self.outbox_id}-{self.seq}",
            "device": device,
            "profile": "nonin_oem3",
            "effective": envelope["sent"],
            "mono_ns": self.seq,
            "clock": Clock(state="synchronised"),
            "generation": Generation.DEMO,
            "values": [
                Value(code=code, n=None if number is None else Decimal(str(number)), unit=unit)
                for code, (number, unit) in values.items()
            ],
        }
        return Readings(**(envelope | fields | said))

    def put(self, kind: Up, message: UpMessage, *, send: bool = True) -> None:
        """Keep a message until it is acknowledged, and send it."""
        payload = encode(message)
        with self._lock:
            self.waiting[message.seq] = (topics.up(self.node, kind), payload)
        if send:
            self._client.publish(topics.up(self.node, kind), payload, qos=1)

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(5)

    def status(self, state: str = "online") -> None:
        status = Status(
            node=self.node,
            state=state,  # type: ignore[arg-type]
            since=datetime.now(UTC),
            outbox=self.outbox_id,
            last_seq=self.seq,
            generation=Generation.DEMO,
        )
        self._client.publish(topics.status(self.node), encode(status), qos=1, retain=True)

    def resend(self) -> None:
        """Send everything again that nobody has acknowledged."""
        with self._lock:
            waiting = [self.waiting[seq] for seq in sorted(self.waiting)]
        for topic, payload in waiting:
            self._client.publish(topic, payload, qos=1)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
