"""A label's surface: millimetres in, a 300 dpi picture out."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from clinical.errors import BadInputError
from server.prints.fonts import BOLD, REGULAR, Face
from server.prints.symbols import MIN_MODULE_PX, Symbol

DPI = 300
_MM = DPI / 25.4
BLACK, WHITE, GREY = 0, 255, 110


def px(millimetres: float) -> int:
    """Return a length in whole pixels."""
    return round(millimetres * _MM)


@dataclass(slots=True)
class Canvas:
    """A white label of a size in millimetres; all places and sizes are millimetres from its top left."""

    width: float
    height: float
    image: Image.Image = field(init=False)
    codes: list[str] = field(default_factory=list)  # what was drawn as symbols, to be read back
    _draw: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        self.image = Image.new("L", (px(self.width), px(self.height)), WHITE)
        self._draw = ImageDraw.Draw(self.image)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        bold: bool = False,
        width: float | None = None,
        least: float | None = None,
        anchor: str = "ls",
        ink: int = BLACK,
    ) -> float:
        """Set one line and return its width; it is made smaller to fit ``width``, never cut.

        Args:
            x: Where the line is anchored, across.
            y: Its baseline (anchor ``?s``) or middle (``?m``).
            text: The line.
            size: Height of the em square.
            bold: Weight.
            width: Room there is.
            least: Smallest size that is still readable; half of ``size`` when not given.
            anchor: Pillow's two letters: l, m, r and s, m.
            ink: Black, white or grey.

        Raises:
            BadInputError: It does not fit even at the smallest size, or the font lacks a character.
        """
        face: Face = BOLD if bold else REGULAR
        face.check(text)
        chosen = self._fit(face, text, size, width, least or size / 2)
        font = face.at(px(chosen))
        self._draw.text((px(x), px(y)), text, font=font, fill=ink, anchor=anchor)
        return float(font.getlength(text)) / _MM

    def _fit(self, face: Face, text: str, size: float, width: float | None, least: float) -> float:
        if width is None:
            return size
        while face.at(px(size)).getlength(text) / _MM > width:
            size -= 0.1
            if size < least:
                raise BadInputError(
                    "label-text-too-long", "A text is too long for this label even at its smallest size."
                )
        return size

    def measure(self, text: str, size: float, *, bold: bool = False) -> float:
        """Return how wide a line would be."""
        return float((BOLD if bold else REGULAR).at(px(size)).getlength(text)) / _MM

    def box(
        self, x: float, y: float, width: float, height: float, *, ink: int = BLACK, radius: float = 0.8
    ) -> None:
        """Fill a rectangle with softened corners."""
        corners = (px(x), px(y), px(x + width) - 1, px(y + height) - 1)
        self._draw.rounded_rectangle(corners, radius=px(radius), fill=ink)

    def frame(self, x: float, y: float, width: float, height: float, *, weight: float = 0.3) -> None:
        """Draw the outline of a rectangle with softened corners."""
        corners = (px(x), px(y), px(x + width) - 1, px(y + height) - 1)
        self._draw.rounded_rectangle(corners, radius=px(0.8), outline=BLACK, width=max(px(weight), 1))

    def rule(self, x: float, y: float, width: float, *, weight: float = 0.2, ink: int = BLACK) -> None:
        """Draw a horizontal line."""
        self._draw.rectangle((px(x), px(y), px(x + width), px(y) + max(px(weight), 2) - 1), fill=ink)

    def symbol(self, x: float, y: float, width: float, height: float, symbol: Symbol) -> None:
        """Draw a symbol with its quiet zone, as large as whole modules allow, in the middle of a box.

        Raises:
            BadInputError: Its modules would be smaller than a printer and a camera can do.
        """
        module = symbol.module_px(px(width), px(height))
        if module < MIN_MODULE_PX:
            raise BadInputError(
                "code-too-long", "The code is too long for this label; use a shorter id or a larger label."
            )
        drawn = symbol.image(module, bar_height=px(height))
        left, top = px(x) + (px(width) - drawn.width) // 2, px(y) + (px(height) - drawn.height) // 2
        self.image.paste(drawn, (left, top))
        self.codes.append(symbol.text)

    def png(self) -> bytes:
        """Return the label as PNG that says its 300 dpi."""
        buffer = io.BytesIO()
        self.image.save(buffer, "PNG", dpi=(DPI, DPI), optimize=True)
        return buffer.getvalue()

    def pdf(self) -> bytes:
        """Return the label as a PDF page of its real size."""
        buffer = io.BytesIO()
        self.image.save(buffer, "PDF", resolution=DPI)
        return buffer.getvalue()
