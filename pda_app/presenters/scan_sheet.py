"""The scan button's sheet: the camera's picture, and typing a code with a reason."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from clinical.errors import UnavailableError
from pda_app.ports import Broken, Ports, Read
from pda_app.presenters.frame import Frame
from pda_app.presenters.scans import TypedEntry
from pda_app.presenters.states import Msg, Text
from pda_app.settings import Look


class ScanSheetFrame(Frame):
    """The frame with the scan sheet; ``App`` adds where a scan goes."""

    def __init__(self, ports: Ports, look: Look) -> None:
        super().__init__(ports, look)
        self._typing = TypedEntry()

    @abstractmethod
    def scan(self, read: Read | Broken) -> None:
        """Take a read from any scanner."""

    def open_scan_sheet(self) -> None:
        """The scan button: camera and typing."""
        trouble: Text = ""
        camera = self._ports.camera
        if camera is not None:
            try:
                camera.start(self.scan)
            except UnavailableError:
                camera, trouble = None, Msg("scan.no-camera")
        self._set(replace(self.state, scan_sheet=self._typing.open(camera=camera is not None, error=trouble)))

    def close_scan_sheet(self) -> None:
        """Back from the sheet; the camera is off whenever nobody looks through it."""
        if self._ports.camera is not None:
            self._ports.camera.stop()
        self._set(replace(self.state, scan_sheet=None))

    def typed(self, text: str) -> None:
        """The code field changed."""
        if self.state.scan_sheet is not None:
            self._set(replace(self.state, scan_sheet=self._typing.text(text)))

    def type_reason(self, reason: str) -> None:
        """Why the code is typed."""
        if self.state.scan_sheet is not None:
            self._set(replace(self.state, scan_sheet=self._typing.reason(reason)))

    def enter_typed(self) -> None:
        """Use the typed code, marked as typed with its reason."""
        read = self._typing.read() if self.state.scan_sheet is not None else None
        if read is not None:
            self.close_scan_sheet()
            self.scan(read)
