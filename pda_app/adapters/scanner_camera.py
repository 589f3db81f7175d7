"""The camera as a scanner: newest frame only, one code at a time, two equal reads before it counts."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from clinical.errors import UnavailableError
from pda_app.adapters.barcodes import as_gray, decode_image, steps, zxing
from pda_app.ports import Broken, Read

if TYPE_CHECKING:
    from pda_app.adapters.barcodes import Gray

__all__ = ["Agreement", "CameraSource", "FrameReader", "Grabber", "decode_image"]

log = structlog.get_logger("pda_app.camera")

NEED = 2
"""Equal reads in a row before a code counts."""
REARM_S = 1.5
"""A code counts again only after it was out of view for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture of the camera."""

    number: int
    at: float  # monotonic seconds
    image: Any


class Grabber:
    """Reads a camera or a film in its own thread and keeps only the newest frame.

    A slow decoder so never falls behind the picture. Films are played in real time, and again from the
    start when ``loop`` is set: a recorded film is the demo's camera.

    Raises:
        UnavailableError: The camera or the film cannot be opened.
    """

    def __init__(self, source: str, *, width: int = 1280, height: int = 720, loop: bool = False) -> None:
        import cv2

        self._film = "" if source.isdecimal() else source
        self._loop = loop
        self._capture = cv2.VideoCapture(source if self._film else int(source))
        if not self._capture.isOpened():
            raise UnavailableError("camera", "the camera cannot be opened; scan with the scanner instead")
        if not self._film:
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
            self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._period_s = 1.0 / rate if self._film and 1.0 <= rate <= 240.0 else 0.0
        self._fresh = threading.Condition()
        self._latest: Frame | None = None
        self._ended = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    def start(self) -> None:
        """Begin to grab."""
        self._thread.start()

    def close(self) -> None:
        """Stop and release the camera."""
        self._stop.set()
        with self._fresh:
            self._ended = True
            self._fresh.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        self._capture.release()

    def latest(self) -> Frame | None:
        """The newest frame, for the preview."""
        return self._latest

    def next(self, after: int) -> Frame | None:
        """Wait for a frame newer than number ``after``; None when there will be none."""
        with self._fresh:
            self._fresh.wait_for(
                lambda: self._ended or (self._latest is not None and self._latest.number > after)
            )
            latest = self._latest
        return latest if latest is not None and latest.number > after else None

    def _run(self) -> None:
        import cv2

        number, started = 0, time.monotonic()
        while not self._stop.is_set():
            good, image = self._capture.read()
            if not good and self._loop and self._film and number:
                self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
                good, image = self._capture.read()
            if not good:
                break
            if self._period_s:
                self._stop.wait(max(0.0, started + number * self._period_s - time.monotonic()))
            number += 1
            with self._fresh:
                self._latest = Frame(number=number, at=time.monotonic(), image=image)
                self._fresh.notify_all()
        with self._fresh:
            self._ended = True
            self._fresh.notify_all()


class FrameReader:
    """Reads frames one after the other: the best reader on each, one further step in turn when it misses.

    So no frame costs more than two steps, and a code that needs a later step is found a few frames on.
    """

    def __init__(self) -> None:
        self._turn = 0

    def read(self, image: Any) -> list[Read]:
        """Read one frame."""
        gray: Gray = as_gray(image)
        found = list(dict.fromkeys(zxing(gray)))
        if found:
            return found
        further = steps(gray)[1:]
        self._turn = (self._turn + 1) % len(further)
        return list(dict.fromkeys(further[self._turn](gray)))


class Agreement:
    """Lets a code through once, after equal reads in a row; two codes in view are none.

    Args:
        need: Equal reads in a row.
        rearm_s: How long a code must be out of view before it counts again.
    """

    def __init__(self, *, need: int = NEED, rearm_s: float = REARM_S) -> None:
        self._need, self._rearm_s = need, rearm_s
        self._candidate: Read | None = None
        self._count = 0
        self._seen_at = 0.0
        self._told: dict[Read, float] = {}

    def offer(self, codes: list[Read], at: float) -> Read | None:
        """Take what one frame held; the code, when it counts now. A frame without one changes nothing."""
        for code in list(self._told):
            if code in codes:
                self._told[code] = at
            elif at - self._told[code] > self._rearm_s:
                del self._told[code]
        if not codes:
            return None
        if len(set(codes)) > 1:
            self._candidate, self._count = None, 0
            return None
        code = codes[0]
        again = code == self._candidate and at - self._seen_at <= self._rearm_s
        self._count = self._count + 1 if again else 1
        self._candidate, self._seen_at = code, at
        if self._count < self._need or code in self._told:
            return None
        self._told[code] = at
        return code


class CameraSource:
    """The camera as a :class:`~pda_app.ports.ScanSource`; opens the camera only while it runs."""

    def __init__(self, source: str, *, width: int = 1280, height: int = 720, loop: bool = False) -> None:
        self._source, self._width, self._height, self._loop = source, width, height, loop
        self._grabber: Grabber | None = None
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """The camera is open."""
        return self._grabber is not None

    def start(self, deliver: Callable[[Read | Broken], None]) -> None:
        """Open the camera; call it on the event loop's thread, where ``deliver`` is called as well."""
        if self._grabber is not None:
            return
        grabber = Grabber(self._source, width=self._width, height=self._height, loop=self._loop)
        self._grabber = grabber
        loop = asyncio.get_running_loop()

        def hand_over(read: Read) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(deliver, read)

        self._thread = threading.Thread(
            target=_decode, args=(grabber, hand_over), name="camera-decode", daemon=True
        )
        grabber.start()
        self._thread.start()

    def stop(self) -> None:
        """Close the camera."""
        grabber, self._grabber = self._grabber, None
        if grabber is not None:
            grabber.close()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def preview(self) -> Any:
        """The newest picture (BGR), or None."""
        frame = self._grabber.latest() if self._grabber is not None else None
        return frame.image if frame is not None else None


def _decode(grabber: Grabber, hand_over: Callable[[Read], None]) -> None:
    reader, agreement, number = FrameReader(), Agreement(), 0
    while (frame := grabber.next(number)) is not None:
        number = frame.number
        code = agreement.offer(reader.read(frame.image), frame.at)
        if code is not None:
            log.info("camera-read", frame=number)
            hand_over(code)
