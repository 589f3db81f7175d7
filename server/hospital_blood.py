"""A unit that the blood bank issued becomes one that the bedside can receive, check and start."""

from __future__ import annotations

import hashlib

from clinical.care_records import BloodUnit
from server.his.port import ItemFact
from server.his.reported import IssueBlood
from server.hospital_codes import CodeTables
from server.hospital_orders import order_id
from server.patients import service as patients
from server.storage.store import UnitOfWork
from server.transfusions import service as transfusions


def issued(unit: UnitOfWork, codes: CodeTables, fact: IssueBlood) -> None:
    """Take in a unit; the same unit again changes nothing.

    Raises:
        NotFoundError: The patient or the order is not known here.
        ConflictError: The order is another patient's or none of blood, or the unit was issued otherwise.
        UnmappedError: The component is not in the formulary.
    """
    patient = patients.known(unit, fact.mrn)
    product = codes.product(ItemFact(code=fact.product, text=""))
    said = f"{fact.donation}/{fact.product_code}"
    blood = BloodUnit(
        id=f"B-{hashlib.sha256(said.encode()).hexdigest()[:20]}",
        donation=fact.donation,
        product_id=product.id,
        product_code=fact.product_code,
        component=fact.component,
        group=fact.group,
        patient_id=patient.id,
        order_id=order_id(fact.order),
        expires_at=fact.expires_at,
        volume_ml=fact.volume_ml,
        crossmatch=fact.crossmatch,
        crossmatched_at=fact.crossmatched_at,
        issued_at=fact.at or unit.now,
    )
    transfusions.issue(unit, blood, "his")
