"""What the ingest needs of a broker client: three methods, so that a faster reader can take its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Packet:
    """One message as it arrived. ``token`` is what the client needs to acknowledge it."""

    topic: str
    payload: bytes
    retained: bool
    token: tuple[int, int]


class Broker(Protocol):
    """The wire to the nodes."""

    def start(self, on_packet: Callable[[Packet], None], on_connected: Callable[[], None]) -> None:
        """Connect and keep connected; both callbacks run on the client's own thread and must be quick."""
        ...

    def acknowledge(self, packets: Sequence[Packet]) -> None:
        """Tell the broker that these are done with; only after their commit."""
        ...

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send one message down."""
        ...

    def stop(self) -> None:
        """Disconnect."""
        ...

    @property
    def connected(self) -> bool:
        """Whether the broker answers now."""
        ...
