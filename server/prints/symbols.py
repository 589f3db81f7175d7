"""Barcode symbols as module patterns, drawn so that cheap printers and cameras can read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import zxingcpp
from PIL import Image

from clinical.errors import BadInputError

MIN_MODULE_PX = 3
"""Pixels of one module at 300 dpi (0.25 mm): what cheap printers and cameras can still do."""

_F = zxingcpp.BarcodeFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A symbology and the quiet zone its standard asks for, in modules."""

    name: str
    format: zxingcpp.BarcodeFormat
    quiet: int
    linear: bool = False
    gs1: bool = False
    level: str = ""


QR = Kind(name="qr", format=_F.QRCode, quiet=4, level="M")  # ISO/IEC 18004 §6.3.8
CODE_128 = Kind(name="code-128", format=_F.Code128, quiet=10, linear=True)  # ISO/IEC 15417 §4.2
GS1_DATA_MATRIX = Kind(name="gs1-data-matrix", format=_F.DataMatrix, quiet=2, gs1=True)  # 1 module, doubled


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A symbol's modules; ``True`` is dark. A linear symbol has one row."""

    text: str
    kind: Kind
    modules: tuple[tuple[bool, ...], ...]

    @property
    def columns(self) -> int:
        """Modules across, quiet zones included."""
        return len(self.modules[0]) + 2 * self.kind.quiet

    @property
    def rows(self) -> int:
        """Modules down, quiet zones included; 1 for a linear symbol."""
        return 1 if self.kind.linear else len(self.modules) + 2 * self.kind.quiet

    def module_px(self, width: int, height: int) -> int:
        """Return the largest whole module that fits a box of pixels, 0 when none does."""
        return width // self.columns if self.kind.linear else min(width // self.columns, height // self.rows)

    def image(self, module: int, *, bar_height: int = 0) -> Image.Image:
        """Draw the symbol with its quiet zone; ``bar_height`` in pixels is for linear ones."""
        dark = np.array(self.modules, dtype=bool)
        if self.kind.linear:
            dark = np.repeat(dark, bar_height, axis=0)
            pixels = np.repeat(np.pad(dark, ((0, 0), (self.kind.quiet, self.kind.quiet))), module, axis=1)
        else:
            pixels = np.kron(np.pad(dark, self.kind.quiet), np.ones((module, module), dtype=bool))
        return Image.fromarray(np.where(pixels, 0, 255).astype(np.uint8))


def encode(text: str, kind: Kind) -> Symbol:
    """Make the symbol of a text; GS1 texts are written with brackets, ``(01)…(17)…``.

    Raises:
        BadInputError: The text cannot be written in this symbology.
    """
    options: dict[str, object] = {"gs1": True} if kind.gs1 else {}
    if kind.level:
        options["ec_level"] = kind.level
    try:
        barcode = zxingcpp.create_barcode(text, kind.format, **options)
        drawn = np.array(barcode.to_image(scale=1, add_hrt=False, add_quiet_zones=False))
    except (ValueError, RuntimeError) as error:
        raise BadInputError("code-not-encodable", f"This text cannot be written as {kind.name}.") from error
    dark = drawn < 128
    if kind.linear:
        dark = dark[:1]
    return Symbol(text=text, kind=kind, modules=tuple(tuple(bool(one) for one in row) for row in dark))


def read_all(image: Image.Image) -> list[str]:
    """Return what every symbol of an image says, as a scanner would send it (GS as 0x1D)."""
    formats = zxingcpp.BarcodeFormats([_F.QRCode, _F.Code128, _F.DataMatrix])
    found = zxingcpp.read_barcodes(image, formats=formats, text_mode=zxingcpp.TextMode.Plain)
    return [one.text for one in found]
