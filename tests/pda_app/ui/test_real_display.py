"""With a real X server: what a scanner types arrives, and the command opens and closes its window."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import ImageGrab

from tests.support import x_server

ROOT = Path(__file__).resolve().parents[3]
CODES = ("]C1WL1:P:P0012345678:1:Q", "]d20106901234567892\x1d10LOT-a_B9", "WL1:B:b-o1:K")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(x_server.missing()), reason=f"{x_server.missing()} is not installed"),
]


@pytest.mark.parametrize("stall_ms", [0, 80])
@pytest.mark.requirement("R-PDU-12")
def test_bursts_of_a_robot_keyboard_are_read_whole_or_refused(stall_ms: int) -> None:
    with x_server.x_server("300x200") as environment:
        window = subprocess.Popen(
            [sys.executable, "-m", "tests.support.wedge_window", str(stall_ms)],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            assert json.loads(window.stdout.readline()) == {"ready": True}
            got = []
            for code in CODES:
                x_server.press(environment, code, delay_ms=1)
                got.append(json.loads(window.stdout.readline()))
        finally:
            window.kill()
            window.wait()
            window.stdout.close()
    assert all(
        one in ({"raw": code}, {"broken": one.get("broken")}) for one, code in zip(got, CODES, strict=True)
    )
    assert stall_ms or got == [{"raw": code} for code in CODES]


@pytest.mark.parametrize("role", ["nurse", "doctor"])
@pytest.mark.requirement("R-PDU-13")
def test_the_command_opens_its_window_and_ends_when_it_is_closed(tmp_path: Path, role: str) -> None:
    with x_server.x_server() as environment:
        command = [sys.executable, "-m", "deploy.cli", "pda", role, "--server", "http://127.0.0.1:9"]
        window = subprocess.Popen(
            [*command, "--store", str(tmp_path), "--demo", "--lang", "en"],
            cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert shown(environment), "the window did not appear"
            time.sleep(1.0)
            assert window.poll() is None
            window.send_signal(signal.SIGINT)
            _, errors = window.communicate(timeout=15)
        finally:
            window.kill()
            window.wait()
    assert window.returncode in (0, 130)
    assert "Traceback" not in errors, errors[-2000:]


def shown(environment: dict[str, str]) -> bool:
    for _ in range(150):
        picture = ImageGrab.grab(xdisplay=environment["DISPLAY"])
        if picture.getpixel((240, 6)) == (0x0B, 0x4F, 0x6C):  # the brand header of the sign-in page
            return True
        time.sleep(0.1)
    return False
