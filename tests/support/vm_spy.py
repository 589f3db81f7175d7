"""What a scenario observes: raw D-Bus signals and answers in stable words, written as JSON lines."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from bleak.exc import BleakError
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

ADAPTER_PATH = "/org/bluez/hci0"
CALL_S = 60.0
OBJECTS = "org.freedesktop.DBus.ObjectManager"
TOLD = ("Connected", "ServicesResolved", "Powered", "Discovering", "Notifying", "Paired", "Bonded", "Trusted")
"""Properties whose values are part of an observation; of the others only that they changed."""


class Notebook:
    """Observations in order, each under a name of its own."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def note(self, name: str, value: object) -> None:
        """Write one observation down."""
        if name in self._names:
            raise ValueError(f"{name} was observed before")
        self._names.add(name)
        sys.stdout.write(json.dumps({"seen": name, "value": value}, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    async def attempt(self, name: str, work: Coroutine[Any, Any, object], timeout_s: float = 90.0) -> None:
        """Do something and note how it ended: its result, or the error as the caller sees it."""
        try:
            async with asyncio.timeout(timeout_s):
                result = await work
        except (BleakError, TimeoutError, EOFError, OSError) as error:
            self.note(name, f"{type(error).__name__}: {error}".rstrip(": "))
        else:
            self.note(name, result.hex() if isinstance(result, bytes | bytearray) else "ok")


class Spy:
    """A second client of the bus: it hears every signal about one device and the adapter, and calls at will.

    Args:
        device: Path of the device; it is written ``~`` in observations.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._log: list[str] = []
        self._names: dict[str, str] = {}
        self._bus = MessageBus(bus_type=BusType.SYSTEM)

    async def __aenter__(self) -> Self:
        await self._bus.connect()
        self._bus.add_message_handler(self._heard)
        rule = "type='signal',sender='org.bluez'"
        await self._bus.call(
            Message(destination="org.freedesktop.DBus", path="/org/freedesktop/DBus",
                    interface="org.freedesktop.DBus", member="AddMatch", signature="s", body=[rule])
        )  # fmt: skip
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bus.disconnect()
        with suppress(EOFError, OSError):  # how the library reports that it did as asked
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # untyped in dbus-fast

    def take(self, *, forgotten: bool = False) -> list[str]:
        """The signals since the last call, without signal strengths.

        Args:
            forgotten: Whether to say that a signal strength is no longer known.
        """
        taken, self._log = self._log, []
        return [
            line
            for line in taken
            if not line.startswith(("~ changed [RSSI]", "~ changed [] gone"))
            or (forgotten and "gone" in line)
        ]

    async def settle(self, seconds: float = 0.4) -> None:
        """Let signals arrive."""
        await asyncio.sleep(seconds)

    async def call(self, path: str, interface: str, member: str, signature: str = "", *body: object) -> Any:
        """Call a method; an error comes back as its name and text."""
        message = Message(destination="org.bluez", path=path, interface=interface, member=member,
                          signature=signature, body=list(body))  # fmt: skip
        reply = None
        with suppress(TimeoutError):
            async with asyncio.timeout(CALL_S):
                reply = await self._bus.call(message)
        if reply is None:
            return f"no reply within {CALL_S:.0f} s"
        if reply.message_type is MessageType.ERROR:
            return f"{reply.error_name}: {reply.body[0] if reply.body else ''}"
        return [one.hex() if isinstance(one, bytes | bytearray) else one for one in reply.body]

    async def power(self, *, on: bool) -> Any:
        """Switch the adapter as an administrator does."""
        return await self.call(
            ADAPTER_PATH, "org.freedesktop.DBus.Properties", "Set", "ssv",
            "org.bluez.Adapter1", "Powered", Variant("b", on),
        )  # fmt: skip

    async def objects(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The whole tree, with plain values; learns the names of characteristics by the way."""
        answer = await self.call("/", OBJECTS, "GetManagedObjects")
        tree = {
            path: {
                interface.removeprefix("org.bluez."): {name: value.value for name, value in props.items()}
                for interface, props in interfaces.items()
                if interface.startswith("org.bluez.")
            }
            for path, interfaces in answer[0].items()
        }
        for path, interfaces in tree.items():
            for props in interfaces.values():
                if path.startswith(self._device + "/"):
                    self._names[path] = str(props["UUID"])[4:8]
        return tree

    def name(self, path: str) -> str:
        """A path in stable words: characteristics by UUID, because handles are the device's own affair."""
        for known in sorted(self._names, key=len, reverse=True):
            if path == known:
                return f"~ {self._names[known]}"
        plain = path.replace(self._device, "~").removeprefix("/org/bluez/")
        return re.sub(r"(service|char|desc)[0-9a-f]{4}", r"\1", plain)

    def _heard(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "PropertiesChanged" and self._is_ours(message.path or ""):
            _, changed, gone = message.body
            values = {name: one.value for name, one in changed.items() if name in TOLD}
            line = f"{self.name(message.path or '')} changed [{', '.join(sorted(changed))}]"
            line += f" {json.dumps(values, sort_keys=True)}" if values else ""
            self._log.append(line + (f" gone [{', '.join(gone)}]" if gone else ""))
        elif message.member in {"InterfacesAdded", "InterfacesRemoved"} and self._is_ours(message.body[0]):
            kinds = [one.removeprefix("org.bluez.") for one in message.body[1] if "bluez" in one]
            word = message.member.removeprefix("Interfaces").lower()
            self._log.append(f"{self.name(message.body[0])} {word} {', '.join(sorted(kinds))}")

    def _is_ours(self, path: str) -> bool:
        return path.startswith(self._device) or path == ADAPTER_PATH
