# ruff: noqa: A005 - a command module is named after its command
"""``wardlink profile``: device profiles, listed, checked, tried and begun."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from clinical.errors import BadInputError, WardlinkError
from firmware_profiles import registry, scaffold, simulate, vectors
from firmware_profiles.decode import Context, Decoded, DecodedValue, decode
from firmware_profiles.framing import Framer
from firmware_profiles.load import load_file
from firmware_profiles.plan import Profile
from firmware_profiles.schema import json_schema


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the profiles that ship")
    listing.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    check = actions.add_parser("check", help="read profiles and run their vectors")
    check.add_argument("files", nargs="*", type=Path, metavar="FILE", help="none: all that ship")
    check.add_argument("--json", action="store_true", help="one JSON document instead of text")
    decoding = actions.add_parser("decode", help="bytes to values; answers with a JSON array")
    decoding.add_argument("profile", help="profile id, or a file")
    decoding.add_argument("stream", help="stream id")
    decoding.add_argument("frames", nargs="*", metavar="HEX", help="frames in hex, or lines of text")
    decoding.add_argument("--stdin", action="store_true", help="read a JSON array of frames instead")
    decoding.add_argument("--mac", default="", help="device address, for encrypted adverts")
    decoding.add_argument("--key", default="", help="bind key in hex, for encrypted adverts")
    simulating = actions.add_parser("simulate", help="print frames as this device would send them")
    simulating.add_argument("profile", help="profile id, or a file")
    simulating.add_argument("--stream", default="", help="stream id (the first that can be simulated)")
    simulating.add_argument("--count", type=int, default=10, help="how many frames (10)")
    simulating.add_argument("--every", type=float, default=0.0, help="seconds between them (0)")
    simulating.add_argument("--seed", type=int, default=1, help="the same seed gives the same frames (1)")
    new = actions.add_parser("new", help="begin a profile with one failing vector")
    new.add_argument("id", help="profile id, for example acme_ox200")
    new.add_argument("--kind", default="oximeter", help="kind of device (oximeter)")
    new.add_argument("--dir", type=Path, default=Path(), help="where to put the file (here)")
    capture = actions.add_parser("capture", help="record a real device's bytes as vectors of its profile")
    capture.add_argument("profile", help="profile id, or a file")
    capture.add_argument("--port", type=Path, help="serial port, for example /dev/ttyUSB0")
    capture.add_argument("--address", help="Bluetooth address, for example C0:00:00:00:01:01")
    capture.add_argument("--key-file", type=Path, help="bind key of a device that seals its adverts")
    capture.add_argument("--seconds", type=float, default=10.0, help="how long to listen (10)")
    capture.add_argument("--source", default="", help="who recorded it, where; never a patient")
    actions.add_parser("schema", help="print the JSON Schema of a profile")


def _profile(name: str) -> Profile:
    return load_file(Path(name)) if name.endswith(".toml") else registry.load().get(name)


def _described(profile: Profile) -> dict[str, Any]:
    device = profile.file.profile
    outside = vectors.outside(profile)
    return {
        "id": device.id,
        "vendor": device.vendor,
        "model": device.model,
        "kind": device.kind,
        "transport": device.transport,
        "trust": device.trust,
        "enabled": device.enabled,
        "counted": vectors.is_counted(profile),
        "vectors": len(profile.vectors),
        "outside": {"accept": outside.accept, "reject": outside.reject},
        "regulatory_use": device.regulatory_use,
        "aliases": device.aliases,
        "read_only": device.read_only,
        "note": device.note,
        "streams": [
            {"id": stream.id, "source": stream.source, "characteristic": stream.characteristic}
            for stream in profile.streams.values()
        ],
    }


def _list(args: argparse.Namespace) -> int:
    rows = [_described(profile) for profile in registry.load()]
    if args.json:
        print(json.dumps(rows, ensure_ascii=False))
        return 0
    for row in rows:
        state = "" if row["counted"] else "  (own)" if row["trust"] == "own" else "  (disabled)"
        print(
            f"{row['id']:<28}{row['kind']:<16}{row['trust']:<15}{row['vectors']:>3} vectors  "
            f"{row['model']}{state}"
        )
    counted = sum(row["counted"] for row in rows)
    print(f"{len(rows)} profiles, {counted} counted: enabled, with bytes to accept and reject from outside")
    return 0


def _check_one(path: Path | None, profile: Profile | None) -> dict[str, Any]:
    try:
        found = profile or load_file(path or Path())
    except WardlinkError as error:
        return {"file": str(path), "ok": False, "vectors": 0, "problems": [error.message]}
    problems = [str(failure) for failure in vectors.check(found)]
    return {"file": found.path, "ok": not problems, "vectors": len(found.vectors), "problems": problems}


def _check(args: argparse.Namespace) -> int:
    if args.files:
        results = [_check_one(path, None) for path in args.files]
    else:
        results = [_check_one(None, profile) for profile in registry.load()]
    if args.json:
        print(json.dumps(results, ensure_ascii=False))
    else:
        for result in results:
            print("\n".join(result["problems"]) or f"ok: {result['file']} ({result['vectors']} vectors)")
    return 0 if all(result["ok"] for result in results) else 1


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _shown(values: Mapping[str, DecodedValue]) -> dict[str, Any]:
    return {
        name: {"value": _plain(one.value), "unit": one.unit, "validity": one.validity.value}
        for name, one in values.items()
    }


def _answer(decoded: Decoded) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "accepted": decoded.accepted,
        "reject": decoded.reject or None,
        "values": _shown(decoded.values),
    }
    if len(decoded.records) > 1:
        answer["records"] = [_shown(record) for record in decoded.records]
    return answer


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise BadInputError("not-hex", "this stream takes frames as pairs of hex digits") from None


def _decode_one(profile: Profile, stream_id: str, item: Any, context: Context) -> dict[str, Any]:
    """Decode one item; a serial stream first has its frames found, as at the cable."""
    if not isinstance(item, str):
        return _answer(Decoded(accepted=False, reject="not-text"))
    stream = profile.plan(stream_id).rule
    if stream.line is not None and stream.framing is None:
        return _answer(decode(profile, stream_id, item.removesuffix(stream.line.end)))
    try:
        data = _bytes(item)
    except BadInputError as error:
        if stream.line is None:
            return _answer(Decoded(accepted=False, reject=error.code))
        data = item.encode("latin-1", "replace")
    whole = decode(profile, stream_id, data, context)
    if whole.accepted or stream.source != "serial":
        return _answer(whole)
    found = [decode(profile, stream_id, frame, context) for frame in Framer(profile, stream_id).feed(data)]
    good = [one for one in found if one.accepted]
    if not good:
        return _answer(whole)
    records = tuple(record for one in good for record in one.records)
    return _answer(Decoded(accepted=True, values=good[-1].values, records=records))


def _items(args: argparse.Namespace) -> Iterable[Any]:
    if not args.stdin:
        return list(args.frames)
    try:
        items = json.load(sys.stdin)
    except ValueError as error:
        raise BadInputError("stdin", f"standard input is not JSON: {error}") from error
    if not isinstance(items, list):
        raise BadInputError("stdin", "standard input must be a JSON array of hex or text")
    return items


def _decode(args: argparse.Namespace) -> int:
    profile = _profile(args.profile)
    profile.plan(args.stream)
    context = Context(mac=args.mac, key=_bytes(args.key))
    answers = [_decode_one(profile, args.stream, item, context) for item in _items(args)]
    print(json.dumps(answers, ensure_ascii=False))
    return 0


def _frames(args: argparse.Namespace, profile: Profile) -> Iterator[tuple[str, bytes]]:
    stream = args.stream or next(iter(profile.streams))
    for frame in simulate.frames(profile, stream, count=args.count, seed=args.seed):
        yield stream, frame


def _simulate(args: argparse.Namespace) -> int:
    profile = _profile(args.profile)
    for stream, frame in _frames(args, profile):
        rule = profile.plan(stream).rule
        is_text = rule.line is not None and rule.framing is None
        text = frame.decode() if is_text else frame.hex()
        print(json.dumps({"stream": stream, "frame": text, "generation": "Demo"}), flush=True)
        if args.every:
            time.sleep(args.every)
    return 0


def _new(args: argparse.Namespace) -> int:
    path = scaffold.write(args.dir, args.id, kind=args.kind)
    print(f"{path} begun. Fill it in, then: wardlink profile check {path}")
    return 0


def _capture(args: argparse.Namespace) -> int:
    from edge_node import capture
    from edge_node.adapters import kernel
    from edge_node.clock import NodeClock
    from edge_node.settings import BoundDevice, ble_uid
    from firmware_profiles.capture import vectors_toml

    if (args.port is None) == (args.address is None):
        raise BadInputError("capture", "say where: --port for a cable or --address for Bluetooth")
    profile = _profile(args.profile)
    stamp = NodeClock(time.time_ns, time.monotonic_ns, kernel.clock_synchronised).now
    context = Context()
    if args.port is not None:
        frames = asyncio.run(capture.serial(profile, args.port, stamp, args.seconds))
    else:
        try:
            device = BoundDevice(
                uid=ble_uid(args.address), profile=profile.id, address=args.address, key_file=args.key_file
            )
        except ValueError as error:
            raise BadInputError("capture", "this is no Bluetooth address") from error
        context = Context(mac=device.address, key=device.key())
        frames = asyncio.run(capture.bluetooth(profile, device, stamp, args.seconds))
    source = args.source or f"recorded {frames[0].stamp.utc:%Y-%m-%d}"
    for block in vectors_toml(profile, ((one.stream, one.data) for one in frames), source, context):
        print(block)
    return 0


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    match args.action:
        case "capture":
            return _capture(args)
        case "list":
            return _list(args)
        case "check":
            return _check(args)
        case "decode":
            return _decode(args)
        case "simulate":
            return _simulate(args)
        case "new":
            return _new(args)
        case _:
            print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
            return 0
