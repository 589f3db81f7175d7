"""One running handheld on a fake server, as a decorator for scenarios."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.handheld import FakeServer, Rig, handheld

Scenario = Callable[[Rig], Awaitable[None]]


@pytest.fixture
def signed_in(tmp_path: Path) -> Callable[..., None]:
    """Run a scenario on a handheld where nurse N20713 is signed in and the ward's facts are there."""

    def play(scenario: Scenario, server: FakeServer | None = None) -> None:
        async def main() -> None:
            async with asyncio.timeout(60), handheld(tmp_path, server) as rig:
                await rig.sign_in()
                await rig.synced()
                await scenario(rig)

        asyncio.run(main())

    return play
