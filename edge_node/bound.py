"""How each bound Bluetooth device is reached: what its profile says, and what was written down for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from clinical.errors import BadInputError
from edge_node.adapters.ble import BleRadio, Heard
from edge_node.adapters.ble_link import AdvertTransport, BleTransport, LinkPlan
from edge_node.clock import Stamp
from edge_node.records import RecordBook, RecordSource
from edge_node.settings import BoundDevice
from firmware_profiles import match
from firmware_profiles.decode import Context
from firmware_profiles.plan import Profile, full_uuid

RECORD_CONTROL = "2A52"


def subscriptions(profile: Profile) -> dict[str, str]:
    """Characteristics to subscribe to, and the stream each carries; records' control point left out."""
    return {
        full_uuid(stream.characteristic): stream.id
        for stream in profile.streams.values()
        if stream.source == "gatt"
        and stream.characteristic
        and stream.mode in {"notify", "indicate"}
        and not (profile.file.racp is not None and stream.characteristic == RECORD_CONTROL)
    }


def broadcasts(profile: Profile) -> bool:
    """Whether the device is only listened to."""
    return any(stream.source == "advert" for stream in profile.streams.values())


def check(bound: BoundDevice, profile: Profile) -> None:
    """Find out now, not when the device is first heard, that a binding cannot work.

    Raises:
        BadInputError: Not a Bluetooth profile, or a key that is missing or wrong.
    """
    if not subscriptions(profile) and not broadcasts(profile):
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


def connected(radio: BleRadio, bound: BoundDevice, profile: Profile, book: RecordBook) -> BleTransport:
    """The way to a device that is connected to."""
    file = profile.file
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
        streams=subscriptions(profile),
        serial=bound.serial,
        pairing=file.link.pairing,
        bond=file.link.bond,
        connect_timeout_s=file.link.connect_timeout_s,
        records=records,
        records_uuid=full_uuid(RECORD_CONTROL),
    )
    return BleTransport(radio, bound.address, plan)


def listened_to(stamp: Callable[[], Stamp], profile: Profile) -> AdvertTransport:
    """The way to a device that only broadcasts."""

    def frames_of(heard: Heard) -> Iterable[tuple[str, bytes]]:
        return match.advert_frames(profile, advertisement(heard))

    return AdvertTransport(stamp, frames_of)
