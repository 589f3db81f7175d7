"""The node and its simulated devices as programs of their own, which can be killed."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from broker.local import LocalBroker, free_ports
from tests.support.pki import Pki

NODE = "node-1"
DRIP = "C0:00:00:00:01:01"
DRIP_UID = "ble:c0-00-00-00-01-01"
ROOT = Path(__file__).resolve().parents[2]

SIMULATION = f"""
[[peripherals]]
kind = "wardlink_drip"
address = "{DRIP}"
[[peripherals]]
kind = "wardlink_drip"
address = "C0:00:00:00:09:09"
[[serials]]
kind = "nonin_oem3"
name = "nonin-1"
"""


def program(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "edge", *arguments], cwd=ROOT, text=True, **options
    )


class Devices:
    """The simulated devices, as their own program."""

    def __init__(self, directory: Path) -> None:
        config = directory / "devices.toml"
        config.write_text(SIMULATION)
        self.process = program("simulate", "--config", str(config), stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())

    def do(self, **request: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(self.ready["control"])
            control.sendall(json.dumps(request).encode() + b"\n")
            with control.makefile() as lines:
                reply: dict[str, Any] = json.loads(lines.readline())
        return reply

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


class NodeProgram:
    """The node, as its own program that can be killed."""

    def __init__(self, directory: Path, devices: Devices, broker: LocalBroker, pki: Pki) -> None:
        self.directory = directory
        self.health_port = free_ports(1)[0]
        self.devices, self.broker, self.pki = devices, broker, pki
        self.process: subprocess.Popen[str] | None = None
        self.write()

    def write(self, *, cert: str = NODE, ca: Path | None = None, extra: str = "") -> None:
        pair = self.pki.client(cert)
        (self.directory / "node.toml").write_text(
            extra
            + f"""
[node]
id = "{NODE}"
state_dir = "{self.directory / "state"}"
generation = "Demo"
[mqtt]
host = "127.0.0.1"
port = {self.broker.port}
ca_file = "{ca or self.pki.ca_file}"
cert_file = "{pair.cert}"
key_file = "{pair.key}"
[bluetooth]
bus = "{self.devices.ready["dbus"]}"
[serial]
directory = "{self.devices.ready["serial_dir"]}"
poll_s = 0.1
[[serial.ports]]
glob = "nonin*"
profile = "nonin_oem3"
[[devices]]
uid = "{DRIP_UID}"
profile = "wardlink_drip"
address = "{DRIP}"
[health]
port = {self.health_port}
"""
        )

    @property
    def outbox(self) -> Path:
        return self.directory / "state" / "outbox.db"

    def start(self) -> None:
        with (self.directory / "node.log").open("a") as log:
            self.process = program("--config", str(self.directory / "node.toml"), stderr=log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def stop(self) -> int:
        if self.process is None:
            return 0
        self.process.terminate()
        code = self.process.wait(15)
        self.process = None
        return code

    def health(self) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.health_port}/health"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                document: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                document = json.load(error)
        except OSError:
            document = {"ok": False, "problems": []}
        return document
