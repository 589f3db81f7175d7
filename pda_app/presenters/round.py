"""N6: one running infusion at the bedside: ordered against measured, the site, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from clinical.care_policy import InfusionPolicy
from clinical.errors import WardlinkError
from clinical.exchange import DeviceAssociated, Event, InfusionChanged, PatrolRecorded
from clinical.infusion import arithmetic
from clinical.infusion.drops import INTERVALS
from clinical.infusion.ordered import rate_has_changed
from clinical.records import ENDED, FLOWING, Device, Flow, Infusion, InfusionState, Order, Patient
from pda_app.book import FlowPoint
from pda_app.ids import uuid7
from pda_app.ports import Cue
from pda_app.presenters import draft, infusions, words
from pda_app.presenters.curve import curve
from pda_app.presenters.desk import Desk
from pda_app.presenters.observable import Observable
from pda_app.presenters.states import (
    Button,
    Chip,
    Choice,
    Deviation,
    FinishSheet,
    Msg,
    RatePair,
    ReasonSheet,
    RoundState,
    Text,
    Tone,
)

MODES = {
    InfusionState.RUNNING: ("complete", "pause", "stop-early"),
    InfusionState.PAUSED: ("resume", "complete", "stop-early"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The finish sheet as filled so far."""

    mode: str = ""
    residual: str = ""
    reason: str = ""

    @property
    def residual_ml(self) -> Decimal | None:
        """What was left in the bag; zero is a good answer here."""
        return (
            Decimal(0) if self.residual.strip("0.") == "" and self.residual else draft.volume(self.residual)
        )

    @property
    def missing(self) -> str:
        """The first thing still missing; empty when it can be recorded."""
        if not self.mode:
            return "mode"
        if self.mode == "stop-early" and not self.reason:
            return "reason"
        needs_residual = self.mode == "stop-early" or bool(self.residual)
        return "residual" if needs_residual and self.residual_ml is None else ""


class InfusionRound(Observable[RoundState]):
    """The round; ``on_done`` is called with the patient's id when the infusion has ended."""

    def __init__(self, desk: Desk, on_done: Callable[[str], None]) -> None:
        super().__init__(RoundState())
        self._desk = desk
        self._on_done = on_done
        self._rounds: dict[str, list[FlowPoint]] = {}
        self._id = ""
        self._site, self._seen = "", ""
        self._finish: Finish | None = None
        self._busy = False
        self._message: tuple[Text, Tone] = ("", Tone.PLAIN)

    def open(self, infusion_id: str) -> None:
        """Show this infusion; empty closes it."""
        self._id, self._site, self._seen, self._finish = infusion_id, "", "", None
        self._message = ("", Tone.PLAIN)
        self.refresh()

    def finding(self, code: str) -> None:
        """What the puncture site looks like."""
        if code in self._words.site_findings:
            self._site = code
            self.refresh()

    def seen(self, text: str) -> None:
        """Drops per minute counted by eye, as typed."""
        self._seen = text.strip()
        self.refresh()

    def primary(self) -> None:
        """Record the round."""
        infusion = self._infusion()
        if infusion is None or not self.state.primary.enabled or self._busy or not self._desk.at_work:
            return
        flow = self._live(infusion)
        event = PatrolRecorded(
            **self._desk.event_base(),
            infusion_id=infusion.id,
            seen_gtt_min=float(self._seen) if self._seen else None,
            measured_gtt_min=flow.gtt_min if flow else None,
            remaining_ml=flow.remaining_ml if flow else None,
            site_finding=self._site,
        )
        self._spawn(event, Msg("round.recorded"))

    def secondary(self) -> None:
        """Open the finish sheet."""
        if self._infusion() is not None:
            self._finish = Finish()
            self.refresh()

    def close_sheet(self) -> None:
        """Back from the sheet; nothing was recorded."""
        self._finish = None
        self.refresh()

    def mode(self, code: str) -> None:
        """Complete, pause, resume, set the new rate that was ordered, or stop early."""
        self._change(mode=code)

    def residual(self, text: str) -> None:
        """What is left in the bag, in mL, as typed."""
        self._change(residual=text.strip())

    def finish_reason(self, code: str) -> None:
        """Why it is stopped early."""
        self._change(reason=code)

    def finish(self) -> None:
        """Record what the sheet says."""
        infusion, sheet = self._infusion(), self._finish
        if infusion is None or sheet is None or sheet.missing or self._busy or not self._desk.at_work:
            return
        order = self._desk.book.get(Order, infusion.order_id)
        event = InfusionChanged(
            **self._desk.event_base(),
            infusion_id=infusion.id,
            action=sheet.mode,
            rate_ml_h=order.rate_ml_h if order is not None and sheet.mode == "rate" else None,
            order_version=order.version if order is not None else 0,
            residual_ml=sheet.residual_ml if sheet.mode in {"complete", "stop-early"} else None,
            reason=sheet.reason if sheet.mode == "stop-early" else "",
        )
        self._finish = None
        self._spawn(event, Msg(f"round.{sheet.mode}-recorded"))

    def device(self, device_id: str) -> None:
        """The label of a sensor was read: it watches this infusion from now on."""
        infusion = self._infusion()
        if infusion is None or not self._desk.at_work:
            return
        base = self._desk.event_base()
        event = DeviceAssociated(
            **base,
            association_id=uuid7(base["at"]),
            device_id=device_id,
            encounter_id=infusion.encounter_id,
            infusion_id=infusion.id,
        )
        self._spawn(event, Msg("round.device-recorded"))

    # --- drawing ------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Draw again from the newest facts and time."""
        infusion = self._infusion()
        patient = self._desk.book.get(Patient, infusion.patient_id) if infusion else None
        if infusion is None or patient is None:
            self._set(RoundState())
            return
        desk, book = self._desk, self._desk.book
        order = book.get(Order, infusion.order_id)
        flow, newest = self._live(infusion), book.get(Flow, infusion.id)
        paused = infusion.state is InfusionState.PAUSED
        left = flow.time_left_min if flow else None
        self._set(
            RoundState(
                infusion_id=infusion.id,
                banner=words.banner(book, patient, desk.now()),
                allergy=words.allergy_strip(book, patient),
                live=self._live_chip(infusion, flow, newest),
                title=words.order_title(book, order) if order else Msg("task.order-unknown"),
                detail=self._detail(infusion, order),
                instruction=order.instruction if order else "",
                rate=self._rate(infusion, flow),
                remaining_ml=words.number(max(flow.remaining_ml, 0.0), 0)
                if flow and flow.remaining_ml is not None
                else "",
                volume_ml=words.number(infusion.volume_ml),
                time_left="" if left is None or paused else words.minutes(left),
                end_at=self._end_at(left) if not paused else "",
                curve=curve(desk, infusion, flow, tuple(self._rounds.get(infusion.id, ()))),
                sites=tuple(
                    Choice(id=one, text=Msg(f"finding-site.{one}"), selected=one == self._site)
                    for one in self._words.site_findings
                ),
                seen_gtt_min=self._seen,
                seen_error=Msg("round.seen-bad") if self._seen and self._gtt(self._seen) is None else "",
                message=self._message[0],
                message_tone=self._message[1],
                sheet=self._sheet(infusion) if self._finish is not None else None,
                secondary=self._secondary(infusion),
                primary=self._primary(infusion),
            )
        )

    def _infusion(self) -> Infusion | None:
        return self._desk.book.get(Infusion, self._id)

    def _live(self, infusion: Infusion) -> Flow | None:
        flow = self._desk.book.get(Flow, infusion.id)
        return flow if infusions.live(flow, self._desk.now()) else None

    def _live_chip(self, infusion: Infusion, flow: Flow | None, newest: Flow | None) -> Chip:
        if infusion.state not in FLOWING:
            return Chip(text=Msg(f"status.{infusion.state}"))
        if infusion.state is InfusionState.PAUSED:
            return Chip(text=Msg("status.paused"), tone=Tone.WARN)
        if flow is not None:
            return Chip(text=Msg("flow.live"), tone=Tone.OK)
        if newest is None:
            return Chip(text=Msg("flow.no-sensor"), tone=Tone.WARN)
        return Chip(text=Msg.of("flow.last", time=self._desk.hhmm(newest.effective)), tone=Tone.WARN)

    def _detail(self, infusion: Infusion, order: Order | None) -> Text:
        device = self._desk.book.get(Device, infusion.device_id)
        started = Msg.of("round.started", time=self._desk.hhmm(infusion.started_at))
        factor = words.joined("space", str(infusion.drops_per_ml), Msg("unit.{gtt}/mL"))
        sensor = Msg.of("round.sensor", label=device.label or device.id) if device else ""
        return words.joined("dot", words.route_of(order) if order else "", started, factor, sensor)

    @staticmethod
    def _rate(infusion: Infusion, flow: Flow | None) -> RatePair:
        gtt, ml_h = flow.gtt_min if flow else None, flow.rate_ml_h if flow else None
        return RatePair(
            ordered_gtt_min=words.number(infusions.gtt_min(infusion), 0),
            ordered_ml_h=words.number(infusion.rate_ml_h, 1),
            measured_gtt_min=words.number(gtt, 0) if gtt is not None else "",
            measured_ml_h=words.number(ml_h, 0) if ml_h is not None else "",
            window=Msg.of("round.window", n=str(INTERVALS)) if flow else Msg("flow.no-live"),
            deviation=_deviation(infusion, flow),
        )

    def _end_at(self, left: float | None) -> Text:
        if left is None:
            return ""
        return Msg.of("round.end-at", time=self._desk.hhmm(self._desk.now() + timedelta(minutes=left)))

    def _primary(self, infusion: Infusion) -> Button:
        text = Msg("round.record")
        if infusion.state not in FLOWING:
            return Button(text=text, enabled=False, missing=Msg(f"status.{infusion.state}"))
        if self._busy:
            return Button(text=text, enabled=False, busy=True, tone=Tone.ACT)
        if not self._site:
            return Button(text=text, enabled=False, missing=Msg("round.choose-site"))
        if self._seen and self._gtt(self._seen) is None:
            return Button(text=text, enabled=False, missing=Msg("round.seen-bad"))
        return Button(text=text, tone=Tone.ACT, icon="GIVE")

    def _secondary(self, infusion: Infusion) -> Button:
        enabled = infusion.state in FLOWING and not self._busy
        return Button(text=Msg("round.finish"), enabled=enabled, icon="stop")

    @property
    def _words(self) -> InfusionPolicy:
        """What the ward may choose from at a bag."""
        return self._desk.book.policy.care.infusion

    def _gtt(self, text: str) -> Decimal | None:
        """Read drops per minute; None unless it is a plain number that somebody can have counted."""
        value = draft.volume(text)
        return value if value is not None and value <= self._words.max_gtt_min else None

    def _sheet(self, infusion: Infusion) -> FinishSheet:
        sheet = self._finish or Finish()
        bad = bool(sheet.residual) and sheet.residual_ml is None
        reasons = None
        if sheet.mode == "stop-early":
            choices = tuple(
                Choice(id=one, text=Msg(f"stop-reason.{one}"), selected=one == sheet.reason)
                for one in self._words.stop_reasons
            )
            reasons = ReasonSheet(title=Msg("round.why-stop"), hint=Msg("check.required"), choices=choices)
        missing = Msg(f"round.missing-{sheet.missing}") if sheet.missing else ""
        return FinishSheet(
            modes=tuple(
                Choice(id=one, text=self._mode(infusion, one), selected=one == sheet.mode)
                for one in self._modes(infusion)
            ),
            residual_ml=sheet.residual,
            residual_error=Msg("check.volume-bad") if bad else "",
            reasons=reasons,
            record=Button(
                text=Msg("round.finish-record"), enabled=not sheet.missing, tone=Tone.ACT, missing=missing
            ),
        )

    def _change(self, **changes: str) -> None:
        infusion = self._infusion()
        if self._finish is None or infusion is None:
            return
        if "mode" in changes and changes["mode"] not in self._modes(infusion):
            return
        self._finish = replace(self._finish, **changes)
        self.refresh()

    def _modes(self, infusion: Infusion) -> tuple[str, ...]:
        """What may be done now: nothing goes on under a held or ended order; a new rate is set as ordered."""
        modes, order = MODES.get(infusion.state, ()), self._desk.book.get(Order, infusion.order_id)
        if order is None:
            return modes
        if order.status == "on-hold" or order.status in ENDED:
            return tuple(one for one in modes if one != "resume")
        new = infusion.state is InfusionState.RUNNING and rate_has_changed(infusion, order)
        return ("rate", *modes) if new else modes

    def _mode(self, infusion: Infusion, mode: str) -> Text:
        order = self._desk.book.get(Order, infusion.order_id)
        if mode != "rate" or order is None or order.rate_ml_h is None:
            return Msg(f"mode.{mode}")
        return Msg.of("round.set-rate", rate=words.number(order.rate_ml_h, 1))

    # --- recording ----------------------------------------------------------------------------------

    def _spawn(self, event: Event, done: Text) -> None:
        self._busy = True
        self.refresh()
        self._desk.spawn(self._write(event, done))

    async def _write(self, event: Event, done: Text) -> None:
        """Only what is on the disk is called recorded."""
        try:
            await self._desk.sync.record(event)
        except WardlinkError as error:
            self._desk.failed(error)
            return
        finally:
            self._busy = False
            self.refresh()
        self._desk.cue(Cue.RECORDED if self._desk.sync.link.sends else Cue.QUEUED)
        self._message = (done, Tone.OK)
        if isinstance(event, PatrolRecorded):
            self._note_round(event)
        self.refresh()
        infusion = self._infusion()
        if infusion is not None and infusion.state not in FLOWING:
            self._on_done(infusion.patient_id)

    def _note_round(self, event: PatrolRecorded) -> None:
        self._site, self._seen = "", ""
        if event.remaining_ml is not None:
            points = self._rounds.setdefault(event.infusion_id, [])
            points.append(FlowPoint(at=event.at, remaining_ml=event.remaining_ml))


def _deviation(infusion: Infusion, flow: Flow | None) -> Deviation:
    """Arrow, percent and word; the node's own judgement where it has one."""
    if flow is None or flow.gtt_min is None:
        return Deviation(tone=Tone.PLAIN, arrow="", percent="--", word=Msg("flow.no-live"))
    percent = flow.deviation_percent
    if percent is None:
        percent = arithmetic.deviation_percent(flow.gtt_min, infusions.gtt_min(infusion))
    shown = words.percent(percent) if percent is not None else "--"
    arrow = {"+": "up", "-": "down"}.get(shown[0], "") if percent is not None else ""
    if flow.state in {"no-flow", "free-flow", "empty"}:
        return Deviation(tone=Tone.BAD, arrow=arrow, percent=shown, word=Msg(f"flow.{flow.state}"))
    if flow.state in {"slow", "fast"}:
        return Deviation(tone=Tone.WARN, arrow=arrow, percent=shown, word=Msg(f"flow.{flow.state}"))
    return Deviation(tone=Tone.OK, arrow="", percent=shown, word=Msg("flow.matches"))
