"""Changes the rules of the bedside check one at a time and counts how many changes the tests notice.

Run from a checkout: ``python tests/mutation/run.py --minutes 60``. The tree is copied into a temporary
folder first, so nothing in the checkout changes. One JSON document goes to stdout, progress to stderr.
With ``--log`` every verdict is written to a file as soon as it is known, and a later run with the same file
goes on from there; ``--again`` tries its survivors again.

Two kinds of process judge: one that has imported and collected everything and changes the code of a function
in a fork of itself, and one that has imported nothing of the product yet and imports the changed module. What
runs while the modules are imported can only be judged by the second; see ``docs/mutation.md``.
"""

from __future__ import annotations

import argparse
import ast
import gc
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import _lru_cache_wrapper
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import hypothesis.stateful  # noqa: F401 - imported once, before the forks
import pytest
from _pytest.runner import runtestprotocol
from coverage import Coverage
from mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "clinical/bedside_check/*.py",
    "clinical/windows.py",
    "clinical/identifiers/*.py",
    "clinical/alarms.py",
)
COPIED = (
    "clinical",
    "tests/clinical",
    "tests/support/bedside.py",
    "tests/data/gs1",
    "tests/data/news2",
    "docs/requirements",
)
LEFT_OUT = ("test_ward_machine.py",)
"""Takes seconds for every mutant."""
STANDING = {"survived", "not-reached"}
KILLED, SURVIVED, CPU_SECONDS = 10, 0, 20
ARGUMENTS = ["-q", "-p", "no:cacheprovider", "-p", "no:timeout", "-p", "no:xdist", "-p", "no:cov", "-s",
             "--import-mode=importlib", "-o", "pythonpath=.", "-W", "error",
             "-W", "ignore::pytest.PytestAssertRewriteWarning"]  # fmt: skip
CONFTEST = """\
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "mutation", deadline=None, derandomize=True, database=None, max_examples=25, report_multiple_bugs=False,
    phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck),
)
settings.load_profile("mutation")


def pytest_configure(config):
    for name in ("requirement(id)", "hazard(id)", "slow", "full"):
        config.addinivalue_line("markers", name)
"""
"""A busy machine is no reason to call a mutant killed, and a test must answer the same every time."""

Verdicts = dict[str, str]
Note = Callable[[Mutant, str], None]


def prepare(folder: Path) -> None:
    """Copy what the tests of the core need, without long proofs."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", *LEFT_OUT))
        else:
            shutil.copy(source, target)
    (folder / "tests" / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")


def in_fork(work: Callable[[], int]) -> str:
    """Do work in a fork that may use so much processor time and memory; return the verdict."""
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        code = KILLED
        try:
            code = work()
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return "timeout"
    return "survived" if os.WEXITSTATUS(status) == SURVIVED else "killed"


def runs_through(items: list[pytest.Item]) -> bool:
    """Run tests until one fails; tell whether none did."""
    for number, item in enumerate(items):
        following = items[number + 1] if number + 1 < len(items) else None
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
            return False
    return True


class Tests:
    """What the tests reach, and how long each takes: measured once, in a fork."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.reached: dict[str, dict[int, list[str]]] = {}  # file -> line -> tests
        self.imported: dict[str, list[int]] = {}

    def measure(self, items: list[pytest.Item], folder: Path) -> None:
        """Run every test once; one that fails without any mutant is not used."""
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            os.close(reading)
            with os.fdopen(writing, "w") as out:
                json.dump(_measured(items, folder), out)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as answer:
            self.seconds, reached = json.load(answer)
        os.waitpid(child, 0)
        for file, lines in reached.items():
            self.reached[file] = {int(line): names for line, names in lines.items()}

    def of(self, mutant: Mutant) -> list[str]:
        """Return the tests that reach a mutant, fastest first; all of its file for what runs at import."""
        lines = self.reached.get(mutant.file, {})
        first, last = mutant.place.lines
        wanted = range(first, last + 1) if not self.at_import(mutant) else lines
        names = {name for line in wanted for name in lines.get(line, ())} & set(self.seconds)
        if not names and self.at_import(mutant):
            names = set(self.seconds)
        return sorted(names, key=lambda name: (self.seconds[name], name))

    def at_import(self, mutant: Mutant) -> bool:
        """Tell whether a mutant can have had an effect before the tests began."""
        lines = set(self.imported.get(mutant.file, ()))
        return mutant.place.function is None or bool(
            lines & set(range(mutant.place.lines[0], mutant.place.lines[1] + 1))
        )


def _measured(
    items: list[pytest.Item], folder: Path
) -> tuple[dict[str, float], dict[str, dict[int, list[str]]]]:
    seconds: dict[str, float] = {}
    coverage = _coverage(folder)
    coverage.start()
    for item in items:
        coverage.switch_context(item.nodeid)
        began = time.process_time()
        if runs_through([item]):
            seconds[item.nodeid] = time.process_time() - began
        else:
            print(f"not used, fails without a mutant: {item.nodeid}", file=sys.stderr)
    coverage.stop()
    data = coverage.get_data()
    files = {str(Path(name).relative_to(folder)): name for name in data.measured_files()}
    return seconds, {file: data.contexts_by_lineno(name) for file, name in files.items()}


def _coverage(folder: Path) -> Coverage:
    return Coverage(data_file=None, config_file=False, include=[str(folder / part) for part in PARTS])


def functions(code: CodeType) -> Iterable[CodeType]:
    """Yield every code object in a module's."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from functions(constant)


class Warm:
    """A pytest plugin in a process that has collected everything: it judges what sits in functions."""

    def __init__(self, folder: Path, drawn: list[Mutant], note: Note, end: float) -> None:
        self.folder, self.drawn, self.note, self.end = folder, drawn, note, end
        self.tests, self.imports = Tests(), _coverage(folder)
        self.rest: list[tuple[int, list[str]]] = []
        self.live: dict[tuple[str, str, int], list[FunctionType]] = {}
        self.caches: list[Any] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure, then judge one mutant after the other."""
        self.imports.stop()
        data = self.imports.get_data()
        for name in data.measured_files():
            self.tests.imported[str(Path(name).relative_to(self.folder))] = data.lines(name) or []
        self.tests.measure(session.items, self.folder)
        self._look_around()
        items = {item.nodeid: item for item in session.items}
        for number, mutant in enumerate(self.drawn):
            if time.monotonic() > self.end:
                break
            names = self.tests.of(mutant)
            if not names:
                self.note(mutant, "not-reached")
            elif self.tests.at_import(mutant) or not self.judge(mutant, [items[name] for name in names]):
                self.rest.append((number, names))
        (self.folder / "rest.json").write_text(json.dumps(self.rest), encoding="utf-8")
        return True

    def _look_around(self) -> None:
        """Note every function and every cache of the product, and keep memory shared with the forks."""
        for one in gc.get_objects():
            if isinstance(one, FunctionType) and one.__code__.co_filename.startswith(str(self.folder)):
                code = one.__code__
                self.live.setdefault((code.co_filename, code.co_qualname, code.co_firstlineno), []).append(
                    one
                )
            elif isinstance(one, _lru_cache_wrapper) and one.__module__.startswith("clinical"):
                self.caches.append(one)
        gc.freeze()

    def judge(self, mutant: Mutant, items: list[pytest.Item]) -> bool:
        """Change one function in a fork; tell whether that was possible."""
        path = self.folder / mutant.file
        changed = compile(mutant.tree(_tree(path)), str(path), "exec")
        code = {(one.co_qualname, one.co_firstlineno): one for one in functions(changed)}.get(
            mutant.place.function
        )
        live = self.live.get((str(path), *(mutant.place.function or ("", 0))), [])
        if code is None or not live or any(one.__code__.co_freevars != code.co_freevars for one in live):
            return False

        def work() -> int:
            for one in live:
                one.__code__ = code
            for cached in self.caches:
                cached.cache_clear()
            return SURVIVED if runs_through(items) else KILLED

        self.note(mutant, in_fork(work))
        return True


_TREES: dict[Path, ast.Module] = {}


def _tree(path: Path) -> ast.Module:
    if path not in _TREES:
        _TREES[path] = ast.parse(path.read_text(encoding="utf-8"))
    return _TREES[path]


class Chosen:
    """A pytest plugin that runs only some of what was collected, in the given order."""

    def __init__(self, names: list[str]) -> None:
        self.order = {name: number for number, name in enumerate(names)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Take out what was not chosen."""
        chosen = [item for item in items if item.nodeid in self.order]
        items[:] = sorted(chosen, key=lambda item: self.order[item.nodeid])


def judge_import(folder: Path, mutant: Mutant, names: list[str]) -> str:
    """Import the changed module in a fork that has nothing of the product, and run its tests.

    The files that reach it with most tests come first: most mutants end there, and collecting takes longest.
    """
    path = folder / mutant.file
    changed = compile(mutant.tree(_tree(path)), str(path), "exec")
    files = sorted(
        {name.split("::")[0] for name in names}, key=lambda file: -sum(n.startswith(file) for n in names)
    )
    original = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> Any:
        return changed if self.path == str(path) else original(self, fullname)

    def work(chosen: list[str]) -> int:
        SourceFileLoader.get_code = get_code  # type: ignore[method-assign]
        mine = [name for name in names if name.split("::")[0] in chosen]
        return SURVIVED if pytest.main([*ARGUMENTS, "-x", *chosen], [Chosen(mine)]) == 0 else KILLED

    own = [file for file in files if Path(mutant.file).parts[1] in file][:2] or files[:1]
    for some in (own, [file for file in files if file not in own]):
        verdict = in_fork(lambda some=some: work(some)) if some else "survived"
        if verdict != "survived":
            return verdict
    return "survived"


def summary(known: Verdicts, total: int) -> dict[str, object]:
    """Count the verdicts: in all and per module."""
    modules: dict[str, list[int]] = {}
    for name, verdict in sorted(known.items()):
        counts = modules.setdefault(name.split(":")[0], [0, 0])
        counts[0] += verdict not in STANDING
        counts[1] += 1
    killed = sum(counts[0] for counts in modules.values())
    survivors = sorted(f"{verdict}: {name}" for name, verdict in known.items() if verdict in STANDING)
    return {
        "mutants": total, "judged": len(known), "killed": killed,
        "killed_percent": round(100 * killed / len(known), 1) if known else None,
        "modules": {name: [*two, round(100 * two[0] / two[1], 1)] for name, two in modules.items()},
        "survivors": survivors,
    }  # fmt: skip


def run(folder: Path, args: argparse.Namespace) -> dict[str, object]:
    """Judge what was drawn and is not in the log yet, until the time is over."""
    end = time.monotonic() + args.minutes * 60
    files = sorted(path for part in PARTS for path in folder.glob(part))
    every = [one for path in files for one in mutants(path, str(path.relative_to(folder)))]
    drawn = [one for one in every if args.only in one.name]
    random.Random(args.seed).shuffle(drawn)
    drawn = drawn[: args.sample or None]
    log = args.log.resolve() if args.log else folder / "log.tsv"
    old = _read(log)
    open_ = [one for one in drawn if one.name not in old or (args.again and old[one.name] in STANDING)]
    print(f"{len(every)} mutants, {len(drawn)} drawn, {len(open_)} to judge", file=sys.stderr)
    with log.open("a", encoding="utf-8") as out:

        def note(mutant: Mutant, verdict: str) -> None:
            out.write(f"{verdict}\t{mutant.line}\t{mutant.name}\n")
            out.flush()

        os.chdir(folder)
        sys.path.insert(0, str(folder))
        if (child := os.fork()) == 0:
            warm = Warm(folder, open_, note, end)
            warm.imports.start()
            os.dup2(2, 1)
            try:
                pytest.main([*ARGUMENTS, "tests/clinical"], [warm])
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        for number, names in json.loads((folder / "rest.json").read_text(encoding="utf-8")):
            if time.monotonic() > end:
                break
            note(open_[number], judge_import(folder, open_[number], names))
    known = _read(log)
    return summary({one.name: known[one.name] for one in drawn if one.name in known}, len(every))


def _read(log: Path) -> Verdicts:
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return {name: verdict for verdict, _, name in (line.split("\t", 2) for line in lines)}


def main() -> int:
    """Draw, change, test, count."""
    parser = argparse.ArgumentParser(description="Mutation testing of the clinical rules.")
    parser.add_argument("--minutes", type=float, default=60.0, help="wall-clock limit")
    parser.add_argument("--sample", type=int, default=0, help="how many mutants, drawn at random; 0 is all")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--only", default="", help="only mutants whose name contains this")
    parser.add_argument("--log", type=Path, help="file to note verdicts in, and to go on from")
    parser.add_argument("--again", action="store_true", help="judge the survivors of the log again")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wardlink-mutation-") as name:
        folder = Path(name).resolve()
        prepare(folder)
        print(json.dumps(run(folder, args), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
