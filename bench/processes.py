"""What processes cost: their time on the processor and their share of memory."""

from __future__ import annotations

import os
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def cpu_s(pids: list[int]) -> float:
    """Seconds of processor time that processes have used, their threads included."""
    return sum(_cpu_of(pid) for pid in pids)


def _cpu_of(pid: int) -> float:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / _TICK


def memory_mib(pids: list[int]) -> float:
    """Proportional share of memory: what PostgreSQL's processes share is counted once."""
    kib = 0
    for pid in pids:
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                kib += int(line.split()[1]) if line.startswith("Pss:") else 0
        except OSError:
            continue
    return round(kib / 1024, 1)


def family(parent: int) -> list[int]:
    """Process ids of a process and its children, as a PostgreSQL cluster has; none for 0."""
    if not parent:
        return []
    found = [parent]
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(words[1]) == parent:
            found.append(int(entry.parent.name))
    return found
