"""How often somebody may try to sign in: by address, by badge and place, and how much work at once.

Hashing a PIN is slow by design, so it has a small pool of its own: a flood of attempts waits there and
holds up nothing else. What is counted here is forgotten with the process; the lock of a badge that is tried
from many places rests in the store.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from server.people.errors import TooManyAttemptsError

AT_ONCE = 2
PER_MINUTE = 20
MAX_ROUNDS = 4  # a lock grows to sixteen times its first length
_MINUTE = timedelta(minutes=1)
_MOST = 10_000  # places and addresses remembered at once; the oldest are forgotten first


@dataclass(slots=True)
class _Place:
    """Wrong PINs of one badge at one place."""

    failed: int = 0
    rounds: int = 0
    until: datetime | None = None


class Doors:
    """Counts attempts before any PIN is looked at; may be asked from any thread."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sign-in")
        self._lock = threading.Lock()
        self._addresses: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._places: OrderedDict[str, _Place] = OrderedDict()

    def knock(self, address: str, now: datetime) -> None:
        """Count an attempt from an address.

        Raises:
            TooManyAttemptsError: The address has tried too often within a minute.
        """
        with self._lock:
            tried = self._addresses.setdefault(address, deque())
            self._addresses.move_to_end(address)
            _forget(self._addresses)
            while tried and now - tried[0] >= _MINUTE:
                tried.popleft()
            if len(tried) >= PER_MINUTE:
                raise _too_many("too many sign-ins from here; wait a minute", tried[0] + _MINUTE - now)
            tried.append(now)

    def reserve(self, badge: str, place: str, now: datetime, *, attempts: int, lockout: timedelta) -> None:
        """Count an attempt on a badge at a place as failed until :meth:`opened` says otherwise.

        Raises:
            TooManyAttemptsError: The badge is locked at this place for a while.
        """
        key = _key(badge, place)
        with self._lock:
            kept = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
            _forget(self._places)
            if kept.until is not None and kept.until > now:
                raise _too_many("too many wrong PINs; wait or ask the charge nurse", kept.until - now)
            kept.until = None
            kept.failed += 1
            if kept.failed >= attempts:
                kept.failed, kept.until = 0, now + lockout * 2**kept.rounds
                kept.rounds = min(kept.rounds + 1, MAX_ROUNDS)

    def opened(self, badge: str, place: str, address: str) -> None:
        """Forget the attempts before a right PIN, and do not count the one that was right."""
        with self._lock:
            self._places.pop(_key(badge, place), None)
            tried = self._addresses.get(address)
            if tried:
                tried.pop()


def _key(badge: str, place: str) -> str:
    return hashlib.sha256(f"{badge}\x00{place}".encode("utf-8", "surrogatepass")).hexdigest()


def _forget(kept: OrderedDict[str, deque[datetime]] | OrderedDict[str, _Place]) -> None:
    while len(kept) > _MOST:
        kept.popitem(last=False)


def _too_many(sentence: str, wait: timedelta) -> TooManyAttemptsError:
    seconds = wait.total_seconds() // 1 + 1
    return TooManyAttemptsError("too-many-attempts", sentence, retry_after_s=seconds)
