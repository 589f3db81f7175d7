"""Chinese drug traceability codes (药品追溯码): 20 digits whose first seven identify the drug.

The algorithm of the check digit is not published, so only length and digits are checked; what the seven
characters mean comes from the hospital's own drug table.

Source: NMPAB/T 1002-2019.
"""

from __future__ import annotations

import re

from clinical.identifiers.model import Element, Identified, Kind

_CODE = re.compile(r"[0-9]{20}")


def looks_like(text: str) -> bool:
    """Tell whether a text is 20 digits."""
    return _CODE.fullmatch(text) is not None


def parse(raw: str, text: str) -> Identified:
    """Read a traceability code: ``value`` is the whole code, element ``drug`` its first seven digits."""
    elements = (Element(ai="drug", value=text[:7]), Element(ai="serial", value=text[7:]))
    return Identified(
        raw=raw, kind=Kind.TRACEABILITY, valid=True, elements=elements, value=text, serial=text[7:]
    )
