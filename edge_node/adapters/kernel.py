"""What only the kernel and systemd know: the boot, the clock's discipline, the watchdog's socket."""

from __future__ import annotations

import ctypes
import functools
import os
import socket
import uuid
from pathlib import Path

STA_UNSYNC = 0x0040
TIMEX_BYTES = 256
STATUS_OFFSET = 40
"""Place of ``status`` in ``struct timex`` on 64-bit Linux: modes, pad, offset, freq, maxerror, esterror."""
TIME_ERROR = 5


def boot_id() -> str:
    """The kernel's id of this boot; a random one where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return str(uuid.uuid4())


@functools.cache
def _libc() -> ctypes.CDLL:
    """Made once: each making leaves a class behind for the collector, and the clock is asked each second."""
    return ctypes.CDLL(None, use_errno=True)


def clock_synchronised() -> bool | None:
    """Whether the kernel's clock is disciplined by NTP or PTP; None when the kernel will not say."""
    buffer = ctypes.create_string_buffer(TIMEX_BYTES)
    result = _libc().adjtimex(buffer)
    if result < 0:
        return None
    status = int.from_bytes(buffer.raw[STATUS_OFFSET : STATUS_OFFSET + 4], "little")
    return result != TIME_ERROR and not status & STA_UNSYNC


class ServiceManager:
    """Tells systemd that the node is ready and alive; silent where there is no systemd.

    Args:
        address: The content of ``NOTIFY_SOCKET``; empty for none.
    """

    def __init__(self, address: str) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def tell(self, message: str) -> None:
        """Send ``READY=1``, ``WATCHDOG=1``, ``STOPPING=1`` or ``STATUS=…``."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.sendto(message.encode(), self._address)
        except OSError:
            self._address = ""  # no manager listens; asking again each second would only fill the journal


def process_figures() -> dict[str, int]:
    """Descriptors open and memory resident (KiB) of this process, to notice a leak."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "resident_kib": pages * os.sysconf("SC_PAGE_SIZE") // 1024,
    }
