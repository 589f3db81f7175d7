"""The ward server with a broker client that is named: ``python -m bench.reader_server NAME server.toml``.

So that ``bench path --reader`` measures the clients behind :class:`server.ingest.port.Broker` side by side.
"""

from __future__ import annotations

import sys
from pathlib import Path

from broker.tls import client_context
from clinical.errors import BadInputError
from server import main, settings
from server.ingest.mqtt import PahoBroker
from server.ingest.reader import AsyncioBroker

READERS: dict[str, type[PahoBroker | AsyncioBroker]] = {"paho": PahoBroker, "asyncio": AsyncioBroker}


def run(name: str, config: Path) -> int:
    """Run until the process is told to stop.

    Raises:
        BadInputError: There is no such client, or the settings name no certificates.
    """
    client = READERS.get(name)
    if client is None:
        raise BadInputError("bench-reader", f"the broker clients are {', '.join(READERS)}")

    def broker(said: settings.ServerSettings) -> PahoBroker | AsyncioBroker:
        mqtt = said.mqtt
        if mqtt.ca_file is None or mqtt.cert_file is None or mqtt.key_file is None:
            raise BadInputError("mqtt-tls", "mqtt needs ca_file, cert_file and key_file")
        tls = client_context(mqtt.ca_file, mqtt.cert_file, mqtt.key_file)
        return client(mqtt.host, mqtt.port, tls)

    main._broker = broker  # type: ignore[assignment]  # the one part that is measured side by side
    return main.run(settings.read(config))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], Path(sys.argv[2])))
