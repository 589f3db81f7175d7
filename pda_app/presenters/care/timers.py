"""The two clocks of care: the watch over a transfusion, and the reading of a skin test."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from clinical import skin_tests, transfusion
from clinical.care_records import RunningSkinTest, TransfusionEntry
from clinical.records import Infusion
from pda_app.presenters import words
from pda_app.presenters.desk import Desk
from pda_app.presenters.states import CareTimer, Msg, Text, Tone


def watch(desk: Desk, infusion_id: str) -> CareTimer | None:
    """How long it runs, and which look at the patient is due when."""
    policy = desk.book.policy.care.blood
    infusion = desk.book.get(Infusion, infusion_id)
    if infusion is None:
        return None
    now, minutes = desk.now(), transfusion.minutes_running(infusion, desk.now())
    past = [one for one in desk.book.all(TransfusionEntry) if one.infusion_id == infusion.id]
    seen = [one.at for one in past if one.kind == "quarter" or one.at - infusion.started_at
            >= timedelta(minutes=policy.quarter_earliest)]  # fmt: skip
    last = max(seen, default=None)
    quarter = infusion.started_at + timedelta(minutes=policy.quarter)
    due = quarter if last is None else last + timedelta(minutes=policy.further_every)
    over = (now - due).total_seconds() / 60
    late = over > (policy.quarter_latest - policy.quarter)
    name = "quarter" if last is None else "further"
    return CareTimer(
        value=Msg.of("blood.running", span=words.minutes(minutes)),
        note=Msg.of(f"blood.due-{name}", time=desk.hhmm(due)),
        share=min(max(float(Decimal(str(minutes)) / policy.end_alarm), 0.0), 1.0),
        tone=Tone.BAD if late or minutes >= policy.end_alarm else Tone.WARN if over >= -5 else Tone.ACT,
    )


def reading(desk: Desk, test: RunningSkinTest) -> CareTimer:
    """When a skin test is read, and until when."""
    limits = desk.book.policy.care.skin_test
    waited = (desk.now() - test.started_at).total_seconds() / 60
    due = desk.hhmm(test.started_at + timedelta(minutes=limits.read_after_min))
    until = desk.hhmm(test.started_at + timedelta(minutes=limits.read_until_min))
    match skin_tests.due(test, desk.now(), desk.book.policy):
        case "waiting":
            left = limits.read_after_min - waited
            value: Text = Msg.of("skin.wait", span=_clock(left))
            note, tone = Msg.of("skin.due-at", time=due, until=until), Tone.ACT
        case "due":
            value, tone = Msg.of("skin.read-now", span=_clock(limits.read_until_min - waited)), Tone.WARN
            note = Msg.of("skin.due-until", time=due, until=until)
        case _:
            value = Msg.of("skin.late", span=words.minutes(waited - limits.read_until_min))
            note, tone = Msg.of("skin.due-until", time=due, until=until), Tone.BAD
    share = min(max(waited / limits.read_after_min, 0.0), 1.0)
    return CareTimer(value=value, note=note, share=share, tone=tone)


def _clock(minutes: float) -> str:
    """``12:05``: minutes and seconds."""
    whole = max(int(minutes * 60 + 0.5), 0)
    return f"{whole // 60:02d}:{whole % 60:02d}"
