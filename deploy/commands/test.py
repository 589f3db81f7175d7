"""``wardlink test``: every check of the project, the same on a desk and in CI."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COVERAGE_FLOORS = {"clinical": 100, "broker": 100, "firmware_profiles": 100, "total": 90}
"""Branch coverage in percent that each room must reach; the core is complete, the edges nearly so."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    depth = parser.add_mutually_exclusive_group()
    depth.add_argument("--quick", action="store_true", help="leave out what takes seconds (under 3 minutes)")
    depth.add_argument(
        "--full", action="store_true", help="add the long proofs (hours, not for every change)"
    )
    parser.add_argument("-k", dest="expression", default="", help="only tests that match, as in pytest")


def _selection(args: argparse.Namespace) -> list[str]:
    if args.quick:
        return ["-m", "not slow and not full"]
    return [] if args.full else ["-m", "not full"]


def _steps(args: argparse.Namespace, own: Path) -> list[tuple[str, list[str]]]:
    python = sys.executable
    tools = Path(python).parent
    pytest = [python, "-m", "pytest", "-q", "-n", "2", "--dist", "loadscope", f"--basetemp={own}"]
    pytest += _selection(args)
    whole = not args.quick and not args.expression
    if whole:
        pytest += ["--cov", "--cov-report="]
    if args.expression:
        pytest += ["-k", args.expression]
    steps = [
        ("format", [str(tools / "ruff"), "format", "--check", "--quiet", "."]),
        ("lint", [str(tools / "ruff"), "check", "--quiet", "."]),
        ("types", [str(tools / "mypy"), "--no-error-summary"]),
        ("imports", [str(tools / "lint-imports")]),
        ("tests", pytest),
    ]
    if whole:
        for room, floor in COVERAGE_FLOORS.items():
            only = [] if room == "total" else [f"--include={room}/*"]
            steps.append(
                (
                    f"coverage of {room}",
                    [python, "-m", "coverage", "report", f"--fail-under={floor}", "--precision=1", *only],
                )
            )
    return steps


def _changed_files() -> set[str]:
    if not (ROOT / ".git").exists():
        return set()
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "status", "--porcelain"], capture_output=True, text=True, check=True
    )
    return set(listing.stdout.splitlines())


def _children_left() -> list[str]:
    """Programs that this run started and that still live; the kernel hands orphans to us (see run)."""
    left = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        parent = int(text.rpartition(")")[2].split()[1])
        if parent == os.getpid():
            left.append(text[text.index("(") + 1 : text.rindex(")")])
    return left


def _adopt_orphans() -> None:
    """Ask the kernel to give this process the orphans of its tests, so that none can hide."""
    import ctypes

    pr_set_child_subreaper = 36
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def _leftovers(before: set[str], scratch: Path) -> list[str]:
    while True:  # collect what has already ended
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
        except ChildProcessError:
            break
    problems = [f"process left running: {name}" for name in _children_left()]
    problems += [f"temporary file left behind: {path.name}" for path in scratch.iterdir() if path.name != "t"]
    problems += [f"file changed: {line}" for line in sorted(_changed_files() - before)]
    return problems


def run(args: argparse.Namespace) -> int:
    """Run every step; all are run even when one fails, so that one run shows every fault."""
    if subprocess.run(
        [sys.executable, "-c", "import pytest, ruff"], capture_output=True, check=False
    ).returncode:
        sys.stderr.write("wardlink test: the tools are not installed here; run it as ./wardlink test\n")
        return 1
    _adopt_orphans()
    before = _changed_files()
    failed: list[str] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wl-test-", dir="/tmp") as scratch:
        Path(scratch).chmod(0o755)  # PostgreSQL's tests run as another user
        environment = {**os.environ, "TMPDIR": scratch, "COVERAGE_FILE": str(ROOT / "build" / "coverage")}
        (ROOT / "build").mkdir(exist_ok=True)
        for name, command in _steps(args, Path(scratch) / "t"):
            at = time.monotonic()
            code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
            if code:
                failed.append(name)
            print(f"{'FAILED' if code else 'ok':<7}{name} ({time.monotonic() - at:.0f} s)", flush=True)
        for problem in _leftovers(before, Path(scratch)):
            failed.append("leftovers")
            print(f"FAILED {problem}")
    print(
        f"{'FAILED: ' + ', '.join(failed) if failed else 'all checks passed'} "
        f"in {time.monotonic() - started:.0f} s"
    )
    return 1 if failed else 0
