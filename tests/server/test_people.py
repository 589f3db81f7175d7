"""Sessions with a clock that can be moved: expiry, lockout, rehash."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from clinical.errors import RefusedError
from clinical.records import Practitioner
from server.people import service as people
from server.people import store as stored
from server.people.doors import Doors
from server.people.errors import SignInError, TooManyAttemptsError
from server.storage import schema

LIMITS = people.Limits(attempts=3, lockout=timedelta(minutes=5), life=timedelta(hours=1))


def enter(ward: Any, pin: str = "2580", badge: str = "N20713") -> tuple[str, people.Session]:
    return enter_at(ward, "pda-1", pin, badge)


def enter_at(
    ward: Any, handheld: str, pin: str = "2580", badge: str = "N20713"
) -> tuple[str, people.Session]:
    attempt = people.Attempt(badge=badge, pin=pin, handheld=handheld, address="10.0.0.1")
    return people.sign_in(ward.store, LIMITS, doors_of(ward), attempt)


def doors_of(ward: Any) -> Doors:
    """Doors of this very ward."""
    if not hasattr(ward, "doors"):
        ward.doors = Doors()
    return ward.doors  # type: ignore[no-any-return]


@pytest.mark.requirement("R-SRV-03")
@pytest.mark.hazard("H-SRV-03")
def test_a_session_ends_by_itself(ward: Any) -> None:
    token, _ = enter(ward)
    assert people.session_of(ward.store, token).practitioner.id == "N20713"
    ward.clock.move(hours=1)
    with pytest.raises(SignInError):
        people.session_of(ward.store, token)


@pytest.mark.requirement("R-SRV-03")
@pytest.mark.hazard("H-SRV-03")
def test_a_person_who_is_no_longer_active_is_out_at_once(ward: Any) -> None:
    token, session = enter(ward)
    gone = Practitioner(id="N20713", name="王丽", roles=("nurse",), badge="N20713", active=False)
    ward.store.write(lambda unit: unit.put(gone))
    with pytest.raises(SignInError):
        people.session_of(ward.store, token)
    with pytest.raises(SignInError):
        enter(ward)
    with pytest.raises(RefusedError):
        people.make_code(ward.store, session.practitioner.id)


@pytest.mark.requirement("R-SRV-03")
@pytest.mark.hazard("H-SRV-03")
def test_the_lock_ends_and_a_right_pin_forgets_the_wrong_ones(ward: Any) -> None:
    for _ in range(3):
        with pytest.raises(SignInError):
            enter(ward, "wrong")
    with pytest.raises(TooManyAttemptsError):
        enter(ward)
    ward.clock.move(minutes=5, seconds=1)
    enter(ward)
    for _ in range(2):
        with pytest.raises(SignInError):
            enter(ward, "wrong")
    enter(ward)


@pytest.mark.requirement("R-SRV-03")
@pytest.mark.hazard("H-SRV-03")
def test_neither_token_nor_pin_rests_in_the_store(ward: Any) -> None:
    token, _ = enter(ward)
    with ward.store.reading() as connection:
        rows = [*connection.execute(select(schema.sessions)), *connection.execute(select(schema.credentials))]
    assert token not in repr(rows)
    assert "2580" not in repr(rows)


def test_a_weak_hash_is_made_strong_at_the_next_sign_in(ward: Any) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("2580")
    ward.store.write(lambda unit: stored.note_hash(unit.connection, "N20713", weak))
    enter(ward)
    with ward.store.reading() as connection:
        row = stored.credential_of(connection, "N20713")
    assert row is not None
    assert not people.HASHER.check_needs_rehash(row.pin_hash)


def test_a_one_time_code_expires(ward: Any) -> None:
    code, expires = people.make_code(ward.store, "N20713")
    ward.clock.now = expires
    with pytest.raises(SignInError):
        people.use_code(ward.store, LIMITS, code)


def test_a_broken_hash_lets_nobody_in(ward: Any) -> None:
    ward.store.write(lambda unit: stored.note_hash(unit.connection, "N20713", "not a hash"))
    with pytest.raises(SignInError):
        enter(ward)


@pytest.mark.requirement("R-SRV-31")
@pytest.mark.hazard("H-SRV-14")
def test_wrong_pins_elsewhere_never_lock_a_nurse_out_of_her_own_handheld(ward: Any) -> None:
    enter_at(ward, "pda-1")
    for number in range(6):
        for _ in range(3):
            with pytest.raises((SignInError, TooManyAttemptsError)):
                enter_at(ward, f"foreign-{number}", "wrong")
    with pytest.raises(TooManyAttemptsError):
        enter_at(ward, "foreign-9")
    enter_at(ward, "pda-1")


@pytest.mark.requirement("R-SRV-31")
@pytest.mark.hazard("H-SRV-14")
def test_one_handheld_that_is_locked_leaves_the_next_one_open(ward: Any) -> None:
    for _ in range(3):
        with pytest.raises(SignInError):
            enter_at(ward, "pda-1", "wrong")
    with pytest.raises(TooManyAttemptsError):
        enter_at(ward, "pda-1")
    enter_at(ward, "pda-2")


@pytest.mark.requirement("R-SRV-31")
@pytest.mark.hazard("H-SRV-14")
def test_an_unknown_badge_locks_like_a_known_one_and_every_lock_is_longer(ward: Any) -> None:
    def lock() -> float:
        for _ in range(3):
            with pytest.raises(SignInError):
                enter(ward, "wrong", badge="nobody")
        with pytest.raises(TooManyAttemptsError) as raised:
            enter(ward, "wrong", badge="nobody")
        return float(raised.value.params["retry_after_s"])

    first = lock()
    ward.clock.move(seconds=first)
    assert lock() == pytest.approx(2 * first, abs=2)


@pytest.mark.requirement("R-SRV-31")
@pytest.mark.hazard("H-SRV-14")
def test_an_address_may_knock_twenty_times_a_minute(ward: Any) -> None:
    doors = doors_of(ward)
    for _ in range(20):
        doors.knock("10.0.0.9", ward.clock())
    with pytest.raises(TooManyAttemptsError):
        doors.knock("10.0.0.9", ward.clock())
    doors.knock("10.0.0.8", ward.clock())
    ward.clock.move(minutes=1)
    doors.knock("10.0.0.9", ward.clock())
