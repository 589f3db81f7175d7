"""Numbers for a monitoring system (Prometheus text format 0.0.4): how the parts are, and no patient.

Labels are states, words and status codes, never ids or names.
"""

from __future__ import annotations

import resource
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from clinical.records import PRESENT, Alarm, Encounter, Infusion, Task
from server.storage.picture import Picture

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Requests:
    """Counts answers by method and status; may be told from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, int]] = Counter()
        self._total_s = 0.0

    def note(self, method: str, status: int, seconds: float) -> None:
        """Count one answer."""
        with self._lock:
            self._answers[method if method in _METHODS else "OTHER", status] += 1
            self._total_s += seconds

    def lines(self) -> Iterable[str]:
        """What has been counted so far."""
        with self._lock:
            answers, total = dict(self._answers), self._total_s
        rows: dict[_Labels, float] = {
            (("method", method), ("status", str(code))): count for (method, code), count in answers.items()
        }
        yield from _family("wardlink_http_answers_total", "counter", "HTTP answers.", rows)
        yield from _family("wardlink_http_seconds_total", "counter", "Time spent on them.", {(): total})


_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})
_Labels = tuple[tuple[str, str], ...]


def text(picture: Picture, parts: Mapping[str, Mapping[str, Any]], requests: Requests) -> str:
    """Write everything that is measured."""
    lines = [
        *_family("wardlink_part_ok", "gauge", "1 where a part does its work.", _ok(parts)),
        *_family("wardlink_part_count", "gauge", "What a part counts.", _counts(parts)),
        *_family("wardlink_patients", "gauge", "Patients who are here.", {(): _present(picture)}),
        *_family("wardlink_tasks", "gauge", "Tasks by status.", _by("status", _tasks(picture))),
        *_family("wardlink_alarms_open", "gauge", "Open alarms.", _by("priority", _open(picture))),
        *_family(
            "wardlink_infusions", "gauge", "Infusions by state.",
            _by("state", (one.state.value for one in picture.all(Infusion))),
        ),
        *_family("wardlink_picture_cursor", "counter", "Commits that changed facts.", {(): picture.cursor}),
        *_family("wardlink_memory_bytes", "gauge", "Largest resident size.", {(): _memory()}),
        *requests.lines(),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _family(name: str, kind: str, meaning: str, rows: Mapping[_Labels, float]) -> Iterable[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"
    for labels, value in sorted(rows.items()):
        said = ",".join(f'{label}="{_escaped(word)}"' for label, word in labels)
        yield f"{name}{{{said}}} {value}" if said else f"{name} {value}"


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _ok(parts: Mapping[str, Mapping[str, Any]]) -> dict[_Labels, float]:
    return {(("part", name),): float(bool(state.get("ok", True))) for name, state in parts.items()}


def _counts(parts: Mapping[str, Mapping[str, Any]]) -> dict[_Labels, float]:
    return {
        (("part", name), ("count", key)): value
        for name, state in parts.items()
        for key, value in state.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _by(label: str, words: Iterable[str]) -> dict[_Labels, float]:
    return {((label, word),): count for word, count in Counter(words).items()}


def _present(picture: Picture) -> int:
    return sum(stay.status in PRESENT for stay in picture.all(Encounter))


def _tasks(picture: Picture) -> Iterable[str]:
    return (task.status.value for task in picture.all(Task))


def _open(picture: Picture) -> Iterable[str]:
    return (alarm.priority.value for alarm in picture.all(Alarm) if alarm.signal != "off")


def _memory() -> int:
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024
