"""A D-Bus system bus of our own, so that an unmodified Bluetooth library can talk to a simulated BlueZ."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clinical.errors import UnavailableError

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
  <limit name="max_connections_per_user">{connections}</limit>
</busconfig>
"""
STOP_S = 5.0


def _dies_with_us() -> list[str]:
    """A prefix that ends the daemon when its owner is killed and cannot end it."""
    tool = shutil.which("setpriv")
    return [tool, "--pdeathsig", "KILL"] if tool else []


@contextmanager
def private_bus(connections: int = 256) -> Iterator[str]:
    """Run a ``dbus-daemon`` and yield its address.

    Args:
        connections: Limit per user; 256 is that of the real system bus, a small one shows leaks early.

    Raises:
        UnavailableError: No dbus-daemon; the message holds the exact command.
    """
    program = shutil.which("dbus-daemon")
    if program is None:
        raise UnavailableError(
            "dbus-missing", "dbus-daemon is not installed; run: sudo apt-get install -y dbus-daemon"
        )
    with tempfile.TemporaryDirectory(prefix="wardlink-bus-") as directory:
        config = Path(directory) / "bus.conf"
        config.write_text(
            CONFIGURATION.format(socket=Path(directory) / "socket", connections=connections), encoding="utf-8"
        )
        command = [
            *_dies_with_us(),
            program,
            f"--config-file={config}",
            "--nofork",
            "--nopidfile",
            "--print-address=1",
        ]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as daemon:
            try:
                address = daemon.stdout.readline().strip() if daemon.stdout else ""
                if not address:
                    raise UnavailableError("dbus-start", "dbus-daemon did not start")
                yield address
            finally:
                daemon.terminate()
                try:
                    daemon.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    daemon.kill()
