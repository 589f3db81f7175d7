"""The frame around every screen: toast, dialog, language, theme, text size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pda_app.i18n import LANGUAGES, Catalog
from pda_app.ports import Ports
from pda_app.presenters.observable import Observable
from pda_app.presenters.states import AppState, Choice, Dialog, Msg, Text, Toast, Tone
from pda_app.settings import Look

_TOAST_S = 4.0

LEAVE_CHECK = Dialog(
    id="leave-check",
    title=Msg("dialog.leave-check"),
    text=Msg("dialog.leave-check-text"),
    answers=(
        Choice(id="leave", text=Msg("dialog.leave"), tone=Tone.BAD),
        Choice(id="stay", text=Msg("dialog.stay"), tone=Tone.ACT),
    ),
)
"""Asked before a finished, unrecorded check is left: its scans and its reserved task would be lost."""


class Frame(Observable[AppState]):
    """Holds the state of the frame; ``App`` adds what moves it."""

    def __init__(self, ports: Ports, look: Look) -> None:
        super().__init__(AppState(language=look.language, dark=look.dark, text_scale=look.text_scale))
        self._ports = ports
        self._catalogs = {language: Catalog(language) for language in LANGUAGES}
        self._on_answer: Callable[[str], None] | None = None
        self._toast_until = 0.0

    def catalog(self) -> Catalog:
        """The texts of the chosen language."""
        return self._catalogs[self.state.language]

    def toast(self, text: Text, tone: Tone = Tone.PLAIN) -> None:
        """Show a short word at the bottom for a few seconds."""
        self._toast_until = self._ports.clock.monotonic() + _TOAST_S
        self._set(replace(self.state, toast=Toast(text=text, tone=tone)))

    def _speak(self, text: Text) -> None:
        self._ports.speech.say(self.catalog().text(text), self.state.language)

    def _end_toast(self) -> None:
        if self.state.toast is not None and self._ports.clock.monotonic() >= self._toast_until:
            self._set(replace(self.state, toast=None))

    def ask(self, dialog: Dialog, on_answer: Callable[[str], None]) -> None:
        """Put a question over the screen; scans are refused until it is answered."""
        self._on_answer = on_answer
        self._set(replace(self.state, dialog=dialog))

    def answer_dialog(self, answer: str) -> None:
        """One of the dialog's answers was touched; nothing else closes it."""
        dialog, on_answer = self.state.dialog, self._on_answer
        if dialog is None or answer not in {choice.id for choice in dialog.answers}:
            return
        self._on_answer = None
        self._set(replace(self.state, dialog=None))
        if on_answer is not None:
            on_answer(answer)

    def set_language(self, language: str) -> None:
        """Switch at once; texts already on the screen are ids and follow."""
        if language in self._catalogs:
            self._set(replace(self.state, language=language))

    def set_dark(self, dark: bool) -> None:
        """Dark or light theme."""
        self._set(replace(self.state, dark=dark))

    def set_text_scale(self, scale: float) -> None:
        """Text size from 1.0 to 1.3."""
        self._set(replace(self.state, text_scale=min(max(scale, 1.0), 1.3)))
