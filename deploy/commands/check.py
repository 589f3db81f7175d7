"""``wardlink check``: the bedside check on a case file or on stdin; ``--schema`` prints its JSON Schemas.

``--policy`` prints the default site policy as the TOML file that a hospital edits. ``--acts`` judges acts
that were reported as done instead (:mod:`deploy.commands.acts`).

A case is ``{"request": CheckRequest, "snapshot": Facts, "policy": {…}?, "snapshot_version": …?,
"fetched_at": …?, "sightings": […]?, "used_packs": […]?}``; the facts count as fetched at the request's time
when nothing else is said. Sightings are wristbands read lately on other handhelds; used packs are what was
given out of packs with a number of their own.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from clinical import plain_schema, policy_text
from clinical.bedside_check import Snapshot, check
from clinical.bedside_check.model import CheckRequest, CheckResult
from clinical.bedside_check.snapshot import PackUse, Sighting
from clinical.commit import Commit
from clinical.errors import BadInputError
from clinical.policy import SitePolicy
from clinical.records import Facts
from deploy.commands import _stdio, acts


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question with everything that is known."""

    request: CheckRequest
    snapshot: Facts
    policy: dict[str, Any] = {}
    snapshot_version: str = "case"
    fetched_at: datetime | None = None
    sightings: tuple[Sighting, ...] = ()
    used_packs: tuple[PackUse, ...] = ()


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("case", nargs="?", type=Path, metavar="CASE.json", help="a file with one case")
    what.add_argument("--stdin", action="store_true", help="read a JSON array of cases")
    what.add_argument(
        "--schema", action="store_true", help="print the JSON Schemas of case, result and policy"
    )
    what.add_argument("--policy", action="store_true", help="print the default site policy as TOML")
    parser.add_argument(
        "--acts", action="store_true", help="the case holds acts reported as done; print what becomes of each"
    )


def run(args: argparse.Namespace) -> int:
    """Print one JSON document; a STOP is an answer, a case that cannot be read is an error."""
    if args.schema:
        _stdio.write(schemas())
        return 0
    if args.policy:
        sys.stdout.write(policy_text.toml(SitePolicy.default()))
        return 0
    judged = _judged if args.acts else evaluate
    if args.stdin:
        _stdio.write([_answer(item, judged) for item in _stdio.read_items()])
        return 0
    answer = _answer(_file(args.case), judged)
    _stdio.write(answer)
    return 1 if "error" in answer else 0


def schemas() -> dict[str, Any]:
    """Return the JSON Schemas of a case, a request, the facts, a result, acts and a site policy."""
    kinds = {
        "case": Case, "request": CheckRequest, "snapshot": Facts, "result": CheckResult,
        "acts": acts.Acts, "commit": Commit,
    }  # fmt: skip
    found, components = msgspec.json.schema_components(kinds.values(), ref_template="#/$defs/{name}")
    named = dict(zip(kinds, found, strict=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "properties": named | {"policy": plain_schema.schema(SitePolicy)},
        "$defs": components,
    }


def _file(path: Path) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise BadInputError("case-file", "the case file cannot be read") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInputError("case-json", "the case file must hold one JSON object in UTF-8") from error


def _answer(item: Any, judged: Callable[[Any], Any]) -> dict[str, Any]:
    try:
        result = judged(item)
    except BadInputError as error:
        return {"error": {"code": error.code, "message": error.message}}
    plain = msgspec.to_builtins(result)
    assert isinstance(plain, dict)  # noqa: S101 - a dataclass becomes a dict
    return plain


def _judged(item: Any) -> dict[str, list[Commit]]:
    reported = acts.parse(item)
    _demand_zones((reported.snapshot, tuple(one.act for one in reported.acts)))
    _demand_zones(tuple(one.request for one in reported.acts))
    return {"acts": acts.judge(reported)}


def evaluate(item: Any) -> CheckResult:
    """Judge one case given as plain JSON data.

    Raises:
        BadInputError: It is not a case, or a time lacks its zone, or the policy is refused.
    """
    try:
        case = msgspec.convert(item, Case, strict=True, str_keys=True)
    except msgspec.ValidationError as error:
        raise BadInputError("case-shape", f"not a case: {error}") from error
    _demand_zones((case.request, case.snapshot, case.fetched_at, case.sightings))
    policy = SitePolicy.from_dict(case.policy) if case.policy else SitePolicy.default()
    snapshot = Snapshot.of(
        case.snapshot, version=case.snapshot_version, fetched_at=case.fetched_at or case.request.now,
        sightings=case.sightings, used_packs=case.used_packs,
    )  # fmt: skip
    return check(case.request, snapshot, policy)


def _demand_zones(value: Any) -> None:
    """Refuse a time without its zone anywhere in the case: nobody can say when it was."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise BadInputError("time-without-zone", "every time needs its offset from UTC, for example Z")
    elif dataclasses.is_dataclass(value):
        for item in dataclasses.fields(value):
            _demand_zones(getattr(value, item.name))
    elif isinstance(value, tuple):
        for part in value:
            _demand_zones(part)
