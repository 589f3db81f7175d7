"""Every text exists in both languages, and every id the code can make has a text."""

from __future__ import annotations

import ast
import re
from itertools import product
from pathlib import Path

import pytest

from clinical.bedside_check.model import Right, Word
from clinical.bedside_check.rules import RULES
from clinical.policy import SitePolicy
from clinical.records import AlarmPriority, CareLevel, InfusionState, Label, Sex, TaskStatus
from pda_app.i18n import OPEN_FAMILIES, Catalog, texts
from pda_app.presenters import check_view
from pda_app.presenters.scans import TYPE_REASONS
from pda_app.presenters.states import Msg
from pda_app.presenters.uploads import ANSWERS
from pda_app.wire import EVENT_TYPES

ROOT = Path(__file__).resolve().parents[2]
POLICY = SitePolicy.default()
FLOWS = ("flowing", "slow", "fast", "no-flow", "free-flow", "near-end", "empty", "stale", "unknown")
CLOSED = {
    "finding": RULES,
    "right": Right,
    "verdict": [word.lower() for word in Word],
    "status": [*TaskStatus, *InfusionState],
    "sex": Sex,
    "care": CareLevel,
    "flow": FLOWS,
    "reason": POLICY.override_reasons,
    "not-given": POLICY.not_given_reasons,
    "outcome": check_view.OUTCOMES,
    "prn": POLICY.prn_reasons,
    "effect": POLICY.prn_effects,
    "site": POLICY.care.infusion.sites,
    "finding-site": POLICY.care.infusion.site_findings,
    "stop-reason": POLICY.care.infusion.stop_reasons,
    "type-reason": TYPE_REASONS,
    "event": EVENT_TYPES,
    "answer": [answer for answers in ANSWERS.values() for answer in answers],
    "route": {route for routes in POLICY.form_routes.values() for route in routes}
    | set(POLICY.injection_routes),
    "frequency": POLICY.clock_times,
    "form": POLICY.form_routes,
    "mode": ("complete", "pause", "resume", "rate", "stop-early"),
}
PRIORITIES = [f"priority-{one}" for one in AlarmPriority]


@pytest.mark.requirement("R-PDA-60")
def test_every_text_is_there_in_both_languages_with_the_same_values() -> None:
    wrong = []
    for id_, (chinese, english) in texts().items():
        fields = [set(re.findall(r"\{([a-z_]+)\}", text)) for text in (chinese, english)]
        if not chinese or not english or fields[0] != fields[1] or re.search(r"[\u4e00-\u9fff]", english):
            wrong.append(id_)
    assert wrong == []


@pytest.mark.requirement("R-PDA-60")
@pytest.mark.parametrize("family", sorted(CLOSED))
def test_every_code_of_a_family_has_a_text(family: str) -> None:
    assert [str(code) for code in CLOSED[family] if f"{family}.{code}" not in texts()] == []


def test_every_alarm_priority_has_a_word() -> None:
    assert [one for one in PRIORITIES if f"alarm.{one}" not in texts()] == []


def test_every_alarm_another_part_raises_has_a_word() -> None:
    raised = set()
    for package in ("server", "edge_node", "clinical"):
        for path in (ROOT / package).rglob("*.py"):
            raised |= set(re.findall(r'condition="([a-z-]+)"', path.read_text(encoding="utf-8")))
    assert raised
    assert sorted(name for name in raised if f"alarm.{name}" not in texts()) == []


def used_ids() -> tuple[set[str], set[str]]:
    """Ids written in the code, whole, and the beginnings of those made at run time."""
    whole, begun = set(), set()
    for path in (ROOT / "pda_app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                not isinstance(node, ast.Call)
                or not node.args
                or not ast.unparse(node.func).startswith("Msg")
            ):
                continue
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                whole.add(first.value)
            elif isinstance(first, ast.JoinedStr) and isinstance(first.values[0], ast.Constant):
                begun.add(str(first.values[0].value))
    return whole, begun


@pytest.mark.requirement("R-PDA-60")
def test_every_id_in_the_code_has_a_text() -> None:
    whole, begun = used_ids()
    known = texts()
    assert len(whole) > 100
    assert sorted(id_ for id_ in whole if id_ not in known) == []
    missing = [
        start for start in begun if start != "join." and not any(id_.startswith(start) for id_ in known)
    ]
    assert missing == []


def finding_params() -> dict[str, set[str]]:
    """The parameters the rules give each finding, read from their code."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "clinical" / "bedside_check").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "add"
                and node.args
            ):
                codes = [one.value for one in ast.walk(node.args[0]) if isinstance(one, ast.Constant)]
                names = {one.arg for one in node.keywords if one.arg} - {"severity", "override"}
                for code in map(str, codes):
                    found.setdefault(code, set()).update(names)
    return {code: names for code, names in found.items() if code in RULES}


@pytest.mark.requirement("R-PDA-60")
def test_no_sentence_needs_a_value_its_rule_never_gives() -> None:
    unknown = {}
    for code, names in finding_params().items():
        wanted = set(re.findall(r"\{([a-z_]+)\}", texts()[f"finding.{code}"][0]))
        if wanted - names:
            unknown[code] = wanted - names
    assert unknown == {}


@pytest.mark.parametrize(("language", "code"), list(product(("zh", "en"), sorted(RULES))))
def test_a_finding_without_its_values_is_still_a_sentence(language: str, code: str) -> None:
    said = Catalog(language).text(Msg(f"finding.{code}"))
    assert said
    assert "{" not in said
    assert "[" not in said


def test_needs_of_the_check_have_texts() -> None:
    needs = set()
    for path in (ROOT / "clinical" / "bedside_check").glob("*.py"):
        needs |= set(re.findall(r"\.need\(\"([a-z-]+)\"", path.read_text(encoding="utf-8")))
    assert needs
    assert sorted(name for name in needs if f"need.{name}" not in texts()) == []


def test_optional_parts_labels_and_lists_follow_the_language() -> None:
    late = Msg.of("finding.TIME-LATE", minutes="102", planned="08:00")
    assert Catalog("zh").text(late) == "已晚 102 分钟（计划 08:00）"
    assert Catalog("en").text(Msg.of("finding.TIME-LATE", minutes="102")) == "102 min late"
    joined = Msg("join.list", (("00", Label(zh="青霉素", en="penicillin")), ("01", "X")))
    assert (Catalog("zh").text(joined), Catalog("en").text(joined)) == ("青霉素、X", "penicillin, X")


def test_a_code_the_hospital_added_is_shown_as_it_is() -> None:
    assert "reason" in OPEN_FAMILIES
    assert Catalog("zh").text(Msg("reason.our-own")) == "our-own"
    assert Catalog("en").text(Msg("nowhere.at-all")) == "(text missing)"


def test_the_presenters_load_no_window_no_network_and_no_camera() -> None:
    import subprocess
    import sys

    program = (
        "import sys, pda_app.presenters.app, pda_app.sync, pda_app.scanning, pda_app.session;"
        "heavy = ('kivy', 'cv2', 'httpx2', 'sqlite_utils', 'zxingcpp', 'pyzbar');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"
