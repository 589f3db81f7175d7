"""What a scanned code turned out to be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The closed set of things a barcode can be in this hospital."""

    WRISTBAND = "wristband"
    BAG = "bag"
    TUBE = "tube"
    BED = "bed"
    NODE = "node"
    BADGE = "badge"
    DEVICE = "device"
    GS1 = "gs1"
    TRACEABILITY = "traceability"
    UDI_MA = "udi-ma"
    EAN = "ean"
    ISBT128 = "isbt128"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element of a structured code: a GS1 application identifier or a data structure, and its value."""

    ai: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """A raw code and what it is.

    ``value`` is the identity to look up (MRN, bag id, GTIN-14, traceability code …) and ``serial`` the
    instance (wristband serial, AI 21). ``valid`` is false when the code is damaged or malformed; the kind
    is still told when it is known, and ``error`` says what is wrong.
    """

    raw: str
    kind: str
    valid: bool
    elements: tuple[Element, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str = ""
    value: str = ""
    serial: str = ""

    def element(self, ai: str) -> str:
        """Return the value of the first element with this identifier, or an empty string."""
        return next((element.value for element in self.elements if element.ai == ai), "")
