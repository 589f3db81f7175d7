"""What all questions to the check have in common: each is kept, and its word is said once."""

from __future__ import annotations

from dataclasses import replace

from clinical.bedside_check.model import Word
from clinical.errors import WardlinkError
from clinical.exchange import CheckEvaluated, Event
from pda_app.ports import Cue
from pda_app.presenters import check_words
from pda_app.presenters.asked import Asked, answers
from pda_app.presenters.desk import Desk
from pda_app.presenters.draft import Draft
from pda_app.presenters.states import Text

_CUES = {Word.GIVE: Cue.GIVE, Word.CHECK: Cue.CHECK, Word.STOP: Cue.STOP}


class Voice:
    """Sound and speech, once per word and reason."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._said: tuple[Word, Text] | None = None

    def reset(self) -> None:
        """Another question begins: its words are new."""
        self._said = None

    def say(self, asked: Asked, shown: Text) -> None:
        """Say the word as it is shown, and the reason of anything but green."""
        word = Word.STOP if asked.phase == "refused" else asked.result.word
        reason = asked.trouble or check_words.reason_line(self._desk, asked.result)
        if self._said == (word, reason):
            return
        self._said = (word, reason)
        self._desk.cue(_CUES[word])
        self._desk.speak(shown)
        if word is not Word.GIVE:
            self._desk.speak(reason)


def keep_shown(desk: Desk, draft: Draft, asked: Asked) -> None:
    """Keep what was shown, once something was scanned: a STOP is a near miss."""
    if draft.patient_scan is None and not draft.items:
        return
    event = CheckEvaluated(
        **desk.event_base(), request=asked.request, result=asked.result, offline=asked.offline
    )
    desk.spawn(_keep(desk, event))


async def _keep(desk: Desk, event: CheckEvaluated) -> None:
    try:
        await desk.sync.record(event)
    except WardlinkError as error:
        desk.failed(error)


async def write(desk: Desk, event: Event) -> bool:
    """Put an act on the disk; only what is there is called recorded. False when it was not written."""
    try:
        await desk.sync.record(event)
    except WardlinkError as error:
        desk.failed(error)
        return False
    desk.cue(Cue.RECORDED if desk.sync.link.sends else Cue.QUEUED)
    return True


def answered(draft: Draft, asked: Asked, code: str, text: str) -> Draft:
    """A reason was chosen: it answers what is shown now, nothing that comes later; "other" needs words."""
    draft = replace(draft, reason=code, reason_text=text)
    complete = bool(code) and (code != "other" or bool(text.strip()))
    return replace(draft, overrides=answers(asked, draft, code)) if complete else draft
