"""The ward server on a clock that somebody sets: its offset in seconds stands in a file.

``python -m tests.faults.server.stepped_server server.toml OFFSET_FILE``
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from server import settings
from server.main import WardServer, configure_logging
from server.opening import open_store


def main(config: Path, offset: Path) -> None:
    """Run until the process is ended."""

    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(offset.read_text()))

    def ready(addresses: dict[str, Any]) -> None:
        print(json.dumps(addresses), flush=True)

    configure_logging()
    document = settings.read(config)
    store, site = open_store(document, clock)

    async def run() -> None:
        await WardServer(document, store, site).run(ready)

    asyncio.run(run())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
