"""Makes the mutants of a Python module: every small change of its rules, one at a time, as syntax trees.

What is changed, and what is not and why, is told in ``docs/mutation.md``; this file is the list in code.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_COMPARED: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_REVERSIBLE = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
_COMPUTED: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
_TYPING = frozenset({"annotation", "returns", "decorator_list", "type_params"})
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_HOLE = "\x00"

Change = tuple[str, ast.AST | None]
"""What a change is called, and the node in place of the old one (None: taken out of its list)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a node sits: the way to it from the module, and the function and statement it belongs to."""

    way: tuple[tuple[str, int | None], ...]
    function: tuple[str, int] | None  # qualified name and first line of the outermost function; None: import
    lines: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change of one file. The name tells the function and the change, and which of several alike."""

    name: str
    file: str
    place: Place
    number: int  # of the change among those of its node
    line: int

    def tree(self, module: ast.Module) -> ast.Module:
        """Return the changed module; the given one stays as it is."""
        changed = copy.deepcopy(module)
        node: ast.AST = changed
        for field, index in self.place.way[:-1]:
            value = getattr(node, field)
            node = value if index is None else value[index]
        field, index = self.place.way[-1]
        old = getattr(node, field) if index is None else getattr(node, field)[index]
        new = changes(old, field)[self.number][1]
        if index is None:
            setattr(node, field, ast.copy_location(new, old) if new is not None else None)
        elif new is None:
            del getattr(node, field)[index]
        else:
            getattr(node, field)[index] = ast.copy_location(new, old)
        return ast.fix_missing_locations(changed)


def mutants(path: Path, name: str) -> list[Mutant]:
    """Return every mutant of a file, in the order of its text."""
    found: list[Mutant] = []
    seen: dict[str, int] = {}
    for node, place in _walk(ast.parse(path.read_text(encoding="utf-8"))):
        for number, (what, new) in enumerate(changes(node, place.way[-1][0])):
            if what == "table" and new is not None:
                shown = f"table: {_table_change(node, new)}"
            else:
                shown = f"{what}: {_short(node)}" + ("" if new is None else f" -> {_short(new)}")
            key = f"{name}:{place.function[0] if place.function else 'import'}: {shown}"
            seen[key] = seen.get(key, 0) + 1
            found.append(
                Mutant(name=f"{key} #{seen[key]}", file=name, place=place, number=number, line=place.lines[1])
            )
    return found


def _short(node: ast.AST) -> str:
    node = ast.fix_missing_locations(ast.copy_location(copy.copy(node), ast.Pass(lineno=1, col_offset=0)))
    return re.sub(r"\s+", " ", ast.unparse(node))[:160]


def _table_change(old: ast.AST, new: ast.AST) -> str:
    before, after = (_template(one).splitlines() for one in (old, new))
    rows = [row for row in before if row not in after], [row for row in after if row not in before]
    shown = " -> ".join(" ".join(" / ".join(row).split()) for row in rows)
    return re.sub(f"{_HOLE}[0-9]+{_HOLE}", "{}", shown)


def _walk(module: ast.Module) -> Iterator[tuple[ast.AST, Place]]:
    """Yield every node that is part of the program, not of its types or its documentation."""
    stack: list[tuple[ast.AST, Place, str]] = [(module, Place(way=(), function=None, lines=(0, 0)), "")]
    while stack:
        node, place, scope = stack.pop()
        for field, value in ast.iter_fields(node):
            if field in _TYPING or isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr):
                continue
            for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(child, ast.AST) or _is_no_program(child):
                    continue
                inner = _inside(node, field, child, place, scope)
                here = Place(way=(*place.way, (field, index)), function=inner.function, lines=inner.lines)
                named = isinstance(child, (*_FUNCTION, ast.ClassDef))
                yield child, here
                stack.append((child, here, f"{scope}{child.name}." if named else scope))


def _inside(node: ast.AST, field: str, child: ast.AST, place: Place, scope: str) -> Place:
    function, lines = place.function, place.lines
    if function is None and isinstance(node, _FUNCTION) and field == "body":
        first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
        function = (scope.removesuffix("."), first)
    if isinstance(child, ast.stmt):
        lines = (child.lineno, child.lineno)
    elif isinstance(child, ast.expr):
        lines = (lines[0], max(child.lineno, child.end_lineno or 0))
    return Place(way=place.way, function=function, lines=lines)


def _is_no_program(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
        return isinstance(node.value.func, ast.Name) and node.value.func.id == "TypeVar"
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def changes(node: ast.AST, field: str) -> list[Change]:
    """Return the changes of one node; ``field`` is the part of its parent that it is."""
    found: list[Change] = []
    for kind, change in _CHANGES:
        if isinstance(node, kind):
            found += change(node)
    if isinstance(node, ast.expr):
        found += _in_its_place(node, field)
    return found


def _in_its_place(node: ast.expr, field: str) -> list[Change]:
    """Return the changes that hang on what an expression is there for."""
    nothing = ast.Constant(value=None)
    missing = isinstance(node, ast.Constant) and node.value in {None, False}
    if field == "args" and not isinstance(node, ast.Starred) and not missing:
        return [("argument", nothing)]
    if field in {"test", "ifs"}:
        plain = isinstance(node, ast.Compare) and isinstance(node.ops[0], _REVERSIBLE) and len(node.ops) == 1
        opposite = ast.UnaryOp(op=ast.Not(), operand=node)
        return [] if plain or isinstance(node, ast.UnaryOp) else [("condition", opposite)]
    return []


def _compare(node: ast.Compare) -> list[Change]:
    found: list[Change] = []
    for index, op in enumerate(node.ops):
        ops = [*node.ops[:index], _COMPARED[type(op)](), *node.ops[index + 1 :]]
        found.append(("compare", ast.Compare(left=node.left, ops=ops, comparators=node.comparators)))
    return found


def _boolean(node: ast.BoolOp) -> list[Change]:
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return [("logic", ast.BoolOp(op=other, values=node.values))]


def _binary(node: ast.BinOp) -> list[Change]:
    other = _COMPUTED.get(type(node.op))
    return [("arithmetic", ast.BinOp(left=node.left, op=other(), right=node.right))] if other else []


def _unary(node: ast.UnaryOp) -> list[Change]:
    return [("sign", node.operand)] if isinstance(node.op, ast.Not | ast.USub) else []


def _constant(node: ast.Constant) -> list[Change]:
    value = node.value
    if isinstance(value, bool):
        return [("constant", ast.Constant(value=not value))]
    if isinstance(value, int | float):
        return [("constant", ast.Constant(value=value + 1))]
    if isinstance(value, str):
        return _tables(node) if "\n" in value.strip() else [("text", ast.Constant(value=_text(value)))]
    return []


def _text(value: str) -> str:
    """Return another text: a number grows, a sentence for an engineer goes, anything else gets longer."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        whole, dot, rest = value.partition(".")
        return str(int(whole) + 1).zfill(len(whole)) + dot + rest
    return "" if re.search(r"[a-z,]{2} [a-zA-Z({]", value) else f"XX{value}XX"


def _joined(node: ast.JoinedStr) -> list[Change]:
    texts = [part.value for part in node.values if isinstance(part, ast.Constant)]
    return _tables(node) if "\n" in "".join(texts).strip() else [("text", ast.Constant(value=""))]


def _template(node: ast.AST) -> str:
    """Return a literal as one text, with numbered holes for what an f-string puts in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr)
    parts = enumerate(node.values)
    return "".join(str(p.value) if isinstance(p, ast.Constant) else f"{_HOLE}{i}{_HOLE}" for i, p in parts)


def _tables(node: ast.Constant | ast.JoinedStr) -> list[Change]:
    """Change a table in a literal: each row goes, and each cell becomes the nearest other of its column."""
    lines = _template(node).split("\n")
    apart = "|" if any("|" in line for line in lines) else None
    rows = [line.split(apart) for line in lines]
    found = [[*lines[:at], *lines[at + 1 :]] for at, line in enumerate(lines) if line.strip()]
    for at, row in enumerate(rows):
        numbers_only = all(cell.strip().isdigit() for cell in row)
        for column in range(1, 0 if numbers_only else len(row)):
            other = _nearest(rows, at, column)
            if other is not None:
                changed = (apart or " ").join([*row[:column], other, *row[column + 1 :]])
                found.append([*lines[:at], changed, *lines[at + 1 :]])
    return [("table", _filled(node, "\n".join(text))) for text in found]


def _nearest(rows: list[list[str]], at: int, column: int) -> str | None:
    own = rows[at][column].strip()
    cells = [
        (abs(index - at), row[column])
        for index, row in enumerate(rows)
        if len(row) > column and row[column].strip() != own
    ]
    return min(cells)[1] if cells else None


def _filled(node: ast.Constant | ast.JoinedStr, text: str) -> ast.expr:
    if isinstance(node, ast.Constant):
        return ast.Constant(value=text)
    pieces = re.split(f"{_HOLE}([0-9]+){_HOLE}", text)
    parts = [node.values[int(p)] if i % 2 else ast.Constant(value=p) for i, p in enumerate(pieces)]
    return ast.JoinedStr(values=parts)


def _without(node: ast.Set | ast.List | ast.Dict) -> list[Change]:
    """Take out each member of a literal set, list or mapping of two or more."""
    size = len(node.values if isinstance(node, ast.Dict) else node.elts)
    if size < 2 or isinstance(getattr(node, "ctx", None), ast.Store):
        return []
    found: list[Change] = []
    for index in range(size):
        changed = copy.deepcopy(node)
        for part in ("keys", "values") if isinstance(node, ast.Dict) else ("elts",):
            del getattr(changed, part)[index]
        found.append(("member", changed))
    return found


def _keyword(node: ast.keyword) -> list[Change]:
    known = isinstance(node.value, ast.Constant) and node.value.value is None
    nothing = ast.keyword(arg=node.arg, value=ast.Constant(value=None))
    return [] if node.arg is None else [("without", None)] + ([] if known else [("keyword", nothing)])


def _return(node: ast.Return) -> list[Change]:
    empty = isinstance(node.value, ast.Constant) and node.value.value in {None, False}
    return [] if node.value is None or empty else [("return", ast.Return(value=ast.Constant(value=None)))]


def _assign(node: ast.Assign | ast.AnnAssign) -> list[Change]:
    if node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None):
        return []
    changed = copy.copy(node)
    changed.value = ast.Constant(value=None)
    return [("value", changed)]


def _grow(node: ast.AugAssign) -> list[Change]:
    other = _COMPUTED.get(type(node.op))
    found: list[Change] = [("set", ast.Assign(targets=[node.target], value=node.value))]
    return found + (
        [("grow", ast.AugAssign(target=node.target, op=other(), value=node.value))] if other else []
    )


def _left_out(node: ast.stmt) -> list[Change]:
    return [("left out", ast.Pass())]


def _jump(node: ast.stmt) -> list[Change]:
    return [("jump", ast.Continue() if isinstance(node, ast.Break) else ast.Break())]


_CHANGES: tuple[tuple[type | tuple[type, ...], Callable[..., list[Change]]], ...] = (
    (ast.Compare, _compare), (ast.BoolOp, _boolean), (ast.BinOp, _binary), (ast.UnaryOp, _unary),
    (ast.Constant, _constant), (ast.JoinedStr, _joined), ((ast.Set, ast.List, ast.Dict), _without),
    (ast.keyword, _keyword), (ast.Return, _return), ((ast.Assign, ast.AnnAssign), _assign),
    (ast.AugAssign, _grow), ((ast.Expr, ast.Raise), _left_out), ((ast.Break, ast.Continue), _jump),
)  # fmt: skip
