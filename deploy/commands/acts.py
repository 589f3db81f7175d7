"""Acts reported as done, judged one after the other: ``wardlink check --acts``.

A document is ``{"snapshot": Facts, "acts": [{"act": Act, "request": CheckRequest?}, …], "policy": {…}?}``.
The facts are those that hold now, not those the handheld went by. With a request its check is run again for
the charted time. Each act counts as stored for those after it, as on the server.
"""

from __future__ import annotations

from typing import Any

import msgspec

from clinical import commit
from clinical.bedside_check import Snapshot, check
from clinical.bedside_check.model import CheckRequest
from clinical.commit import REPLAYED, Act, Commit
from clinical.errors import BadInputError
from clinical.policy import SitePolicy
from clinical.records import Administration, Facts


class Reported(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One act, and what its check was asked, where that is known."""

    act: Act
    request: CheckRequest | None = None


class Acts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was reported, in the order in which it arrived, and what is known on arrival."""

    snapshot: Facts
    acts: tuple[Reported, ...]
    policy: dict[str, Any] = {}


def parse(item: Any) -> Acts:
    """Read plain JSON data.

    Raises:
        BadInputError: It is not such a document.
    """
    try:
        return msgspec.convert(item, Acts, strict=True, str_keys=True)
    except msgspec.ValidationError as error:
        raise BadInputError("acts-shape", f"not a list of acts with a snapshot: {error}") from error


def judge(reported: Acts) -> list[Commit]:
    """Judge each act by the facts and by the acts before it (bc-1 §5.7).

    Raises:
        BadInputError: The policy is refused.
    """
    policy = SitePolicy.from_dict(reported.policy) if reported.policy else SitePolicy.default()
    facts = reported.snapshot
    orders = {one.id: one for one in facts.orders}
    tasks = {one.id: one for one in facts.tasks}
    stored = list(facts.administrations)
    answers = []
    for one in reported.acts:
        act, request = one.act, one.request
        recheck = None
        if request is not None:
            recheck = check(request, Snapshot.of(facts, version="now", fetched_at=request.now), policy)
        answer = commit.judge(
            act,
            order=orders.get(act.order_id),
            task=tasks.get(act.task_id),
            earlier=tuple(known for known in stored if known.task_id == act.task_id),
            recheck=recheck,
        )
        answers.append(answer)
        if answer.status != REPLAYED:
            stored.append(_stored(act))
    return answers


def _stored(act: Act) -> Administration:
    return Administration(
        id=act.event_id, task_id=act.task_id, order_id=act.order_id, patient_id="", outcome=act.outcome,
        at=act.at, operator="",
    )  # fmt: skip
