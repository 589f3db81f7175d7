"""The fonts labels are set in; a name must never be printed with a box in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from PIL import ImageFont

from clinical.errors import BadInputError, UnavailableError

_COLLECTION = Path("/usr/share/fonts/opentype/noto")
_VENDORED = Path(__file__).resolve().parents[2] / "pda_app" / "fonts"
_INSTALL = "apt-get install fonts-noto-cjk"


@cache
def font_file(*, bold: bool) -> tuple[Path, int]:
    """Return the font file with simplified Chinese shapes and the face's index in it.

    Raises:
        UnavailableError: No such font is installed; the sentence holds the command that installs it.
    """
    weight = "Bold" if bold else "Regular"
    vendored = _VENDORED / f"NotoSansSC-{weight}.otf"
    if vendored.is_file():
        return vendored, 0
    collection = _COLLECTION / f"NotoSansCJK-{weight}.ttc"
    if collection.is_file():
        return collection, _simplified_face(collection)
    raise UnavailableError("label-font-missing", f"No font for Chinese labels is installed; run: {_INSTALL}")


def _simplified_face(collection: Path) -> int:
    """Find the SC face; its place in the collection is 2 today, but the name is what counts."""
    for index in range(16):
        try:
            family = ImageFont.truetype(str(collection), 12, index=index).getname()[0] or ""
        except OSError:
            break
        if family.endswith(" SC") and "Mono" not in family:
            return index
    raise UnavailableError(
        "label-font-missing", f"{collection.name} holds no simplified Chinese face; run: {_INSTALL}"
    )


@cache
def _loaded(size: int, *, bold: bool) -> ImageFont.FreeTypeFont:
    path, index = font_file(bold=bold)
    return ImageFont.truetype(str(path), size, index=index, layout_engine=ImageFont.Layout.BASIC)


@dataclass(frozen=True, slots=True)
class Face:
    """Regular or bold."""

    bold: bool = False
    _known: set[str] = field(default_factory=set, compare=False, repr=False)

    def at(self, size: int) -> ImageFont.FreeTypeFont:
        """Return the font at a size in pixels."""
        return _loaded(max(size, 4), bold=self.bold)

    def check(self, text: str) -> None:
        """Make sure that the font has a sign for every character.

        Raises:
            BadInputError: One is missing; the sentence names its code point only.
        """
        for letter in text:
            if letter not in self._known and not letter.isspace():
                self._check_letter(letter)
                self._known.add(letter)

    def _check_letter(self, letter: str) -> None:
        missing = not letter.isprintable() or _drawn(letter, bold=self.bold) == _drawn(
            "\U0010fffe", bold=self.bold
        )
        if missing:
            raise BadInputError(
                "glyph-missing",
                f"The label font has no sign for U+{ord(letter):04X}; install a font that has it, or correct"
                " the text.",
                code_point=f"U+{ord(letter):04X}",
            )


def _drawn(letter: str, *, bold: bool) -> tuple[tuple[int, int], bytes]:
    mask = _loaded(32, bold=bold).getmask(letter, mode="L")
    return mask.size, bytes(mask)


REGULAR, BOLD = Face(bold=False), Face(bold=True)
