"""N7: one step of care from the first scan to the record; a sample, a unit of blood, a skin test.

It asks like the medication check does: the handheld judges at once, the server judges the same question
before the word turns green, and a silent server makes it an offline check that says so. Whatever is recorded
is an event of the outbox, so nothing is lost without network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from clinical.bedside_check import check
from clinical.bedside_check.model import CheckRequest, CheckResult, Scan, Verdict, Witness, Word
from clinical.errors import WardlinkError
from clinical.records import Order, Practitioner, Task
from pda_app.ports import Cue
from pda_app.presenters import asking, second
from pda_app.presenters.asked import Asked, gist, merged
from pda_app.presenters.care import view
from pda_app.presenters.care.blood import Blood
from pda_app.presenters.care.plan import CareEvent, Parts, Plan
from pda_app.presenters.care.skin_test import SkinTesting
from pda_app.presenters.care.specimen import Sampling
from pda_app.presenters.desk import Desk, error_text
from pda_app.presenters.draft import Draft
from pda_app.presenters.judging import asker_of, expired
from pda_app.presenters.observable import Observable
from pda_app.presenters.states import CareState, Msg, Text


class CareStep(Observable[CareState]):
    """One step. ``on_done`` gets the patient's id and the kind when it was recorded."""

    def __init__(
        self,
        desk: Desk,
        *,
        on_done: Callable[[str, str], None],
        on_scan: Callable[[], None],
        on_infusion: Callable[[str], None],
    ) -> None:
        super().__init__(CareState())
        self._desk = desk
        self._on_done, self._on_scan, self._on_infusion = on_done, on_scan, on_infusion
        plans: tuple[Plan, ...] = (Sampling(desk), Blood(desk), SkinTesting(desk))
        self._plans = {plan.kind: plan for plan in plans}
        self._plan: Plan | None = None
        self._draft = Draft()
        self._asked: Asked | None = None
        self._busy = False
        self._voice = asking.Voice(desk)
        self._judged_at = -1

    @property
    def is_open(self) -> bool:
        """A step has begun and is not recorded yet."""
        return self._plan is not None

    @property
    def kind(self) -> str:
        """Which plan is open; empty when none."""
        return self._plan.kind if self._plan is not None else ""

    @property
    def is_covered(self) -> bool:
        """A sheet lies over the page."""
        return self._draft.pin_turn

    # --- begin and end ------------------------------------------------------------------------------

    def takes(self, kind: str) -> bool:
        """Whether there is a plan for orders of this kind."""
        return kind in self._plans

    def begin(self, kind: str, *, task_id: str = "", patient_scan: Scan | None = None) -> None:
        """Begin with a task of the list, or with a wristband that was read before."""
        self.clear()
        self._plan = self._plans[kind]
        self._draft = Draft(task_id=task_id, patient_scan=patient_scan)
        self._ask()

    def clear(self) -> None:
        """Forget the step; nothing was recorded."""
        self._plan, self._draft, self._asked = None, Draft(), None
        self._busy = False
        self._voice.reset()
        self._set(CareState())

    def refresh(self) -> None:
        """Time or facts moved on: judge again, and say so only when the judgement changed."""
        if self._plan is None or self._asked is None or self._busy:
            return
        moved = self._judged_at != self._mark() and self._differs(self._asked)
        if moved or expired(self._desk, self._asked):
            self._ask()
        else:
            self._draw()

    # --- scans --------------------------------------------------------------------------------------

    def patient(self, scan: Scan) -> None:
        """A wristband was read."""
        if self._plan is not None:
            self._change(self._plan.band(self._draft, scan))

    def item(self, scan: Scan) -> None:
        """A tube, a unit, a slip or a drug was read."""
        if self._plan is not None:
            self._change(self._plan.item(self._draft, scan))

    def badge(self, person: Practitioner) -> None:
        """The second person's badge was read: from here on it is her turn."""
        witness = Witness(id=person.id, roles=person.roles, badge_at=self._desk.now())
        self._change(replace(self._draft.closed(), witness=witness, confirmations=()))

    # --- touches ------------------------------------------------------------------------------------

    def choose(self, key: str) -> None:
        """A chip was touched; the key is ``group:code``."""
        name, _, code = key.partition(":")
        if self._plan is not None:
            self._change(self._plan.choose(self._draft, name, code))

    def number(self, key: str, text: str) -> None:
        """A number was typed into a field."""
        kept = tuple((name, value) for name, value in self._draft.texts if name != key)
        text = text.strip()
        self._change(self._draft.unanswered(texts=(*kept, (key, text)) if text else kept))

    def reason(self, code: str) -> None:
        """A reason chip was touched: it answers what is shown now."""
        self._answer(code, self._draft.reason_text if code == "other" else "")

    def reason_text(self, text: str) -> None:
        """The text of "other" was typed."""
        self._answer("other", text)

    def second_value(self, text: str) -> None:
        """The second person types her PIN."""
        if self._draft.pin_turn and not self._busy:
            self._draft = self._draft.typed(text)
            self._draw()

    def second_done(self) -> None:
        """The second person has typed her PIN."""
        draft, asked = self._draft, self._asked
        if draft.pin_turn and draft.pin and not self._busy and asked is not None:
            self._busy = True
            self._draw()
            self._desk.spawn(self._confirm(draft, asked))

    def close_sheet(self) -> None:
        """The second person went away: what she had looked at counts no longer."""
        if self._draft.pin_turn and not self._busy:
            self._change(replace(self._draft.closed(), witness=None, confirmations=()))

    def primary(self) -> None:
        """The right button: scan, scan again, or record; never anything else than what it says."""
        asked = self._asked
        if self._busy or self._draft.pin_turn or asked is None or not self._desk.at_work:
            return
        if not self.state.primary.enabled:
            return
        if view.records(self._parts(), asked):
            self._record(asked)
        elif view.stopped(asked):
            self._scan_again()
        else:
            self._on_scan()

    def secondary(self) -> None:
        """The left button: begin this step anew, or go to the running transfusion."""
        if not self.state.secondary.text or not self.state.secondary.enabled:
            return
        if self._draft.infusion_id:
            self._on_infusion(self._draft.infusion_id)
        else:
            self.choose("other:")

    def _scan_again(self) -> None:
        task_id = self._draft.task_id
        keep = self._draft.patient_scan if self._asked is not None and self._asked.result.patient_id else None
        self._change(Draft(task_id=task_id, patient_scan=keep))
        self._on_scan()

    # --- asking -------------------------------------------------------------------------------------

    def _change(self, draft: Draft) -> None:
        plan = self._plan
        if self._busy or plan is None:
            return
        witness = draft.witness
        waits = witness is not None and not draft.confirmations and not draft.pin_turn
        if waits and witness is not None and plan.second_ready(draft):
            person = self._desk.book.get(Practitioner, witness.id)
            if person is not None and second.may_confirm(self._desk, person):
                draft = draft.asks_pin()
        self._draft = draft
        self._ask()

    def _answer(self, code: str, text: str) -> None:
        if self._asked is not None:
            self._change(asking.answered(self._draft, self._asked, code, text))

    def _judge(self, *, online: bool) -> tuple[CheckRequest, CheckResult]:
        plan, book = self._plan, self._desk.book
        assert plan is not None  # noqa: S101 - only asked while a step is open
        self._judged_at = self._mark()
        self._draft = plan.settle(self._draft)
        request = self._draft.request(asker_of(self._desk, online=online))
        result = check(request, book.snapshot(request.now), book.policy)
        order = book.get(Order, result.order_id)
        if order is not None:
            request = replace(request, order_version=order.version, seen_version=order.version)
        return request, result

    def _differs(self, asked: Asked) -> bool:
        return gist(self._judge(online=not asked.offline)[1]) != gist(asked.own)

    def _mark(self) -> int:
        return hash((self._desk.book.version, int(self._desk.now().timestamp() // 60)))

    def _ask(self) -> None:
        online = self._desk.sync.link.online
        request, result = self._judge(online=online)
        asked = Asked(request=request, own=result, result=result, offline=not online)
        if online and result.word is Word.GIVE and not self._missing(result):
            self._asked = replace(asked, phase="waiting")
            self._draw()
            self._desk.spawn(self._ask_server(self._asked))
        else:
            self._settle(asked)

    async def _ask_server(self, asked: Asked) -> None:
        try:
            answer = await self._desk.sync.check(asked.request)
        except WardlinkError as error:
            if self._asked is asked:
                self._settle(replace(asked, phase="refused", trouble=error_text(error)))
            return
        if self._asked is not asked:
            return  # a newer question was asked meanwhile; its own answer counts
        if answer is None:
            request, result = self._judge(online=False)
            self._settle(Asked(request=request, own=result, result=result, offline=True))
            return
        if self._differs(asked):
            self._ask()
        else:
            self._settle(merged(asked, answer))
        if answer.result.verdict is Verdict.REFRESH:
            self._desk.sync.kick()

    async def _confirm(self, draft: Draft, asked: Asked) -> None:
        try:
            proof = await second.confirm(self._desk, draft, asked)
        except WardlinkError as error:
            proof, trouble = None, error_text(error)
        self._busy = False
        if not self._draft.pin_turn or self._draft.witness != draft.witness:
            return  # the sheet was left meanwhile
        if proof is None:
            self._draft = replace(draft.asks_pin(), pin_trouble=trouble)
            self._draw()
        else:
            self._change(replace(draft.closed(), confirmations=(proof,)))

    def _settle(self, asked: Asked) -> None:
        self._asked = asked
        self._draw()
        self._announce(asked)
        asking.keep_shown(self._desk, self._draft, asked)

    def _announce(self, asked: Asked) -> None:
        """Sound and speech, once per word and reason; silence while something is only missing."""
        plan = self._plan
        if plan is None or self._draft.pin_turn:
            return
        if view.waits(asked, self._missing(asked.result)):
            self._desk.cue(Cue.SCAN_READ)
            return
        self._voice.say(asked, self.state.verdict.word)

    # --- recording ----------------------------------------------------------------------------------

    def _record(self, asked: Asked) -> None:
        """Judge once more in the moment of the touch; what is judged otherwise is shown, never recorded."""
        plan = self._plan
        if plan is None:
            return
        if expired(self._desk, asked) or self._differs(asked):
            self._ask()
            return
        event = plan.event(self._draft, asked)
        if event is None:
            return
        self._busy = True
        self._draw()
        self._desk.spawn(self._write(event, self._patient_id(asked.result)))

    def _patient_id(self, result: CheckResult) -> str:
        task = self._desk.book.get(Task, result.task_id or self._draft.task_id)
        return result.patient_id or (task.patient_id if task is not None else "")

    async def _write(self, event: CareEvent, patient_id: str) -> None:
        """Only what is on the disk is called recorded."""
        if not await asking.write(self._desk, event):
            self._busy = False
            self._draw()
            return
        kind, band = self.kind, self._draft.patient_scan
        self.clear()
        if self._more(kind, patient_id):
            self.begin(kind, patient_scan=band)
        self._on_done(patient_id, "" if self.is_open else kind)

    def _more(self, kind: str, patient_id: str) -> bool:
        """Whether another tube of this patient waits: the wristband need not be read again for it."""
        sampling = self._plans[kind]
        return isinstance(sampling, Sampling) and bool(sampling.waiting(patient_id))

    def _missing(self, result: CheckResult) -> Text:
        """What the plan still asks for; a second person who has not typed her PIN has said nothing yet."""
        draft = self._draft
        unproven = draft.witness is not None and not draft.confirmations and result.word is Word.GIVE
        asks = self._plan.missing(draft, result) if self._plan is not None else ""
        return asks or (Msg("second.pin-missing") if unproven else "")

    def _parts(self) -> Parts:
        assert self._plan is not None  # noqa: S101 - drawn only while a step is open
        assert self._asked is not None  # noqa: S101 - a step that is open was asked
        return self._plan.parts(self._draft, self._asked)

    def _draw(self) -> None:
        if self._plan is None or self._asked is None:
            return
        missing = self._missing(self._asked.result)
        self._set(
            view.state(
                self._desk,
                self._draft,
                self._asked,
                view.Drawn(kind=self._plan.kind, parts=self._parts(), missing=missing, busy=self._busy),
            )
        )
