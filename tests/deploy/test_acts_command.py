"""``wardlink check --acts``: what becomes of acts that were reported as done."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from clinical.commit import Act
from deploy.cli import main
from tests.support.bedside import BAG_B_SCAN, FACTS, TABLET_ORDER, TABLET_SCAN, TABLET_TASK, request, start

pytestmark = [pytest.mark.requirement("R-CLIN-56"), pytest.mark.hazard("H-CLIN-03")]

TEN = datetime(2026, 3, 2, 2, tzinfo=UTC)
ACT = Act(event_id="e1", task_id=TABLET_TASK.id, order_id="oT", order_version=1, at=TEN, outcome="given")
SAME_SLOT = replace(ACT, event_id="e2", at=TEN + timedelta(minutes=5))


def document(*acts, order=TABLET_ORDER, asked=None, **more):
    facts = replace(FACTS, orders=(order, *FACTS.orders[1:]))
    return msgspec.to_builtins(
        {"snapshot": facts, "acts": [{"act": act, "request": asked} for act in acts]} | more
    )


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*items):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(items).encode())))
        assert main(["check", "--stdin", "--acts"]) == 0
        return json.loads(capsys.readouterr().out)

    return call


def became(answer):
    return [(one["status"], one["code"], one["tell"]) for one in answer["acts"]]


def test_vectors_12_40_and_41_of_the_ruleset(run):
    stopped = replace(TABLET_ORDER, status="stopped", stopped_at=TEN - timedelta(minutes=10))
    twice, late, double = run(document(ACT, ACT), document(ACT, order=stopped), document(ACT, SAME_SLOT))
    assert became(twice) == [("accepted", "", []), ("replayed", "", [])]
    assert became(late) == [("accepted-exception", "ORD-DISCONTINUED", ["nurse", "doctor"])]
    assert became(double) == [("accepted", "", []), ("duplicate", "TIME-DUP", ["doctor"])]


def test_a_check_that_would_not_have_allowed_it_is_an_exception(run):
    drug = start(items_raw=(BAG_B_SCAN,))
    act = replace(ACT, task_id="", order_id="", outcome="running")
    (unknown,) = run(document(act, asked=drug))
    assert became(unknown)[0][:2] == ("accepted-exception", "unknown-task")
    good, wrong = request("GIVE", TABLET_SCAN), request("GIVE", BAG_B_SCAN)
    right, against = run(document(ACT, asked=good), document(ACT, asked=wrong))
    assert became(right) == [("accepted", "", [])]
    assert became(against)[0][:2] == ("accepted-exception", "MED-WRONG-PATIENT")


def test_what_is_no_list_of_acts_is_said_so(run):
    naive = document(ACT)
    naive["acts"][0]["act"]["at"] = "2026-03-02T02:00:00"
    hasty = document(ACT, asked=request("GIVE", TABLET_SCAN))
    hasty["acts"][0]["request"]["now"] = "2026-03-02T02:00:00"
    answers = run({}, naive, hasty, document(ACT, policy={"surprise": 1}), document(extra=1))
    assert [one["error"]["code"] for one in answers] == [
        "acts-shape", "time-without-zone", "time-without-zone", "policy-key", "acts-shape",
    ]  # fmt: skip
