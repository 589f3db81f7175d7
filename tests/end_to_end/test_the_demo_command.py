"""``wardlink demo`` as a new user types it: it says where to look, works there, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.mark.requirement("R-SYS-15")
def test_the_demo_tells_where_to_look_and_ctrl_c_ends_it_all(tmp_path: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if name not in {"DISPLAY", "WAYLAND_DISPLAY"}
    }
    demo = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "demo"],
        cwd=ROOT, env={**environment, "TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        said = read_until(demo, "Ctrl-C")
        address = re.search(r"(http://127\.0\.0\.1:\d+)/#code=(\S+)", said)
        assert address is not None, said
        url, code = address.groups()
        assert "演示" in httpx2.get(url).text or "Wardlink" in httpx2.get(url).text
        opened = httpx2.post(f"{url}/api/v1/sessions/one-time", json={"code": code}, headers={"Origin": url})
        assert opened.status_code == 201, opened.text
        again = httpx2.post(f"{url}/api/v1/sessions/one-time", json={"code": code}, headers={"Origin": url})
        assert again.status_code == 401
        labels = Path(re.search(r"Labels to scan\s+(\S+)", said)[1])  # type: ignore[index]
        assert "wristband bed 01: WL1:P:" in (labels / "codes.txt").read_text(encoding="utf-8")
        demo.send_signal(signal.SIGINT)
        _, rest = demo.communicate(timeout=60)
    finally:
        demo.kill()
        demo.wait()
        demo.stderr.close()  # type: ignore[union-attr]
    assert "nothing is left running" in rest
    assert "Traceback" not in rest
    with pytest.raises(httpx2.TransportError):
        httpx2.get(url)
    assert list(tmp_path.iterdir()) == []


def read_until(demo: subprocess.Popen[str], word: str, within_s: float = 90) -> str:
    said = ""
    deadline = time.monotonic() + within_s
    while word not in said:
        assert demo.stderr is not None
        line = demo.stderr.readline()
        assert line, f"the demo ended early: {said}"
        said += line
        assert time.monotonic() < deadline, said
    return said
