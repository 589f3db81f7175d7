"""N5, N10: the medication check. Two scans and one touch when nothing is wrong.

The handheld judges at once. GIVE appears only after the server has judged the same question and reserved
the task for this nurse; when the server is silent the screen says that it was checked offline. Every
scan, choice or new fact asks a new question, and an answer to an older question is thrown away. A reservation
keeps other nurses away, not the facts: they are judged with every change, and once more in the moment of
recording.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from clinical.bedside_check.model import Right, Scan, Verdict, Witness, Word
from clinical.errors import WardlinkError
from clinical.exchange import AdministrationRecorded, InfusionStarted
from clinical.identifiers import resolve
from clinical.records import Order, Practitioner, Task
from pda_app.ports import Cue
from pda_app.presenters import asking, check_events, check_words, second
from pda_app.presenters.asked import Asked, merged
from pda_app.presenters.check_view import STARTS, CheckView, NotGiven
from pda_app.presenters.desk import Desk, error_text
from pda_app.presenters.draft import Draft
from pda_app.presenters.judging import Judge, action_of, expired
from pda_app.presenters.observable import Observable
from pda_app.presenters.states import CheckState


class MedicationCheck(Observable[CheckState]):
    """One check from the first scan to the record. ``on_done`` gets the patient's id afterwards."""

    def __init__(self, desk: Desk, on_done: Callable[[str], None], on_scan: Callable[[], None]) -> None:
        super().__init__(CheckState())
        self._desk = desk
        self._on_done = on_done
        self._on_scan = on_scan
        self._view = CheckView(desk)
        self._judge = Judge(desk)
        self._draft = Draft()
        self._asked: Asked | None = None
        self._not_given: NotGiven | None = None
        self._recorded = self._busy = False
        self._voice = asking.Voice(desk)

    @property
    def is_open(self) -> bool:
        """A check has begun and is not recorded yet."""
        return not self._draft.is_empty and not self._recorded

    @property
    def patient_scan(self) -> Scan | None:
        """The wristband that was read; None before."""
        return self._draft.patient_scan

    @property
    def order_id(self) -> str:
        """Which order was found; empty while none is."""
        return self._asked.result.order_id if self._asked else ""

    # --- begin and end ------------------------------------------------------------------------------

    def begin(self, *, task_id: str = "", patient_scan: Scan | None = None) -> None:
        """Begin with a task of the list, or with a wristband, or empty."""
        self.clear()
        task = self._desk.book.get(Task, task_id)
        order = self._desk.book.get(Order, task.order_id) if task else None
        self._draft = Draft(task_id=task_id, patient_scan=patient_scan, action=action_of(order, task))
        self._ask()

    def clear(self) -> None:
        """Forget the check; nothing was recorded."""
        self._draft, self._asked, self._not_given = Draft(), None, None
        self._recorded = self._busy = False
        self._voice.reset()
        self._set(CheckState())

    def refresh(self) -> None:
        """Time or facts moved on: judge again, and say so only when the judgement changed."""
        if not self.is_open or self._asked is None or self._busy:
            return
        (self._ask if self._judge.moved(self._asked, self._draft) else self._draw)()

    # --- scans --------------------------------------------------------------------------------------

    def patient(self, scan: Scan) -> None:
        """A wristband was read. After a STOP, or without an item yet, it begins anew."""
        again = not self._draft.items or self._stopped()
        items = () if again else self._draft.items
        task_id = self._draft.task_id if not self._draft.items else ""
        self._change(self._draft.another(patient_scan=scan, items=items, task_id=task_id))

    def item(self, scan: Scan) -> None:
        """A bag, a package or a syringe label was read."""
        keep = () if self._stopped() or _is_whole(scan) else self._draft.items
        items = (*(one for one in keep if one.raw != scan.raw), scan)
        self._change(self._draft.another(items=items))

    def device(self, device_id: str) -> None:
        """The label of a drip sensor was read: it will watch this bag."""
        self._change(replace(self._draft, device_id=device_id))

    def badge(self, person: Practitioner) -> None:
        """A second person's badge was read: she calculates where it is asked for, then types her PIN."""
        witness = Witness(id=person.id, roles=person.roles, badge_at=self._desk.now())
        draft = replace(self._draft.closed(), witness=witness, own=None, confirmations=())
        if self._asked is not None and second.alert_level(self._desk, self._asked.result) >= second.ADVISED:
            draft = replace(draft, second_open=True)
        elif second.may_confirm(self._desk, person):
            draft = draft.asks_pin()
        self._change(draft)

    def second_value(self, text: str) -> None:
        """The second person types what she calculated, or her PIN; or the nurse what she calculated."""
        if self._draft.second_open and not self._busy:
            self._draft = self._draft.typed(text)
            self._draw()

    def second_done(self) -> None:
        """Somebody has calculated or typed: the second person's PIN follows, then the nurse's own turn."""
        draft = self._draft
        if not draft.second_open or self._busy:
            return
        if draft.pin_turn and draft.pin and self._asked is not None:
            self._busy = True
            self._draw()
            self._desk.spawn(self._confirm(draft, self._asked))
        elif draft.second_value is not None and draft.own_turn:
            self._change(draft.calculated())
        elif draft.second_value is not None:
            self._draft = draft.calculated().asks_pin()
            self._draw()

    async def _confirm(self, draft: Draft, asked: Asked) -> None:
        """Prove the second person's PIN; at the highest alert level the nurse calculates next."""
        try:
            proof = await second.confirm(self._desk, draft, asked)
        except WardlinkError as error:
            proof, trouble = None, error_text(error)
        self._busy = False
        if self._draft is not draft:
            return  # the sheet was left meanwhile
        if proof is None:
            self._draft = replace(draft.asks_pin(), pin_trouble=trouble)
            self._draw()
            return
        draft = replace(draft.closed(), confirmations=(proof,))
        if second.alert_level(self._desk, asked.result) >= second.NEEDED:
            self._draft = replace(draft, second_open=True, own_turn=True)
            self._draw()
        else:
            self._change(draft)

    # --- touches ------------------------------------------------------------------------------------

    def choose(self, task_id: str) -> None:
        """Several tasks fit: this one."""
        self._change(self._draft.another(task_id=task_id))

    def reason(self, code: str) -> None:
        """A reason chip was touched: it answers what is shown now, and nothing that comes later."""
        self._answer(code, self._draft.reason_text if code == "other" else "")

    def reason_text(self, text: str) -> None:
        """The text of "other" was typed."""
        self._answer("other", text)

    def prn_reason(self, code: str) -> None:
        """Why an as-needed drug is given."""
        self._change(self._draft.unanswered(prn_reason=code))

    def volume(self, text: str) -> None:
        """What is in the bag, in mL, as typed."""
        again = replace(self._draft, volume=text.strip())
        self._change(again.another() if again.confirmations else again)

    def site(self, code: str) -> None:
        """Where it goes in."""
        self._change(replace(self._draft, site=code))

    def primary(self) -> None:
        """The right button: scan, scan again, or record; never anything else than what it says."""
        asked = self._asked
        covered = self._draft.second_open
        if self._busy or self._recorded or covered or asked is None or not self._desk.at_work:
            return
        if not self.state.primary.enabled:
            return
        if self._view.gives(asked):
            self._record_given(asked)
        elif self._stopped():
            self.scan_again()
        else:
            self._on_scan()

    def scan_again(self) -> None:
        """After a STOP: the wristband again when the patient was the trouble, else only the drug."""
        worst = check_words.standing(self._asked.result) if self._asked else []
        of_patient = any(one.right is Right.PATIENT for one in worst[:1])
        changes = {"items": (), "patient_scan": None, "task_id": ""} if of_patient else {"items": ()}
        self._change(self._draft.another(**changes))
        self._on_scan()

    # --- not given ----------------------------------------------------------------------------------

    def secondary(self) -> None:
        """The left button: held, refused or not given, with a reason."""
        if self.state.secondary.enabled and self.state.secondary.text:
            self._not_given = NotGiven()
            self._draw()

    def close_sheet(self) -> None:
        """Back from the sheet; nothing was recorded, and a needed second person counts no longer."""
        self._not_given = None
        if not self._draft.second_open:
            self._draw()
            return
        left = self._draft
        self._draft = replace(left.closed(), own=None, witness=None, confirmations=())
        level = second.alert_level(self._desk, self._asked.result) if self._asked else 0
        if level < second.NEEDED and not left.pin_turn and left.witness is not None:
            self._draft = replace(self._draft, witness=left.witness).asks_pin()
            self._draw()
        else:
            self._change(self._draft)

    def outcome(self, code: str) -> None:
        """Held, refused or not given."""
        self._change_not_given(outcome=code)

    def not_given_reason(self, code: str) -> None:
        """Why."""
        self._change_not_given(reason=code)

    def not_given_text(self, text: str) -> None:
        """Why, in words."""
        self._change_not_given(reason="other", text=text)

    def record_not_given(self) -> None:
        """Record that it was not given."""
        sheet, asked = self._not_given, self._asked
        if sheet is None or asked is None or not sheet.complete or self._busy or not self._desk.at_work:
            return
        task = self._desk.book.get(Task, asked.result.task_id or self._draft.task_id)
        order = self._desk.book.get(Order, task.order_id) if task else None
        if task is None or order is None:
            return
        draft = replace(self._draft, action=sheet.action, reason=sheet.reason, reason_text=sheet.text.strip())
        request = draft.request(self._judge.asker(online=self._desk.sync.link.online))
        event = check_events.not_given(self._desk, request, task, order, sheet.outcome)
        self._busy = True
        self._desk.spawn(self._write(event, task.patient_id))

    def _change_not_given(self, **changes: str) -> None:
        if self._not_given is not None:
            self._not_given = replace(self._not_given, **changes)
            self._draw()

    # --- asking -------------------------------------------------------------------------------------

    def _change(self, draft: Draft) -> None:
        if self._busy or self._recorded:
            return
        self._draft = draft
        self._ask()

    def _answer(self, code: str, text: str) -> None:
        if self._asked is not None:
            self._change(asking.answered(self._draft, self._asked, code, text))

    def _ask(self) -> None:
        online = self._desk.sync.link.online
        self._draft, request, result = self._judge.judge(self._draft, online=online)
        if online and result.word is Word.GIVE:
            self._asked = Asked(request=request, own=result, result=result, phase="waiting")
            self._draw()
            self._desk.spawn(self._ask_server(self._asked))
        else:
            self._settle(Asked(request=request, own=result, result=result, offline=not online))

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
            self._draft, request, result = self._judge.judge(self._draft, online=False)
            self._settle(Asked(request=request, own=result, result=result, offline=True))
            return
        if self._judge.moved(asked, self._draft):
            self._ask()  # the facts changed while the server was thinking
        else:
            self._settle(merged(asked, answer))
        if answer.result.verdict is Verdict.REFRESH:
            self._desk.sync.kick()

    def _settle(self, asked: Asked) -> None:
        self._asked = asked
        self._draw()
        self._announce(asked)
        asking.keep_shown(self._desk, self._draft, asked)

    def _announce(self, asked: Asked) -> None:
        """Sound and speech, once per word and reason; silence while something is only missing."""
        if self._draft.second_open:
            return  # a word heard now would tell whether the first value was right
        if self._view.needs_input(asked):
            self._desk.cue(Cue.SCAN_READ)
            return
        self._voice.say(asked, self.state.verdict.word)

    def _stopped(self) -> bool:
        asked = self._asked
        return asked is not None and (asked.phase == "refused" or asked.result.word is Word.STOP)

    # --- recording ----------------------------------------------------------------------------------

    def _record_given(self, asked: Asked) -> None:
        if self._has_changed(asked):
            return
        result = asked.result
        event: AdministrationRecorded | InfusionStarted
        if asked.request.action in STARTS:
            goal = self._view.goal(self._draft, result)
            if goal is None:
                return
            event = check_events.started(self._desk, asked, goal)
        else:
            event = check_events.given(self._desk, asked)
        self._busy = True
        self._draw()
        self._judge.answered(result)
        self._desk.spawn(self._write(event, result.patient_id))

    def _has_changed(self, asked: Asked) -> bool:
        """Judge once more in the moment of the touch; what is judged otherwise is shown, never recorded."""
        expiring = expired(self._desk, asked)
        if not expiring and not self._judge.differs(asked, self._draft):
            return False
        self._ask()
        now = self._asked
        if now is not None and now.phase == "settled" and now.result.word is Word.CHECK:
            self._desk.cue(Cue.STOP)  # the touch did nothing; a STOP has sounded by itself
        return True

    async def _write(self, event: AdministrationRecorded | InfusionStarted, patient_id: str) -> None:
        """Only what is on the disk is called recorded."""
        self._recorded = await asking.write(self._desk, event)
        self._busy = False
        if not self._recorded:
            self._draw()
            return
        self._draw()
        self._on_done(patient_id)

    def _draw(self) -> None:
        if self._asked is not None:
            self._judge.shown(self._view.shown_order(self._draft, self._asked.result))
        self._set(
            self._view.state(
                self._draft, self._asked, self._not_given, busy=self._busy, recorded=self._recorded
            )
        )


def _is_whole(scan: Scan) -> bool:
    """A hospital's bag label stands for everything in the bag."""
    return resolve(scan.raw, symbology=scan.symbology).kind == "bag"
