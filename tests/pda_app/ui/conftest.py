"""A real window for every test of this folder, offscreen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pda_app.kivy_environment import prepare

if TYPE_CHECKING:
    from tests.support.kivy_driver import Driver

os.environ.setdefault("SDL_VIDEODRIVER", "offscreen")
prepare()


@pytest.fixture(scope="session")
def driver() -> Iterator[Driver]:
    """The window of this process; Kivy has exactly one."""
    from pda_app.nurse.window import load_nurse
    from tests.support.kivy_driver import Driver

    load_nurse()
    one = Driver()
    yield one
    one.clear()
