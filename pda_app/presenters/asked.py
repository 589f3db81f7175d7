"""One question of the medication check, and what is known of its answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from clinical.bedside_check.model import CheckRequest, CheckResult, Word
from clinical.exchange import CheckAnswer, Lease
from pda_app.presenters import check_words
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
    """The stricter verdict; without a reservation there is no GIVE."""
    result = check_words.stricter(asked.result, answer.result)
    if result.word is Word.GIVE and answer.lease is None:
        return replace(asked, phase="refused", trouble=Msg("verdict.not-reserved"))
    return replace(asked, phase="settled", result=result, lease=answer.lease)


def gist(result: CheckResult) -> tuple[object, ...]:
    """What makes a judgement another one; minutes in its sentences do not."""
    codes = tuple((one.code, one.overridden) for one in result.findings)
    return (result.word, codes, result.needs, result.task_id, result.order_version)
