r"""HL7 v2 escape sequences: ``\F\`` and its family, both ways."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Delimiters:
    """The separators a message declares in MSH-1 and MSH-2."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @property
    def encoding_characters(self) -> str:
        """MSH-2 as it is written."""
        return self.component + self.repetition + self.escape + self.subcomponent


STANDARD = Delimiters()
_LINE_BREAKS = {".br": "\n", ".sp": "\n", ".ce": "\n"}
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+\Z")


def escape(text: str, marks: Delimiters = STANDARD) -> str:
    """Write text so that no character of it is read as a separator or ends the segment."""
    table = {
        marks.escape: "E",
        marks.field: "F",
        marks.component: "S",
        marks.subcomponent: "T",
        marks.repetition: "R",
        "\r": "X0D",
        "\n": ".br",
    }
    return "".join(
        f"{marks.escape}{table[letter]}{marks.escape}" if letter in table else letter for letter in text
    )


def unescape(text: str, marks: Delimiters = STANDARD, *, codec: str = "utf-8") -> str:
    r"""Read escaped text; a sequence that is not known stays as it was written, so nothing is lost.

    Args:
        text: The field part as it came.
        marks: The separators of this message.
        codec: In which the bytes of ``\Xhh..\`` are to be read.
    """
    if marks.escape not in text:
        return text
    pattern = re.escape(marks.escape) + r"(.*?)" + re.escape(marks.escape)
    return re.sub(pattern, lambda found: _meaning(found, marks, codec), text, flags=re.DOTALL)


def _meaning(found: re.Match[str], marks: Delimiters, codec: str) -> str:
    name = found.group(1)
    plain = {
        "F": marks.field,
        "S": marks.component,
        "T": marks.subcomponent,
        "R": marks.repetition,
        "E": marks.escape,
        "H": "",  # highlighting on and off: the text is kept, the emphasis is not
        "N": "",
    }.get(name)
    if plain is not None:
        return plain
    if name.startswith("X") and _HEX.match(name[1:]):
        return bytes.fromhex(name[1:]).decode(codec, errors="replace")
    command = name.rstrip("+0123456789")
    return _LINE_BREAKS.get(command, found.group(0))
