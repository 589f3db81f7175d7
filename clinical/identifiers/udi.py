"""Medical device UDI in the Chinese MA form: ``MA.`` maker code ``.`` product code, then production data.

The maker code is ``156.M0.`` and six characters of the registrant; the product code is one package digit,
six characters of the item and one check character. The separators of the production part are not
published, so it is kept whole.

Source: MA code of ZIIOT (中关村工信二维码技术研究院).
UDI in the GS1 form is read by :mod:`clinical.identifiers.gs1`.
"""

from __future__ import annotations

import re

from clinical.identifiers.model import Element, Identified, Kind

_CODE = re.compile(r"MA\.(\d{3}\.M\d\.[0-9A-Za-z]{6})\.([0-9A-Za-z]{8})(?:[.!*^](.+))?")


def looks_like(text: str) -> bool:
    """Tell whether a text claims to be an MA code."""
    return text.startswith("MA.")


def parse(raw: str, text: str) -> Identified:
    """Read an MA code; ``value`` is the device identifier without the production part."""
    match = _CODE.fullmatch(text)
    if match is None:
        return Identified(raw=raw, kind=Kind.UDI_MA, valid=False, error="the MA code is malformed")
    maker, product, production = match.groups()
    elements = [Element(ai="maker", value=maker), Element(ai="product", value=product)]
    if production:
        elements.append(Element(ai="production", value=production))
    return Identified(
        raw=raw, kind=Kind.UDI_MA, valid=True, elements=tuple(elements), value=f"MA.{maker}.{product}",
        serial=production or "",
    )  # fmt: skip
