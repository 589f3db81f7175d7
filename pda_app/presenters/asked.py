"""One question of the medication check, and what is known of its answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from clinical.bedside_check.model import CheckRequest, CheckResult, Override, OverrideClass, Word
from clinical.commit import ACTING
from clinical.exchange import CheckAnswer, Lease
from pda_app.presenters import check_words
from pda_app.presenters.draft import Draft
from pda_app.presenters.states import Msg, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question and what is known of its answer."""

    request: CheckRequest
    own: CheckResult  # what this handheld says
    result: CheckResult  # what counts: the stricter of its own and the server's
    phase: str = "settled"  # waiting: the server has not answered yet; settled; refused: it gave no verdict
    offline: bool = False
    lease: Lease | None = None
    trouble: Text = ""


def merged(asked: Asked, answer: CheckAnswer) -> Asked:
    """The stricter verdict; without a reservation there is no GIVE for what is done once."""
    result = check_words.stricter(asked.result, answer.result)
    if result.word is Word.GIVE and answer.lease is None and asked.request.action in ACTING:
        return replace(asked, phase="refused", trouble=Msg("verdict.not-reserved"))
    return replace(asked, phase="settled", result=result, lease=answer.lease)


def gist(result: CheckResult) -> tuple[object, ...]:
    """What makes a judgement another one; minutes in its sentences do not."""
    codes = tuple((one.code, one.overridden) for one in result.findings)
    what = (result.task_id, result.order_id, result.order_version, result.bag_id)
    how = (result.dose, result.route, result.rate_ml_h, result.volume_ml, result.drops_per_ml)
    return (result.word, codes, result.needs, what, how)


def answers(asked: Asked, draft: Draft, reason: str) -> tuple[Override, ...]:
    """One reason for what is shown now, added to what has already answered this question."""
    witness = draft.witness
    open_now = check_words.answerable(asked.result, witness=witness is not None)
    by_second = {one.code for one in open_now if one.override is OverrideClass.SECOND}
    by_second |= {one.code for one in draft.overrides if one.by}
    by = witness.id if witness else ""
    codes = [one.code for one in draft.overrides] + [one.code for one in open_now]
    return tuple(
        Override(code=one, reason=reason, by=by if one in by_second else "") for one in dict.fromkeys(codes)
    )
