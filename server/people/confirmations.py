"""A second person, or a prescriber, proves with badge and PIN that they stand behind one question.

The server answers with a token. It counts for five minutes, once, for the very question it was made for
(:mod:`clinical.confirmation`), for the nurse who asked, and for what the person is there for. An act that
claims somebody without one is kept all the same and flagged: a dose that was given is never refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, insert, select, update

from clinical.bedside_check.model import CheckRequest, Confirmation
from clinical.confirmation import AS_WITNESS, LIFE, Purpose, question
from clinical.errors import RefusedError
from clinical.exchange import Event
from clinical.policy import SitePolicy
from clinical.records import Practitioner
from server.people import store as people
from server.people.service import Session, digest
from server.storage.schema import confirmations
from server.storage.store import UnitOfWork

SLACK = timedelta(minutes=1)
"""How far a handheld's clock may be off when the time of an act is held against the life of a token."""
MISSING, UNKNOWN, OTHERS = "confirmation-missing", "confirmation-unknown", "confirmation-other-nurse"
EXPIRED, USED, DIFFERS = "confirmation-expired", "confirmation-used", "confirmation-other-question"
NOT_FOR_THIS, VALUE_DIFFERS = "confirmation-other-purpose", "confirmation-other-value"
OFFLINE = "confirmed-offline"
UNPROVEN = "second-unproven"
_READ_BACK = "read-back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody is asked to confirm."""

    purpose: Purpose
    request: CheckRequest
    task_id: str
    codes: tuple[str, ...] = ()
    value: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """The proof: to be sent with the act as a confirmation of its request."""

    token: str
    by: str
    purpose: Purpose
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """The act a confirmation is used for; without an event it is only looked at."""

    request: CheckRequest
    task_id: str
    at: datetime
    event_id: str = ""


def issue(
    unit: UnitOfWork, session: Session, person: Practitioner, wish: Wish, policy: SitePolicy
) -> Confirmed:
    """Keep that a person, whose PIN was right, confirms a question of the person who is signed in.

    Raises:
        RefusedError: It is the same person, one without the role for it, or another nurse's question.
    """
    people.note_attempt(unit.connection, person.id, 0, None)
    operator = session.practitioner.id
    if wish.request.operator.id != operator:
        raise RefusedError("operator", "a check is asked by the person who is signed in")
    if person.id == operator:
        raise RefusedError(
            "confirmation-self", "you cannot confirm for yourself; another person scans badge and types PIN"
        )
    if not may(person, wish.purpose, policy):
        raise RefusedError(
            "confirmation-role", "this person may not confirm this; ask somebody who has the right to"
        )
    token = secrets.token_urlsafe(24)
    made = Confirmed(token=token, by=person.id, purpose=wish.purpose, expires=unit.now + LIFE)
    unit.connection.execute(
        insert(confirmations).values(
            token_hash=digest(token),
            practitioner_id=person.id,
            operator=operator,
            purpose=wish.purpose.value,
            question=question(wish.request, wish.task_id),
            codes=",".join(wish.codes),
            value=_plain(wish.value),
            created=unit.now,
            expires=made.expires,
        )
    )
    unit.audit("confirm", actor=person.id, entity=f"task:{wish.task_id}", detail=wish.purpose.value)
    return made


def may(person: Practitioner, purpose: Purpose, policy: SitePolicy) -> bool:
    """Tell whether somebody has the role for what is to be confirmed."""
    roles = set(person.roles)
    if purpose is Purpose.PRESCRIBER:
        return bool(roles & set(policy.prescriber_roles))
    return bool(roles & set(policy.second_roles)) and not roles & set(policy.no_witness_roles)


def claimed(request: CheckRequest) -> bool:
    """Whether a request speaks of anybody but its operator."""
    beside = request.witness is not None or bool(request.operator.instructor_id)
    return beside or any(one.by and one.via != _READ_BACK for one in request.overrides)


def proven(unit: UnitOfWork, request: CheckRequest, task_id: str) -> CheckRequest:
    """Return a question without the persons who have not confirmed it; for a check before the act."""
    use = Use(request=request, task_id=task_id, at=unit.now)
    witness = request.witness
    if _against_witness(unit, use):
        witness = None
    overrides = tuple(
        one
        for one in request.overrides
        if not one.by or one.via == _READ_BACK or not _against_override(unit, use, one.code, one.by)
    )
    operator = request.operator
    if _against_instructor(unit, use):
        operator = replace(operator, instructor_id="", instructor_badge_at=None)
    return replace(request, witness=witness, overrides=overrides, operator=operator)


def against(unit: UnitOfWork, event: Event) -> str:
    """Use up the confirmations of an act; returns why a person it claims is not proven, or nothing."""
    request = getattr(event, "request", None)
    if request is None or not claimed(request):
        return ""
    use = Use(
        request=request,
        task_id=getattr(event, "task_id", "") or request.task_id,
        at=event.at,
        event_id=event.id,
    )
    found = [_against_witness(unit, use), _against_instructor(unit, use)]
    found += [
        _against_override(unit, use, one.code, one.by)
        for one in request.overrides
        if one.by and one.via != _READ_BACK
    ]
    _use_up(unit, use)
    worst = [code for code in found if code not in {"", OFFLINE}]
    return next(iter(worst), OFFLINE if OFFLINE in found else "")


def has_proven(unit: UnitOfWork, request: CheckRequest, event_id: str, by: str) -> bool:
    """Tell whether a prescriber stood behind an act with badge and PIN at the server; the act used it up."""
    rows = (_row(unit, one.token) for one in request.confirmations if one.by == by and one.token)
    return any(
        row is not None
        and row.practitioner_id == by
        and row.purpose == Purpose.PRESCRIBER
        and row.used_by == event_id
        for row in rows
    )


def _against_witness(unit: UnitOfWork, use: Use) -> str:
    witness = use.request.witness
    if witness is None:
        return ""
    wanted = {Purpose.BLIND_CALCULATION} if witness.value is not None else AS_WITNESS
    return _best(
        _judged(unit, use, one, frozenset(wanted), value=_plain(witness.value))
        for one in use.request.confirmations
        if one.by == witness.id
    )


def _against_instructor(unit: UnitOfWork, use: Use) -> str:
    """A student's instructor stands by with badge and PIN like every other second person."""
    instructor = use.request.operator.instructor_id
    if not instructor:
        return ""
    return _best(
        _judged(unit, use, one, AS_WITNESS) for one in use.request.confirmations if one.by == instructor
    )


def _against_override(unit: UnitOfWork, use: Use, code: str, by: str) -> str:
    return _best(
        _judged(unit, use, one, AS_WITNESS | {Purpose.PRESCRIBER}, code=code)
        for one in use.request.confirmations
        if one.by == by
    )


def _best(found: Iterable[str]) -> str:
    """Return what stands against the best of several: nothing, or that it was offline, else the last."""
    codes = [*found]
    if "" in codes:
        return ""
    return OFFLINE if OFFLINE in codes else codes[-1] if codes else MISSING


def _judged(
    unit: UnitOfWork,
    use: Use,
    one: Confirmation,
    wanted: frozenset[Purpose],
    *,
    code: str = "",
    value: str = "",
) -> str:
    if not one.token:
        return OFFLINE if one.purpose in wanted else NOT_FOR_THIS
    row = _row(unit, one.token)
    if row is None or row.practitioner_id != one.by:
        return UNKNOWN
    if row.operator != use.request.operator.id:
        return OTHERS
    if row.question != question(use.request, use.task_id):
        return DIFFERS
    if row.purpose not in wanted or (code and code not in row.codes.split(",")):
        return NOT_FOR_THIS
    if value and row.value != value:
        return VALUE_DIFFERS
    if row.used_by is not None and row.used_by != use.event_id:
        return USED
    return "" if row.created - SLACK <= use.at <= row.expires + SLACK else EXPIRED


def _row(unit: UnitOfWork, token: str) -> Row[Any] | None:
    return unit.connection.execute(
        select(confirmations).where(confirmations.c.token_hash == digest(token))
    ).first()


def _use_up(unit: UnitOfWork, use: Use) -> None:
    for one in use.request.confirmations:
        if one.token:
            unit.connection.execute(
                update(confirmations)
                .where(
                    confirmations.c.token_hash == digest(one.token),
                    confirmations.c.used_by.is_(None),
                    confirmations.c.operator == use.request.operator.id,
                )
                .values(used_by=use.event_id)
            )


def _plain(value: Decimal | None) -> str:
    return "" if value is None else f"{value.normalize():f}"
