"""Writes a site policy as a TOML document that explains every value.

The hospital edits this file; what it leaves out keeps its default.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from clinical.policy_notes import NOTES

if TYPE_CHECKING:
    from clinical.policy import SitePolicy

_HEAD = """\
# Site policy of the bedside check, ruleset bc-1.
#
# Written by `wardlink check --policy`. A hospital copies this file, gives it a version of its own and changes
# what it has decided; a setting that is left out keeps the value shown here. `wardlink check --schema` prints
# the JSON Schema of this document under "policy". A policy that would weaken a STOP nobody may override is
# refused when it is loaded. Values marked as proposals must be signed by the hospital before clinical use.

"""


def toml(policy: SitePolicy) -> str:
    """Return the policy as TOML with a comment on every setting; it is read back equal."""
    return _HEAD + "\n".join(_table("", policy.to_dict())) + "\n"


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and _is_table(value[0])


def _table(path: str, table: Mapping[str, Any]) -> Iterator[str]:
    """Yield the plain settings of a table first, then its tables: TOML has no other order."""
    plain = {name: value for name, value in table.items() if not _is_table(value) and not _is_tables(value)}
    for name, value in plain.items():
        yield from _comment(_join(path, name))
        yield f"{_key(name)} = {_value(value)}"
    for name, value in table.items():
        if name in plain:
            continue
        inner = _join(path, name)
        if _is_table(value):
            yield from ("", *_comment(inner), f"[{_header(inner)}]", *_table(inner, value))
        else:
            yield from ("", *_comment(inner))
            for item in value:
                yield from (f"[[{_header(inner)}]]", *_table(f"{inner}[]", item))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _header(path: str) -> str:
    return ".".join(_key(part) for part in path.split("."))


def _key(name: str) -> str:
    bare = name.replace("-", "").replace("_", "").isalnum() and name.isascii()
    return name if bare else json.dumps(name)


def _comment(path: str) -> tuple[str, ...]:
    note = NOTES.get(path)
    return (f"# {note}",) if note else ()


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
