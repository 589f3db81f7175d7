"""The hospital's codes and ours: the ward's mapping tables."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from clinical import frequencies
from clinical.codes import CODES
from clinical.errors import WardlinkError
from clinical.records import Allergy, Label, Patient, Product
from server.his.port import AllergyFact, ItemFact, Place
from server.sites import Site
from server.storage.schema import mappings
from server.storage.store import UnitOfWork

ROUTES = frozenset({
    "PO", "SL", "BU", "NG", "GTT", "PR", "VG", "IH", "TD", "TP", "OP", "OT", "NS", "IV", "IVP", "IVPB", "IM",
    "SC", "ID", "IT", "EPI",
})  # fmt: skip
_SEVERITIES = frozenset({"mild", "moderate", "severe", "anaphylaxis"})


_MAPPED = select(mappings.c.target).where(
    mappings.c.system == bindparam("system"), mappings.c.code == bindparam("code")
)


class UnmappedError(WardlinkError):
    """The hospital said something that has no place here yet; a person has to map it."""


class CodeTables:
    """Looks codes up; a code that is one of ours already stands for itself."""

    def __init__(self, unit: UnitOfWork, site: Site) -> None:
        self._unit, self._site = unit, site

    def _mapped(self, system: str, code: str) -> str | None:
        return self._unit.connection.scalar(_MAPPED, {"system": system, "code": code})

    def ward(self, place: Place) -> str:
        """Return our word for a ward, whether it is one of ours or not; empty when none was said."""
        return self._mapped("ward", place.ward) or place.ward

    def place(self, place: Place) -> tuple[str, str]:
        """Return our ward and bed.

        Raises:
            UnmappedError: One of them is not known.
        """
        ward = self.ward(place)
        if ward not in self._site.wards:
            raise UnmappedError("unmapped-ward", "the hospital's ward code is not in the ward's tables")
        keys = (f"{place.ward}^{place.room}^{place.bed}", f"{place.room}^{place.bed}", place.bed)
        bed = next((target for key in keys if (target := self._mapped("bed", key))), place.bed)
        if bed not in self._site.wards[ward].beds:
            raise UnmappedError("unmapped-bed", "the hospital's bed code is not in the ward's tables")
        return ward, bed

    def bed_of(self, place: Place) -> tuple[str, str] | None:
        """Return our ward and bed, or None where a report of devices names none of them."""
        try:
            return self.place(place)
        except UnmappedError:
            return None

    def observation(self, code: str) -> str:
        """Return our code of a value a laboratory or a gateway reports; its own where none is known."""
        return code if code in CODES else self._mapped("observation", code) or code

    def product(self, item: ItemFact) -> Product:
        """Return the formulary entry of an order line.

        Raises:
            UnmappedError: The drug code is not known.
        """
        product = self._unit.get(Product, self._mapped("drug", item.code) or item.code)
        if product is None:
            raise UnmappedError("unmapped-drug", "a drug code of the order is not in the formulary")
        return product

    def unit_of(self, unit: str) -> str:
        """Return the UCUM unit of a unit as the hospital writes it."""
        return self._mapped("unit", unit) or unit

    def route(self, route: str) -> str:
        """Return the HL70162 route.

        Raises:
            UnmappedError: The route is not known.
        """
        mapped = self._mapped("route", route) or route.upper()
        if mapped not in ROUTES:
            raise UnmappedError("unmapped-route", "the route of the order is not in the ward's tables")
        return mapped

    def frequency(self, frequency: str, route: str) -> str:
        """Return the schedule's word for a frequency.

        Raises:
            UnmappedError: The schedule does not know it.
        """
        mapped = self._mapped("frequency", frequency) or frequency
        if frequencies.parse(mapped, route, self._site.policy) is None:
            raise UnmappedError(
                "unmapped-frequency", "the frequency of the order is not in the ward's tables"
            )
        return mapped

    def allergy(self, patient: Patient, fact: AllergyFact) -> Allergy:
        """Return a listed allergy; a substance without mapping keeps the hospital's code and text."""
        substance = self._mapped("allergy", fact.code) or fact.code or fact.text
        return Allergy(
            id=f"{patient.id}/{substance}",
            patient_id=patient.id,
            substance=substance,
            display=Label(zh=fact.text or substance, en=fact.text or substance),
            reaction=fact.reaction,
            severity=fact.severity if fact.severity in _SEVERITIES else "moderate",
        )
