"""Sounds of the handheld, made here and played by the system's own player; vibration where there is one.

A cue is a short list of tones; the waves are computed once and kept as files in a private directory, so
no sound file ships with the program. Without a player, or with one that fails, the cues are silent: each has
its picture and word, and the status bar says that nothing can be heard.
"""

from __future__ import annotations

import math
import shutil
import struct
import subprocess
import wave
from pathlib import Path

from pda_app.ports import Cue

RATE_HZ = 22_050

CUES: dict[Cue, tuple[tuple[float, float], ...]] = {
    Cue.SCAN_READ: ((880, 0.06),),
    Cue.GIVE: ((660, 0.08), (880, 0.08)),
    Cue.CHECK: ((620, 0.15), (0, 0.08), (620, 0.15)),
    Cue.STOP: ((700, 0.2), (570, 0.2), (440, 0.2)),
    Cue.REFUSED: ((700, 0.2), (570, 0.2), (440, 0.2)),
    Cue.RECORDED: ((520, 0.12),),
    Cue.QUEUED: ((520, 0.12), (0, 0.1), (520, 0.12)),
    Cue.ALARM_HIGH: ((880, 0.12), (0, 0.06)) * 3 + ((0, 0.15),) + ((880, 0.12), (0, 0.06)) * 2,
    Cue.ALARM_MEDIUM: ((620, 0.2), (0, 0.15)) * 3,
    Cue.ALARM_LOW: ((440, 0.25),),
}
"""Hertz and seconds of each tone, 0 Hz is silence (look/handheld §7; high alarms in the 5+5 rhythm)."""

_PLAYERS = (("pw-play",), ("paplay",), ("aplay", "-q"))


class SystemSound:
    """Plays cues through PipeWire, PulseAudio or ALSA, whichever player is there.

    Args:
        directory: Where the computed waves are kept.
        enabled: False keeps it silent.
    """

    def __init__(self, directory: Path, *, enabled: bool = True) -> None:
        self._directory = directory
        found = (player for player in _PLAYERS if shutil.which(player[0]))
        self._player = next(found, None) if enabled else None
        self._running: subprocess.Popen[bytes] | None = None
        self._failed = False

    @property
    def is_silent(self) -> bool:
        """No player was found, sound is off, or the newest cue that came to its end did not sound."""
        if self._running is not None and (code := self._running.poll()) is not None:
            self._failed = code != 0
        return self._player is None or self._failed

    def play(self, cue: Cue) -> None:
        """Start one cue; a running one is cut off, because the newest says what counts."""
        if self._player is None:
            return
        self._stop()
        try:
            path = self._wave(cue)
            self._running = subprocess.Popen(
                [*self._player, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        except OSError:
            self._failed = True  # no wave could be written, or the player is gone: the status bar says so

    def close(self) -> None:
        """Stop what sounds."""
        self._stop()

    def _stop(self) -> None:
        if self._running is not None:
            if self._running.poll() is None:
                self._running.terminate()  # cut off by us: tells nothing about the player
            else:
                self._failed = self._running.returncode != 0
            self._running.wait()
            self._running = None

    def _wave(self, cue: Cue) -> Path:
        path = self._directory / f"{cue}.wav"
        if not path.exists():
            self._directory.mkdir(parents=True, exist_ok=True)
            write_wave(path, CUES[cue])
        return path


def write_wave(path: Path, tones: tuple[tuple[float, float], ...]) -> None:
    """Write tones as 16-bit mono; each fades in and out so that it does not click."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        for hertz, seconds in tones:
            file.writeframes(_tone(hertz, seconds))


def _tone(hertz: float, seconds: float) -> bytes:
    count = int(seconds * RATE_HZ)
    fade = min(200, max(count // 4, 1))
    samples = (
        int(
            12_000
            * min(index / fade, (count - index) / fade, 1.0)
            * math.sin(2 * math.pi * hertz * index / RATE_HZ)
        )
        for index in range(count)
    )
    return b"".join(struct.pack("<h", sample) for sample in samples)


class NoSpeech:
    """Says nothing; for handhelds without a voice."""

    def say(self, text: str, language: str) -> None:
        """Stay silent."""


class SystemSpeech:
    """Speaks through espeak-ng or speech-dispatcher when one is installed; the newest sentence wins."""

    def __init__(self) -> None:
        self._program = shutil.which("espeak-ng") or shutil.which("spd-say") or ""
        self._running: subprocess.Popen[bytes] | None = None

    def say(self, text: str, language: str) -> None:
        """Speak a sentence and return at once."""
        if not self._program:
            return
        if self._running is not None:
            if self._running.poll() is None:
                self._running.terminate()
            self._running.wait()
        voice = {"zh": "cmn", "en": "en"}[language]
        option = "-v" if self._program.endswith("espeak-ng") else "-l"
        self._running = subprocess.Popen(
            [self._program, option, voice, "--", text], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
