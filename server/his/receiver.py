"""Receives one message: understand it, store and apply it in one transaction, answer it.

The promise: the message as it came, what it changed and the answer are on disk together before the sender
hears anything. After a crash all of it is there or none; the sender, having heard nothing, sends it again
under the same control id, and it is then done once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog

from clinical.errors import UnavailableError
from server.his import answers
from server.his.intake import REUSED, Case, Intake
from server.his.mapping import facts_of
from server.his.message import Message, parse
from server.his.port import Applied, HospitalFact, MessageState, Outcome, StoredMessage
from server.his.reading import Site
from server.his.refusal import TOO_LONG, RefusedMessageError

log = structlog.get_logger(__name__)

# Which HL7 error a code of ``Applied`` becomes; any other ``unmapped-…`` is 103, the rest 207.
_HL7_CODES = {"unknown-patient": 204, "unknown-order": 204, "busy": 206}
INTERNAL = RefusedMessageError(
    "internal", "This system failed on the message; it is kept for a person.", hl7_code=207
)
_MAX_NAME = 199  # MSH-10 of HL7 v2.7
_MSH_SENT = 6  # MSH-7 counted from the segment name: a repeat may carry a new time of sending


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return uuid.uuid4().hex[:18].upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Turns the bytes of one message into answers; safe to call from several threads."""

    intake: Intake
    site: Site = field(default_factory=Site)
    application: str = "WARDLINK"
    facility: str = "WARD"
    clock: Callable[[], datetime] = _now
    new_id: Callable[[], str] = _new_id

    def handle(self, raw: bytes, peer: str, too_long: bool = False) -> tuple[bytes, ...]:
        """Store, apply and answer one message; whatever the bytes are, this returns.

        Args:
            raw: The message without its MLLP frame.
            peer: The sender's network address, for the log only.
            too_long: ``raw`` is only the beginning of a message over the size limit; nothing of it is used.

        Returns:
            The answers to send back in this order; none when the sender asked for none.
        """
        if too_long:
            return self._refuse_unreadable(raw, TOO_LONG, peer)
        try:
            message = parse(raw, default_charset=self.site.default_charset)
            _check_names(message)
        except RefusedMessageError as refusal:
            return self._refuse_unreadable(raw, refusal, peer)
        try:
            return self._handle_parsed(raw, message)
        except UnavailableError as error:
            log.warning("hl7-store-unavailable", code=error.code, peer=peer)
            busy = RefusedMessageError("busy", "It cannot be stored now; send it again later.", hl7_code=206)
            return self._answers(message, busy)

    def _handle_parsed(self, raw: bytes, message: Message) -> tuple[bytes, ...]:
        facts: tuple[HospitalFact, ...] = ()
        refusal: RefusedMessageError | None = None
        answered = _is_answer(message)  # an answer is never answered
        if not answered:
            facts, refusal = self._understood(message)
        frames_for = self._once_each(message)

        def conclude(applied: Applied) -> Outcome:
            if answered and applied.ok:
                return Outcome(state=MessageState.IGNORED, detail="answer")
            # A control id that is taken comes first: this message is not the one that has it.
            found = _refusal_of(applied) if applied.code == REUSED else refusal or _refusal_of(applied)
            return _outcome(found, b"".join(frames_for(found)), applied, did=bool(facts))

        case = Case(
            message=self._row(raw, message),
            facts=facts,
            conclude=conclude,
            is_same=lambda before: _same(before, raw),
        )
        return tuple(answers.split_frames(self.intake.take(case)))

    def _understood(self, message: Message) -> tuple[tuple[HospitalFact, ...], RefusedMessageError | None]:
        try:
            return facts_of(message, self.site), None
        except RefusedMessageError as error:
            return (), error
        except Exception as error:  # noqa: BLE001 - a message that meets a fault must not stop those behind it
            log.warning("hl7-processing-failed", error=type(error).__name__, at=place_of(error))
            return (), INTERNAL

    def _once_each(self, message: Message) -> Callable[[RefusedMessageError | None], tuple[bytes, ...]]:
        """Return a writer of answers that says the same however often it is asked."""
        now, number = self.clock(), self.new_id()
        header, writer = answers.header_of(message), self._writer()
        return lambda refusal: writer.frames(header, refusal, now=now, new_id=number)

    def _answers(self, message: Message, refusal: RefusedMessageError | None) -> tuple[bytes, ...]:
        return self._writer().frames(
            answers.header_of(message), refusal, now=self.clock(), new_id=self.new_id()
        )

    def _writer(self) -> answers.Answers:
        return answers.Answers(application=self.application, facility=self.facility, site=self.site)

    def _row(self, raw: bytes, message: Message) -> StoredMessage:
        return StoredMessage(
            id=str(uuid.uuid4()),
            direction="in",
            control_id=message.control_id,
            sender=message.sender,
            type=_shown_type(message),
            received=self.clock(),
            state=MessageState.RECEIVED,
            raw=raw,
        )

    def _refuse_unreadable(self, raw: bytes, refusal: RefusedMessageError, peer: str) -> tuple[bytes, ...]:
        header = answers.guessed_header(raw)
        frames = self._writer().frames(header, refusal, now=self.clock(), new_id=self.new_id())
        row = StoredMessage(
            id=str(uuid.uuid4()),
            direction="in",
            control_id="",  # never a key: what does not parse cannot be told from its repeat
            sender=header.application,
            type="unreadable",
            received=self.clock(),
            state=MessageState.RECEIVED,
            raw=raw,
        )

        def conclude(applied: Applied) -> Outcome:
            return _outcome(refusal, b"".join(frames), applied, did=False)

        try:
            self.intake.take(Case(message=row, conclude=conclude, is_same=lambda _before: False))
        except UnavailableError as error:
            log.warning("hl7-store-unavailable", code=error.code, peer=peer)
        return frames


def _same(before: bytes, now: bytes) -> bool:
    return before == now or _without_sending_time(before) == _without_sending_time(now)


def _outcome(refusal: RefusedMessageError | None, ack: bytes, applied: Applied, *, did: bool) -> Outcome:
    if refusal is not None:
        state = MessageState.REJECTED if refusal.reject else MessageState.ERROR
        return Outcome(state=state, ack=ack, error_code=refusal.code, detail=refusal.message)
    state = MessageState.APPLIED if did else MessageState.IGNORED
    return Outcome(state=state, ack=ack, detail=applied.detail)


def _check_names(message: Message) -> None:
    """Refuse what could not be told apart in the store: overlong or unprintable ids."""
    for where, text in (("MSH-3", message.sender), ("MSH-10", message.control_id)):
        if len(text) > _MAX_NAME or not text.isprintable():
            raise RefusedMessageError(
                "header-form", f"{where} is too long or not printable.", hl7_code=102, where=where
            )


def _is_answer(message: Message) -> bool:
    return message.type[0] == "ACK" or message.first("MSA") is not None


def place_of(error: BaseException) -> str:
    """Name the line that failed; the error's own text may hold what a patient is called."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""


def _shown_type(message: Message) -> str:
    return "^".join(part for part in message.type if part)[:20]


def _without_sending_time(raw: bytes) -> bytes:
    separator = raw[3:4]
    fields = raw.split(separator, _MSH_SENT + 1) if separator else [raw]
    if len(fields) <= _MSH_SENT:
        return raw
    del fields[_MSH_SENT]
    return separator.join(fields)


def _refusal_of(applied: Applied) -> RefusedMessageError | None:
    if applied.ok:
        return None
    if applied.code == REUSED:
        return RefusedMessageError(
            REUSED,
            "MSH-10 was already used for another message; send this one under a new control id.",
            hl7_code=205,
            where="MSH-10",
            reject=True,
        )
    if applied.code == INTERNAL.code:
        return INTERNAL
    default = 103 if applied.code.startswith("unmapped-") else 207
    return RefusedMessageError(
        applied.code or "not-applied",
        applied.detail or "The message could not be applied.",
        hl7_code=_HL7_CODES.get(applied.code, default),
    )
