"""msgspec 0.22 frees the pattern of ``str with a pattern | list`` as if it were a type: none may be that."""

from __future__ import annotations

import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from firmware_profiles import schema

CONTAINERS = {list, dict, tuple, set, frozenset}


def unions(annotation: Any) -> Iterator[Any]:
    """Every union in an annotation, however deep."""
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        yield annotation
    for inner in typing.get_args(annotation):
        if not isinstance(inner, msgspec.Meta):
            yield from unions(inner)


def has_pattern(annotation: Any) -> bool:
    return any(
        isinstance(item, msgspec.Meta) and item.pattern is not None for item in typing.get_args(annotation)
    )


def is_dangerous(union: Any) -> bool:
    members = typing.get_args(union)
    return any(map(has_pattern, members)) and any(typing.get_origin(one) in CONTAINERS for one in members)


def tables() -> Iterator[type[msgspec.Struct]]:
    for item in vars(schema).values():
        if isinstance(item, type) and issubclass(item, schema.Part):
            yield item


def test_the_search_finds_what_it_looks_for() -> None:
    bad = typing.Annotated[str, msgspec.Meta(pattern="^a")] | list[str]
    assert any(map(is_dangerous, unions(dict[str, bad])))  # type: ignore[valid-type]


@pytest.mark.parametrize("table", list(tables()), ids=lambda table: table.__name__)
def test_no_type_of_the_profile_language_can_crash_the_interpreter(table: type[msgspec.Struct]) -> None:
    for name, annotation in typing.get_type_hints(table, include_extras=True).items():
        assert not any(map(is_dangerous, unions(annotation))), name


@pytest.mark.slow
def test_twenty_programs_that_load_every_profile_end_well() -> None:
    script = "from firmware_profiles import registry; import gc; registry.load(); gc.collect()"
    for _ in range(20):
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            check=False,
            env={"PYTHONMALLOC": "debug"},  # freed memory is overwritten: a wrong free cannot pass unseen
        )
        assert done.returncode == 0, done.stderr.decode()[-500:]
