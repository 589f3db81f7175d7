"""What the node's use cases need from the world outside, as small protocols."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from broker.topics import Up
from clinical.errors import UnavailableError
from edge_node.clock import Stamp


class LinkLostError(Exception):
    """A link ended or never came up; part of every device's life, so not a WardlinkError.

    Args:
        reason: Stable kebab-case word for logs and events.
        kind: Class of failure for the backoff: transient, missing, busy, broken.
    """

    def __init__(self, reason: str, kind: str = "transient") -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Bytes of one device as they arrived, stamped at arrival."""

    stream: str
    data: bytes
    stamp: Stamp


class Link(Protocol):
    """One open connection; ``frames`` also carries the error that ended it."""

    @property
    def frames(self) -> asyncio.Queue[Frame | LinkLostError]:
        """What arrived, in order."""


class Transport(Protocol):
    """One device's way in: a radio or a cable."""

    async def available(self) -> None:
        """Return when the device is there to be connected to."""

    def open(self) -> AbstractAsyncContextManager[Link]:
        """Open one link; everything it took is given back on exit.

        Raises:
            LinkLostError: On entry, when the link does not come up.
        """


class RowClass(IntEnum):
    """What may be given up first when the disk is full: the highest number."""

    ALARM = 0  # alarms, spot results, events, replies: never given up
    SUMMARY = 1  # one reading per device and minute, kept when the others were given up
    NUMERIC = 2  # continuous readings
    WAVE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One message that waits in the outbox for the server's commit."""

    seq: int
    id: str
    row_class: RowClass
    kind: Up
    device: str
    payload: bytes
    boot: str
    mono_ns: int
    effective: str  # ISO, for thinning and age


class StoreFullError(UnavailableError):
    """There is no room on the disk or in the file's own limit; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("outbox-full", "the outbox has no room left; free space on the node's disk")


class StoreBrokenError(UnavailableError):
    """The file is not a readable outbox any more."""

    def __init__(self) -> None:
        super().__init__("outbox-broken", "the outbox file is damaged; restart the node to set it aside")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one transaction does to the outbox."""

    rows: Sequence[Row] = ()
    state: Mapping[str, bytes] = field(default_factory=dict)
    evict: Sequence[int] = ()
    summarise: Sequence[int] = ()  # rows that become SUMMARY, the last of their minute


class OutboxStore(Protocol):
    """The disk under the outbox. One writer; every method is one transaction unless it says otherwise."""

    @property
    def outbox_id(self) -> str:
        """Id of this file, new whenever it is re-created."""

    @property
    def last_seq(self) -> int:
        """The highest number ever given out, also to rows that are gone."""

    def commit(self, change: Change) -> None:
        """Do one change, all or nothing, on disk when it returns.

        Raises:
            StoreFullError: No room; nothing was changed.
        """

    def forget(self, ranges: Sequence[tuple[int, int]]) -> tuple[int, int]:
        """Delete what the server has committed; returns how many rows and payload bytes went."""

    def replace_all(self, outbox_id: str, rows: Sequence[Row]) -> None:
        """Take a new id and these rows instead of everything that waited, in one transaction."""

    def rows(self, after: tuple[int, int], upto_seq: int, limit: int) -> list[Row]:
        """Rows in (class, seq) order after the pair ``after``, with seq ≤ ``upto_seq``."""

    def span(self, first: int, last: int, limit: int) -> list[Row]:
        """Rows with first ≤ seq ≤ last, in seq order."""

    def oldest(self, row_class: RowClass, limit: int) -> list[Row]:
        """The oldest rows of one class."""

    def has_id(self, row_id: str) -> bool:
        """Whether a message with this id waits."""

    def usage(self) -> dict[RowClass, tuple[int, int]]:
        """Rows and payload bytes by class."""

    def state(self, key: str) -> bytes | None:
        """A value of the node's own small memory."""

    def release_reserve(self) -> None:
        """Give the space kept back for alarms to the next writes."""

    def restore_reserve(self) -> bool:
        """Keep space back again; False when there is none to keep."""

    def close(self) -> None:
        """Close the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the broker said of one publish. ``code`` ≥ 0x80 is a refusal, -1 means it never got there."""

    tag: int
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WireState:
    """Whether the node is connected to its broker, and if not, why, in a stable word."""

    connected: bool
    reason: str = ""
    detail: str = ""


class Wire(Protocol):
    """The MQTT connection. Callbacks run in the event loop's thread."""

    def publish(self, topic: str, payload: bytes, *, tag: int, retain: bool = False) -> None:
        """Send one message, QoS 1; its :class:`Delivery` follows with the same ``tag``."""

    async def run(
        self,
        on_state: Callable[[WireState], None],
        on_delivery: Callable[[Delivery], None],
        on_message: Callable[[str, bytes], None],
    ) -> None:
        """Stay connected until cancelled."""
