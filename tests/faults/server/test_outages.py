"""Everything the server stands on goes away under load: broker, database, disk, and the right time."""

from __future__ import annotations

import contextlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.faults.server.conftest import FaultWard, Load
from tests.server.conftest import _PG, _as_postgres, _fresh_database
from tests.support.server_process import ROOT, WardProcess, until

pytestmark = [
    pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.requirement("R-SYS-19"),
    pytest.mark.hazard("H-SYS-04"),
]  # fmt: skip
MakeWard = Callable[..., FaultWard]


def storing(ward: FaultWard) -> bool:
    """Whether the server says that it stores what comes."""
    with ward.client() as client:
        return bool(client.get("/health").json()["parts"]["ingest"]["ok"])


def work(load: Load, more: int = 100) -> None:
    """Wait until both have got on with their work."""
    acts, seq = len(load.acknowledged) + 5, load.node.seq + more
    until(lambda: len(load.acknowledged) >= acts and load.node.seq >= seq, 60)


def test_a_broker_killed_under_load_loses_and_doubles_nothing(ward_on: MakeWard) -> None:
    ward = ward_on("")
    load = Load(ward)
    for _ in range(2):
        work(load)
        ward.broker.kill()
        work(load)  # the nurse goes on; the node keeps what it measures
        ward.broker.start()
        with ward.client() as client:
            until(lambda: client.get("/health").json()["parts"]["broker"]["ok"], 30)
    ward.settle(load)


def test_a_database_restarted_under_load_loses_and_doubles_nothing(
    ward_on: MakeWard, postgres_url: str
) -> None:
    url = _fresh_database(postgres_url)
    ward = ward_on(url)
    load = Load(ward)
    engine = create_engine(url)
    with engine.connect() as connection:
        data = connection.scalar(text("SHOW data_directory"))
    engine.dispose()
    for how in ("immediate", "fast"):
        work(load)
        _as_postgres(
            str(_PG / "pg_ctl"), "-D", str(data), "-m", how, "-w", "-l", f"{data}/log.txt", "restart"
        )
        until(lambda: storing(ward), 30)
    work(load)
    ward.settle(load)


def fill(file: Path) -> None:
    """Take the last byte of a disk."""
    with file.open("wb", buffering=0) as filler:
        for size in (65_536, 4_096):
            with contextlib.suppress(OSError):
                while filler.write(b"x" * size):
                    pass


@pytest.mark.full  # the next one shows the same without the right to mount a disk
def test_a_full_disk_refuses_and_keeps_nothing_by_halves(ward_on: MakeWard, small_disk: Path) -> None:
    ward = ward_on(f"sqlite:///{small_disk / 'ward.db'}")
    load = Load(ward)
    work(load)
    filler = small_disk / "filler"
    fill(filler)
    until(lambda: not storing(ward) and load.refused, 60)
    time.sleep(1)
    filler.unlink()
    until(lambda: storing(ward), 60)
    work(load)
    ward.settle(load)


def test_a_file_that_may_not_grow_refuses_and_keeps_nothing_by_halves(ward_on: MakeWard) -> None:
    ward = ward_on("")
    load = Load(ward)
    work(load)
    process = ward.server._process
    assert process is not None
    free = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (40_960, free[1]))
    until(lambda: not storing(ward) and load.refused, 60)
    time.sleep(1)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, free)
    until(lambda: storing(ward), 60)
    work(load)
    ward.settle(load)


class SteppedProcess(WardProcess):
    """The same server on a clock that can be set while it runs."""

    @property
    def offset(self) -> Path:
        return self.directory / "offset"

    def start(self, *options: str) -> None:
        assert not options
        self.offset.write_text("0")
        command = [
            sys.executable,
            "-m",
            "tests.faults.server.stepped_server",
            str(self.config),
            str(self.offset),
        ]
        with (self.directory / "server.log").open("a") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._process.stdout is not None
        self.ready = json.loads(self._process.stdout.readline())

    def set_clock(self, seconds: int) -> None:
        """Step the server's clock, all at once."""
        beside = self.offset.with_suffix(".new")
        beside.write_text(str(seconds))
        beside.replace(self.offset)


def test_a_clock_that_steps_forth_and_back_loses_and_doubles_nothing(ward_on: MakeWard) -> None:
    ward = ward_on("", process=SteppedProcess)
    server = ward.server
    assert isinstance(server, SteppedProcess)
    load = Load(ward)
    for seconds in (3600, 0, -3600, 0):
        work(load)
        server.set_clock(seconds)
    work(load)
    ward.settle(load)
