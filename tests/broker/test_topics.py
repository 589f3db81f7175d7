from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker import topics
from broker.topics import Down, Up
from clinical.errors import BadInputError

nodes = st.from_regex(topics.NODE_ID, fullmatch=True)


@settings(deadline=None)
@given(nodes, st.sampled_from(Up), st.sampled_from(Down))
def test_every_topic_is_read_back(node: str, up: Up, down: Down) -> None:
    assert topics.parse(topics.up(node, up)) == (node, "up", up)
    assert topics.parse(topics.down(node, down)) == (node, "down", down)
    assert topics.parse(topics.status(node)) == (node, "status", "")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "wardlink/v1/node-a",
        "wardlink/v1/node-a/up/x",
        "wardlink/v1/node-a/down/x",
        "wardlink/v2/node-a/status",
        "wardlink/v1/NODE/status",
        "wardlink/v1/node-a/status/x",
    ],
)
def test_other_topics_are_refused(topic: str) -> None:
    with pytest.raises(BadInputError):
        topics.parse(topic)


@pytest.mark.parametrize("node", ["", "a", "ab", "-ab", "ab-", "A-b", "a/b", "a+b", "a#b", "a" * 49])
def test_a_name_that_could_break_a_topic_is_no_node_id(node: str) -> None:
    with pytest.raises(BadInputError):
        topics.up(node, Up.READINGS)
