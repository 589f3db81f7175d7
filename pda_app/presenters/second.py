"""The second person at the bedside: whether an own calculation is asked for, and the sheet for it.

It is blind: while the sheet is open it covers what the first person goes by, and the value typed is never
shown afterwards. A drug of the highest alert level needs it, and the nurse's own after it, so that the two
are independent; one level below it is advice.
"""

from __future__ import annotations

from clinical.bedside_check.model import CheckResult, Confirmation, OverrideClass
from clinical.confirmation import Purpose
from clinical.errors import RefusedError
from clinical.records import Order, Practitioner, Product
from pda_app.ports import SecondPin
from pda_app.presenters import check_words, words
from pda_app.presenters.asked import Asked
from pda_app.presenters.desk import Desk
from pda_app.presenters.draft import Draft
from pda_app.presenters.judging import asker_of
from pda_app.presenters.states import Button, Msg, SecondSheet, Text, Tone

ADVISED, NEEDED = 2, 3
"""High-alert levels of the formulary from which a second calculation is advised, and needed."""


def alert_level(desk: Desk, result: CheckResult) -> int:
    """The highest alert level of what is given; 0 where there is no dose or rate to calculate."""
    order = desk.book.get(Order, result.order_id)
    if order is None or order.kind == "transfusion" or not _unit(result):
        return 0
    products = (desk.book.get(Product, item.product_id) for item in order.items)
    return max((one.high_alert for one in products if one is not None), default=0)


def may_confirm(desk: Desk, person: Practitioner) -> bool:
    """Whether a person can be the second one; for anybody else the check itself says why not."""
    roles, policy = set(person.roles), desk.book.policy
    return bool(roles & set(policy.second_roles)) and not roles & set(policy.no_witness_roles)


async def confirm(desk: Desk, draft: Draft, asked: Asked) -> Confirmation:
    """Exchange the second person's PIN for a proof; without the server the handheld recognises it by itself.

    Raises:
        WardlinkError: The PIN is wrong, or this person may not confirm it.
    """
    witness = draft.witness
    person = desk.book.get(Practitioner, witness.id) if witness is not None else None
    if witness is None or person is None:
        raise RefusedError("sign-in", "scan the badge again")
    open_now = check_words.answerable(asked.result, witness=True)
    wish = SecondPin(
        badge=person.badge or person.id,
        pin=draft.pin,
        purpose=Purpose.WITNESS if witness.value is None else Purpose.BLIND_CALCULATION,
        request=draft.request(asker_of(desk)),
        task_id=asked.result.task_id,
        codes=tuple(one.code for one in open_now if one.override is OverrideClass.SECOND),
        value=witness.value,
    )
    proof = await desk.sync.confirm(wish)
    if proof is not None:
        return proof
    known = await desk.sessions.recognise(wish.badge, wish.pin)
    return Confirmation(by=known.id, purpose=wish.purpose.value)


def sheet(desk: Desk, draft: Draft, result: CheckResult) -> SecondSheet | None:
    """The sheet of whose turn it is to calculate, or to type her PIN; None while nobody does."""
    if not draft.second_open or draft.witness is None:
        return None
    if draft.pin_turn:
        return _pin_sheet(desk, draft)
    ready = draft.second_value is not None
    session = desk.session
    who = session.practitioner.id if draft.own_turn and session is not None else draft.witness.id
    what = "rate" if result.rate_ml_h is not None else "dose"
    return SecondSheet(
        title=Msg.of(f"second.calculate-{what}", name=_name(desk, who)),
        unit=_unit(result),
        value=draft.second,
        error=Msg("second.not-a-number") if draft.second and not ready else "",
        record=Button(
            text=Msg("second.done"), enabled=ready, tone=Tone.ACT, icon="GIVE",
            missing="" if ready else Msg("second.missing"),
        ),
    )  # fmt: skip


def _pin_sheet(desk: Desk, draft: Draft) -> SecondSheet:
    name = _name(desk, draft.witness.id) if draft.witness is not None else ""
    ready = bool(draft.pin)
    return SecondSheet(
        title=Msg.of("second.pin", name=name), unit="", value="•" * len(draft.pin), error=draft.pin_trouble,
        secret=True,
        record=Button(
            text=Msg("second.confirm"), enabled=ready, tone=Tone.ACT, icon="GIVE",
            missing="" if ready else Msg("second.pin-missing"),
        ),
    )  # fmt: skip


def line(desk: Desk, draft: Draft) -> Text:
    """Who the second person is, and that she has calculated; never what."""
    if draft.witness is None:
        return ""
    done = Msg("second.calculated") if draft.witness.value is not None else ""
    return words.joined("dot", Msg.of("check.witness", name=_name(desk, draft.witness.id)), done)


def hint(draft: Draft, result: CheckResult) -> Text:
    """That a second person could lift this STOP; empty when nobody can, or when one is here."""
    standing = check_words.standing(result)
    classes = {one.override for one in standing}
    liftable = OverrideClass.SECOND in classes and classes <= {OverrideClass.SECOND, OverrideClass.ACK}
    return Msg("second.could-lift") if liftable and draft.witness is None else ""


def _unit(result: CheckResult) -> Text:
    if result.rate_ml_h is not None:
        return "mL/h"
    return words.unit(result.dose.unit) if result.dose is not None else ""


def _name(desk: Desk, id_: str) -> str:
    person = desk.book.get(Practitioner, id_)
    return person.name if person is not None else id_
