"""What must hold between the tables of one profile: who may be asked what, what a link needs, what is tested.

Each check names the key and says in one line what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from firmware_profiles.pumps import PUMP_QUERIES
from firmware_profiles.schema import Command, MatchRule, ProfileFile, Step, Stream


class WrongProfileError(Exception):
    """A fault in a profile: at which key, and what."""


def check_stream(stream: Stream, key: str) -> None:
    """Check what one stream needs to be found and read.

    Raises:
        WrongProfileError: A key that is missing or contradicts another.
    """
    if stream.source == "gatt" and not stream.characteristic:
        raise WrongProfileError(f"{key}.characteristic: needed for a gatt stream")
    modes = {"gatt": ("notify", "indicate", "read"), "advert": ("service-data", "manufacturer-data")}
    wanted = modes.get(stream.source)
    if wanted is not None and stream.mode not in wanted:
        raise WrongProfileError(f"{key}.mode: must be {' or '.join(wanted)} for source {stream.source}")
    if stream.source == "serial" and stream.framing is None and stream.line is None:
        raise WrongProfileError(f"{key}: a serial stream needs framing or line")
    _check_framing(stream, key)


def _check_framing(stream: Stream, key: str) -> None:
    framing = stream.framing
    if framing is None:
        return
    if framing.length is None and not framing.start:
        raise WrongProfileError(f"{key}.framing: give length or start")
    if framing.length is None and framing.length_at is None and not framing.end:
        raise WrongProfileError(f"{key}.framing: give length, length_at or end")
    if len(bytes.fromhex(framing.mask)) != len(bytes.fromhex(framing.value)):
        raise WrongProfileError(f"{key}.framing.mask: must be as long as value")
    if framing.escape and not (framing.start and (framing.end or framing.length_at is not None)):
        raise WrongProfileError(f"{key}.framing.escape: needs start, and end or length_at")


def check_file(file: ProfileFile) -> None:
    """Check what must hold between the tables of a profile.

    Raises:
        WrongProfileError: The first fault that is found.
    """
    if file.profile.transport == "serial" and file.serial is None:
        raise WrongProfileError("serial: needed for a serial device")
    _check_link(file)
    _check_commands(file)
    for name, steps in (("handshake", file.handshake), ("poll", file.poll)):
        for index, step in enumerate(steps):
            _check_step(file, step, f"{name}[{index}]")
    _check_only_what_is_sent(file)
    _check_clock(file)
    _check_vectors(file)
    _check_alarms(file)
    _check_match(file)


def _check_link(file: ProfileFile) -> None:
    link = file.link
    if link.bond == "per-session" and link.pairing == "none":
        raise WrongProfileError("link.bond: there are no keys to drop without pairing")
    if link.mode == "poll" and not any(step.every_s for step in file.poll):
        raise WrongProfileError("link.mode: poll needs a [[poll]] with every_s")
    if file.profile.kind == "pump" and not file.profile.read_only:
        raise WrongProfileError("profile.read_only: a pump is only ever read")


def _check_commands(file: ProfileFile) -> None:
    for name, command in file.allow_send.items():
        key = f"allow_send.{name}"
        if (command.text is None) == (command.hex is None):
            raise WrongProfileError(f"{key}: give either text or hex")
        if (command.characteristic is None) != (file.profile.transport == "serial"):
            word = "not for a cable" if command.characteristic else "needed to write to a Bluetooth device"
            raise WrongProfileError(f"{key}.characteristic: {word}")
        if file.profile.kind == "pump" and payload(command) not in PUMP_QUERIES:
            raise WrongProfileError(f"{key}: is not one of the queries that may be sent to a pump")


def payload(command: Command) -> bytes:
    """Return the bytes of a command."""
    return command.text.encode() if command.text is not None else bytes.fromhex(command.hex or "")


def _check_step(file: ProfileFile, step: Step, key: str) -> None:
    streams = {stream.id: stream for stream in file.stream}
    if step.stream and step.stream not in streams:
        raise WrongProfileError(f"{key}.stream: there is no stream {step.stream}")
    if step.send:
        if step.send not in file.allow_send:
            raise WrongProfileError(f"{key}.send: {step.send} is not in allow_send")
        return
    if not step.stream or streams[step.stream].mode != "read":
        raise WrongProfileError(f"{key}: give send, or a stream whose mode is read")


def _check_only_what_is_sent(file: ProfileFile) -> None:
    sent = {step.send for step in (*file.handshake, *file.poll)}
    unused = sorted(set(file.allow_send) - sent)
    if unused:
        raise WrongProfileError(f"allow_send.{unused[0]}: is never sent; an allow-list holds nothing else")


def _check_clock(file: ProfileFile) -> None:
    clock = file.clock
    if clock.set != "never" and file.profile.read_only:
        raise WrongProfileError("clock.set: changes the device; say read_only = false")
    for key, way in (("clock.read", clock.read), ("clock.set", clock.set)):
        if way in {"cts", "datetime", "any"} and file.profile.transport != "ble-gatt":
            raise WrongProfileError(f"{key}: {way} is a characteristic; this device has none")
    for key, way, name in (
        ("clock.read_stream", clock.read, clock.read_stream),
        ("clock.set_stream", clock.set, clock.set_stream),
    ):
        if (way == "stream") != bool(name):
            raise WrongProfileError(f"{key}: {'not for this way' if name else 'needed: which stream'}")
        if name and name not in set(_clock_streams(file)):
            raise WrongProfileError(f"{key}: there is no stream {name} with a value of role clock")


def _clock_streams(file: ProfileFile) -> Iterator[str]:
    for stream in file.stream:
        if any(value.role == "clock" for value in stream.value):
            yield stream.id


def _check_vectors(file: ProfileFile) -> None:
    streams = {stream.id for stream in file.stream}
    for index, vector in enumerate(file.test):
        if vector.stream not in streams:
            raise WrongProfileError(f"test[{index}].stream: there is no stream {vector.stream}")
        if (vector.hex is None) == (vector.text is None):
            raise WrongProfileError(f"test[{index}]: give either hex or text")
        if (vector.expect is None) == (vector.reject is None):
            raise WrongProfileError(f"test[{index}]: give either expect or reject")


def _check_alarms(file: ProfileFile) -> None:
    known = {value.name for stream in file.stream for value in stream.value}
    for index, alarm in enumerate(file.alarm):
        if alarm.value not in known:
            raise WrongProfileError(f"alarm[{index}].value: there is no value {alarm.value}")


def _check_match(file: ProfileFile) -> None:
    for index, rule in enumerate(file.match):
        for name in ("name_regex", "model_regex"):
            try:
                re.compile(getattr(rule, name))
            except re.error as error:
                raise WrongProfileError(f"match[{index}].{name}: {error}") from error
        if rule == MatchRule(priority=rule.priority):
            raise WrongProfileError(f"match[{index}]: says nothing; it would claim every device")
        if rule.manufacturer_id is None and (rule.with_id or rule.manufacturer_mask != 0xFFFF):
            raise WrongProfileError(
                f"match[{index}].manufacturer_id: needed for with_id and manufacturer_mask"
            )
        if rule.data_mask and len(rule.data_mask.replace(" ", "")) != len(rule.data_prefix.replace(" ", "")):
            raise WrongProfileError(f"match[{index}].data_mask: must be as long as data_prefix")
