"""The front door: every command is there, says what it does, and loads only what it needs."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import cli

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main([name, "--help"])
    assert exit_.value.code == 0
    assert f"wardlink {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_module_offers_configure_and_run(name: str) -> None:
    module = importlib.import_module(f"deploy.commands.{name}")
    assert callable(module.configure)
    assert callable(module.run)


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["scan", "--no-such-option"], ["provision"]])
def test_misuse_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    assert exit_.value.code == 2
    assert "usage: wardlink" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "forbidden"),
    [
        ("edge", ("kivy", "fastapi", "cv2", "sqlalchemy")),
        ("server", ("kivy", "bleak", "cv2", "serial")),
        ("scan", ("kivy", "fastapi", "bleak", "sqlalchemy", "cv2")),
    ],
)
def test_a_command_never_loads_what_its_machine_does_not_have(
    command: str, forbidden: tuple[str, ...]
) -> None:
    script = (
        "import sys\nfrom deploy import cli\n"
        f"try: cli.main([{command!r}, '--help'])\nexcept SystemExit: pass\n"
        f"print(sorted(set({forbidden!r}) & set(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stderr.strip().splitlines()[-1] == "[]"


def test_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in cli.COMMANDS if f"`{name}" not in text and f"wardlink {name}" not in text] == []
