from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from broker import acl, asyncapi
from deploy.cli import main
from tests.support.pki import Pki

ROOT = Path(__file__).resolve().parents[2]


def files(pki: Pki, state: Path) -> list[str]:
    return [
        "--state-dir", str(state), "--ca-file", str(pki.ca_file), "--cert-file", str(pki.server.cert),
        "--key-file", str(pki.server.key),
    ]  # fmt: skip


def test_the_rules_the_configuration_and_the_contract_are_printed(
    capsys: pytest.CaptureFixture[str], pki: Pki, tmp_path: Path
) -> None:
    assert main(["broker", "acl", "--deny", "node-x"]) == 0
    assert capsys.readouterr().out == acl.text(denied=["node-x"])
    assert main(["broker", "config", *files(pki, tmp_path), "--port", "8884"]) == 0
    config = capsys.readouterr().out.splitlines()
    for line in (
        "listener 8884 127.0.0.1", "per_listener_settings false", "allow_anonymous false",
        "require_certificate true",
        "use_identity_as_username true", "use_username_as_clientid true",
        "tls_version tlsv1.2",
        "persistence true",
        "autosave_interval 5", "max_inflight_messages 20000", "max_queued_messages 200000",
    ):  # fmt: skip
        assert line in config
    assert main(["broker", "asyncapi"]) == 0
    assert capsys.readouterr().out == asyncapi.text()
    assert main(["broker", "asyncapi", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(asyncapi.document()))


@pytest.mark.slow
def test_run_says_ready_reloads_and_ends_with_its_broker(pki: Pki, tmp_path: Path) -> None:
    crl = tmp_path / "crl.pem"
    crl.write_bytes(pki.crl().read_bytes())
    command = [
        sys.executable,
        "-m",
        "deploy.cli",
        "broker",
        "run",
        *files(pki, tmp_path / "state"),
        "--port",
        "0",
    ]
    with subprocess.Popen(
        [*command, "--crl-file", str(crl), "--json"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["ready"] is True
        assert Path(f"/proc/{ready['pid']}").exists()
        crl.write_text("garbage")
        process.send_signal(signal.SIGHUP)
        assert json.loads(process.stdout.readline()) == {"reload": "crl-broken"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not Path(f"/proc/{ready['pid']}").exists()
