"""Requirements, hazards and tests must point at each other, and at things that exist."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NODE = re.compile(r"tests/[\w/]+\.py::\w+")


@dataclass(frozen=True)
class Row:
    id: str
    cells: tuple[str, ...]
    tests: tuple[str, ...] = field(default=())


def rows(folder: str, prefix: str) -> list[Row]:
    found = []
    for page in sorted((ROOT / "docs" / folder).glob("*.md")):
        for line in page.read_text(encoding="utf-8").splitlines():
            cells = tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
            if cells and re.fullmatch(rf"{prefix}-[A-Z0-9]+-\d+[a-z]?", cells[0]):
                found.append(Row(cells[0], cells, tuple(NODE.findall(line))))
    return found


@cache
def marked_tests() -> dict[str, frozenset[str]]:
    """Each test function → the requirement and hazard ids it is marked with."""
    found: dict[str, frozenset[str]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = marks(next((n.value for n in tree.body if is_pytestmark(n)), None))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                ids = module | frozenset().union(*(marks(d) for d in node.decorator_list))
                found[f"{path.relative_to(ROOT)}::{node.name}"] = ids
    return found


def is_pytestmark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
    )


def marks(expression: ast.expr | None) -> frozenset[str]:
    if expression is None:
        return frozenset()
    calls = [n for n in ast.walk(expression) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    return frozenset(
        argument.value
        for call in calls
        if call.func.attr in {"requirement", "hazard"}  # type: ignore[union-attr]
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )


@pytest.mark.parametrize(("folder", "prefix"), [("requirements", "R"), ("hazards", "H")])
def test_every_row_names_tests_that_exist(folder: str, prefix: str) -> None:
    table = rows(folder, prefix)
    assert table, f"docs/{folder} holds no rows"
    missing = [f"{row.id}: {test}" for row in table for test in row.tests if test not in marked_tests()]
    assert missing == []
    assert [row.id for row in table if not row.tests] == []


def test_every_requirement_is_marked_in_the_tests_it_names() -> None:
    unmarked = [
        f"{row.id}: {test}"
        for row in rows("requirements", "R")
        for test in row.tests
        if row.id not in marked_tests().get(test, frozenset())
    ]
    assert unmarked == []


def test_every_marked_id_is_in_a_table() -> None:
    known = {row.id for row in rows("requirements", "R") + rows("hazards", "H")}
    used = {(id_, test) for test, ids in marked_tests().items() for id_ in ids}
    assert sorted(f"{test}: {id_}" for id_, test in used if id_ not in known) == []


@pytest.mark.parametrize(("folder", "prefix"), [("requirements", "R"), ("hazards", "H")])
def test_ids_are_unique(folder: str, prefix: str) -> None:
    ids = [row.id for row in rows(folder, prefix)]
    assert sorted({id_ for id_ in ids if ids.count(id_) > 1}) == []


def test_every_hazard_named_by_a_requirement_is_listed() -> None:
    hazards = {row.id for row in rows("hazards", "H")}
    named = {
        (row.id, hazard)
        for row in rows("requirements", "R")
        for hazard in re.findall(r"H-[A-Z0-9]+-\d+", " ".join(row.cells))
    }
    assert sorted(f"{id_}: {hazard}" for id_, hazard in named if hazard not in hazards) == []
