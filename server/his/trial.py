"""Sends messages and collects every answer they ask for, as `his send` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clinical.errors import UnavailableError
from server.his.message import Message, parse
from server.his.mllp import MllpClient
from server.his.refusal import RefusedMessageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: MSA-1, the error's codes and its sentence."""

    code: str
    error: str = ""
    application_error: str = ""
    text: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A message and its answers."""

    type: str
    control_id: str
    answers: tuple[Answer, ...]

    @property
    def accepted(self) -> bool:
        """The last answer accepts, or none was asked for."""
        return not self.answers or self.answers[-1].code in {"AA", "CA"}

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "type": self.type,
            "control_id": self.control_id,
            "accepted": self.accepted,
            "answers": [
                {"code": a.code, "error": a.error, "application_error": a.application_error, "text": a.text}
                for a in self.answers
            ],
        }


async def send_all(messages: Sequence[bytes], client: MllpClient) -> list[Exchange]:
    """Send messages one after the other on one connection, each after the answers of the one before.

    Raises:
        UnavailableError: Nobody listens there, or an answer that was asked for did not come.
    """
    try:
        return [await _exchange(message, client) for message in messages]
    finally:
        await client.close()


async def _exchange(raw: bytes, client: MllpClient) -> Exchange:
    kind, control_id, accept, application = _asked(raw)
    await client.send(raw)
    answers: list[Answer] = []
    if accept in {"AL", "original"}:
        answers.append(read_answer(await client.receive()))
    elif accept != "NE" or application in {"ER", "SU"}:
        answers += await _perhaps(client)
    if application == "AL" and not (answers and answers[-1].code in {"CE", "CR"}):
        answers.append(read_answer(await client.receive()))
    return Exchange(type=kind, control_id=control_id, answers=tuple(answers))


async def _perhaps(client: MllpClient) -> list[Answer]:
    """Wait for an answer that only comes in some cases (ER, SU)."""
    try:
        return [read_answer(await client.receive())]
    except UnavailableError:
        return []


def _asked(raw: bytes) -> tuple[str, str, str, str]:
    """Return type, control id, and which answers MSH-15 and MSH-16 ask for."""
    try:
        message = parse(raw)
    except RefusedMessageError:
        return "unreadable", "", "original", "NE"
    accept, application = message.header.value(15).upper(), message.header.value(16).upper()
    if not (accept or application):
        accept, application = "original", "NE"
    return "^".join(message.type), message.control_id, accept or "NE", application or "NE"


def read_answer(raw: bytes) -> Answer:
    """Read an answer; one that does not parse is shown as it came."""
    text = raw.decode("utf-8", errors="replace").replace("\r", "\n").strip()
    try:
        message = parse(raw)
    except RefusedMessageError:
        return Answer(code="unreadable", raw=text)
    return _read(message, text)


def _read(message: Message, text: str) -> Answer:
    msa, err = message.first("MSA"), message.first("ERR")
    return Answer(
        code=msa.value(1).upper() if msa else "",
        error=err.value(3) if err else "",
        application_error=err.value(5) if err else "",
        text=(err.value(8) if err else "") or (msa.value(3) if msa else ""),
        raw=text,
    )
