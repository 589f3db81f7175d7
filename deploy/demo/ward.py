"""The demo ward: every part started in order, fed by hospital messages, stopped in order.

What runs is the product itself, each part the ``wardlink`` command an installed system runs, with a
certificate authority made for this one run. Only the devices are simulated, and they speak real bytes:
BLE through D-Bus and serial through pseudo-terminals.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Self

import httpx2

from broker.acl import SERVER_USER
from broker.local import LocalBroker, free_ports
from clinical.errors import UnavailableError
from deploy.demo.program import Program
from deploy.provision.authority import Authority, Issued
from edge_node.settings import ble_uid

NODES = {"wl-edge-0a0001": "01", "wl-edge-0a0002": "02"}
"""Bedside node → the bed it serves; the same pairs stand in ``ward.toml``."""

START_S = 45.0
"""Longest wait for one part to be ready, on a slow and busy machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """TCP ports of this run, all on the loopback address."""

    web: int
    plain: int
    mllp: int
    hospital: int


def sensor_address(bed: str) -> str:
    """Bluetooth address of the simulated drip sensor that hangs at a bed."""
    return f"C0:00:00:00:{bed}:01"


class Simulator:
    """The control socket of one node's simulated devices."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.ready: dict[str, Any] = {}

    def wait_ready(self) -> None:
        """Wait until the devices are there."""
        self.ready = json.loads(self.program.first_line(START_S))

    async def do(self, **command: Any) -> dict[str, Any]:
        """Give one command and return the answer.

        Raises:
            UnavailableError: The simulator refused it.
        """
        reader, writer = await asyncio.open_unix_connection(self.ready["control"])
        try:
            writer.write(json.dumps(command).encode() + b"\n")
            await writer.drain()
            answer: dict[str, Any] = json.loads(await reader.readline())
        finally:
            writer.close()
            await writer.wait_closed()
        if not answer.get("ok", True):
            raise UnavailableError(
                "simulator", f"the simulated devices refused {command.get('do')}: {answer}"
            )
        return answer


class DemoWard:
    """One ward on this machine. Use as an asynchronous context manager."""

    def __init__(self, directory: Path | None = None, *, policy: str = "policy.toml") -> None:
        """Prepare; nothing starts yet.

        Args:
            directory: Where state and logs go, kept afterwards; a temporary one, removed at the end, if None.
            policy: Site policy among the demo's own files.
        """
        self._own = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="wardlink-demo-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        # Names of sockets may have 107 characters at most, whatever TMPDIR says.
        self._sockets = Path(tempfile.mkdtemp(prefix="wl-", dir="/tmp"))
        self._policy = policy
        web, plain, mllp, hospital, *health = free_ports(4 + len(NODES))
        self.ports = Ports(web=web, plain=plain, mllp=mllp, hospital=hospital)
        self.health_ports = dict(zip(NODES.values(), health, strict=True))
        self.url = f"https://127.0.0.1:{self.ports.web}"
        self.plain_url = f"http://127.0.0.1:{self.ports.plain}"
        self.broker: LocalBroker | None = None
        self.server = self._program("server", ["server", "--config", str(self.directory / "server.toml")])
        self.hospital = self._program(
            "hospital",
            [
                "his",
                "listen",
                "--port",
                str(self.ports.hospital),
                "--store",
                str(self.directory / "hospital"),
            ],
        )
        self.simulators: dict[str, Simulator] = {}
        self.nodes: dict[str, Program] = {}

    @property
    def ca_file(self) -> Path:
        """The authority that handhelds and browsers of this run trust."""
        return self.directory / "ca" / "ca.crt"

    @property
    def tls(self) -> ssl.SSLContext:
        """A context that trusts this run's authority and nothing else."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _program(self, name: str, arguments: list[str], *, pipe: bool = False) -> Program:
        return Program(name, arguments, self.directory / f"{name}.log", pipe=pipe)

    # ---- starting
    async def start(self) -> None:
        """Start every part; returns when the nodes are online and the ward is admitted."""
        await asyncio.to_thread(self._start_parts)
        await self._await_server()
        await self.admit()
        for simulator in self.simulators.values():
            await asyncio.to_thread(simulator.wait_ready)
        self._start_nodes()
        await self._await_nodes()

    def _start_parts(self) -> None:
        authority = Authority.create(self.directory / "ca", organisation="Wardlink demo")
        hosts = ("localhost", "127.0.0.1")
        web = authority.server("web", hosts)
        listener = authority.server("broker", hosts)
        self.broker = LocalBroker(
            self.directory / "broker", authority.chain, listener.certificate, listener.key, authority.crl
        )
        self.broker.start()
        self._write_server(web, authority.client(SERVER_USER))
        self.hospital.start()
        self.server.start()
        for node, bed in NODES.items():
            identity = authority.client(node)
            self._write_node(node, bed, identity)
            simulator = self._program(
                f"devices-{bed}",
                ["edge", "simulate", "--config", str(self.directory / f"devices-{bed}.toml")],
                pipe=True,
            )
            simulator.start()
            self.simulators[bed] = Simulator(simulator)
            self.nodes[bed] = self._program(
                f"node-{bed}", ["edge", "--config", str(self.directory / f"node-{bed}.toml")]
            )

    def _write_server(self, web: Issued, identity: Issued) -> None:
        assets = Path(str(resources.files("deploy.demo")))
        (self.directory / "server.toml").write_text(
            f"""\
[server]
host = "127.0.0.1"
port = {self.ports.web}
plain_port = {self.ports.plain}
cert_file = "{web.certificate}"
key_file = "{web.key}"
state_dir = "{self.directory / "server"}"
public_url = "{self.url}"

[storage]
url = "sqlite:///{self.directory / "server" / "ward.db"}"

[mqtt]
host = "127.0.0.1"
port = {self.broker.port if self.broker else 0}
ca_file = "{self.ca_file}"
cert_file = "{identity.certificate}"
key_file = "{identity.key}"

[his]
mllp_port = {self.ports.mllp}
send_to = "127.0.0.1:{self.ports.hospital}"

[ward]
seed = "{assets / "ward.toml"}"
policy = "{assets / self._policy}"
""",
            encoding="utf-8",
        )

    def _write_node(self, node: str, bed: str, identity: Issued) -> None:
        address = sensor_address(bed)
        (self.directory / f"devices-{bed}.toml").write_text(
            f"""\
directory = "{self._sockets / bed}"

[[peripherals]]
kind = "wardlink_drip"
address = "{address}"
name = "WL-DRIP-{bed}"
serial = "WLD-{bed}01"

[[serials]]
kind = "nonin_oem3"
name = "oximeter-{bed}"
""",
            encoding="utf-8",
        )
        (self.directory / f"node-{bed}.toml").write_text(
            f"""\
[node]
id = "{node}"
state_dir = "{self.directory / f"node-{bed}"}"
generation = "Demo"

[mqtt]
host = "127.0.0.1"
port = {self.broker.port if self.broker else 0}
ca_file = "{self.ca_file}"
cert_file = "{identity.certificate}"
key_file = "{identity.key}"

[bluetooth]
enabled = true
bus = "@BUS@"

[serial]
directory = "@SERIAL@"

[[serial.ports]]
glob = "oximeter-*"
profile = "nonin_oem3"

[health]
port = {self.health_ports[bed]}

[[devices]]
uid = "{ble_uid(address)}"
profile = "wardlink_drip"
address = "{address}"
""",
            encoding="utf-8",
        )

    def _start_nodes(self) -> None:
        for bed, node in self.nodes.items():
            ready = self.simulators[bed].ready
            file = self.directory / f"node-{bed}.toml"
            text = file.read_text(encoding="utf-8")
            file.write_text(
                text.replace("@BUS@", ready["dbus"]).replace("@SERIAL@", ready["serial_dir"]),
                encoding="utf-8",
            )
            node.start()

    async def _await_server(self) -> None:
        async with httpx2.AsyncClient(base_url=self.url, verify=self.tls, timeout=2) as client:
            await self._until(self.server, lambda: self._healthy(client))

    @staticmethod
    async def _healthy(client: httpx2.AsyncClient) -> bool:
        return (await client.get("/api/v1/health")).status_code == httpx2.codes.OK

    async def _await_nodes(self) -> None:
        for bed, node in self.nodes.items():

            async def well(bed: str = bed) -> bool:
                return bool((await self.node_health(bed))["ok"])

            await self._until(node, well)

    async def node_health(self, bed: str) -> dict[str, Any]:
        """The health document of the node at a bed."""
        async with httpx2.AsyncClient(timeout=2) as client:
            answer = await client.get(f"http://127.0.0.1:{self.health_ports[bed]}/health")
        document: dict[str, Any] = answer.json()
        return document

    async def _until(self, program: Program, done: Any) -> None:
        """Wait for a condition that the network may not answer yet.

        Raises:
            UnavailableError: The program ended, or the condition did not come within ``START_S``.
        """
        for _ in range(int(START_S / 0.1)):
            try:
                if await done():
                    return
            except (httpx2.TransportError, KeyError, ValueError):
                pass
            if not program.running:
                raise program.failed()
            await asyncio.sleep(0.1)
        raise program.failed()

    async def admit(self) -> None:
        """Send the demo hospital's admissions and orders over MLLP, dated from now."""
        from deploy.demo.hospital import send_samples

        await send_samples("127.0.0.1", self.ports.mllp)

    # ---- faults
    async def restart_server(self) -> None:
        """Start the server again after :meth:`Program.kill`, and wait until it answers."""
        self.server.start()
        await self._await_server()

    # ---- stopping
    async def stop(self) -> None:
        """Stop every part in the order that lets each finish its work; safe to call twice."""
        await asyncio.to_thread(self._stop_parts)

    def _stop_parts(self) -> None:
        for node in self.nodes.values():
            node.stop()
        for simulator in self.simulators.values():
            simulator.program.stop()
        self.server.stop()
        self.hospital.stop()
        if self.broker is not None:
            self.broker.stop()
        shutil.rmtree(self._sockets, ignore_errors=True)
        if self._own:
            shutil.rmtree(self.directory, ignore_errors=True)
