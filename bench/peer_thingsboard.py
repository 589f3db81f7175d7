"""thingsboard-gateway as a peer: MQTT in, JSON converter, telemetry out to a stub of its platform."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from bench import hospital
from bench.peer import Peer, Started, process_of
from broker.topics import ROOT as TOPICS

ROOT = Path(__file__).parents[1]
_SETTLE_S = 12.0


def _find_thingsboard(peers: Path) -> list[str] | None:
    found = peers / "tb" / "bin" / "thingsboard-gateway"
    return [str(found.resolve())] if found.exists() else None


def _start_thingsboard(command: list[str], home: Path, port: int, stack: ExitStack) -> Started:
    bin_ = Path(command[0]).parent
    shipped = next(bin_.parent.glob("lib/python*/site-packages/thingsboard_gateway/config"))
    config = home / "config"
    config.mkdir()
    gateway = json.loads((shipped / "tb_gateway.json").read_text())
    board = gateway["thingsboard"]
    board |= {key: "0:0," for key in board if key.lower().endswith("ratelimits")}
    board |= {
        "host": "127.0.0.1", "port": port, "remoteConfiguration": False, "maxPayloadSizeBytes": 65_000,
        "security": {"type": "accessToken", "accessToken": "bench"},
    }  # fmt: skip
    board.setdefault("statistics", {})["enable"] = False
    gateway["storage"] = {"type": "memory", "read_records_count": 1000, "max_records_count": 200_000}
    gateway["connectors"] = [{"type": "mqtt", "name": "mqtt", "configuration": "mqtt.json"}]
    (config / "tb_gateway.json").write_text(json.dumps(gateway))
    (config / "mqtt.json").write_text(json.dumps(_converter(port)))
    handlers = {"out": {"class": "logging.StreamHandler", "level": "WARNING"}}
    root = {"level": "WARNING", "handlers": ["out"]}
    (config / "logs.json").write_text(json.dumps({"version": 1, "handlers": handlers, "root": root}))
    stub = subprocess.Popen(
        [sys.executable, "-m", "bench.peer_thingsboard", str(port), str(home / "count")], cwd=ROOT
    )
    stack.callback(stub.wait)
    stack.callback(stub.terminate)
    while not (home / "count").exists():  # the gateway asks its platform for limits once, at its start
        time.sleep(0.1)
    process = process_of(command, home, stack, TB_GW_CONFIG_DIR=str(config))
    time.sleep(_SETTLE_S)
    return process, lambda: int((home / "count").read_text() or 0)


def _converter(port: int) -> dict[str, Any]:
    """Ten values of a reading as ten telemetry keys."""
    device = {
        "deviceNameExpressionSource": "topic", "deviceNameExpression": "(?<=v1/)(.*?)(?=/up)",
        "deviceProfileExpressionSource": "constant", "deviceProfileExpression": "default",
    }  # fmt: skip
    series = [
        {"type": "double", "key": code, "value": f"${{values[{number}].n}}"}
        for number, (code, _, _) in enumerate(hospital.VALUES)
    ]
    broker = {
        "host": "127.0.0.1", "port": port, "clientId": "gateway", "version": 5,
        "maxMessageNumberPerWorker": 10,
        "maxNumberOfWorkers": 100, "cleanSession": True, "cleanStart": True, "sessionExpiryInterval": 0,
        "security": {"type": "anonymous"},
    }  # fmt: skip
    converter = {
        "type": "json",
        "deviceInfo": device,
        "timeout": 60_000,
        "attributes": [],
        "timeseries": series,
    }
    nothing: dict[str, list[Any]] = {
        name: [] for name in
        ("connectRequests", "disconnectRequests", "attributeRequests", "attributeUpdates", "serverSideRpc")
    }  # fmt: skip
    topic = {"topicFilter": f"{TOPICS}/+/up/readings", "subscriptionQos": 1, "converter": converter}
    return {"broker": broker, "mapping": [topic], "requestsMapping": nothing}


def _subscribe(client: Client, *_: Any) -> None:
    client.subscribe([("v1/gateway/telemetry", 1), ("v1/devices/me/rpc/request/+", 1)])


def _platform(port: int, file: Path) -> None:
    """Be the platform that the gateway talks to: allow everything, count the telemetry."""
    free = "0:0,"
    limits = {"messages": free, "telemetryMessages": free, "telemetryDataPoints": free}
    said = {
        "maxPayloadSize": 65_536,
        "maxInflightMessages": 1000,
        "rateLimits": limits,
        "gatewayRateLimits": limits,
    }
    counted: set[tuple[str, int]] = set()

    def heard(client: Client, _data: object, message: MQTTMessage) -> None:
        if "/rpc/request/" in message.topic:
            client.publish(message.topic.replace("request", "response"), json.dumps(said), 1)
            return
        for device, entries in json.loads(message.payload).items():  # one entry may come in two parts
            counted.update((device, entry["ts"]) for entry in entries)

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = heard
    client.on_connect = _subscribe
    client.connect("127.0.0.1", port)
    client.loop_start()
    while True:
        time.sleep(0.5)
        partial = file.with_suffix(".part")
        partial.write_text(str(len(counted)))
        partial.replace(file)


THINGSBOARD = Peer(
    "thingsboard-gateway", "python3 -m venv tb && tb/bin/pip install thingsboard-gateway", 1,
    _find_thingsboard, _start_thingsboard,
)  # fmt: skip

if __name__ == "__main__":
    _platform(int(sys.argv[1]), Path(sys.argv[2]))
