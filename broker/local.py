"""A private Mosquitto: started, checked, stopped and killed by this product.

One listener, TLS with client certificates, the rules of :mod:`broker.acl`, and the settings that
measurements showed to matter: with Mosquitto's own default of 20 messages in flight a busy ward
loses nine tenths of its throughput, and with the default of 1800 s between saves a crash forgets half an
hour. Acknowledged still does not mean saved; only ``down/acks`` lets a node forget.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from broker import acl, tls
from broker.messages import MAX_PAYLOAD
from clinical.errors import BadInputError, UnavailableError

PACKET_OVERHEAD = 4096
"""Room for topic and MQTT 5 properties beside the largest payload, in bytes."""

LOG_KEPT = 5_000_000
"""When the log has this many bytes at a start, it is set aside as ``mosquitto.log.1``."""

READY_S = 15.0
STOP_S = 10.0
PORT_TRIES = 5
PORT_DRAWS = 200
FREE_PORTS = range(20_000, 32_768)
"""Below what Linux gives to outgoing connections (``net.ipv4.ip_local_port_range``, 32768 and up)."""

SYSTEM_PATHS = ("/usr/sbin", "/usr/local/sbin")


def program() -> str:
    """Return the path of the mosquitto program; Debian keeps it outside a user's ``PATH``.

    Raises:
        UnavailableError: Not installed; the message holds the exact command.
    """
    path = os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_PATHS])
    found = shutil.which("mosquitto", path=path)
    if found is None:
        raise UnavailableError(
            "mosquitto-missing", "Mosquitto is not installed; run: sudo apt-get install -y mosquitto"
        )
    return found


def configuration(
    *,
    state_dir: Path,
    ca_file: Path,
    cert_file: Path,
    key_file: Path,
    port: int,
    host: str = "127.0.0.1",
    crl_file: Path | None = None,
    user: str = "",
) -> str:
    """Return ``mosquitto.conf``; every path in it is absolute.

    Args:
        state_dir: Holds the ACL file and Mosquitto's own store.
        ca_file: Authority of the client certificates.
        cert_file: Certificate of the listener.
        key_file: Its key.
        port: TCP port of the only listener.
        host: Address it listens on.
        crl_file: Revoked client certificates.
        user: Account to run as when started by root; Mosquitto would otherwise change to its own, which
            cannot read these files.
    """
    settings = [
        "# Written by wardlink; do not edit.",
        "per_listener_settings false",
        "allow_anonymous false",
        f"listener {port} {host}",
        f"cafile {ca_file.resolve()}",
        f"certfile {cert_file.resolve()}",
        f"keyfile {key_file.resolve()}",
        *([f"crlfile {crl_file.resolve()}"] if crl_file else []),
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        "tls_version tlsv1.2",
        f"acl_file {(state_dir / 'acl').resolve()}",
        "persistence true",
        f"persistence_location {state_dir.resolve()}/",
        "autosave_interval 5",
        "max_inflight_messages 20000",
        "max_queued_messages 200000",
        f"max_packet_size {MAX_PAYLOAD + PACKET_OVERHEAD}",
        "set_tcp_nodelay true",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_timestamp_format %Y-%m-%dT%H:%M:%S",
        *([f"user {user}"] if user else []),
    ]
    return "\n".join(settings) + "\n"


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Find TCP ports that nobody listens on, all different.

    They are drawn from below the range that the kernel gives to outgoing connections: a port of that range
    may be taken by any program's next connection before the one it was found for listens on it.

    Raises:
        UnavailableError: None was free in many tries.
    """
    found: set[int] = set()
    for _ in range(PORT_DRAWS * count):
        port = secrets.choice(FREE_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            found.add(port)
        if len(found) == count:
            return sorted(found)
    raise UnavailableError(
        "no-free-port", f"no free port on {host} between {FREE_PORTS[0]} and {FREE_PORTS[-1]}"
    )


class LocalBroker:
    """One Mosquitto process on one port. Usable as a context manager.

    Args:
        state_dir: Made if missing. What is in it survives :meth:`stop` and :meth:`kill`, so that a new
            start goes on with the same sessions.
        ca_file: Authority of the client certificates.
        cert_file: Certificate of the listener.
        key_file: Its key.
        crl_file: Revoked client certificates.
        port: TCP port; 0 picks a free one at the first start and keeps it.
        host: Address to listen on.
    """

    def __init__(
        self,
        state_dir: Path,
        ca_file: Path,
        cert_file: Path,
        key_file: Path,
        crl_file: Path | None = None,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        shares: Sequence[str] = (),
    ) -> None:
        self.state_dir = Path(state_dir)
        self.host = host
        self.port = port
        self._shares = shares
        self._ca_file = Path(ca_file)
        self._cert_file = Path(cert_file)
        self._key_file = Path(key_file)
        self._crl_file = Path(crl_file) if crl_file is not None else None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id while one is alive."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def log_file(self) -> Path:
        """What Mosquitto says: connections and refusals, never topics' contents."""
        return self.state_dir / "mosquitto.log"

    @property
    def _config_file(self) -> Path:
        return self.state_dir / "mosquitto.conf"

    def start(self) -> None:
        """Start and return only when a TLS handshake works; does nothing when already running.

        Raises:
            BadInputError: A certificate, key or revocation list cannot be used.
            UnavailableError: Mosquitto is missing, the port is taken, or it did not get ready.
        """
        if self.running:
            return
        executable = program()
        tls.server_context(self._cert_file, self._key_file, client_ca_file=self._ca_file)
        if self._crl_file is not None:
            tls.check_crl(self._crl_file)
        self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._end_predecessor()
        self._set_log_aside()
        acl.write(self.state_dir / "acl", shares=self._shares)
        tries = PORT_TRIES if self.port == 0 else 1
        while True:
            tries -= 1
            port = self.port or free_ports(1, self.host)[0]
            try:
                self._launch(executable, port)
            except UnavailableError:
                if not tries:
                    raise
                continue
            self.port = port
            return

    def stop(self) -> None:
        """End the process in an orderly way (it saves its store); does nothing when not running."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        self._process = None
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the process as a power cut would (SIGKILL); nothing is saved."""
        if self._process is not None:
            self._process.kill()
        self.stop()

    def wait(self) -> int:
        """Wait for the process to end by itself and return its exit code."""
        return self._process.wait() if self._process is not None else 0

    def reload(self, *, denied: Iterable[str] = ()) -> None:
        """Apply a new revocation list and new access rules; open sessions stay.

        Args:
            denied: Revoked nodes whose open sessions are to be silenced as well.

        Raises:
            BadInputError: The revocation list cannot be used; the broker keeps the old one.
            UnavailableError: Not running.
        """
        if self._process is None or not self.running:
            raise UnavailableError("broker-not-running", "the broker is not running; start it first")
        if self._crl_file is not None:
            tls.check_crl(self._crl_file)
        acl.write(self.state_dir / "acl", denied=denied, shares=self._shares)
        self._process.send_signal(signal.SIGHUP)

    @property
    def _pid_file(self) -> Path:
        return self.state_dir / "mosquitto.pid"

    def _end_predecessor(self) -> None:
        """End a broker that a killed owner left behind: two would fight over one store."""
        try:
            pid = int(self._pid_file.read_text(encoding="ascii"))
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return
        if os.fsencode(self._config_file.resolve()) not in arguments:
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)

    def _set_log_aside(self) -> None:
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_KEPT:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))

    def _launch(self, executable: str, port: int) -> None:
        self._config_file.write_text(
            configuration(
                state_dir=self.state_dir,
                ca_file=self._ca_file,
                cert_file=self._cert_file,
                key_file=self._key_file,
                crl_file=self._crl_file,
                port=port,
                host=self.host,
                user=pwd.getpwuid(os.geteuid()).pw_name,
            ),
            encoding="utf-8",
        )
        with self.log_file.open("ab") as log:
            # A session of its own: Ctrl-C reaches the owner, who ends the broker last.
            self._process = subprocess.Popen(
                [executable, "-c", str(self._config_file.resolve())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._pid_file.write_text(str(self._process.pid), encoding="ascii")
        try:
            self._await_ready(port)
        except BaseException:
            self.kill()
            raise

    def _await_ready(self, port: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # any name will do: only that this listener answers with this CA
        context.load_verify_locations(cafile=self._ca_file)
        deadline = time.monotonic() + READY_S
        answered = False
        while True:
            if not self.running:  # also after an answer: it may be another program's on this port
                raise UnavailableError("broker-failed", f"Mosquitto did not start: {self._last_words()}")
            if answered:
                return
            try:
                with (
                    socket.create_connection((self.host, port), timeout=2.0) as plain,
                    context.wrap_socket(plain),
                ):
                    answered = True
            except ssl.SSLCertVerificationError as error:
                raise BadInputError(
                    "broker-certificate",
                    f"{self._cert_file} does not verify against {self._ca_file}: {error.verify_message}",
                ) from error
            except OSError as error:
                if time.monotonic() > deadline:
                    raise UnavailableError(
                        "broker-not-ready", f"Mosquitto did not answer on port {port}: {self._last_words()}"
                    ) from error
            time.sleep(0.02)

    def _last_words(self) -> str:
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
