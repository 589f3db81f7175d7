"""Which profile speaks for an advert, a connected device or a serial adapter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from clinical.errors import ConflictError
from firmware_profiles.framing import masked
from firmware_profiles.plan import Profile, full_uuid
from firmware_profiles.schema import MatchRule

COMPARISONS = {
    ">=": lambda left, right: left >= right,
    "<=": lambda left, right: left <= right,
    "==": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """What is known of a device before or after connecting. UUIDs may be 16-bit or full."""

    name: str = ""
    service_uuids: tuple[str, ...] = ()
    service_data: Mapping[str, bytes] = field(default_factory=dict)
    manufacturer_data: Mapping[int, bytes] = field(default_factory=dict)
    model: str = ""  # Device Information, once connected
    firmware: str = ""
    hardware: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One profile that fits, and how strongly it claims the device."""

    profile: Profile
    priority: int


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _revision_fits(rule: str, revision: str) -> bool:
    """Whether every comparison of a rule such as ``>=1.2,<2`` holds; an unknown version fits none."""
    if not rule:
        return True
    found = _numbers(revision)
    if not found:
        return False
    for part in rule.split(","):
        operator = next(word for word in COMPARISONS if part.startswith(word))
        if not COMPARISONS[operator](found, _numbers(part)):
            return False
    return True


def _data(rule: MatchRule, seen: Advertisement) -> tuple[bytes, bytes] | None:
    """The advert's data that the rule speaks of, and the id before it; ``None`` when the source is absent.

    Where several manufacturer ids fit, the last is taken: a daemon that remembers old ones appends the new.
    """
    if rule.service_data_uuid is not None:
        wanted = full_uuid(rule.service_data_uuid)
        return next(
            ((b"", data) for uuid, data in seen.service_data.items() if full_uuid(uuid) == wanted), None
        )
    if rule.manufacturer_id is None:
        return b"", b""
    for company, data in reversed(tuple(seen.manufacturer_data.items())):
        if not (company ^ rule.manufacturer_id) & rule.manufacturer_mask:
            return company.to_bytes(2, "little"), data
    return None


def _data_fits(rule: MatchRule, seen: Advertisement) -> bool:
    found = _data(rule, seen)
    if found is None:
        return False
    data = found[1]
    prefix = bytes.fromhex(rule.data_prefix)
    mask = bytes.fromhex(rule.data_mask) or b"\xff" * len(prefix)
    if len(data) < len(prefix) or not masked(
        data, mask, bytes(a & b for a, b in zip(prefix, mask, strict=True))
    ):
        return False
    return rule.data_length is None or len(data) == rule.data_length


def _service_fits(rule: MatchRule, seen: Advertisement) -> bool:
    if rule.service_uuid is None:
        return True
    return full_uuid(rule.service_uuid) in {full_uuid(uuid) for uuid in seen.service_uuids}


def fits(rule: MatchRule, seen: Advertisement) -> bool:
    """Whether every key of a rule holds."""
    return (
        _service_fits(rule, seen)
        and _data_fits(rule, seen)
        and (not rule.name_regex or re.search(rule.name_regex, seen.name) is not None)
        and (not rule.model_regex or re.search(rule.model_regex, seen.model) is not None)
        and _revision_fits(rule.firmware, seen.firmware)
        and _revision_fits(rule.hardware, seen.hardware)
    )


def asks_information(profile: Profile) -> bool:
    """Whether a rule of this profile speaks of model, firmware or hardware, known only once connected."""
    return any(rule.model_regex or rule.firmware or rule.hardware for rule in profile.file.match)


def describes(profile: Profile, *, model: str, firmware: str, hardware: str) -> bool:
    """Whether what a connected device says of itself fits a rule of the profile; names are not compared."""
    seen = Advertisement(model=model, firmware=firmware, hardware=hardware)
    return any(
        (not rule.model_regex or re.search(rule.model_regex, seen.model) is not None)
        and _revision_fits(rule.firmware, seen.firmware)
        and _revision_fits(rule.hardware, seen.hardware)
        for rule in profile.file.match
    )


def advert_frames(profile: Profile, seen: Advertisement) -> list[tuple[str, bytes]]:
    """Return what an advert holds for the advert streams of a profile: stream id and bytes.

    The rules that name a source of data say which; a rule's prefix must fit as it does when matching.
    """
    streams = {stream.mode: stream.id for stream in profile.streams.values() if stream.source == "advert"}
    frames: list[tuple[str, bytes]] = []
    for rule in profile.file.match:
        mode = "service-data" if rule.service_data_uuid is not None else "manufacturer-data"
        data = _frame(rule, seen)
        if mode in streams and data and (streams[mode], data) not in frames:
            frames.append((streams[mode], data))
    return frames


def _frame(rule: MatchRule, seen: Advertisement) -> bytes:
    """Return the part of an advert that a stream reads; empty when the advert does not fit the rule."""
    found = _data(rule, seen)
    if found is None or not found[1] or not _data_fits(rule, seen):
        return b""
    whole = (found[0] if rule.with_id else b"") + found[1]
    return whole[rule.frame_at :][: rule.frame_length]


def candidates(profiles: Iterable[Profile], seen: Advertisement) -> list[Match]:
    """Return every enabled profile that fits, strongest first."""
    found = []
    for profile in profiles:
        priorities = [rule.priority for rule in profile.file.match if fits(rule, seen)]
        if priorities and profile.file.profile.enabled:
            found.append(Match(profile=profile, priority=max(priorities)))
    return sorted(found, key=lambda match: (-match.priority, match.profile.id))


def match(profiles: Iterable[Profile], seen: Advertisement) -> Profile | None:
    """Return the one profile that speaks for this device, or nothing.

    Raises:
        ConflictError: Two profiles claim it equally; a wrong decoder is worse than none.
    """
    found = candidates(profiles, seen)
    if len(found) > 1 and found[0].priority == found[1].priority:
        names = ", ".join(one.profile.id for one in found if one.priority == found[0].priority)
        raise ConflictError("profile-ambiguous", f"these profiles claim one device equally: {names}")
    return found[0].profile if found else None
