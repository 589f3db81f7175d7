"""Work that goes on while the screen stays free; the first failure is kept and ends the application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger("pda_app.background")

_LAST_WORK_S = 2.0


class Background:
    """All running work of one handheld. ``on_done`` is called after each piece, to draw what it changed."""

    def __init__(self, on_done: Callable[[], None]) -> None:
        self._on_done = on_done
        self._short: set[asyncio.Task[None]] = set()
        self._loops: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._failed = asyncio.Event()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do one piece of work, such as a record or a question to the server."""
        task = asyncio.create_task(work)
        self._short.add(task)
        task.add_done_callback(self._done)

    def for_ever(self, *loops: Coroutine[Any, Any, None]) -> None:
        """Run loops until :meth:`stop`."""
        for loop in loops:
            task = asyncio.create_task(loop)
            self._loops.add(task)
            task.add_done_callback(self._note_failure)

    async def settled(self) -> None:
        """Wait until no short work is left, also none that other work started.

        Raises:
            BaseException: What failed.
        """
        while self._short and self._failure is None:
            await asyncio.wait(tuple(self._short))
        if self._failure is not None:
            raise self._failure

    async def failure(self) -> BaseException:
        """Wait for the first failure."""
        await self._failed.wait()
        assert self._failure is not None  # noqa: S101 - set before the event
        return self._failure

    async def stop(self) -> None:
        """Give short work a moment, so that what a person has just touched is written; then end all."""
        if self._short:
            await asyncio.wait(tuple(self._short), timeout=_LAST_WORK_S)
        rest = (*self._loops, *self._short)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._short.discard(task)
        self._note_failure(task)
        self._on_done()

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and self._failure is None:
            log.error("handheld-failed", exc_info=error)
            self._failure = error
            self._failed.set()
