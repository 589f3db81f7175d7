"""A doctor's scanner: a wristband opens its patient, a badge signs in; nothing is checked or recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clinical.identifiers import resolve
from clinical.records import Wristband
from pda_app.ports import Broken, Read, ScanSource
from pda_app.presenters.states import Msg, Tone


class PatientFinder:
    """Stands between a scanner and the presenters.

    Args:
        source: The scanner.
        logic: Gives the presenters' App once it exists; scanners are made before it.
    """

    def __init__(self, source: ScanSource, logic: Callable[[], Any]) -> None:
        self._source, self._logic = source, logic

    def start(self, deliver: Callable[[Read | Broken], None]) -> None:
        """Begin to read."""
        self._source.start(lambda read: self.route(read, deliver))

    def stop(self) -> None:
        """Stop reading."""
        self._source.stop()

    def route(self, read: Read | Broken, deliver: Callable[[Read | Broken], None]) -> None:
        """Open the patient of a wristband; leave badges and broken reads to the presenters."""
        if isinstance(read, Broken):
            deliver(read)
            return
        logic, seen = self._logic(), resolve(read.raw, symbology=read.symbology)
        if logic.desk.session is None or logic.state.locked or seen.kind == "badge":
            deliver(read)
            return
        band = logic.desk.book.get(Wristband, f"{seen.value}/{seen.serial}") if seen.valid else None
        if seen.kind == "wristband" and band is not None and band.active:
            logic.open_patient(band.patient_id)
        else:
            logic.toast(Msg("scan.unknown"), Tone.WARN)
