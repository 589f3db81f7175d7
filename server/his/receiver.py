"""Receives one message: store it, understand it, apply it, answer it.

The order of these steps is the promise: a message is on disk before anything is done with it, and what became
of it is on disk before the sender hears of it. A crash in between leaves it in state received; the sender,
having heard nothing, sends it again under the same control id, and it is then done once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from clinical.errors import UnavailableError
from server.his import answers
from server.his.mapping import facts_of
from server.his.message import Message, parse
from server.his.port import Applied, HospitalFacts, MessageState, MessageStore, StoredMessage
from server.his.reading import Site
from server.his.refusal import TOO_LONG, RefusedMessageError

log = structlog.get_logger(__name__)

# Which HL7 error a code of ``Applied`` becomes; any other ``unmapped-…`` is 103, the rest 207.
_HL7_CODES = {"unknown-patient": 204, "unknown-order": 204, "busy": 206}
_SETTLED = {MessageState.APPLIED, MessageState.IGNORED}
_MAX_NAME = 199  # MSH-10 of HL7 v2.7
_MSH_SENT = 6  # MSH-7 counted from the segment name: a repeat may carry a new time of sending


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return uuid.uuid4().hex[:18].upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Turns the bytes of one message into answers; safe to call from several threads."""

    facts: HospitalFacts
    store: MessageStore
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
            return self._handle_parsed(raw, message, peer)
        except UnavailableError as error:
            log.warning("hl7-store-unavailable", code=error.code, peer=peer)
            busy = RefusedMessageError("busy", "It cannot be stored now; send it again later.", hl7_code=206)
            return self._answers(message, busy)

    def _handle_parsed(self, raw: bytes, message: Message, peer: str) -> tuple[bytes, ...]:
        kept = self.store.receive(self._row(raw, message))
        if _is_answer(message):  # an answer is never answered
            self.store.settle(kept.id, state=MessageState.IGNORED, ack=b"", detail="answer")
            return ()
        if not self._same(kept.raw, raw):
            return self._refuse_reused_id(raw, message)
        if kept.state in _SETTLED:
            log.info("hl7-repeated", type=kept.type, peer=peer)
            return tuple(answers.split_frames(kept.ack))
        return self._process(kept.id, message)

    def _process(self, message_id: str, message: Message) -> tuple[bytes, ...]:
        refusal: RefusedMessageError | None = None
        state, note = MessageState.IGNORED, ""
        try:
            facts = facts_of(message, self.site)
            if facts:
                applied = self.facts.apply_all(facts)
                refusal, note = _refusal_of(applied), applied.detail
                state = MessageState.APPLIED
        except RefusedMessageError as error:
            refusal = error
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - a message that meets a fault must not stop those behind it
            log.warning("hl7-processing-failed", error=type(error).__name__, at=_place_of(error))
            refusal = RefusedMessageError(
                "internal", "This system failed on the message; it is kept for a person.", hl7_code=207
            )
        return self._settle(message_id, message, state, refusal, note)

    def _settle(
        self,
        message_id: str,
        message: Message,
        state: MessageState,
        refusal: RefusedMessageError | None,
        note: str = "",
    ) -> tuple[bytes, ...]:
        frames = self._answers(message, refusal)
        if refusal is not None:
            state = MessageState.REJECTED if refusal.reject else MessageState.ERROR
        self.store.settle(
            message_id,
            state=state,
            ack=b"".join(frames),
            error_code=refusal.code if refusal else "",
            detail=refusal.message if refusal else note,
        )
        log.info("hl7-received", type=_shown_type(message), state=state.value, code=refusal and refusal.code)
        return frames

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
        state = MessageState.REJECTED if refusal.reject else MessageState.ERROR
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
        try:
            kept = self.store.receive(row)
            self.store.settle(
                kept.id, state=state, ack=b"".join(frames), error_code=refusal.code, detail=refusal.message
            )
        except UnavailableError as error:
            log.warning("hl7-store-unavailable", code=error.code, peer=peer)
        log.info("hl7-unreadable", code=refusal.code, peer=peer)
        return frames

    def _refuse_reused_id(self, raw: bytes, message: Message) -> tuple[bytes, ...]:
        """Refuse another message under a control id that is taken; answering "accepted" would lose it."""
        refusal = RefusedMessageError(
            "control-id-reused",
            "MSH-10 was already used for another message; send this one under a new control id.",
            hl7_code=205,
            where="MSH-10",
            reject=True,
        )
        kept = self.store.receive(replace(self._row(raw, message), control_id=""))
        return self._settle(kept.id, message, MessageState.REJECTED, refusal)

    def _same(self, before: bytes, now: bytes) -> bool:
        return before == now or _without_sending_time(before) == _without_sending_time(now)


def _check_names(message: Message) -> None:
    """Refuse what could not be told apart in the store: overlong or unprintable ids."""
    for where, text in (("MSH-3", message.sender), ("MSH-10", message.control_id)):
        if len(text) > _MAX_NAME or not text.isprintable():
            raise RefusedMessageError(
                "header-form", f"{where} is too long or not printable.", hl7_code=102, where=where
            )


def _is_answer(message: Message) -> bool:
    return message.type[0] == "ACK" or message.first("MSA") is not None


def _place_of(error: BaseException) -> str:
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
    default = 103 if applied.code.startswith("unmapped-") else 207
    return RefusedMessageError(
        applied.code or "not-applied",
        applied.detail or "The message could not be applied.",
        hl7_code=_HL7_CODES.get(applied.code, default),
    )
