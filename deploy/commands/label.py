"""``wardlink label``: printable labels with the right barcodes, as PNG at 300 dpi or PDF in real size."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import TypeAdapter, ValidationError

from clinical.errors import BadInputError
from server.prints.labels import (
    Badge,
    BagLabel,
    BedLabel,
    DeviceLabel,
    DrugPackage,
    LabelContent,
    NodeLabel,
    TubeLabel,
    Wristband,
    describe,
    render,
)

KINDS: dict[str, type[LabelContent]] = {
    "wristband": Wristband,
    "bag": BagLabel,
    "tube": TubeLabel,
    "bed": BedLabel,
    "node": NodeLabel,
    "device": DeviceLabel,
    "badge": Badge,
    "drug": DrugPackage,
}
_HELP = {
    "birth_date": "YYYY-MM-DD",
    "expiry": "YYYY-MM-DD",
    "sex": "male, female, other or unknown",
    "planned_at": "YYYY-MM-DDTHH:MM, in the ward's zone unless it says another",
    "collect_at": "as --planned-at",
    "beyond_use": "as --planned-at",
    "printed_at": "as --planned-at; now when left out",
    "rate_ml_h": "mL/h",
    "drops_per_ml": "drip factor of the giving set, gtt/mL",
    "uid": "as the bedside node reports it, such as ble:c0-00-00-00-01-01",
    "route": "HL70162 code: PO, IV, IVPB, …",
}
_MOMENTS = {"planned_at", "collect_at", "beyond_use", "printed_at"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-command for each kind of label; its options are the label's fields."""
    kinds = parser.add_subparsers(dest="label_kind", metavar="KIND", required=True)
    for name, content in KINDS.items():
        about = (content.__doc__ or "").splitlines()[0]
        kind = kinds.add_parser(name, help=about, description=about, allow_abbrev=False)
        for field in dataclasses.fields(content):
            _add_field(kind, field)
        kind.add_argument(
            "--fields", type=Path, metavar="FILE", help="a JSON object of fields; - reads stdin"
        )
        kind.add_argument("--out", type=Path, required=True, metavar="FILE", help="ends in .png or .pdf")
        kind.add_argument("--lang", choices=["zh", "en"], default="zh")
        kind.add_argument("--zone", default="Asia/Shanghai")
        kind.add_argument("--json", action="store_true", help="say what was printed as one JSON document")


def _add_field(parser: argparse.ArgumentParser, field: dataclasses.Field[Any]) -> None:
    flag = "--" + field.name.replace("_", "-")
    if field.name == "lines":
        parser.add_argument(
            "--line", action="append", dest="lines", metavar="DRUG=AMOUNT UNIT",
            help="one drug, for example 'Ceftriaxone 1 g=2 g'; repeat for each",
        )  # fmt: skip
    elif field.type == "bool":
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=None)
    else:
        parser.add_argument(flag, metavar="TEXT", help=_HELP.get(field.name))


def run(args: argparse.Namespace) -> int:
    """Make one label."""
    if args.out.suffix.lower() not in {".png", ".pdf"}:
        raise BadInputError("label-file", "--out must end in .png or .pdf")
    zone = _zone(args.zone)
    canvas = render(_content(args, zone), language=args.lang, zone=zone)
    data = canvas.png() if args.out.suffix.lower() == ".png" else canvas.pdf()
    try:
        args.out.write_bytes(data)
    except OSError as error:
        raise BadInputError("label-file", f"cannot write {args.out.name}: {error.strerror}") from error
    facts = {
        "file": str(args.out), "kind": args.label_kind, "width_mm": canvas.width, "height_mm": canvas.height,
        "dpi": 300, "codes": describe(canvas),
    }  # fmt: skip
    if args.json:
        print(json.dumps(facts, ensure_ascii=False))
    else:
        size = f"{canvas.width:g} × {canvas.height:g} mm"
        print(f"{args.out}: {args.label_kind}, {size}, {facts['codes'][0]['text']}")
    return 0


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadInputError("zone", f"{name} is not a time zone; write it as Asia/Shanghai") from error


def _content(args: argparse.Namespace, zone: ZoneInfo) -> LabelContent:
    kind = KINDS[args.label_kind]
    names = {field.name for field in dataclasses.fields(kind)}
    given = _from_file(args.fields, names) if args.fields else {}
    given |= {name: value for name in names if (value := getattr(args, name, None)) is not None}
    if "printed_at" in names:
        given.setdefault("printed_at", datetime.now(UTC))
    if isinstance(given.get("lines"), list):
        given["lines"] = [_line(line) if isinstance(line, str) else line for line in given["lines"]]
    try:
        content: LabelContent = TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = "-".join(str(part) for part in first["loc"]).replace("_", "-")
        raise BadInputError("label-field", f"--{field}: {first['msg']}") from error
    return _with_zone(content, zone)


def _with_zone(content: LabelContent, zone: ZoneInfo) -> LabelContent:
    """Read times without an offset as ward times."""
    naive = {
        field.name: value.replace(tzinfo=zone)
        for field in dataclasses.fields(content)
        if field.name in _MOMENTS
        and (value := getattr(content, field.name)) is not None
        and value.tzinfo is None
    }
    return dataclasses.replace(content, **naive)


def _from_file(path: Path, names: set[str]) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
        document = json.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadInputError("label-fields", f"the fields cannot be read as JSON: {error}") from error
    if not isinstance(document, dict) or (unknown := set(document) - names):
        which = f" (unknown: {', '.join(sorted(unknown))})" if isinstance(document, dict) else ""
        raise BadInputError("label-fields", f"the fields must be one JSON object of this label{which}")
    return document


def _line(text: str) -> dict[str, str]:
    name, _, dose = text.rpartition("=")
    amount, _, unit = dose.strip().partition(" ")
    if not name or not amount or not unit:
        raise BadInputError("label-line", "write each drug as NAME=AMOUNT UNIT, for example 'KCl 10 %=10 mL'")
    return {"text": name.strip(), "amount": amount, "unit": unit.strip()}
