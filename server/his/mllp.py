"""MLLP over TCP: the listener for the hospital's messages and a client for ours."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog

from clinical.errors import BadInputError, UnavailableError
from server.his.frames import Deframer, Received, frame

log = structlog.get_logger(__name__)

# In: the bytes of a message, the sender's address, and whether it was cut for being over the size limit.
# Out: the answers in order. Called in a worker thread.
Handler = Callable[[bytes, str, bool], Sequence[bytes]]
_CHUNK = 64 * 1024
_ACCEPT_STEPS = 5
"""Turns of the event loop in which a connection that was just accepted becomes a task that can be ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpSettings:
    """Where to listen and to whom.

    ``senders`` are addresses or networks (``10.1.2.3``, ``10.1.0.0/16``) that may connect; empty means the
    loopback address only. Any wider listening needs either named senders or TLS with client certificates.
    """

    host: str = "127.0.0.1"
    port: int = 0
    senders: tuple[str, ...] = ()
    max_message_bytes: int = 1024 * 1024
    max_connections: int = 64
    frame_timeout_s: float = 30.0
    workers: int = 16


@dataclass(slots=True)
class MllpServer:
    """A running listener."""

    settings: MllpSettings
    handle: Handler
    tls: ssl.SSLContext | None
    _allowed: list[ipaddress.IPv4Network | ipaddress.IPv6Network]
    _pool: ThreadPoolExecutor
    _server: asyncio.Server | None = None
    _connections: set[asyncio.Task[None]] = field(default_factory=set)
    _talking: set[asyncio.Task[None]] = field(default_factory=set)  # the rest only wait to be closed

    @property
    def port(self) -> int:
        """The port that is really listened on."""
        if self._server is None:
            raise UnavailableError("mllp-not-started", "The MLLP listener is not started.")
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            UnavailableError: The port is taken.
        """
        try:
            self._server = await asyncio.start_server(
                self._accept, self.settings.host, self.settings.port, ssl=self.tls
            )
        except OSError as error:
            raise UnavailableError(
                "mllp-port", f"Port {self.settings.port} cannot be listened on: {error.strerror}"
            ) from error
        log.info("mllp-listening", host=self.settings.host, port=self.port, tls=self.tls is not None)

    async def close(self) -> None:
        """Stop listening, end the connections, let messages under way finish."""
        if self._server is not None:
            await _stop_accepting(self._server)
            self._server.close()
        for task in self._talking:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.to_thread(self._pool.shutdown)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._connections.add(task)
        self._talking.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, TimeoutError, ssl.SSLError) as error:
            log.info("mllp-connection-ended", reason=type(error).__name__)
        except asyncio.CancelledError:
            log.debug("mllp-connection-closed")  # the listener is closing; nothing else cancels this task
        finally:
            self._talking.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError):
                async with asyncio.timeout(1.0):
                    await writer.wait_closed()
            self._connections.discard(task)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str((writer.get_extra_info("peername") or ("unknown",))[0])
        if not self._may_send(peer) or len(self._connections) > self.settings.max_connections:
            log.warning("mllp-sender-refused", peer=peer, connections=len(self._connections))
            return
        deframer = Deframer(self.settings.max_message_bytes)
        while data := await self._read(reader, deframer):
            for received in deframer.feed(data):
                await self._answer(received, writer, peer)
        if deframer.is_inside:
            log.warning("mllp-frame-cut", peer=peer)

    async def _read(self, reader: asyncio.StreamReader, deframer: Deframer) -> bytes:
        """Read on; an open frame must go on in time, an idle connection may stay as long as it likes."""
        limit = self.settings.frame_timeout_s if deframer.is_inside else None
        async with asyncio.timeout(limit):
            return await reader.read(_CHUNK)

    async def _answer(self, received: Received, writer: asyncio.StreamWriter, peer: str) -> None:
        """Answer one message before the next one of this connection is looked at: order is kept."""
        if received.too_long:
            log.warning("mllp-message-too-long", peer=peer, limit=self.settings.max_message_bytes)
        loop = asyncio.get_running_loop()
        work = (received.message, peer, received.too_long)
        for answer in await loop.run_in_executor(self._pool, self.handle, *work):
            writer.write(frame(answer))
        await writer.drain()

    def _may_send(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer.split("%", 1)[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        if not self._allowed:
            return self.tls is not None or mapped.is_loopback
        return any(mapped in network for network in self._allowed)


async def _stop_accepting(server: asyncio.Server) -> None:
    """Take no more connections, and let those just taken become tasks that can be ended.

    asyncio (Python 3.11) leaks a connection that it accepts in the very turn in which the server closes.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    for _ in range(_ACCEPT_STEPS):
        await asyncio.sleep(0)


async def serve(settings: MllpSettings, handle: Handler, *, tls: ssl.SSLContext | None = None) -> MllpServer:
    """Listen for messages; ``handle`` is called for each one in a worker thread.

    Args:
        settings: Where to listen and who may send.
        handle: Usually :meth:`server.his.receiver.Receiver.handle`.
        tls: A server context; with client certificates required it also admits senders that are not named.

    Raises:
        BadInputError: A sender is no address or network, or the listener would be open to everybody.
        UnavailableError: The port cannot be listened on.
    """
    allowed = [_network(text) for text in settings.senders]
    mutual = tls is not None and tls.verify_mode == ssl.CERT_REQUIRED
    if not (allowed or mutual or _is_loopback(settings.host)):
        raise BadInputError(
            "mllp-open-to-all",
            "Name the senders, or use TLS with client certificates, before listening beyond this machine.",
        )
    pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="hl7")
    server = MllpServer(settings, handle, tls, allowed, pool)
    await server.start()
    return server


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise BadInputError("mllp-sender", "A sender must be an IP address or a network.") from error


def may_be_plain(host: str, senders: Sequence[str]) -> bool:
    """Tell whether messages may travel to ``host`` in the clear: on this machine, or to a named address.

    Raises:
        BadInputError: A sender is no address or network.
    """
    networks = [_network(text) for text in senders]
    if _is_loopback(host):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in networks)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(slots=True)
class MllpClient:
    """One connection to a hospital's listener, opened when it is needed and kept."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    timeout_s: float = 10.0
    max_answer_bytes: int = 1024 * 1024
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None
    _deframer: Deframer = field(init=False)
    _waiting: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._deframer = Deframer(self.max_answer_bytes)

    async def send(self, message: bytes) -> None:
        """Send one message.

        Raises:
            UnavailableError: Nobody answers there, or the connection broke.
        """
        try:
            if self._writer is None:
                async with asyncio.timeout(self.timeout_s):
                    await self._connect()
            writer = self._writer
            if writer is not None:
                writer.write(frame(message))
                async with asyncio.timeout(self.timeout_s):
                    await writer.drain()
        except (OSError, TimeoutError, ssl.SSLError) as error:
            await self.close()
            raise _unreachable(self.host, self.port) from error

    async def _connect(self) -> None:
        self._deframer = Deframer(self.max_answer_bytes)
        self._waiting.clear()
        self._reader, self._writer = await asyncio.open_connection(self.host, self.port, ssl=self.tls)

    async def receive(self) -> bytes:
        """Return the next answer.

        Raises:
            UnavailableError: None came in time, or the connection broke.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._next()
        except (OSError, TimeoutError, ssl.SSLError, EOFError) as error:
            await self.close()
            raise UnavailableError(
                "his-no-answer", f"{self.host}:{self.port} took the message and did not answer in time."
            ) from error

    async def _next(self) -> bytes:
        while not self._waiting:
            if self._reader is None:
                raise EOFError
            data = await self._reader.read(_CHUNK)
            if not data:
                raise EOFError
            self._waiting += [received.message for received in self._deframer.feed(data)]
        return self._waiting.pop(0)

    async def exchange(self, message: bytes) -> bytes:
        """Send one message and return the first answer."""
        await self.send(message)
        return await self.receive()

    async def close(self) -> None:
        """Close the connection; the next message opens another."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
                async with asyncio.timeout(1.0):
                    await writer.wait_closed()


def _unreachable(host: str, port: int) -> UnavailableError:
    return UnavailableError(
        "his-unreachable", f"Nothing takes messages at {host}:{port}; start it or correct the address."
    )
