"""What a headless demo ends with: one JSON document, honest about every reading."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The ledger of one run.

    ``readings_produced`` counts the readings that the nodes wrote to their outboxes, ``readings_stored``
    those the server has committed, ``lost`` what entered an outbox and is neither stored, nor declared
    evicted, nor still waiting on the node. ``administrations`` counts tasks with something given, not acts.
    ``bed_to_screen_ms`` is the age of a new value when it reaches a screen's connection.
    """

    readings_produced: int
    readings_stored: int
    lost: int
    duplicates_dropped: int
    orders: int
    administrations: int
    stops: int
    alarms: int
    bed_to_screen_ms: dict[str, float | None]
    ready_s: float
    run_s: float
    his_sent: int
    surprises: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was lost and the nurse saw what she expected."""
        return self.lost == 0 and not self.surprises

    def as_dict(self) -> dict[str, Any]:
        """The document."""
        return asdict(self) | {"surprises": list(self.surprises)}
