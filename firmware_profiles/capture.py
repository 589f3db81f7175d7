"""Real bytes, recorded at a bedside, written down as vectors of a profile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from firmware_profiles.decode import Decoded, DecodedValue, decode
from firmware_profiles.plan import Profile
from firmware_profiles.reading import NO_CONTEXT, Context


def vectors_toml(
    profile: Profile, frames: Iterable[tuple[str, bytes]], source: str, context: Context = NO_CONTEXT
) -> Iterator[str]:
    """Yield one ``[[test]]`` block per different frame, with what the profile reads in it today.

    A person must compare each with the device's own display before it becomes part of a profile.

    Args:
        profile: The device model.
        frames: Stream id and bytes as they came.
        source: Where and when they were recorded; no patient data.
        context: Address and key, for sealed adverts.
    """
    seen: set[tuple[str, bytes]] = set()
    for stream, data in frames:
        if (stream, data) in seen:
            continue
        seen.add((stream, data))
        yield _block(profile, stream, data, source, decode(profile, stream, data, context), context)


def _block(
    profile: Profile, stream: str, data: bytes, source: str, decoded: Decoded, context: Context
) -> str:
    rule = profile.plan(stream).rule
    is_line = rule.line is not None and rule.framing is None
    given = f"text = {_quoted(data.decode('utf-8', 'replace'))}" if is_line else f'hex = "{data.hex(" ")}"'
    said = f"expect = {_table(decoded.values)}" if decoded.accepted else f'reject = "{decoded.reject}"'
    address = [f'mac = "{context.mac}"'] if context.key else []
    lines = [
        "[[test]]", f'stream = "{stream}"', given, *address, said, f"source = {_quoted(source)}",
        'origin = "captured"',
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _table(values: Mapping[str, DecodedValue]) -> str:
    parts = [f"{name} = {_value(one)}" for name, one in values.items() if not isinstance(one.value, tuple)]
    return "{ " + ", ".join(parts) + " }"


def _value(one: DecodedValue) -> str:
    parts = [] if one.value is None else [f"value = {_scalar(one.value)}"]
    parts += [f"unit = {_quoted(one.unit)}", f'validity = "{one.validity.value}"']
    return "{ " + ", ".join(parts) + " }"


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value) if isinstance(value, int) else _quoted(str(value))


def _quoted(text: str) -> str:
    escaped = "".join(
        char if char.isprintable() and char not in '"\\' else f"\\u{ord(char):04X}" for char in text
    )
    return f'"{escaped}"'
