from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cli import main as wardlink
from edge_node.adapters.flight_recorder import SEGMENTS, FlightRecorder, rows, segments
from edge_node.ports import Frame
from edge_node.replay import replayed
from firmware_profiles import registry, vectors
from tests.support.edge_bench import Time

DRIP = registry.load().get("wardlink_drip")
GOOD = bytes(vectors.payload(DRIP.vectors[0]))  # type: ignore[arg-type]
UID = "ble:c0-00-00-00-01-01"


@pytest.fixture
def time() -> Time:
    from time import time_ns

    return Time(wall_ns=time_ns())


def frame(time: Time, data: bytes = GOOD) -> Frame:
    return Frame(stream="drops", data=data, stamp=time.clock().now())


def recorder(path: Path, max_bytes: int = 1 << 20, hours: float = 72) -> FlightRecorder:
    return FlightRecorder(path, max_bytes=max_bytes, max_age=timedelta(hours=hours))


def test_what_was_recorded_is_read_back_in_order_also_by_another_process(tmp_path: Path, time: Time) -> None:
    made = recorder(tmp_path)
    for number in range(5):
        made.record(UID, "wardlink_drip", frame(time, bytes([number])))
        time.pass_s(1)
    made.flush(time.clock().now().utc)
    assert [row.data for row in rows(tmp_path)] == [bytes([number]) for number in range(5)]
    assert {(row.device, row.profile, row.stream) for row in rows(tmp_path)} == {
        (UID, "wardlink_drip", "drops")
    }


@pytest.mark.requirement("R-EDGE-23")
def test_the_ring_never_grows_beyond_its_size_and_keeps_the_newest(tmp_path: Path, time: Time) -> None:
    limit = SEGMENTS * 64 * 1024
    made = recorder(tmp_path, limit)
    for number in range(1500):
        made.record(UID, "wardlink_drip", frame(time, number.to_bytes(4, "big") + bytes(900)))
        time.pass_s(1)
        made.flush(time.clock().now().utc)
        assert sum(file.stat().st_size for file in segments(tmp_path)) <= limit
    kept = [int.from_bytes(row.data[:4], "big") for row in rows(tmp_path)]
    assert kept == list(range(kept[0], 1500))
    assert 300 < len(kept) < 600


def test_files_past_their_age_are_given_up(tmp_path: Path, time: Time) -> None:
    import os

    old = recorder(tmp_path)
    old.record(UID, "wardlink_drip", frame(time))
    old.flush(time.clock().now().utc)
    stamp = time.clock().now().utc.timestamp() - 73 * 3600
    os.utime(segments(tmp_path)[0], (stamp, stamp))
    time.pass_s(5)
    new = recorder(tmp_path)
    new.record(UID, "wardlink_drip", frame(time, b"new"))
    new.flush(time.clock().now().utc)
    assert [row.data for row in rows(tmp_path)] == [b"new"]


@given(cut=st.integers(0, 400), flip=st.integers(0, 400))
def test_a_file_cut_or_damaged_anywhere_is_read_up_to_there(
    tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int
) -> None:
    path = tmp_path_factory.mktemp("ring")
    clock = Time()
    made = recorder(path)
    for _ in range(4):
        made.record(UID, "wardlink_drip", frame(clock))
    made.flush(clock.clock().now().utc)
    file = segments(path)[0]
    data = bytearray(file.read_bytes())
    del data[max(len(data) - cut, 0) :]
    if flip < len(data):
        data[flip] ^= 0x40
    file.write_bytes(data)
    assert all(row.data == GOOD for row in rows(path))


def test_a_full_disk_costs_rows_and_not_the_node(tmp_path: Path, time: Time) -> None:
    made = recorder(tmp_path / "ring")
    made.record(UID, "wardlink_drip", frame(time))
    made.flush(time.clock().now().utc)
    made._file = Path("/dev/full")
    made.record(UID, "wardlink_drip", frame(time))
    made.flush(time.clock().now().utc)
    assert made.lost == 1


def test_a_replay_says_what_todays_profile_reads_and_what_it_rejects(tmp_path: Path, time: Time) -> None:
    made = recorder(tmp_path)
    made.record(UID, "wardlink_drip", frame(time))
    made.record(UID, "wardlink_drip", frame(time, GOOD[:-1]))
    made.flush(time.clock().now().utc)
    good, bad = replayed(rows(tmp_path), registry.load().get, {})
    assert good["records"][0]["drops"] == {"value": 12345, "unit": "{gtt}", "validity": "Vld"}
    assert (bad["accepted"], bad["reject"], bad["hex"]) == (False, "short", GOOD[:-1].hex())


@pytest.mark.requirement("R-EDGE-23")
def test_the_replay_command_uses_a_newer_profile(
    tmp_path: Path, time: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    made = recorder(tmp_path / "ring")
    made.record(UID, "wardlink_drip", frame(time))
    made.record("ble:other", "wardlink_drip", frame(time))
    made.flush(time.clock().now().utc)
    text = (
        Path(DRIP.path)
        .read_text()
        .replace('"MDCX_DROP_COUNT", stale_s', '"MDCX_DROP_COUNT", scale = 2, stale_s')
    )
    (tmp_path / "newer.toml").write_text(text)
    arguments = ["edge", "replay", str(tmp_path / "ring"), "--device", UID]
    assert wardlink([*arguments, "--profile", str(tmp_path / "newer.toml")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["records"][0]["drops"]["value"] for line in lines] == [24690]
    assert wardlink(["edge", "replay", str(tmp_path / "nothing")]) == 1


@pytest.mark.slow
def test_the_replay_command_runs_as_a_program(tmp_path: Path, time: Time) -> None:
    made = recorder(tmp_path)
    made.record(UID, "wardlink_drip", frame(time))
    made.flush(time.clock().now().utc)
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "edge", "replay", str(segments(tmp_path)[0])],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["accepted"]
