"""What the ingest needs of a broker client: a few methods, so that a faster reader can take its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol


class Packet(NamedTuple):
    """One message as it arrived. ``token`` is what the client needs to acknowledge it."""

    topic: str
    payload: bytes
    retained: bool
    token: tuple[int, int]


OnPackets = Callable[[Sequence[Packet]], None]


class Broker(Protocol):
    """The wire to the nodes."""

    def start(self, on_packets: OnPackets, on_connected: Callable[[], None]) -> None:
        """Connect and keep connected; both callbacks may run on a thread of the client and must be quick."""
        ...

    def acknowledge(self, packets: Sequence[Packet]) -> None:
        """Tell the broker that these are done with; only after their commit."""
        ...

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
        """Send one message down; from any thread.

        Args:
            topic: Where to.
            payload: What.
            retain: Let the broker keep it for those who come later.
            qos: 0 for what is said again anyway, 1 for the rest.
        """
        ...

    def hold(self, on: bool) -> None:
        """Stop taking messages from the broker, or go on: what waits here has reached its bound."""
        ...

    def stop(self) -> None:
        """Disconnect."""
        ...

    @property
    def connected(self) -> bool:
        """Whether the broker answers now."""
        ...
