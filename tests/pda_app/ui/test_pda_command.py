"""``wardlink pda``: settings from a file and from the command line, and a word when there is no screen."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from clinical.errors import BadInputError, UnavailableError
from deploy.commands import pda


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    pda.configure(parser)
    return parser.parse_args(words)


def test_the_command_line_alone_is_enough(tmp_path: Path) -> None:
    made = pda.settings(
        parsed(
            "nurse",
            "--server",
            "https://ward:8443",
            "--ca",
            "ca.pem",
            "--store",
            str(tmp_path),
            "--lang",
            "en",
        )
    )
    assert (made.server.url, made.server.ca_file, made.state_dir) == (
        "https://ward:8443",
        Path("ca.pem"),
        tmp_path,
    )
    assert (made.handheld, made.look.language, made.look.dark) == ("pda-1", "en", False)


def test_the_command_line_overrides_the_file_and_leaves_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "handheld.toml"
    file.write_text(
        'handheld = "pda-07"\nstate_dir = "kept"\n[server]\nurl = "https://old:1"\npoll_s = 5.0\n',
        encoding="utf-8",
    )
    made = pda.settings(parsed("doctor", "--config", str(file), "--server", "https://new:2", "--dark"))
    assert (made.handheld, made.server.url, made.server.poll_s) == ("pda-07", "https://new:2", 5.0)
    assert made.look.dark


def test_what_is_missing_is_named() -> None:
    with pytest.raises(BadInputError, match="setting state_dir"):
        pda.settings(parsed("nurse", "--server", "https://ward:8443"))


def test_without_a_screen_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UnavailableError, match="DISPLAY"):
        pda.run(parsed("nurse", "--server", "https://ward:8443", "--store", str(tmp_path)))
