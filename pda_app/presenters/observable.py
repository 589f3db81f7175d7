"""One value that others watch: the seam between a presenter and whatever draws it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

S = TypeVar("S")


class Observable(Generic[S]):
    """Holds one frozen state and tells every subscriber when it is replaced by a different one."""

    def __init__(self, state: S) -> None:
        self._state = state
        self._watchers: dict[int, Callable[[S], object]] = {}
        self._next_key = 0

    @property
    def state(self) -> S:
        """The newest state."""
        return self._state

    def subscribe(self, watcher: Callable[[S], object]) -> Callable[[], None]:
        """Call ``watcher`` now and at each change; the answer ends that."""
        key = self._next_key
        self._next_key += 1
        self._watchers[key] = watcher
        watcher(self._state)
        return lambda: self._watchers.pop(key, None) and None

    def _set(self, state: S) -> None:
        if state == self._state:
            return
        self._state = state
        for watcher in tuple(self._watchers.values()):
            watcher(state)
