"""Compares what simulated and real BlueZ showed, with the differences that are known and why.

``python -m tests.support.vm_compare`` runs both and prints every observation that differs; with ``--table``
also the table of ``docs/bluetooth-fidelity.md``. It ends with 1 when a difference is not explained.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import vm_machine

DIFFERENCES = vm_machine.ROOT / "tests/edge_node/vm/differences.toml"
PROGRAMS = ("tests.support.vm_contract", "tests.support.vm_node")
SHOWN = 170
SIMULATED_S = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What may differ, and why; ``real`` is what real BlueZ shows, so that a second change is noticed."""

    seen: str
    simulated: Any
    real: Any
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The outcome: names of observations, by how they compare.

    ``stale`` explanations explain nothing any more; ``different`` are those without an explanation.
    """

    same: tuple[str, ...]
    explained: tuple[Explanation, ...]
    different: tuple[Explanation, ...]
    stale: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether every difference is explained and every explanation needed."""
        return not self.different and not self.stale


def observations(text: str) -> dict[str, Any]:
    """Read the JSON lines of a run; other lines are its log."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith('{"seen"')]
    return {line["seen"]: line["value"] for line in lines}


def explanations(path: Path = DIFFERENCES) -> tuple[Explanation, ...]:
    """The known differences."""
    with path.open("rb") as file:
        listed = tomllib.load(file)["difference"]
    return tuple(
        Explanation(
            seen=one["seen"],
            simulated=json.loads(one["simulated"]),
            real=json.loads(one["real"]),
            why=one["why"],
        )
        for one in listed
    )


def compare(
    simulated: Mapping[str, Any], real: Mapping[str, Any], known: Iterable[Explanation]
) -> Comparison:
    """Sort the observations into same, explained and different.

    Args:
        simulated: What simulated BlueZ showed, by name; one that is missing counts as ``"nothing"``.
        real: What real BlueZ showed.
        known: The differences that are explained.
    """
    listed = {one.seen: one for one in known}
    same, explained, different = [], [], []
    for name in dict.fromkeys([*simulated, *real]):
        left, right = simulated.get(name, "nothing"), real.get(name, "nothing")
        known_one = listed.get(name)
        if left == right:
            same.append(name)
        elif known_one is not None and (known_one.simulated, known_one.real) == (left, right):
            explained.append(known_one)
        else:
            different.append(Explanation(seen=name, simulated=left, real=right, why=""))
    used = {one.seen for one in (*explained, *different)}
    stale = tuple(name for name in listed if name not in used)
    return Comparison(same=tuple(same), explained=tuple(explained), different=tuple(different), stale=stale)


def run_simulated() -> dict[str, Any]:
    """Run both programs against the simulated ``org.bluez``."""
    found: dict[str, Any] = {}
    for program in PROGRAMS:
        done = subprocess.run(
            [sys.executable, "-m", program, "simulated"],
            cwd=vm_machine.ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=SIMULATED_S,
        )
        found |= observations(done.stdout)
    return found


def run_real(out: Path) -> dict[str, Any]:
    """Run both programs against the real bluetoothd in the emulated machine; logs stay in ``out``."""
    vm_machine.run([[sys.executable, "-m", program, "real"] for program in PROGRAMS], out)
    found: dict[str, Any] = {}
    for number in range(len(PROGRAMS)):
        found |= observations((out / f"{number}.out").read_text())
    return found


def report(result: Comparison) -> str:
    """The comparison for a person."""
    lines = [f"{len(result.same)} observations are identical, {len(result.explained)} differ as explained"]
    for one in result.different:
        lines += [f"NOT EXPLAINED {one.seen}", f"  simulated {_short(one.simulated, 1000)}"]
        lines += [f"  real      {_short(one.real, 1000)}"]
    lines += [f"EXPLAINED BUT SAME {name}" for name in result.stale]
    return "\n".join(lines)


def table(result: Comparison) -> str:
    """The explained differences as a table in Markdown."""
    rows = ["| observation | simulated | real | why |", "|---|---|---|---|"]
    for one in result.explained:
        cells = (one.seen, f"`{_short(one.simulated)}`", f"`{_short(one.real)}`", one.why)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def _short(value: object, longest: int = SHOWN) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def main() -> int:
    """Run both worlds and print how they compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="also print the table for the documentation")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wl-vm-") as name:
        try:
            real = run_real(Path(name))
        except vm_machine.MachineError as error:
            sys.stderr.write(f"{error}\n")
            return 2
    result = compare(run_simulated(), real, explanations())
    sys.stdout.write(report(result) + "\n")
    if args.table:
        sys.stdout.write(table(result) + "\n")
    return 0 if result.good else 1


if __name__ == "__main__":
    raise SystemExit(main())
