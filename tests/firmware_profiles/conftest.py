"""Profiles made from a few lines of TOML, for tests of the language itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from firmware_profiles.load import parse
from firmware_profiles.plan import Profile

HEAD = """
schema = 1
[profile]
id = "t"
vendor = "Test"
model = "Test"
kind = "test"
transport = "{transport}"
trust = "own"
enabled = {enabled}
sources = ["this test"]
"""


@pytest.fixture
def make() -> Callable[..., Profile]:
    """Return a function that builds a profile with one advert stream ``s`` from its body."""

    def _make(
        body: str,
        *,
        source: str = "advert",
        allowed: str = "",
        transport: str = "ble-advert",
        enabled: bool = True,
    ) -> Profile:
        modes = {"advert": "service-data", "gatt": "notify"}
        mode = f'mode = "{modes[source]}"\n' if source in modes else ""
        head = allowed + HEAD.format(transport=transport, enabled=str(enabled).lower())
        return parse(f'{head}\n[[stream]]\nid = "s"\nsource = "{source}"\n{mode}{body}', path="t.toml")

    return _make
