"""Rules that run because time passes, each for itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from clinical.errors import UnavailableError
from clinical.records import Alarm
from server.storage.store import UnitOfWork
from server.timed import Rule, Timed

pytestmark = [pytest.mark.requirement("R-SRV-76"), pytest.mark.hazard("H-SRV-07")]


class Rules:
    """Three rules: what each does can be changed, and who had a turn is written down."""

    def __init__(self, ward: Any) -> None:
        self.ward, self.turns = ward, list[str]()
        self.errors: dict[str, Exception] = {}
        self.timed = Timed(
            [self.rule("first"), self.rule("second"), self.rule("slow", every=timedelta(minutes=5))],
            ward.clock(),
        )

    def rule(self, name: str, **said: Any) -> Rule:
        def apply(_unit: UnitOfWork) -> None:
            self.turns.append(name)
            if name in self.errors:
                raise self.errors[name]

        return Rule(name=name, apply=apply, **said)

    def turn(self, **span: float) -> list[str]:
        """Let time pass; returns whose turn it was."""
        self.turns.clear()
        self.ward.clock.move(**(span or {"seconds": 1}))
        asyncio.run(self.timed.turn(self.ward.store))
        return list(self.turns)

    def alarms(self) -> list[tuple[Any, bool]]:
        return [(one.params["rule"], one.present) for one in self.ward.store.picture.all(Alarm)]


@pytest.fixture
def rules(ward: Any) -> Rules:
    return Rules(ward)


def test_a_rule_that_fails_stops_none_of_the_others_and_alarms_until_it_works_again(rules: Rules) -> None:
    rules.errors["first"] = ValueError("张建国")
    assert [rules.turn() for _ in range(2)] == [["first", "second"]] * 2
    assert rules.alarms() == []
    rules.turn()
    assert rules.alarms() == [("first", True)]
    state = rules.timed.state(rules.ward.clock())
    assert (state["ok"], state["reason"], state["failing_rules"]) == (False, "timed-rule-failed", ["first"])
    assert state["rules"]["first"] == 3
    assert state["rules"]["second"] == 0
    rules.errors.clear()
    rules.turn()
    assert rules.alarms() == [("first", False)]
    assert rules.timed.state(rules.ward.clock())["ok"]


def test_what_is_logged_of_a_failure_is_its_place_and_never_what_it_held(
    rules: Rules, capsys: pytest.CaptureFixture[str]
) -> None:
    rules.errors["first"] = ValueError("张建国")
    for _ in range(61):
        rules.turn()
    said = capsys.readouterr().out
    assert said.count("timed-rule-failed") == 2
    assert "ValueError" in said
    assert "张建国" not in said


def test_a_slow_rule_has_its_turn_when_its_time_has_come_and_again_after_a_failure(rules: Rules) -> None:
    assert "slow" not in rules.turn(minutes=4)
    rules.errors["slow"] = ValueError()
    assert "slow" in rules.turn(minutes=1)
    rules.errors.clear()
    assert "slow" in rules.turn()
    assert "slow" not in rules.turn()


def test_a_clock_that_is_set_back_does_not_stop_a_slow_rule(rules: Rules) -> None:
    rules.turn(minutes=5)
    assert "slow" in rules.turn(hours=-2)
    assert "slow" not in rules.turn()


def test_a_store_that_is_gone_ends_the_turn_and_every_rule_is_tried_again(rules: Rules) -> None:
    gone = UnavailableError("storage", "gone")
    rules.errors |= {"first": gone, "second": gone}
    assert rules.turn(minutes=6) == ["first", "second"]
    assert rules.timed.state(rules.ward.clock())["reason"] == "timed-rule-failed"
    rules.errors.clear()
    assert rules.turn() == ["first", "second", "slow"]
    assert rules.timed.state(rules.ward.clock())["ok"]


def test_one_rule_that_the_store_cannot_serve_leaves_the_others_their_turn(rules: Rules) -> None:
    rules.errors["first"] = UnavailableError("storage", "too large")
    assert rules.turn(minutes=6) == ["first", "second", "slow"]


def test_an_alarm_that_cannot_be_written_now_is_written_later(
    rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules.errors["first"] = ValueError()
    for _ in range(2):
        rules.turn()
    with monkeypatch.context() as patched:
        patched.setattr("server.timed.alarms.begin", _unavailable)
        rules.turn()
    assert rules.alarms() == []
    rules.turn()
    assert rules.alarms() == [("first", True)]


def _unavailable(*_any: Any) -> None:
    raise UnavailableError("storage", "gone")


def test_rules_that_have_no_turn_at_all_are_told(rules: Rules) -> None:
    rules.turn()
    rules.ward.clock.move(seconds=31)
    state = rules.timed.state(rules.ward.clock())
    assert (state["ok"], state["reason"]) == (False, "timed-rules-stuck")


def test_an_alarm_of_before_a_restart_ends_when_the_rule_works(rules: Rules) -> None:
    rules.errors["first"] = ValueError()
    for _ in range(3):
        rules.turn()
    again = Rules(rules.ward)
    again.turn()
    assert again.alarms() == [("first", False)]
