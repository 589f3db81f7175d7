"""Serial lines on pseudo-terminals; the node opens a link, as in ``/dev/serial/by-id``."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Callable
from pathlib import Path


class SerialLine:
    """One cable. :meth:`plug` makes the link, :meth:`unplug` takes it away as a pulled USB adapter does.

    Args:
        path: The link that the node opens.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._master = -1
        self._slave = -1

    @property
    def plugged(self) -> bool:
        """Whether the cable is in."""
        return self._master >= 0

    def plug(self) -> None:
        """Make a new terminal and link to it; the slave stays open here, or the master would read EIO."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        for end in (self._master, self._slave):
            os.set_blocking(end, False)
        fresh = self.path.with_name(f".{self.path.name}.new")
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.replace(self.path)

    def unplug(self) -> None:
        """Hang up; the reader sees the line end."""
        if not self.plugged:
            return
        self.path.unlink(missing_ok=True)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def send(self, data: bytes) -> None:
        """Write; what does not fit because nobody reads is lost, as on a wire."""
        if not self.plugged:
            return
        try:
            os.write(self._master, data)
        except BlockingIOError:
            self._drain()

    async def receive(self) -> bytes:
        """What the node wrote next."""
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        loop.add_reader(self._master, _once(ready))
        try:
            await ready
        finally:
            loop.remove_reader(self._master)
        return os.read(self._master, 4096)

    def _drain(self) -> None:
        """Forget what nobody read, so that a later reader does not get the past."""
        try:
            while os.read(self._slave, 4096):
                pass
        except BlockingIOError:
            return


def _once(ready: asyncio.Future[None]) -> Callable[[], None]:
    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    return tell


async def every(period_s: float) -> None:
    """Sleep until the next multiple of ``period_s`` on the loop's clock, so that rates do not drift."""
    loop = asyncio.get_running_loop()
    now = loop.time()
    await asyncio.sleep(period_s - now % period_s)
