"""What a barcode is: the hospital's own codes, GS1, traceability, UDI, EAN and ISBT 128."""

from clinical.identifiers.identify import resolve
from clinical.identifiers.model import Element, Identified, Kind

__all__ = ["Element", "Identified", "Kind", "resolve"]
