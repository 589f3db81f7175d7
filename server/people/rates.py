"""How much one session may ask: a token bucket for each, in this process's memory."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

_MOST = 20_000  # sessions remembered at once; the longest unheard are forgotten first


@dataclass(slots=True)
class _Bucket:
    left: float
    filled_s: float


class Rates:
    """Counts requests by the token they show; may be asked from any thread.

    Args:
        per_s: How fast a bucket fills, in requests per second; 0 lets everything through.
        burst: How many requests a full bucket holds.
    """

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s, self._burst = per_s, burst
        self._lock = threading.Lock()
        self._buckets: OrderedDict[bytes, _Bucket] = OrderedDict()

    def wait_s(self, token: str, now_s: float) -> float:
        """Take one request out of a token's bucket; returns after how many seconds to come again, or 0.

        Args:
            token: What the request shows; only its digest is remembered.
            now_s: A monotonic clock.
        """
        if not self._per_s or not token:
            return 0.0
        key = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        with self._lock:
            bucket = self._buckets.setdefault(key, _Bucket(float(self._burst), now_s))
            self._buckets.move_to_end(key)
            while len(self._buckets) > _MOST:
                self._buckets.popitem(last=False)
            bucket.left = min(self._burst, bucket.left + (now_s - bucket.filled_s) * self._per_s)
            bucket.filled_s = now_s
            if bucket.left < 1.0:
                return (1.0 - bucket.left) / self._per_s
            bucket.left -= 1.0
            return 0.0
