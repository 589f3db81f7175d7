"""How tests start Debian's Chromium: no background traffic, the same pixels everywhere."""

from __future__ import annotations

import shutil

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
    "--font-render-hinting=none",
    "--lang=zh-CN",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-audio-output",
]


def program() -> str | None:
    """The installed Chromium, or None."""
    return shutil.which("chromium")
