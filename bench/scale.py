"""The tables of ``docs/scale.md`` out of what ``wardlink bench path --json`` prints.

::

    wardlink bench path --knee --store postgresql --json > path.json
    python -m bench.scale path.json [more.json …]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

GROUP_BEDS = 10_000
PARTS = ("broker", "server", "store")
_HEAD = (
    "| store | client | beds | messages/s | CPU s per million messages: broker | server | store "
    "| MiB: broker | server | store | bed to screen ms p50 | p99 | lost | doubled |"
)
_GROUP_HEAD = f"| store | measured at | cores for {GROUP_BEDS:,} beds: broker | server | store |"


def tables(documents: Iterable[dict[str, Any]]) -> str:
    """Return both tables as Markdown: what was measured, and what a group costs at the unit costs of it."""
    runs = [
        one
        for document in documents
        for one in document["results"]
        if one["id"] != "knee" and not one["naive"]
    ]
    measured = [_HEAD, "|---" * _HEAD.count(" |") + "|", *(_measured(one) for one in runs)]
    group = [_GROUP_HEAD, "|---" * _GROUP_HEAD.count(" |") + "|", *(_of_group(one) for one in runs)]
    return "\n".join([*measured, "", *group, ""])


def _measured(one: dict[str, Any]) -> str:
    cost, memory, delay = one["cpu_s_per_million_messages"], one["memory_mib"], one["bed_to_screen_ms"]
    cells = [
        one["store"], one["reader"], one["beds"], one["messages_per_s"], *(cost[part] for part in PARTS),
        *(memory[part] for part in PARTS), delay["p50"], delay["p99"], one["lost"], one["duplicates"],
    ]  # fmt: skip
    return _row(cells)


def _of_group(one: dict[str, Any]) -> str:
    cost = one["cpu_s_per_million_messages"]
    rate = GROUP_BEDS * one["messages_per_s"] / one["beds"]
    cores = [round(cost[part] * rate / 1e6, 2) for part in PARTS]
    return _row([one["store"], f"{one['beds']} beds", *cores])


def _row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main(files: list[str]) -> int:
    """Print the tables."""
    sys.stdout.write(tables(json.loads(Path(file).read_text(encoding="utf-8")) for file in files))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
