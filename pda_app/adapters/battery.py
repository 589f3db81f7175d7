"""The battery as Linux tells it."""

from __future__ import annotations

from pathlib import Path


class SysfsBattery:
    """Reads the first battery below ``/sys/class/power_supply``."""

    def __init__(self, folder: Path = Path("/sys/class/power_supply")) -> None:
        self._folder = folder

    def percent(self) -> int | None:
        """0-100, or None on mains power or when the number cannot be read."""
        for path in sorted(self._folder.glob("*/capacity")):
            try:
                return max(0, min(100, int(path.read_text(encoding="ascii"))))
            except (OSError, ValueError):
                continue
        return None
