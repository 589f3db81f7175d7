"""The self-test and the recording of real bytes, against a real broker, a real bus and a real terminal."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.local import LocalBroker
from deploy.cli import main as wardlink
from edge_node.selftest import _broker
from edge_node.settings import EdgeSettings, load
from tests.support.edge_programs import DRIP, Devices, NodeProgram
from tests.support.pki import Pki

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def node(tmp_path: Path, pki: Pki) -> Iterator[NodeProgram]:
    with LocalBroker(tmp_path / "broker", pki.ca_file, pki.server.cert, pki.server.key) as broker:
        devices = Devices(tmp_path)
        yield NodeProgram(tmp_path, devices, broker, pki)
        assert devices.stop() == 0


def selftest(node: NodeProgram, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, Any]]]:
    code = wardlink(["edge", "selftest", "--config", str(node.directory / "node.toml")])
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return code, {one["check"]: one for one in documents}


def test_asking_the_broker_leaves_no_connection_open(node: NodeProgram) -> None:
    settings = load(node.directory / "node.toml", EdgeSettings)
    assert "trusted" in asyncio.run(_broker(settings))
    gc.collect()  # an open one is told when it is collected, and a warning is an error here


@pytest.mark.requirement("R-EDGE-27")
def test_a_well_node_passes_and_what_ails_an_unwell_one_is_named(
    node: NodeProgram, capsys: pytest.CaptureFixture[str], pki: Pki
) -> None:
    code, found = selftest(node, capsys)
    assert {name for name, one in found.items() if not one["ok"]} == set(), found
    assert code == 0
    assert set(found) == {"certificate", "clock", "broker", "radio", "ports", "numbers"}
    assert all(one["zh"] != one["en"] for one in found.values())
    checksum = found["numbers"]["detail"]
    node.devices.do(do="power", on=False)
    node.devices.do(do="unplug", device="nonin-1")
    node.broker.kill()
    node.write(cert="node-2")
    code, found = selftest(node, capsys)
    assert code == 1
    assert {name for name, one in found.items() if not one["ok"]} == {
        "certificate", "broker", "radio", "ports",
    }  # fmt: skip
    assert found["numbers"]["detail"] == checksum
    assert found["certificate"]["detail"].startswith("certificate-name")


def test_bytes_are_recorded_from_a_cable_and_from_the_air_as_vectors(
    node: NodeProgram, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = str(Path(node.devices.ready["serial_dir"]) / "nonin-1")
    assert wardlink(["profile", "capture", "nonin_oem3", "--port", port, "--seconds", "2"]) == 0
    tests = tomllib.loads(capsys.readouterr().out)["test"]
    assert tests[0]["origin"] == "captured"
    assert tests[0]["expect"]["spo2"]["value"] == 97
    monkeypatch.setitem(os.environ, "DBUS_SYSTEM_BUS_ADDRESS", node.devices.ready["dbus"])
    arguments = ["profile", "capture", "wardlink_drip", "--address", DRIP.lower(), "--seconds", "4"]
    assert wardlink([*arguments, "--source", "bench"]) == 0
    tests = tomllib.loads(capsys.readouterr().out)["test"]
    assert {(one["stream"], one["source"]) for one in tests} == {("drops", "bench")}


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonin_oem3"],
        ["nonin_oem3", "--address", DRIP],
        ["wardlink_drip", "--port", "/dev/none"],
        ["wardlink_drip", "--address", "here"],
        ["wardlink_drip_advert", "--address", DRIP],
    ],
)
def test_a_capture_that_cannot_work_says_why(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert wardlink(["profile", "capture", *arguments]) == 1
    assert "wardlink profile: " in capsys.readouterr().err


def test_a_silent_port_is_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = str(tmp_path / "none")
    assert wardlink(["profile", "capture", "nonin_oem3", "--port", port, "--seconds", "0.3"]) == 1
    assert "sent nothing" in capsys.readouterr().err
