"""The health document as Prometheus text (format 0.0.4), for the same loopback port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
STATES = ("searching", "discovered", "connecting", "ready", "streaming", "lost")
GAUGES = (
    ("wardlink_edge_up", "1 when nothing is wrong with the node", ("ok",)),
    ("wardlink_edge_broker_connected", "1 while the broker is connected", ("broker", "connected")),
    ("wardlink_edge_broker_uncommitted", "Messages sent and not yet committed", ("broker", "uncommitted")),
    ("wardlink_edge_broker_since_ack_seconds", "Seconds since the last commit", ("broker", "since_ack_s")),
    ("wardlink_edge_outbox_depth", "Messages that wait for the server", ("outbox", "depth")),
    ("wardlink_edge_outbox_bytes", "Bytes that wait for the server", ("outbox", "bytes")),
    ("wardlink_edge_outbox_full", "1 while there is no room for readings", ("outbox", "full")),
    ("wardlink_edge_radio_listening", "1 while the radio listens", ("radio", "listening")),
    ("wardlink_edge_alarms", "Alarms that stand", ("alarms",)),
    ("wardlink_edge_clock_uncertainty_ms", "How far the wall clock may be off", ("clock", "uncertainty_ms")),
    ("wardlink_edge_process_descriptors", "Open descriptors", ("process", "descriptors")),
    ("wardlink_edge_process_resident_kib", "Resident memory in KiB", ("process", "resident_kib")),
)
COUNTERS = (
    ("wardlink_edge_outbox_last_seq", "Number of the newest message", ("outbox", "last_seq")),
    ("wardlink_edge_outbox_produced_total", "Messages made by this process", ("outbox", "produced")),
    ("wardlink_edge_outbox_evicted_total", "Messages given up for room or age", ("outbox", "evicted")),
    ("wardlink_edge_outbox_refused_total", "Readings refused on a full disk", ("outbox", "refused")),
    ("wardlink_edge_frames_rejected_total", "Frames that were no frames", ("frames_rejected",)),
)


def render(document: Mapping[str, Any]) -> bytes:
    """Write a health document as metrics; what is not known is left out rather than shown as 0."""
    lines: list[str] = []
    for kind, table in (("gauge", GAUGES), ("counter", COUNTERS)):
        for name, text, path in table:
            value = _at(document, path)
            if value is not None:
                lines += [*_head(name, text, kind), f"{name} {_number(value)}"]
    lines += _devices(document.get("devices", ()))
    lines += _clocks(document.get("devices", ()))
    lines += _adapters(document.get("radio", {}).get("adapters", ()))
    return ("\n".join(lines) + "\n").encode()


def _devices(devices: Any) -> Iterator[str]:
    if not devices:
        return
    yield from _head("wardlink_edge_device_state", "1 for the state a device is in", "gauge")
    for device in devices:
        for state in STATES:
            labels = f'device="{_escaped(device["uid"])}",state="{state}"'
            yield f"wardlink_edge_device_state{{{labels}}} {int(device['state'] == state)}"
    for name, text, key in (
        ("wardlink_edge_device_frames_total", "Frames a device sent", "frames"),
        ("wardlink_edge_device_attempts_total", "Attempts to reach a device", "attempts"),
    ):
        yield from _head(name, text, "counter")
        for device in devices:
            yield f'{name}{{device="{_escaped(device["uid"])}"}} {device[key]}'


def _clocks(devices: Any) -> Iterator[str]:
    known = [one for one in devices if one.get("clock")]
    if known:
        yield from _head(
            "wardlink_edge_device_clock_offset_seconds", "How fast a device's own clock is", "gauge"
        )
    for one in known:
        labels = f'device="{_escaped(one["uid"])}"'
        yield f"wardlink_edge_device_clock_offset_seconds{{{labels}}} {one['clock']['offset_s']}"


def _adapters(adapters: Any) -> Iterator[str]:
    if adapters:
        yield from _head("wardlink_edge_adapter_listening", "1 while an adapter listens", "gauge")
    for one in adapters:
        labels = f'adapter="{_escaped(one["name"])}"'
        yield f"wardlink_edge_adapter_listening{{{labels}}} {int(one['listening'])}"


def _head(name: str, text: str, kind: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _at(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = document
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _number(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
