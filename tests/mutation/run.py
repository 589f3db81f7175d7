"""Mutates the rules of the bedside check and counts how many changes the tests notice.

Run from a checkout: ``python tests/mutation/run.py --minutes 10 --sample 0.1``. The tree is copied into a
temporary folder first, so nothing in the checkout changes. A sample is drawn at random from all mutants with
the given seed; ``--sample 1`` runs all of them. One JSON document goes to stdout, progress to stderr.

Needs ``mutmut`` (see ``docs/mutation.md``).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("clinical/bedside_check/*", "clinical/windows.py", "clinical/identifiers/*", "clinical/alarms.py")
COPIED = ("clinical", "tests/clinical", "tests/support/bedside.py", "tests/data/gs1", "tests/data/news2")
LEFT_OUT = ("tests/clinical/test_rules_are_mapped.py", "tests/clinical/test_ward_machine.py")
"""Reads documents that are not copied; takes seconds for every mutant."""
SURVIVED, NO_TESTS, TIMEOUTS = 0, 33, {24, 36, 152, 255}
CONFIG = """\
[mutmut]
source_paths=
    clinical
only_mutate=
    {parts}
pytest_add_cli_args=
    -x
    -q
    --hypothesis-seed=0
    -p
    no:cacheprovider
pytest_add_cli_args_test_selection=
    tests/clinical
track_dependencies=false
use_git_change_detection=false

[tool:pytest]
addopts = --import-mode=importlib
pythonpath = .
markers =
    requirement(id): a requirement
    hazard(id): a hazard
    slow: takes seconds
    full: takes minutes
"""


CONFTEST = """\
import hashlib

from hypothesis import settings

settings.register_profile("mutation", deadline=None)
settings.load_profile("mutation")


def pytest_make_parametrize_id(config, val, argname):
    return hashlib.sha256(val.encode()).hexdigest()[:8] if isinstance(val, str) else None
"""
"""A busy machine is no reason to call a mutant killed; barcodes in test names cannot be asked for by name."""


def prepare(folder: Path) -> None:
    """Copy what the tests of the core need, without long proofs, and configure the mutator."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for name in LEFT_OUT:
        (folder / name).unlink()
    (folder / "tests" / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "setup.cfg").write_text(CONFIG.format(parts="\n    ".join(PARTS)), encoding="utf-8")


def mutmut(folder: Path, names: list[str], seconds: float) -> None:
    """Run the mutator in its own process group, and end it when its time is over."""
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "1", *names]
    child = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        shown, wrong = child.communicate(timeout=seconds)
        if child.returncode and b"nothing matches" not in wrong:
            print((shown + wrong).decode(errors="replace")[-4000:], file=sys.stderr)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGTERM)
        child.communicate()


def results(folder: Path) -> dict[str, int | None]:
    """Return the exit code of the tests per mutant; None where it was not run."""
    found: dict[str, int | None] = {}
    for path in sorted((folder / "mutants").rglob("*.meta")):
        found |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def diff(folder: Path, name: str) -> list[str]:
    """Return what a mutant changes, one line removed and one added each."""
    command = [str(Path(sys.executable).with_name("mutmut")), "show", name]
    shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout
    lines = shown.splitlines()
    return [line for line in lines if line[:1] in {"-", "+"} and not line.startswith(("---", "+++"))]


def word(code: int) -> str:
    """Name an exit code."""
    if code == SURVIVED:
        return "survived"
    if code == NO_TESTS:
        return "no-tests"
    return "timeout" if code in TIMEOUTS or code < 0 else "killed"


def main() -> int:
    """Draw, mutate, test, count."""
    parser = argparse.ArgumentParser(description="Mutation testing of the clinical rules.")
    parser.add_argument("--minutes", type=float, default=10.0, help="wall-clock limit")
    parser.add_argument("--sample", type=float, default=1.0, help="share of all mutants, 0 to 1")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--only", default="", help="only mutants whose name contains this")
    args = parser.parse_args()
    end = time.monotonic() + args.minutes * 60
    with tempfile.TemporaryDirectory(prefix="wardlink-mutation-") as name:
        folder = Path(name)
        prepare(folder)
        mutmut(folder, ["clinical.none.x_none*"], end - time.monotonic())  # makes the mutants, runs none
        names = sorted(one for one in results(folder) if args.only in one)
        drawn = random.Random(args.seed).sample(names, round(len(names) * args.sample))
        print(f"{len(names)} mutants, {len(drawn)} drawn", file=sys.stderr)
        mutmut(folder, drawn, max(end - time.monotonic(), 1.0))
        done = {one: code for one, code in results(folder).items() if code is not None and one in set(drawn)}
        survivors = [one for one, code in sorted(done.items()) if word(code) in {"survived", "no-tests"}]
        counts = Counter(word(code) for code in done.values())
        killed = counts["killed"] + counts["timeout"]
        document = {
            "mutants": len(names), "drawn": len(drawn), "tested": len(done), "counts": dict(counts),
            "killed_percent": round(100 * killed / len(done), 1) if done else None,
            "by_module": by_module(done),
            "survivors": {one: diff(folder, one) for one in survivors},
        }  # fmt: skip
    print(json.dumps(document, indent=2))
    return 0


def by_module(done: dict[str, int]) -> dict[str, list[int]]:
    """Return killed and tested per module."""
    found: dict[str, list[int]] = {}
    for name, code in sorted(done.items()):
        counts = found.setdefault(name.rsplit(".", 1)[0], [0, 0])
        counts[0] += word(code) in {"killed", "timeout"}
        counts[1] += 1
    return found


if __name__ == "__main__":
    sys.exit(main())
