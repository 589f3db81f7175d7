"""Is this node well, before it is trusted with a bed: certificate, clock, broker, radio, ports, numbers.

Runs beside a running node and changes nothing. Each check says in both languages what was found.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus

from broker.tls import check_identity, client_context
from clinical.errors import WardlinkError
from clinical.records import Label
from edge_node.adapters import kernel
from edge_node.adapters.ble import BUS_ANSWER_S, LIBRARY_ERRORS
from edge_node.adapters.serial_port import SerialDirectory
from edge_node.clock import NodeClock
from edge_node.settings import EdgeSettings
from firmware_profiles import registry, vectors

BROKER_S = 5.0
RENEW_DAYS = 5
NAMES = {
    "certificate": Label(zh="证书", en="certificate"),
    "clock": Label(zh="时钟", en="clock"),
    "broker": Label(zh="消息服务器", en="broker"),
    "radio": Label(zh="蓝牙", en="Bluetooth radio"),
    "ports": Label(zh="串口", en="serial ports"),
    "numbers": Label(zh="数值校验", en="numeric checksum"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found."""

    check: str
    ok: bool
    detail: str

    def document(self) -> dict[str, Any]:
        """As JSON, with the check's name in both languages."""
        name = NAMES[self.check]
        return {**asdict(self), "zh": name.zh, "en": name.en}


async def run(settings: EdgeSettings) -> list[Finding]:
    """Make every check that applies to this node."""
    checks: dict[str, Callable[[EdgeSettings], Awaitable[str]]] = {
        "certificate": _certificate,
        "clock": _clock,
        "broker": _broker,
        "numbers": _numbers,
    }
    if settings.bluetooth.enabled:
        checks["radio"] = _radio
    if settings.serial.directory is not None:
        checks["ports"] = _ports
    return [await _finding(name, check, settings) for name, check in checks.items()]


async def _finding(
    name: str, check: Callable[[EdgeSettings], Awaitable[str]], settings: EdgeSettings
) -> Finding:
    try:
        return Finding(check=name, ok=True, detail=await check(settings))
    except WardlinkError as error:
        return Finding(check=name, ok=False, detail=f"{error.code}: {error.message}")
    except _UnwellError as error:
        return Finding(check=name, ok=False, detail=str(error))


class _UnwellError(Exception):
    """A check that did not pass, in one sentence."""


async def _certificate(settings: EdgeSettings) -> str:
    mqtt = settings.mqtt
    name, left = check_identity(mqtt.ca_file, mqtt.cert_file)
    if name != settings.node.id:
        raise _UnwellError("certificate-name: the certificate does not carry this node's id")
    if left.days < RENEW_DAYS:
        raise _UnwellError(f"certificate-expiring: good for {left.days} more days; renew it")
    return f"good for {left.days} days"


async def _clock(settings: EdgeSettings) -> str:
    del settings
    import time

    clock = NodeClock(time.time_ns, time.monotonic_ns, kernel.clock_synchronised).now().clock
    if clock.state == "unset":
        raise _UnwellError("clock-unset: the clock is not set")
    return f"{clock.state}, uncertain by {clock.uncertainty_ms} ms"


async def _broker(settings: EdgeSettings) -> str:
    mqtt = settings.mqtt
    context = client_context(mqtt.ca_file, mqtt.cert_file, mqtt.key_file)
    try:
        async with asyncio.timeout(BROKER_S):
            _, writer = await asyncio.open_connection(mqtt.host, mqtt.port, ssl=context)
    except ssl.SSLError as error:
        raise _UnwellError(f"broker-certificate: {error.reason or 'the handshake failed'}") from error
    except (OSError, TimeoutError) as error:
        raise _UnwellError(f"broker-unreachable: {type(error).__name__}") from error
    writer.close()
    with suppress(OSError, TimeoutError):  # that it answered is enough; it need not take its leave
        async with asyncio.timeout(BROKER_S):
            await writer.wait_closed()
    return "answers with a trusted certificate"


async def _radio(settings: EdgeSettings) -> str:
    bus = (
        MessageBus(bus_address=settings.bluetooth.bus)
        if settings.bluetooth.bus
        else MessageBus(bus_type=BusType.SYSTEM)
    )
    try:
        async with asyncio.timeout(BUS_ANSWER_S):
            await bus.connect()
            reply = await bus.call(
                Message(
                    destination="org.bluez",
                    path="/",
                    interface="org.freedesktop.DBus.ObjectManager",
                    member="GetManagedObjects",
                )
            )
    except LIBRARY_ERRORS as error:
        raise _UnwellError(f"radio-unavailable: {type(error).__name__}") from error
    finally:
        bus.disconnect()
    if reply is None or reply.message_type is not MessageType.METHOD_RETURN:
        raise _UnwellError("radio-unavailable: the Bluetooth service does not answer")
    adapters = [one["org.bluez.Adapter1"] for one in reply.body[0].values() if "org.bluez.Adapter1" in one]
    if not any(adapter["Powered"].value for adapter in adapters):
        raise _UnwellError("radio-unavailable: no adapter, or it is switched off")
    return f"{len(adapters)} adapter(s), switched on"


async def _ports(settings: EdgeSettings) -> str:
    root = settings.serial.directory
    names = sorted(path.name for path in root.iterdir()) if root is not None and root.is_dir() else []
    globs = [(port.glob, port.profile) for port in settings.serial.ports]
    empty = [glob for glob, _ in globs if not SerialDirectory.matching(names, glob)]
    if empty:
        raise _UnwellError(f"port-missing: nothing is plugged in for {', '.join(empty)}")
    return f"{len(names)} port(s)"


async def _numbers(settings: EdgeSettings) -> str:
    """Run every vector of every profile: a wrong library or a broken memory shows here, not at a bed."""
    del settings
    total, check = 0, 0
    for profile in registry.load():
        for vector in profile.vectors:
            decoded = vectors.run_vector(profile, vector)
            text = ";".join(f"{name}={one.value}{one.unit}" for name, one in decoded.values.items())
            check = zlib.crc32(f"{profile.id}:{decoded.reject}:{text}".encode(), check)
            total += 1
        failures = vectors.check(profile) if profile.file.profile.enabled else []
        if failures:
            raise _UnwellError(f"numbers-wrong: {failures[0]}")
    return f"{total} vectors, checksum {check:08x}"
