"""A stand-in for the hospital: takes messages over MLLP, keeps them, answers them.

It is a tool for trying a connection out and for the demo ward. Each message becomes a file, written and
renamed so that a reader never sees half of one, before it is answered.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from server.his import answers
from server.his.answers import Answers, guessed_header, header_of
from server.his.message import parse
from server.his.reading import Site
from server.his.refusal import TOO_LONG, RefusedMessageError

_DRILLS = {
    "AE": RefusedMessageError("drill", "Refused on purpose (AE).", hl7_code=204),
    "AR": RefusedMessageError("drill", "Rejected on purpose (AR).", hl7_code=200, reject=True),
}


@dataclass(slots=True)
class StandIn:
    """Keeps and answers messages; ``answer`` AE or AR refuses every one, to try out what happens then."""

    store: Path | None = None
    answer: str = "AA"
    heard: Callable[[dict[str, Any]], None] | None = None
    site: Site = field(default_factory=Site)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def handle(self, raw: bytes, peer: str, too_long: bool = False) -> tuple[bytes, ...]:
        """Keep one message and answer it."""
        number, now = next(self._numbers), datetime.now(UTC)
        refusal = _DRILLS.get(self.answer)
        kind, control_id, header = "unreadable", "", guessed_header(raw)
        try:
            message = parse(raw, default_charset=self.site.default_charset)
            kind, control_id, header = "^".join(message.type), message.control_id, header_of(message)
        except RefusedMessageError as error:
            refusal = error
        if too_long:
            refusal = TOO_LONG
        file = self._keep(raw, number, now)
        if self.heard is not None:
            self.heard({
                "n": number, "received": now.isoformat(), "peer": peer, "type": kind,
                "control_id": control_id, "bytes": len(raw), "cut": too_long, "file": file,
                "answer": answers.verdict_of(refusal).value,
            })  # fmt: skip
        writer = Answers(application="STAND-IN", facility="HOSPITAL", site=self.site)
        return writer.frames(header, refusal, now=now, new_id=f"S{now:%y%m%d%H%M%S}{number:06d}"[:20])

    def _keep(self, raw: bytes, number: int, now: datetime) -> str:
        if self.store is None:
            return ""
        self.store.mkdir(parents=True, exist_ok=True)
        path = self.store / f"{now:%Y%m%dT%H%M%S%f}-{number:06d}.hl7"
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        return path.name
