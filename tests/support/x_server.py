"""A private X server and a robot keyboard in front of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


def missing() -> str:
    """Which program is not installed; empty when all are."""
    return next((name for name in ("Xvfb", "xdotool") if shutil.which(name) is None), "")


@contextmanager
def x_server(size: str = "480x800") -> Iterator[dict[str, str]]:
    """Start an X server on a free display; gives the environment for its clients.

    ``-noreset``: without it the server starts afresh whenever its last client leaves, such as a program that
    took a picture, and a window that is just being opened then never appears.
    """
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{size}x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=(writing,),
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            display = pipe.readline().strip()
        environment = {name: value for name, value in os.environ.items() if name != "SDL_VIDEODRIVER"}
        yield {**environment, "DISPLAY": f":{display}"}
    finally:
        server.terminate()
        server.wait(10)


def focus(environment: dict[str, str]) -> None:
    """Give the window under the pointer the keyboard, as the window manager of a device does.

    A bare server has none, and a window that did not get the focus by itself may still get keys, but no text:
    every scan would be lost.
    """
    said = subprocess.run(
        ["xdotool", "getmouselocation", "--shell"],
        env=environment, check=True, timeout=20, capture_output=True, text=True,
    ).stdout  # fmt: skip
    window = next(line for line in said.splitlines() if line.startswith("WINDOW="))
    _xdotool(environment, "windowfocus", window.removeprefix("WINDOW="))


def press(environment: dict[str, str], code: str, *, delay_ms: int) -> None:
    """Type a code as a keyboard scanner does: FNC1 as Ctrl+], Enter at the end."""
    parts = code.split("\x1d")
    for index, part in enumerate(parts):
        if index:
            _xdotool(environment, "key", "ctrl+bracketright")
        _xdotool(environment, "type", "--delay", str(delay_ms), part)
    _xdotool(environment, "key", "Return")


def _xdotool(environment: dict[str, str], *words: str) -> None:
    subprocess.run(["xdotool", *words], env=environment, check=True, timeout=20)
