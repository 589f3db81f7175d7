"""The envelope between handheld and server keeps its words."""

from __future__ import annotations

from typing import get_args

import pytest

from clinical import exchange
from clinical.errors import BadInputError, WardlinkError

pytestmark = [pytest.mark.requirement("R-CLIN-32"), pytest.mark.hazard("H-CLIN-08")]


def test_every_event_says_its_type_and_no_two_share_one():
    types = [kind.__dataclass_fields__["type"].default for kind in get_args(exchange.Event)]
    assert len(set(types)) == len(types)
    assert all(issubclass(kind, exchange.EventBase) for kind in get_args(exchange.Event))


def test_an_error_carries_code_sentence_and_parameters():
    error = BadInputError("some-code", "say what to do", limit=3)
    assert isinstance(error, WardlinkError)
    assert (error.code, error.message, error.params, str(error)) == (
        "some-code", "say what to do", {"limit": 3}, "say what to do",
    )  # fmt: skip
