"""All the frames of a device on one line or one characteristic, and which of its streams each belongs to."""

from __future__ import annotations

from collections.abc import Sequence

from firmware_profiles.decode import decode
from firmware_profiles.framing import Framer
from firmware_profiles.plan import Profile
from firmware_profiles.reading import NO_CONTEXT, Context


def stream_of(
    profile: Profile, streams: Sequence[str], frame: bytes, context: Context = NO_CONTEXT
) -> tuple[str, bool]:
    """Say which of some streams a frame belongs to, and whether that stream accepts it.

    The first that accepts it, else the first of all, so that what nobody understands is counted somewhere.
    """
    for stream in streams:
        if decode(profile, stream, frame, context).accepted:
            return stream, True
    return streams[0], False


class Finder:
    """Finds whole frames of every stream that a serial line carries.

    Streams that are cut in the same way share one framer; the others each see all bytes.

    Args:
        profile: The device model.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self.streams = tuple(one.id for one in profile.streams.values() if one.source == "serial")
        cuts = []
        self._framers: list[Framer] = []
        for name in self.streams:
            rule = profile.plan(name).rule
            end = rule.line.end if rule.line is not None else ""
            if (rule.framing, end) not in cuts:
                cuts.append((rule.framing, end))
                self._framers.append(Framer(profile, name))

    @property
    def discarded(self) -> int:
        """Bytes that belonged to no frame of the stream that lost the fewest."""
        return min(framer.discarded for framer in self._framers)

    def feed(self, data: bytes) -> list[bytes]:
        """Take some bytes; return the frames they complete."""
        return [frame for framer in self._framers for frame in framer.feed(data)]

    def stream_of(self, frame: bytes) -> tuple[str, bool]:
        """Which stream a found frame belongs to, and whether it is accepted there."""
        return stream_of(self._profile, self.streams, frame)
