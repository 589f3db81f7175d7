"""The contract as a document, generated from the types: AsyncAPI 3.0 in ``docs/asyncapi.yaml``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from broker import messages, topics
from broker.topics import Down, Up

UP_MESSAGES: Mapping[Up, type[messages.Message]] = {
    Up.READINGS: messages.Readings,
    Up.WAVES: messages.Wave,
    Up.EVENTS: messages.Event,
    Up.ALARMS: messages.AlarmMessage,
    Up.BACKFILL: messages.Backfill,
    Up.REPLIES: messages.Reply,
}
DOWN_MESSAGES: Mapping[Down, type[messages.Message]] = {
    Down.CONFIG: messages.Config,
    Down.TARGETS: messages.Targets,
    Down.COMMANDS: messages.Command,
    Down.ACKS: messages.Acks,
}
RETAINED = frozenset(("status", Down.CONFIG.value, Down.TARGETS.value))

INFO = (
    "Bedside nodes and the ward server. QoS 1, MQTT 5, TLS with client certificates. A node's certificate"
    " name is its MQTT user name, client id and the {node} of its topics. PUBACK is transport only: a node"
    " deletes a record when down/acks says that the server has committed it. No message holds patient data."
)


def _channels() -> Iterator[tuple[str, str, type[messages.Message], bool]]:
    """Yield address, name, message and whether nodes send it."""
    for up_kind, kind in UP_MESSAGES.items():
        yield f"{topics.ROOT}/{{node}}/up/{up_kind.value}", up_kind.value, kind, True
    yield f"{topics.ROOT}/{{node}}/status", "status", messages.Status, True
    for down_kind, kind in DOWN_MESSAGES.items():
        yield f"{topics.ROOT}/{{node}}/down/{down_kind.value}", down_kind.value, kind, False


def _channel(address: str, kind: type[messages.Message], *, retained: bool) -> dict[str, Any]:
    return {
        "address": address,
        "messages": {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"}},
        "parameters": {"node": {"description": "node id: 3 to 48 lower-case letters, digits, inner dashes"}},
        "bindings": {"mqtt": {"bindingVersion": "0.2.0"}},
        "x-retained": retained,
    }


def _operation(name: str, *, from_node: bool) -> dict[str, Any]:
    return {
        "action": "send" if from_node else "receive",
        "channel": {"$ref": f"#/channels/{name}"},
        "bindings": {"mqtt": {"qos": 1, "retain": name in RETAINED, "bindingVersion": "0.2.0"}},
    }


def _message(kind: type[messages.Message]) -> dict[str, Any]:
    packed = kind is messages.Wave
    return {
        "name": kind.__name__,
        "summary": (kind.__doc__ or "").strip().splitlines()[0],
        "contentType": "application/vnd.msgpack" if packed else "application/json",
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
    }


def document() -> dict[str, Any]:
    """Return the whole document; operations are seen from the node."""
    rows = list(_channels())
    kinds = [kind for _, _, kind, _ in rows]
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Wardlink broker contract", "version": "1", "description": INFO},
        "defaultContentType": "application/json",
        "channels": {
            name: _channel(address, kind, retained=name in RETAINED) for address, name, kind, _ in rows
        },
        "operations": {name: _operation(name, from_node=from_node) for _, name, _, from_node in rows},
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in kinds},
            "schemas": dict(sorted(schemas.items())),
        },
    }


def _yaml(value: Any, indent: int) -> Iterator[str]:
    """Write block YAML whose scalars are JSON: any YAML reader takes it, and diffs stay small."""
    pad = "  " * indent
    if isinstance(value, dict) and value:
        for key, item in value.items():
            if isinstance(item, dict | list) and item:
                yield f"{pad}{json.dumps(key)}:"
                yield from _yaml(item, indent + 1)
            else:
                yield f"{pad}{json.dumps(key)}: {json.dumps(item, ensure_ascii=False)}"
    else:
        for item in value:
            if isinstance(item, dict | list) and item:
                lines = list(_yaml(item, indent + 1))
                yield f"{pad}- {lines[0].lstrip()}"
                yield from lines[1:]
            else:
                yield f"{pad}- {json.dumps(item, ensure_ascii=False)}"


def text() -> str:
    """Return ``docs/asyncapi.yaml``."""
    head = "# Generated from broker/messages.py by: wardlink broker asyncapi\n"
    return head + "\n".join(_yaml(document(), 0)) + "\n"
