"""A private PostgreSQL cluster for a bench: its own directory and port, durable as in production."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from broker.local import free_ports
from clinical.errors import UnavailableError

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
SETTINGS = (
    "-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c shared_buffers=512MB -c wal_init_zero=off"
)
"""PostgreSQL's defaults (fsync and synchronous_commit on) with a buffer of a small server."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster."""

    url: str
    postmaster: int


@contextmanager
def cluster(parent: Path | None = None) -> Iterator[Cluster]:
    """Start a cluster; stop and remove it afterwards.

    Raises:
        UnavailableError: PostgreSQL 15 is not installed.
    """
    if not (PROGRAMS / "pg_ctl").exists():
        raise UnavailableError(
            "postgresql-missing", "PostgreSQL 15 is missing; run: sudo apt-get install -y postgresql-15"
        )
    home = Path(tempfile.mkdtemp(prefix="wardlink-bench-pg-", dir=parent))
    home.chmod(0o755)
    data = home / "data"
    data.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(data, "postgres")
    try:
        _run("initdb", "-D", str(data), "-U", "ward", "-A", "trust", "-E", "UTF8", "--no-sync")
        port = free_ports(1)[0]
        log = ("-l", str(data / "log.txt"))
        _run("pg_ctl", "-D", str(data), "-w", *log, "-o", f"-p {port} {SETTINGS}", "start")
        try:
            postmaster = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
            _run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "ward", "ward")
            yield Cluster(f"postgresql+psycopg://ward@127.0.0.1:{port}/ward", postmaster)
        finally:
            _run("pg_ctl", "-D", str(data), "-m", "fast", "-w", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _run(program: str, *words: str) -> None:
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    command = [*as_postgres, str(PROGRAMS / program), *words]
    subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=120)
