"""Is this node well: one document for the loopback port, for ``health`` commands and for people."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_node import metrics
from edge_node.clock import NodeClock
from edge_node.device_clock import ClockWatch
from edge_node.i18n import reason
from edge_node.local_alarms import LocalAlarms
from edge_node.outbox import Outbox
from edge_node.sessions import Session
from edge_node.uplink import Uplink

HTTP_TIMEOUT_S = 5.0
MAX_REQUEST = 8192


@dataclass(slots=True)
class RadioHealth:
    """Whether the radio listens: on one adapter at least, and on which."""

    enabled: bool = False
    listening: bool = False
    reason: str = ""
    adapters: dict[str, tuple[bool, str]] = field(default_factory=dict)
    """Adapter → whether it listens, and why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSources:
    """Where the document comes from."""

    node: str
    version: str
    clock: NodeClock
    outbox: Outbox
    uplink: Uplink
    alarms: LocalAlarms
    sessions: Callable[[], list[Session]]
    rejected: Callable[[], int]
    process: Callable[[], dict[str, int]]
    radio: RadioHealth = field(default_factory=RadioHealth)
    ambiguous: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Devices that were heard and that several profiles claim equally, with those profiles."""
    clocks: Mapping[str, ClockWatch] = field(default_factory=dict)
    """The clocks of devices that have one."""


def problems(sources: HealthSources) -> list[str]:
    """Codes of everything that is wrong now; empty means well."""
    found = []
    if not sources.uplink.state.connected:
        found.append(sources.uplink.state.reason or "connection-lost")
    if sources.outbox.full:
        found.append("outbox-full")
    if sources.radio.enabled and not sources.radio.listening:
        found.append(sources.radio.reason or "radio-unavailable")
    if sources.clock.now().clock.state == "unset":
        found.append("clock-unset")
    return found


def document(sources: HealthSources) -> dict[str, Any]:
    """The whole document; no patient data, no payloads."""
    clock, outbox, uplink = sources.clock.now(), sources.outbox, sources.uplink
    ails = problems(sources)
    since_ack = None if uplink.last_ack_at is None else round(clock.mono_s - uplink.last_ack_at, 1)
    return {
        "ok": not ails,
        "problems": [{"code": code, **reason(code)} for code in ails],
        "node": sources.node,
        "version": sources.version,
        "boot": sources.clock.boot_id,
        "now": clock.utc.isoformat(),
        "clock": {"state": clock.clock.state, "uncertainty_ms": clock.clock.uncertainty_ms},
        "broker": {
            "connected": uplink.state.connected,
            "reason": uplink.state.reason,
            "detail": uplink.state.detail,
            "since_ack_s": since_ack,
            "uncommitted": uplink.waiting_for_commit,
            "resent": uplink.resent,
        },
        "outbox": {
            "id": outbox.store.outbox_id,
            "depth": outbox.depth,
            "bytes": outbox.used_bytes,
            "last_seq": outbox.store.last_seq,
            "full": outbox.full,
            "produced": outbox.produced,
            "readings": outbox.readings,
            "evicted": outbox.evicted,
            "refused": outbox.refused,
            "repeats": outbox.repeats,
        },
        "devices": [_device(session, sources.clocks) for session in sources.sessions()],
        "ambiguous": [
            {"uid": uid, "profiles": list(profiles), "text": reason("profile-ambiguous")}
            for uid, profiles in sources.ambiguous.items()
        ],
        "frames_rejected": sources.rejected(),
        "radio": _radio(sources.radio),
        "alarms": len(sources.alarms.standing),
        "process": sources.process(),
    }


def _device(session: Session, clocks: Mapping[str, ClockWatch]) -> dict[str, Any]:
    watch = clocks.get(session.device)
    report = watch.report if watch is not None else None
    return {
        "uid": session.device,
        "profile": session.profile,
        "state": session.state.value,
        "reason": session.reason,
        "text": reason(session.reason) if session.reason else None,
        "frames": session.frames,
        "attempts": session.attempts,
        "clock": None if report is None else {**report.detail(), "was_set": report.was_set},
    }


def _radio(radio: RadioHealth) -> dict[str, Any]:
    return {
        "enabled": radio.enabled,
        "listening": radio.listening,
        "adapters": [
            {
                "name": name or "default",
                "listening": listening,
                "reason": why,
                "text": reason(why) if why else None,
            }
            for name, (listening, why) in radio.adapters.items()
        ],
    }


async def serve(port: int, make: Callable[[], dict[str, Any]]) -> None:
    """Answer ``GET /health`` and ``GET /metrics`` on loopback for ever.

    Health is 200 when well, 503 when not, with the document either way; metrics are always 200.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HTTP_TIMEOUT_S):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(request, make))
                await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that does not finish its request gets no answer
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, limit=MAX_REQUEST)
    async with server:
        await server.serve_forever()


def _response(request: bytes, make: Callable[[], dict[str, Any]]) -> bytes:
    line = request.split(b"\r\n", 1)[0].split(b" ")
    if len(line) != 3 or line[0] != b"GET" or line[1] not in {b"/", b"/health", b"/metrics"}:
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    body = make()
    if line[1] == b"/metrics":
        return _answer(b"200 OK", metrics.CONTENT_TYPE, metrics.render(body))
    content = json.dumps(body, ensure_ascii=False).encode()
    status = b"200 OK" if body["ok"] else b"503 Service Unavailable"
    return _answer(status, b"application/json; charset=utf-8", content)


def _answer(status: bytes, kind: bytes, content: bytes) -> bytes:
    head = (
        b"HTTP/1.1 " + status + b"\r\nContent-Type: " + kind + b"\r\n"
        b"Cache-Control: no-store\r\nConnection: close\r\nContent-Length: " + str(len(content)).encode()
    )
    return head + b"\r\n\r\n" + content
