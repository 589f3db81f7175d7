"""From the spoken word to the signature (口头医嘱); what an emergency needs waits for no paper."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from clinical import resuscitation
from clinical.confirmation import Purpose
from clinical.errors import ConflictError, NotFoundError, RefusedError
from clinical.records import (
    Dose,
    Encounter,
    Order,
    OrderItem,
    Practitioner,
    Product,
    Verbal,
    present_of,
)
from server.orders import service as orders
from server.people.confirmations import may
from server.people.store import note_attempt
from server.sites import Site
from server.storage.store import UnitOfWork
from server.verbal_orders.overdue import Late, tell

UNSIGNED = "verbal-order-unsigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What was said and read back. ``id`` is made by who writes it down, so sending it twice is safe."""

    id: str
    patient_id: str
    prescriber: str
    lines: tuple[tuple[str, Dose], ...]  # product and dose
    route: str
    rate_ml_h: Decimal | None = None
    volume_ml: Decimal | None = None
    instruction: str = ""
    emergency: bool = False
    witness: str = ""
    witness_proven: bool = False  # badge and PIN were right


def take(unit: UnitOfWork, site: Site, spoken: Spoken, by: str) -> Order:
    """Write down an order that was spoken and read back; it acts at once and waits for its signature.

    Raises:
        NotFoundError: Patient, doctor, second person or drug is not known here.
        RefusedError: The doctor may not prescribe; the second person is the first, has not the role for it,
            or has not proven that they were there.
        ConflictError: Another order has this id, or it is called an emergency while no resuscitation lasts.
    """
    order = _order(unit, site, spoken, by)
    known = unit.get(Order, order.id)
    if known is not None:
        if (known.patient_id, known.items, known.route) != (order.patient_id, order.items, order.route):
            raise ConflictError("verbal-order-differs", "this id belongs to another order; write a new one")
        return known
    _persons(unit, site, spoken, by)
    placed = orders.place(unit, order, site.policy)
    unit.audit(
        "order-verbal",
        actor=by,
        entity=f"order:{order.id}",
        patient=order.patient_id,
        detail="emergency" if spoken.emergency else "read-back",
    )
    return placed


def _order(unit: UnitOfWork, site: Site, spoken: Spoken, by: str) -> Order:
    stay = _stay(unit, spoken.patient_id)
    infusion = spoken.rate_ml_h is not None
    doctor = unit.get(Practitioner, spoken.prescriber)
    return Order(
        id=f"V-{spoken.id}",
        version=1,
        status="active",
        encounter_id=stay.id,
        patient_id=spoken.patient_id,
        kind="infusion" if infusion else "medication",
        category="stat",
        items=tuple(_item(unit, product, dose) for product, dose in spoken.lines),
        route=spoken.route,
        frequency="once",
        start=unit.now,
        rate_ml_h=spoken.rate_ml_h,
        volume_ml=spoken.volume_ml,
        drops_per_ml=site.policy.care.infusion.drops_per_ml if infusion else None,
        instruction=spoken.instruction,
        prescriber=spoken.prescriber,
        prescriber_name=doctor.name if doctor is not None else "",
        nurse_verified=True,  # reading it back is the nurse's check of it
        nurse_verified_by=by,
        nurse_verified_at=unit.now,
        verbal=Verbal(
            taken_by=by,
            taken_at=unit.now,
            emergency=spoken.emergency,
            witness=spoken.witness,
            witness_proven=bool(spoken.witness) and spoken.witness_proven,
        ),
    )


def _stay(unit: UnitOfWork, patient_id: str) -> Encounter:
    stay = present_of(unit.stays_of(patient_id))
    if stay is None:
        raise NotFoundError("unknown-patient", "this patient is not on the ward")
    return stay


def _item(unit: UnitOfWork, product_id: str, dose: Dose) -> OrderItem:
    product = unit.get(Product, product_id)
    if product is None:
        raise NotFoundError("unknown-product", "a drug of this order is not in the formulary")
    return OrderItem(product_id=product.id, display=product.display, dose=dose)


def _persons(unit: UnitOfWork, site: Site, spoken: Spoken, by: str) -> None:
    doctor = unit.get(Practitioner, spoken.prescriber)
    if doctor is None or (spoken.witness and unit.get(Practitioner, spoken.witness) is None):
        raise NotFoundError("unknown-person", "this doctor or second person is not known here")
    if not set(doctor.roles) & set(site.policy.prescriber_roles):
        raise RefusedError("not-a-prescriber", "the person who gave the order may not prescribe")
    if spoken.witness == by:
        raise RefusedError("same-person", "another person than you hears it read back")
    _second(unit, site, spoken)
    if spoken.emergency and not resuscitation.lasts(_stay(unit, spoken.patient_id), unit.now, site.policy):
        raise ConflictError("no-resuscitation", "call the resuscitation first; then write down what was said")


def _second(unit: UnitOfWork, site: Site, spoken: Spoken) -> None:
    """Whoever heard it read back proves it with a PIN; only a resuscitation leaves no time for that."""
    person = unit.get(Practitioner, spoken.witness) if spoken.witness else None
    if person is None:
        return
    if not may(person, Purpose.WITNESS, site.policy):
        raise RefusedError(
            "confirmation-role", "this person may not confirm this; ask somebody who has the right to"
        )
    if not spoken.witness_proven and not spoken.emergency:
        raise RefusedError("second-unproven", "the second person types the PIN, or is left out")
    if spoken.witness_proven:
        note_attempt(unit.connection, person.id, 0, None)


def sign(unit: UnitOfWork, order_id: str, by: str) -> Order:
    """Put a doctor's signature under an order by word of mouth; a second signature changes nothing.

    Raises:
        NotFoundError: There is no such order by word of mouth.
    """
    order = unit.get(Order, order_id)
    if order is None or order.verbal is None:
        raise NotFoundError("unknown-order", "there is no such order by word of mouth")
    if order.verbal.signed_at is not None:
        return order
    signed = replace(order, verbal=replace(order.verbal, signed_by=by, signed_at=unit.now))
    unit.put(signed)
    unit.audit(
        "order-sign",
        actor=by,
        entity=f"order:{order.id}",
        patient=order.patient_id,
        detail="" if by == order.prescriber else "for another doctor",
    )
    return signed


def unsigned(known: Iterable[Order]) -> list[Order]:
    """Return the orders that wait for a signature, oldest first; an ended one waits as well."""
    waiting = [
        (order.verbal.taken_at, order.id, order)
        for order in known
        if order.verbal is not None and order.verbal.signed_at is None
    ]
    return [order for *_, order in sorted(waiting, key=lambda one: one[:2])]


def tick(unit: UnitOfWork, site: Site) -> None:
    """Begin an alarm for what nobody signed in time, and end it with the signature."""
    limit = timedelta(hours=site.policy.verbal_sign_h)
    late = {
        order.id: Late(patient_id=order.patient_id, encounter_id=order.encounter_id)
        for order in unsigned(unit.all(Order))
        if order.verbal is not None and unit.now - order.verbal.taken_at > limit
    }
    tell(unit, UNSIGNED, late)
