"""The demo's hospital: sends the ward's admissions and orders, as its own system would."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from clinical.errors import UnavailableError
from server.his.mllp import MllpClient
from server.his.samples import load
from server.his.trial import send_all


async def send_samples(host: str, port: int) -> int:
    """Send every sample message in order, its times counted from now; returns how many were accepted.

    Raises:
        UnavailableError: The server does not listen, or refused one; the sentence names the file.
    """
    now = datetime.now(UTC)
    files = sorted(Path(str(resources.files("deploy.demo") / "hl7")).glob("*.hl7"))
    for file in files:
        exchanges = await send_all(load(file, now=now), MllpClient(host, port))
        for exchange in exchanges:
            if not exchange.accepted:
                raise UnavailableError("hospital", f"the server refused {file.name}: {exchange.as_dict()}")
    return len(files)
