"""What holds for every test."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Spare the collector what lives until the end: the tests themselves and what they import."""
    gc.collect()
    gc.freeze()
