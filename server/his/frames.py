"""MLLP framing: ``VT message FS CR``."""

from __future__ import annotations

from dataclasses import dataclass, field

START = b"\x0b"
END = b"\x1c"
TAIL = b"\r"
_HEAD_KEPT = 1024


def frame(message: bytes) -> bytes:
    """Put a message into its frame."""
    return START + message + END + TAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One frame that came in; ``too_long`` keeps only its beginning, enough for an answer."""

    message: bytes
    too_long: bool = False


@dataclass(slots=True)
class Deframer:
    """Cuts a byte stream into messages, whatever the pieces it arrives in.

    Bytes outside a frame are skipped. A start byte inside a frame begins anew: the sender gave up the frame
    before. A frame longer than ``limit`` bytes is skipped to its end and reported.
    """

    limit: int
    skipped: int = 0
    _buffer: bytearray = field(default_factory=bytearray)
    _inside: bool = False
    _too_long: bool = False

    @property
    def is_inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._inside

    def feed(self, data: bytes) -> list[Received]:
        """Take the next bytes of the stream and return the frames they complete."""
        done: list[Received] = []
        while data:
            data = self._inside_frame(data, done) if self._inside else self._outside(data)
        return done

    def _outside(self, data: bytes) -> bytes:
        at = data.find(START)
        if at < 0:
            self.skipped += len(data.strip(TAIL + b"\n"))
            return b""
        self.skipped += len(data[:at].strip(TAIL + b"\n"))
        self._begin()
        return data[at + 1 :]

    def _begin(self) -> None:
        self._buffer.clear()
        self._inside, self._too_long = True, False

    def _inside_frame(self, data: bytes, done: list[Received]) -> bytes:
        ends = [at for at in (data.find(START), data.find(END)) if at >= 0]
        if not ends:
            self._keep(data)
            return b""
        at = min(ends)
        self._keep(data[:at])
        if data[at : at + 1] == START:
            self.skipped += len(self._buffer)
            self._begin()
        else:
            done.append(Received(message=bytes(self._buffer), too_long=self._too_long))
            self._buffer.clear()
            self._inside = False
        return data[at + 1 :]

    def _keep(self, data: bytes) -> None:
        if self._too_long:
            return
        self._buffer += data
        if len(self._buffer) > self.limit:
            self._too_long = True
            del self._buffer[_HEAD_KEPT:]
