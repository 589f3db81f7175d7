"""The sockets the server is reached by: TLS for all, plain on the loopback address for its own browser."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI

from clinical.errors import BadInputError, UnavailableError
from server.settings import ServerSettings

_GRACE_S = 3


class Listener(uvicorn.Server):
    """A uvicorn server on a socket of ours that leaves signals to us: two of them share one loop."""

    def __init__(self, config: uvicorn.Config, bound: socket.socket) -> None:
        super().__init__(config)
        self.bound = bound

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal."""
        yield


def listeners_of(app: FastAPI, settings: ServerSettings) -> list[Listener]:
    """Bind every socket the settings ask for.

    Raises:
        BadInputError: There is none, or its certificate is missing.
        UnavailableError: A port is taken.
    """
    server = settings.server
    found = []
    if server.cert_file is not None and server.key_file is not None:
        for file in (server.cert_file, server.key_file):
            if not file.is_file():
                raise BadInputError(
                    "tls-file", "server.cert_file and server.key_file must exist; see provision"
                )
        found.append(_listener(app, server.host, server.port, str(server.cert_file), str(server.key_file)))
    if server.plain_port:
        found.append(_listener(app, "127.0.0.1", server.plain_port))
    if not found:
        raise BadInputError("no-listener", "set server.cert_file and key_file, or server.plain_port")
    return found


def _listener(
    app: FastAPI, host: str, port: int, cert: str | None = None, key: str | None = None
) -> Listener:
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        ssl_certfile=cert,
        ssl_keyfile=key,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=65_536,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        limit_concurrency=2_000,
    )
    return Listener(config, _bind(host, port))


def _bind(host: str, port: int) -> socket.socket:
    """Take the port before anything starts, so that a taken one is one clear sentence."""
    try:
        return socket.create_server((host, port), backlog=512, family=_family(host))
    except OSError as error:
        raise UnavailableError("listen", f"port {port} cannot be listened on: {error.strerror}") from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


async def until_started(listeners: list[Listener], served: list[asyncio.Task[None]]) -> None:
    """Return when every listener answers.

    Raises:
        UnavailableError: One of them ended instead.
    """
    while not all(listener.started for listener in listeners):
        if any(task.done() for task in served):
            raise UnavailableError(
                "listen", "the server's port cannot be listened on; is another server running?"
            )
        await asyncio.sleep(0.02)


def addresses(listeners: list[Listener], mllp_port: int) -> dict[str, Any]:
    """Return the ready line: where the server can be reached."""
    urls = {}
    for listener in listeners:
        scheme = "https" if listener.config.is_ssl else "http"
        urls[scheme] = f"{scheme}://{listener.config.host}:{listener.bound.getsockname()[1]}"
    return {"ready": True, "urls": urls, "mllp_port": mllp_port}
