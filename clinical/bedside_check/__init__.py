"""The bedside check, ruleset bc-1: one pure function on handheld and server."""

from clinical.bedside_check.engine import check
from clinical.bedside_check.snapshot import Snapshot

__all__ = ["Snapshot", "check"]
