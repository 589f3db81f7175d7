"""The port through which an incoming message is stored, applied and settled as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from server.his.port import Applied, HospitalFact, MessageState, Outcome, StoredMessage

REUSED = "control-id-reused"
"""Code of ``Applied`` for another message under a control id that is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One incoming message with what it says, ready to be stored, applied and settled as one.

    ``conclude`` says what becomes of it once it is known how its facts went; ``is_same`` tells whether a
    message stored under the same sender and control id is this one sent again. Both may be called more than
    once and change nothing.
    """

    message: StoredMessage
    conclude: Callable[[Applied], Outcome]
    is_same: Callable[[bytes], bool]
    facts: tuple[HospitalFact, ...] = ()


SETTLED = frozenset({MessageState.APPLIED, MessageState.IGNORED})
"""States of an incoming message that is never done again."""


class Intake(Protocol):
    """Takes in messages: raw message, effect and outcome are on disk together, or none of them."""

    def take(self, case: Case) -> bytes:
        """Do one message once; returns the answer when everything is on disk.

        A message that was settled under the same sender and control id is answered as it was; a message
        without a control id is always new. Of a message whose facts cannot hold only the message and its
        outcome are kept. Safe to call from several threads.

        Raises:
            UnavailableError: The store does not answer; nothing was changed.
        """
        ...
