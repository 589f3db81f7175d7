"""Taking back what opens doors in a person's name, or what a handheld keeps.

Sessions end at once. What a handheld keeps for times without network is taken back when it next hears of the
ward: with a person's record it forgets their PIN and the key wrapped for it, and one that was given up
destroys its keys, its files and its memory.
"""

from __future__ import annotations

from dataclasses import replace

from clinical.errors import NotFoundError
from clinical.records import Practitioner
from server.people import store as people
from server.storage.store import UnitOfWork


def revoke(unit: UnitOfWork, person: Practitioner) -> int:
    """End every session of a person and withdraw what lets them in without the server; returns how many."""
    unit.put(replace(person, revoked_at=unit.now))
    return people.end_sessions_of(unit.connection, person.id, unit.now)


def revoke_by(unit: UnitOfWork, person: Practitioner, manager: str, why: str) -> int:
    """Let a manager withdraw a person's sign-ins, with the reason in the audit trail."""
    ended = revoke(unit, person)
    unit.audit("sessions-revoke", actor=manager, entity=f"person:{person.id}", detail=why)
    return ended


def give_up(unit: UnitOfWork, handheld: str, manager: str, why: str) -> int:
    """Give a handheld up: its sessions end and it is told to destroy what it keeps; returns how many ended.

    Raises:
        NotFoundError: Nobody has signed in on such a handheld.
    """
    if not people.is_known_handheld(unit.connection, handheld):
        raise NotFoundError("unknown-handheld", "nobody has signed in on a handheld of this name")
    ended = people.give_up_handheld(unit.connection, handheld, unit.now)
    unit.audit("handheld-revoke", actor=manager, entity=f"handheld:{handheld}", detail=why)
    return ended
