"""Sends one notification, and only to where it may go.

The name of a hook is looked up each time and the connection goes to the very address that was judged, so
that a name cannot point elsewhere between the judgement and the sending. Redirects are not followed.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from clinical.errors import BadInputError, UnavailableError

TIMEOUT_S, TOTAL_S = 10.0, 15.0
"""For each step of a connection, and for a whole exchange once it stands."""
_MOST_READ = 65_536
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: behind these stands the IPv4 address of their last 32 bits."""
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
"""RFC 8215: translation within one network, whose own business it is what stands behind."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a notification goes."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def netloc(self) -> str:
        """Host and port, as a Host header says them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"https": 443, "http": 80}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Read the address of a hook.

    Raises:
        BadInputError: It is none, or carries a password or a fragment.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _bad() from None
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in {"https", "http"} or not parts.hostname or not plain:
        raise _bad()
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _bad()
    path = parts.path or "/"
    query = f"?{parts.query}" if parts.query else ""
    return Target(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port or (443 if parts.scheme == "https" else 80),
        path=path + query,
    )


def _bad() -> BadInputError:
    return BadInputError("fhir-hook-url", "a hook is an https address without password or fragment")


def judge(target: Target, networks: Sequence[str]) -> Address:
    """Return the address a hook leads to, if it may be sent to.

    Raises:
        BadInputError: It is inside the hospital's network and not allowed, or in the clear to elsewhere.
        UnavailableError: The name has no address.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnavailableError("fhir-hook-name", "the name of the hook has no address") from error
    addresses = [_plain(ipaddress.ip_address(str(one[4][0]).partition("%")[0])) for one in found]
    allowed = [ipaddress.ip_network(network) for network in networks]
    for one in map(_behind, addresses):
        inside = not one.is_global or one.is_multicast or one in _LOCAL_NAT64
        if inside and not any(one in network for network in allowed):
            raise BadInputError(
                "fhir-hook-network", "the hook is inside a private network; the settings have to allow it"
            )
        if target.scheme == "http" and not one.is_loopback:
            raise _bad()
    return addresses[0]


def _plain(address: Address) -> Address:
    """An IPv4 address that is written as IPv6 is judged as what it is."""
    mapped = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    return mapped if isinstance(mapped, ipaddress.IPv4Address) else address


def _behind(address: Address) -> Address:
    """What a gateway of the network makes of an address is what is judged; it is called by its own."""
    if isinstance(address, ipaddress.IPv6Address) and address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    return address


class _Pinned(http.client.HTTPSConnection):
    """TLS to an address that was judged, under the name it was judged for."""

    def __init__(self, target: Target, address: Address, context: ssl.SSLContext) -> None:
        super().__init__(target.host, target.port, timeout=TIMEOUT_S, context=context)
        self._address, self._tls = address, context

    def connect(self) -> None:
        """Connect to the judged address."""
        plain = socket.create_connection((str(self._address), self.port), timeout=TIMEOUT_S)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


def send(
    url: str,
    method: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    networks: Sequence[str],
    ca_file: Path | None,
) -> int:
    """Send one notification and return the status of the answer.

    Raises:
        BadInputError: It may not go there.
        UnavailableError: Nobody answers.
    """
    target = target_of(url)
    address = judge(target, networks)
    connection: http.client.HTTPConnection
    if target.scheme == "https":
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file is not None else None)
        connection = _Pinned(target, address, context)
    else:
        connection = http.client.HTTPConnection(str(address), target.port, timeout=TIMEOUT_S)
    try:
        connection.connect()
        with _cut_off(connection.sock):
            connection.request(method, target.path, body, {"Host": target.netloc, **headers})
            answer = connection.getresponse()
            answer.read(_MOST_READ)
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(
            "fhir-hook-silent", f"the hook does not answer: {type(error).__name__}"
        ) from error
    else:
        return answer.status
    finally:
        connection.close()


@contextlib.contextmanager
def _cut_off(held: socket.socket) -> Iterator[None]:
    """End an exchange that takes too long as a whole: one hook must not hold up all others.

    The socket is held here because a connection lets go of its own as soon as an answer has no stated length.
    """
    watch = threading.Timer(TOTAL_S, _cut, (held,))
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def _cut(held: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(held, socket.SHUT_RDWR)  # not TLS's own, which the other thread is in
