"""How each device is reached, by radio or cable: what its profile says, and what was written down for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from clinical.errors import BadInputError
from edge_node.adapters.ble import Heard
from edge_node.adapters.ble_link import AdvertTransport, BleTransport, LinkPlan, Radios
from edge_node.adapters.serial_port import LineSettings, SerialDirectory, SerialTransport
from edge_node.clock import Stamp
from edge_node.device_clock import ClockWatch
from edge_node.dialogue import Dialogue, Outlet
from edge_node.records import RecordBook, RecordSource
from edge_node.settings import BoundDevice
from firmware_profiles import match
from firmware_profiles.decode import Context
from firmware_profiles.finder import Finder, stream_of
from firmware_profiles.plan import Profile, full_uuid

RECORD_CONTROL = "2A52"


def _characteristics(profile: Profile, modes: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Characteristics of some modes (long UUIDs) and the streams that each carries."""
    found: dict[str, tuple[str, ...]] = {}
    for stream in profile.streams.values():
        if stream.source == "gatt" and stream.characteristic and stream.mode in set(modes):
            uuid = full_uuid(stream.characteristic)
            found[uuid] = (*found.get(uuid, ()), stream.id)
    return found


def subscriptions(profile: Profile) -> dict[str, tuple[str, ...]]:
    """Characteristics to subscribe to, and the streams of each; records' control point left out."""
    found = _characteristics(profile, ("notify", "indicate"))
    if profile.file.racp is not None:
        found.pop(full_uuid(RECORD_CONTROL), None)
    return found


def readable(profile: Profile) -> dict[str, str]:
    """Characteristics that are only there to be read, and the stream of each; those polled are left out."""
    polled = {step.stream for step in profile.file.poll}
    return {
        uuid: streams[0]
        for uuid, streams in _characteristics(profile, ("read",)).items()
        if not polled & set(streams)
    }


def broadcasts(profile: Profile) -> bool:
    """Whether the device is only listened to."""
    return any(stream.source == "advert" for stream in profile.streams.values())


def check(bound: BoundDevice, profile: Profile) -> None:
    """Find out now, not when the device is first heard, that a binding cannot work.

    Raises:
        BadInputError: Not a Bluetooth profile, or a key that is missing or wrong.
    """
    if not profile.file.profile.enabled:
        raise BadInputError("profile-disabled", f"profile {bound.profile} is not proven on a device yet")
    if not subscriptions(profile) and not readable(profile) and not broadcasts(profile):
        raise BadInputError("profile-transport", f"profile {bound.profile} is not one for Bluetooth")
    sealed = any(stream.decrypt is not None for stream in profile.streams.values())
    if sealed and profile.file.profile.trust == "own" and not bound.key():
        raise BadInputError("bind-key", f"device {bound.uid} sends sealed adverts; give its key_file")
    bound.key()


def context(bound: BoundDevice) -> Context:
    """Address and key, for adverts that are sealed."""
    return Context(mac=bound.address, key=bound.key())


def advertisement(heard: Heard) -> match.Advertisement:
    """What was heard, in the words of the profiles."""
    return match.Advertisement(
        name=heard.name,
        service_uuids=heard.service_uuids,
        service_data=heard.service_data,
        manufacturer_data=heard.manufacturer_data,
    )


def check_cable(profile: Profile) -> None:
    """Find out now that a profile can be used on a cable.

    Raises:
        BadInputError: It is not one for a serial port, or not proven yet.
    """
    if profile.file.serial is None:
        raise BadInputError("profile-transport", f"profile {profile.id} is not one for a serial port")
    if not profile.file.profile.enabled:
        raise BadInputError("profile-disabled", f"profile {profile.id} is not proven on a device yet")


def _talk(profile: Profile, clock: ClockWatch | None) -> Callable[[Outlet], Dialogue] | None:
    """The talk with a device that must be asked, or whose clock is looked at; None: it only speaks."""
    file = profile.file
    has_clock = file.clock.read in {"cts", "datetime", "any", "stream"} or file.clock.set != "never"
    if not file.handshake and not file.poll and not (clock is not None and has_clock):
        return None
    return lambda outlet: Dialogue(profile, outlet, clock)


def connected(
    radios: Radios, bound: BoundDevice, profile: Profile, book: RecordBook, clock: ClockWatch | None = None
) -> BleTransport:
    """The way to a device that is connected to."""
    file = profile.file
    streams = subscriptions(profile)
    records = None
    if file.racp is not None:
        records = RecordSource(
            device=bound.uid,
            book=book,
            complete_codes=tuple(file.racp.complete_codes),
            timeout_s=file.racp.timeout_s,
            everything=file.racp.mode == "all",
        )
    plan = LinkPlan(
        streams={uuid: names[0] for uuid, names in streams.items()},
        reads=readable(profile),
        sort=lambda uuid, frame: stream_of(profile, streams[uuid], frame),
        fits=_describes(profile) if match.asks_information(profile) else None,
        talk=_talk(profile, clock),
        gap_s=file.link.write_gap_ms / 1000,
        serial=bound.serial,
        pairing=file.link.pairing,
        bond=file.link.bond,
        connect_timeout_s=file.link.connect_timeout_s,
        records=records,
        records_uuid=full_uuid(RECORD_CONTROL),
    )
    return BleTransport(radios, bound.address, plan)


def _describes(profile: Profile) -> Callable[[str, str, str], bool]:
    return lambda model, firmware, hardware: match.describes(
        profile, model=model, firmware=firmware, hardware=hardware
    )


def cabled(
    directory: SerialDirectory,
    path: Path,
    profile: Profile,
    stamp: Callable[[], Stamp],
    clock: ClockWatch | None = None,
) -> SerialTransport:
    """The way to a serial instrument.

    Raises:
        BadInputError: As :func:`check_cable`.
    """
    check_cable(profile)
    line = profile.file.serial
    assert line is not None  # noqa: S101 - just checked
    finder = Finder(profile)
    return SerialTransport(
        directory,
        path.name,
        path,
        LineSettings(
            baud=line.baud,
            bits=line.bits,
            parity=line.parity,
            stop=line.stop,
            flow=line.flow,
            rts=line.rts,
            dtr=line.dtr,
            write_gap_s=profile.file.link.write_gap_ms / 1000,
        ),
        finder.streams[0],
        lambda: Finder(profile),
        stamp,
        sort=finder.stream_of,
        talk=_talk(profile, clock),
    )


def listened_to(stamp: Callable[[], Stamp], profile: Profile) -> AdvertTransport:
    """The way to a device that only broadcasts."""

    def frames_of(heard: Heard) -> Iterable[tuple[str, bytes]]:
        return match.advert_frames(profile, advertisement(heard))

    return AdvertTransport(stamp, frames_of)
