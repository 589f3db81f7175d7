"""No rule without a requirement and a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical.bedside_check.rules import RULES

pytestmark = [pytest.mark.requirement("R-CLIN-33"), pytest.mark.hazard("H-CLIN-08")]

ROOT = Path(__file__).resolve().parents[2]
SERVER_RULES = {"TASK" + "-LEASED"}
"""Raised by the server when it reserves a task, and shown there."""


def test_every_rule_is_named_in_the_requirements_and_in_a_test():
    page = (ROOT / "docs" / "requirements" / "clinical.md").read_text(encoding="utf-8")
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.rglob("test_*.py"))
    assert [code for code in RULES if code not in page] == []
    assert [code for code in RULES if f'"{code}"' not in tests] == sorted(SERVER_RULES)
