"""Mosquitto's access rules, made from the topics: nine lines serve any number of nodes.

``%u`` is the certificate's common name, which is also the node id. Mosquitto checks an ACL file's read
rights when it *delivers*, not when it is asked to subscribe: a foreign subscription is granted and stays
silent. Tests therefore look at what arrives.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from broker.topics import ROOT, Down, Up, check_node_id

SERVER_USER = "wardlink-server"
"""Common name of the ward server's own certificate: reads every node's ``up``, writes every ``down``."""


def server_user(share: str = "") -> str:
    """Return the common name of a server that owns a share of the wards; of the only server without one.

    Raises:
        BadInputError: The share's name cannot stand in a certificate.
    """
    return check_node_id(f"{SERVER_USER}-{share}") if share else SERVER_USER


def is_server(name: str) -> bool:
    """Whether a name is kept for servers."""
    return name == SERVER_USER or name.startswith(f"{SERVER_USER}-")


def _node_rules() -> list[str]:
    return [
        *(f"pattern write {ROOT}/%u/up/{kind.value}" for kind in Up),
        f"pattern write {ROOT}/%u/status",
        *(f"pattern read {ROOT}/%u/down/{kind.value}" for kind in Down),
    ]


def _server_rules(share: str) -> list[str]:
    return [
        f"user {server_user(share)}",
        *(f"topic read {ROOT}/+/up/{kind.value}" for kind in Up),
        f"topic read {ROOT}/+/status",
        *(f"topic write {ROOT}/+/down/{kind.value}" for kind in Down),
    ]


def text(*, denied: Iterable[str] = (), shares: Iterable[str] = ()) -> str:
    """Return the ACL file.

    Args:
        shares: Shares of the wards that have a server of their own, with a certificate of its own.
        denied: Revoked nodes. A revocation list refuses new connections only; these lines also silence
            a session that is still open, as soon as the broker has reloaded.

    Raises:
        BadInputError: A denied name is not a node id.
    """
    lines = [
        "# Written by wardlink from broker/topics.py; do not edit.",
        "# Each node: writes its own up and status, reads its own down. %u = certificate CN = node id.",
        *_node_rules(),
        "",
        "# The ward servers.",
        *(rule for share in ("", *sorted(set(shares))) for rule in _server_rules(share)),
    ]
    for name in sorted(set(denied)):
        lines += ["", f"user {check_node_id(name)}", "topic deny #"]
    return "\n".join(lines) + "\n"


def write(path: Path, *, denied: Iterable[str] = (), shares: Iterable[str] = ()) -> None:
    """Write the ACL file in one step, so that a reloading broker never reads half of it."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(text(denied=denied, shares=shares), encoding="utf-8")
    partial.chmod(0o600)
    partial.replace(path)
