from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from broker import acl, topics
from broker.local import LocalBroker
from broker.topics import Down, Up
from clinical.errors import BadInputError
from tests.support.mqtt_peer import Peer
from tests.support.pki import Pair, Pki


@pytest.mark.requirement("R-BRK-01")
def test_a_node_publishes_its_own_data_and_the_server_hears_it(
    local: LocalBroker, connect: Callable[..., Peer], pki: Pki, server_identity: Pair
) -> None:
    server = connect(local, server_identity)
    server.subscribe(f"{topics.ROOT}/+/up/#")
    node = connect(local, pki.client("node-a"))
    assert not node.publish(topics.up("node-a", Up.READINGS), b'{"v":1}').is_failure
    assert server.received.get(timeout=5) == ("wardlink/v1/node-a/up/readings", b'{"v":1}')


@pytest.mark.requirement("R-BRK-02")
@pytest.mark.hazard("H-DEV-01")
@pytest.mark.parametrize(
    "topic",
    [
        topics.up("node-b", Up.READINGS),
        topics.status("node-b"),
        topics.down("node-a", Down.ACKS),
        "wardlink/v1/node-a/up/invented",
        "elsewhere",
    ],
)
def test_publishing_anywhere_else_is_refused_with_a_reason(
    local: LocalBroker, connect: Callable[..., Peer], pki: Pki, topic: str
) -> None:
    code = connect(local, pki.client("node-a")).publish(topic)
    assert code.is_failure
    assert code.value >= 0x80


@pytest.mark.requirement("R-BRK-03")
@pytest.mark.hazard("H-DEV-01")
def test_what_the_server_tells_one_node_never_reaches_another(
    local: LocalBroker, connect: Callable[..., Peer], pki: Pki, server_identity: Pair
) -> None:
    server = connect(local, server_identity)
    node, curious = connect(local, pki.client("node-a")), connect(local, pki.client("node-b"))
    node.subscribe(f"{topics.ROOT}/node-a/down/#")
    for wanted in ("wardlink/v1/node-a/down/#", f"{topics.ROOT}/+/up/#", f"{topics.ROOT}/node-b/down/#", "#"):
        curious.subscribe(wanted)
    assert not server.publish(topics.down("node-a", Down.ACKS), b"secret").is_failure
    assert not server.publish(topics.down("node-b", Down.ACKS), b"yours").is_failure
    assert node.received.get(timeout=5) == ("wardlink/v1/node-a/down/acks", b"secret")
    assert curious.received.get(timeout=5) == ("wardlink/v1/node-b/down/acks", b"yours")
    assert all(payload != b"secret" for _, payload in list(curious.received.queue))


def test_a_denied_node_is_named_and_a_wrong_name_is_refused(tmp_path: Path) -> None:
    acl.write(tmp_path / "acl", denied=["node-b", "node-b"])
    text = (tmp_path / "acl").read_text()
    assert text.count("user node-b\ntopic deny #\n") == 1
    assert (tmp_path / "acl").stat().st_mode & 0o077 == 0
    with pytest.raises(BadInputError):
        acl.text(denied=["node/#"])


def test_a_server_of_a_share_of_the_wards_has_a_name_and_rules_of_its_own() -> None:
    both = acl.text(shares=["west", "east", "east"]).split("user wardlink-server")[1:]
    assert [rules.split("\n", 1)[0] for rules in both] == ["", "-east", "-west"]
    assert len({rules.split("\n", 1)[1].strip() for rules in both}) == 1
    assert all(acl.is_server(name) for name in ("wardlink-server", acl.server_user("east")))
    assert not acl.is_server("wardlink-servers")
    with pytest.raises(BadInputError):
        acl.server_user("#")


def test_the_rules_name_every_topic_of_the_contract() -> None:
    lines = set(acl.text().splitlines())
    for up in Up:
        assert {f"pattern write wardlink/v1/%u/up/{up}", f"topic read wardlink/v1/+/up/{up}"} <= lines
    for down in Down:
        assert {f"pattern read wardlink/v1/%u/down/{down}", f"topic write wardlink/v1/+/down/{down}"} <= lines
