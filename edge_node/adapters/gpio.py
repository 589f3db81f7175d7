"""Lamp, buzzer and button on a Raspberry Pi's pins, through gpiozero.

gpiozero is loaded only where a node's settings name pins: a node without a lamp does not need it.
"""

from __future__ import annotations

import importlib
from typing import Any

from clinical.errors import UnavailableError
from edge_node.annunciate import Colour, Look
from edge_node.settings import LampSection

NO_PIN = -1


class GpioAnnunciator:
    """See :class:`edge_node.annunciate.Annunciator`.

    Args:
        settings: The pins.
        factory: gpiozero's pin factory; None for the one of this machine.

    Raises:
        UnavailableError: gpiozero is not installed, or the pins cannot be used.
    """

    def __init__(self, settings: LampSection, factory: Any = None) -> None:
        try:
            gpiozero: Any = importlib.import_module("gpiozero")
        except ImportError as error:
            raise UnavailableError(
                "no-gpiozero", "the settings name lamp pins: install gpiozero, or remove [lamp]"
            ) from error
        self._pressed = False
        pins = {
            Colour.RED: settings.red_pin,
            Colour.YELLOW: settings.yellow_pin,
            Colour.CYAN: settings.cyan_pin,
        }
        try:
            self._lamps = {
                colour: gpiozero.LED(pin, pin_factory=factory)
                for colour, pin in pins.items()
                if pin != NO_PIN
            }
            self._buzzer = self._optional(gpiozero.Buzzer, settings.buzzer_pin, factory)
            self._button = self._optional(gpiozero.Button, settings.button_pin, factory)
        except (gpiozero.GPIOZeroError, OSError) as error:
            raise UnavailableError("gpio", f"the lamp's pins cannot be used: {error}") from error
        if self._button is not None:
            self._button.when_pressed = self._note_press

    @staticmethod
    def _optional(kind: Any, pin: int, factory: Any) -> Any:
        return None if pin == NO_PIN else kind(pin, pin_factory=factory)

    def _note_press(self) -> None:
        self._pressed = True

    def show(self, look: Look) -> None:
        """Light the one lamp and sound, or not."""
        for colour, lamp in self._lamps.items():
            if lamp.is_lit is not (colour is look.colour):
                lamp.toggle()
        if self._buzzer is not None and bool(self._buzzer.value) is not look.sounds:
            self._buzzer.toggle()

    def pressed(self) -> bool:
        """Whether the button was pressed since the last question."""
        pressed, self._pressed = self._pressed, False
        return pressed

    def close(self) -> None:
        """Dark and silent; give the pins back."""
        self.show(Look())
        for device in (*self._lamps.values(), self._buzzer, self._button):
            if device is not None:
                device.close()
