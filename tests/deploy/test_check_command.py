"""``wardlink check`` as a program uses it."""

from __future__ import annotations

import io
import json
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from clinical.policy import SitePolicy
from deploy.cli import main
from tests.support.bedside import BAG_B_SCAN, FACTS, TABLET_SCAN, request, start

pytestmark = [pytest.mark.requirement("R-CLIN-42"), pytest.mark.hazard("H-CLIN-01")]

ROOT = Path(__file__).resolve().parents[2]


def case(asked=None, **more):
    built = {"request": request("GIVE", TABLET_SCAN) if asked is None else asked, "snapshot": FACTS}
    return msgspec.to_builtins(built) | more


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*arguments, stdin=None):
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(stdin).encode())))
        code = main(["check", *arguments])
        out = capsys.readouterr().out
        return code, json.loads(out) if out else None

    return call


def test_a_case_file_is_answered_whatever_the_verdict(run, tmp_path):
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case()), encoding="utf-8")
    code, found = run(str(path))
    assert (code, found["word"], found["ruleset"]) == (0, "GIVE", "bc-1")
    path.write_text(json.dumps(case(start(items_raw=(BAG_B_SCAN,)))), encoding="utf-8")
    code, found = run(str(path))
    assert (code, found["word"], found["findings"][0]["code"]) == (0, "STOP", "MED-WRONG-PATIENT")


def test_stdin_answers_each_case_on_its_own(run):
    naive = case()
    naive["request"]["now"] = "2026-03-02T04:00:00"
    items = [
        case(),
        {},
        naive,
        case(policy={"surprise": 1}),
        case(policy={"verification": "allow"}),
        case(extra=1),
    ]
    code, found = run("--stdin", stdin=items)
    assert code == 0
    assert [one.get("word") for one in found] == ["GIVE", None, None, None, "GIVE", None]
    assert [one["error"]["code"] for one in found if "error" in one] == [
        "case-shape",
        "time-without-zone",
        "policy-key",
        "case-shape",
    ]


def test_a_file_that_is_missing_or_no_case_is_an_error(run, tmp_path):
    assert run(str(tmp_path / "gone.json")) == (1, None)
    path = tmp_path / "case.json"
    path.write_bytes(b"\xff{")
    assert run(str(path)) == (1, None)
    path.write_text("{}", encoding="utf-8")
    code, found = run(str(path))
    assert (code, found["error"]["code"]) == (1, "case-shape")


def test_the_schemas_name_case_request_facts_and_result(run):
    code, found = run("--schema")
    assert code == 0
    assert set(found["properties"]) == {"case", "request", "snapshot", "result", "acts", "commit", "policy"}
    assert {"CheckRequest", "Facts", "CheckResult", "Order"} <= set(found["$defs"])


@pytest.mark.requirement("R-CLIN-58")
@pytest.mark.hazard("H-CLIN-08")
def test_the_published_policy_is_the_default_and_reads_back_equal(capsys):
    """Write it anew with ``wardlink check --policy > docs/site-policy.toml`` after a change."""
    assert main(["check", "--policy"]) == 0
    text = capsys.readouterr().out
    assert SitePolicy.from_dict(tomllib.loads(text)) == SitePolicy.default()
    assert (ROOT / "docs" / "site-policy.toml").read_text(encoding="utf-8") == text
