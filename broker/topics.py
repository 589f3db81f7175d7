"""The topics of ``wardlink/v1``: who may say what, where.

No place and no person in a topic: the server knows which bed a node serves, and since when. A node's
name is its certificate's CN, its MQTT user name and its client id, so one ACL pattern serves any
number of nodes (see :mod:`broker.acl`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from clinical.errors import BadInputError

ROOT = "wardlink/v1"
NODE_ID = re.compile(r"^[a-z0-9](?:[a-z0-9-]{1,46}[a-z0-9])$")


class Up(StrEnum):
    """What a node sends; every one but ``status`` carries the outbox envelope."""

    READINGS = "readings"
    WAVES = "waves"
    EVENTS = "events"
    ALARMS = "alarms"
    BACKFILL = "backfill"
    REPLIES = "replies"


class Down(StrEnum):
    """What a node is told."""

    CONFIG = "config"
    TARGETS = "targets"
    COMMANDS = "commands"
    ACKS = "acks"


def check_node_id(node: str) -> str:
    """Return ``node`` if it can stand in a topic and a certificate.

    Raises:
        BadInputError: Not 3-48 lower-case letters, digits and inner dashes.
    """
    if not NODE_ID.fullmatch(node):
        raise BadInputError("node-id", "a node id has 3 to 48 lower-case letters, digits and inner dashes")
    return node


def up(node: str, kind: Up) -> str:
    """Topic on which ``node`` publishes messages of ``kind``."""
    return f"{ROOT}/{check_node_id(node)}/up/{kind.value}"


def down(node: str, kind: Down) -> str:
    """Topic on which ``node`` is told things of ``kind``."""
    return f"{ROOT}/{check_node_id(node)}/down/{kind.value}"


def status(node: str) -> str:
    """Retained topic of the node's presence; its Last Will says ``offline``."""
    return f"{ROOT}/{check_node_id(node)}/status"


EVERY_NODE = (f"{ROOT}/+/up/+", f"{ROOT}/+/status")
"""What a server subscribes to that hears every node of its broker."""


def of_nodes(nodes: Iterable[str]) -> tuple[str, ...]:
    """What a server subscribes to that hears only these nodes: the ones of the wards it owns."""
    return tuple(topic for node in nodes for topic in (f"{ROOT}/{check_node_id(node)}/up/+", status(node)))


def parse(topic: str) -> tuple[str, str, str]:
    """Split a topic into node, direction (``up``, ``down``, ``status``) and kind.

    Raises:
        BadInputError: The topic is not one of this contract.
    """
    parts = topic.split("/")
    if len(parts) >= 4 and f"{parts[0]}/{parts[1]}" == ROOT and NODE_ID.fullmatch(parts[2]):
        match parts[3:]:
            case ["status"]:
                return parts[2], "status", ""
            case ["up", kind] if kind in set(Up):
                return parts[2], "up", kind
            case ["down", kind] if kind in set(Down):
                return parts[2], "down", kind
            case _:
                pass
    raise BadInputError("topic", "this topic is not part of the wardlink/v1 contract")
