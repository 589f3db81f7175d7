"""What every route can reach; made once by ``main`` and never changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from server.health.metrics import Requests
from server.live.hub import Hub
from server.people.doors import Doors
from server.people.service import Limits
from server.settings import ServerSettings
from server.sites import Site
from server.storage.store import Store
from server.sync.service import ChangeSignal


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The running server's parts."""

    settings: ServerSettings
    store: Store
    site: Site
    hubs: dict[str, Hub]
    signal: ChangeSignal
    take_message: Callable[[bytes], object] | None = None  # a hospital's message, to be tried again
    take_packet: Callable[[str, bytes], None] | None = None  # a node's message: topic and payload, again
    filed: Callable[[int], None] = lambda _count: None  # readings that wait no longer
    requests: Requests = field(default_factory=Requests)
    doors: Doors = field(default_factory=Doors)
    probes: dict[str, Callable[[], dict[str, Any]]] = field(
        default_factory=dict
    )  # part → its state, for /health

    @property
    def limits(self) -> Limits:
        """Sign-in limits of the settings."""
        server = self.settings.server
        return Limits(
            attempts=server.pin_attempts,
            lockout=timedelta(seconds=server.lockout_s),
            life=timedelta(hours=server.session_h),
        )
