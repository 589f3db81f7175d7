"""The second person at the bedside: whether an own calculation is asked for, and the sheet for it.

It is blind: while the sheet is open it covers what the first person goes by, and the value typed is never
shown afterwards. A drug of the highest alert level needs it, and the nurse's own after it, so that the two
are independent; one level below it is advice.
"""

from __future__ import annotations

from clinical.bedside_check.model import CheckResult, OverrideClass
from clinical.records import Order, Practitioner, Product
from pda_app.presenters import check_words, words
from pda_app.presenters.desk import Desk
from pda_app.presenters.draft import Draft
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


def sheet(desk: Desk, draft: Draft, result: CheckResult) -> SecondSheet | None:
    """The sheet of whose turn it is to calculate; None while nobody does."""
    if not draft.second_open or draft.witness is None:
        return None
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
