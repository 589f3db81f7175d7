"""Bytes (or a line) to raw fields: lengths, conditions, checks. Nothing here knows a unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from firmware_profiles import encodings, hooks
from firmware_profiles.framing import RejectError, verify
from firmware_profiles.plan import FieldPlan, StreamPlan, Test

Raw = int | bytes | str | Decimal | tuple[int, ...] | None
Env = dict[str, Raw]

TEXT_TYPES = frozenset(("int", "decimal", "text", "hex"))
"""Types of a line's groups; all others are bytes."""

MAX_FRAME = 4096
"""A longer frame is refused unread, in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a decoder may need beside the bytes."""

    mac: str = ""
    key: bytes = b""


NO_CONTEXT = Context()


def environments(plan: StreamPlan, frame: bytes | str, context: Context) -> Iterator[Env]:
    """Yield the raw fields of every record in a frame, by name.

    Raises:
        RejectError: The bytes are not a frame of this stream.
    """
    if plan.pattern is not None:
        yield _line_env(plan, _text(plan, frame))
        return
    if isinstance(frame, str):
        raise RejectError("not-bytes")
    if len(frame) > MAX_FRAME:
        raise RejectError("length")
    stream = plan.rule
    if stream.decrypt is not None:
        frame = hooks.HOOKS[stream.decrypt](frame, context.mac, context.key)
    if stream.framing is not None:
        frame = verify(stream.framing, frame)
    if stream.unpack is not None:
        frame = hooks.UNPACKERS[stream.unpack](frame)
    for record in _records(plan, frame):
        yield _binary_env(plan, record)


def _records(plan: StreamPlan, frame: bytes) -> Iterator[bytes]:
    records = plan.rule.records
    if records is None:
        yield frame
        return
    if not frame:
        raise RejectError("short")
    start = 0
    while start < len(frame):
        at = start + (records.size_at or 0)
        if records.size is None and at >= len(frame):
            raise RejectError("short")
        size = records.size if records.size is not None else frame[at]
        if size < 1 or start + size > len(frame):
            raise RejectError("length")
        yield frame[start : start + size]
        start += size


def holds(tests: Iterable[Test], env: Env) -> bool:
    """Whether every condition holds; a field that is absent satisfies none."""
    for test in tests:
        raw = env.get(test.field)
        if raw is None:
            return False
        got = raw >> test.shift & test.mask if isinstance(raw, int) else str(raw)
        if (got == test.wanted) is not test.equal:
            return False
    return True


def _text(plan: StreamPlan, frame: bytes | str) -> str:
    """The text of a line; of a framed one, what stands before its checksum and end mark."""
    if plan.rule.framing is not None:
        data = frame.encode("latin-1", "replace") if isinstance(frame, str) else frame
        if len(data) > MAX_FRAME:
            raise RejectError("length")
        plain = verify(plan.rule.framing, data)
        return plain[: _end(plan, plain)].decode("latin-1")
    if isinstance(frame, str):
        return frame
    try:
        return frame.decode("utf-8")
    except UnicodeDecodeError:
        raise RejectError("not-text") from None


def _line_env(plan: StreamPlan, frame: str) -> Env:
    line = plan.rule.line
    assert line is not None  # noqa: S101 - a pattern comes from a line
    assert plan.pattern is not None  # noqa: S101
    if len(frame) > line.max_length:
        raise RejectError("length")
    match = plan.pattern.fullmatch(frame)
    if match is None:
        raise RejectError("pattern")
    if line.checksum is not None:
        _, function = encodings.CHECKSUMS[line.checksum]
        summed = (match[line.over] or "").encode("latin-1" if plan.rule.framing is not None else "utf-8")
        if function(summed) != _hex_word(match[line.at]):
            raise RejectError("checksum")
    env: Env = {}
    for field_plan in plan.fields:
        if holds(field_plan.tests, env):
            env[field_plan.rule.name] = _text_raw(field_plan, match[field_plan.rule.name])
    return env


def _hex_word(text: str | None) -> int:
    """A checksum as it is written in a line; -1, which no checksum is, for anything else."""
    try:
        return int(text or "", 16)
    except ValueError:
        return -1


def _text_raw(plan: FieldPlan, text: str | None) -> Raw:
    text = (text or "").strip()
    rule = plan.rule
    if not text or text == rule.absent:
        return None
    if rule.one_of and text not in rule.one_of:
        raise RejectError("value")
    if rule.lookup:
        if text not in rule.lookup:
            raise RejectError("value")
        return rule.lookup[text]
    if rule.type == "text":
        return text
    try:
        number: int | Decimal
        if rule.type == "decimal":
            number = Decimal(text)
            if not number.is_finite():
                raise RejectError("value")
        else:
            number = int(text, 16 if rule.type == "hex" else 10)
    except (ValueError, ArithmeticError):
        raise RejectError("value") from None
    _check_range(plan, number)
    return number


def _check_range(plan: FieldPlan, number: int | Decimal) -> None:
    rule = plan.rule
    too_low = rule.min is not None and number < rule.min
    too_high = rule.max is not None and number > rule.max
    if too_low or too_high:
        raise RejectError("value")


def _binary_env(plan: StreamPlan, data: bytes) -> Env:
    stream = plan.rule
    if stream.length is not None and len(data) != stream.length:
        raise RejectError("short" if len(data) < stream.length else "length")
    if stream.lengths and len(data) not in stream.lengths:
        raise RejectError("length")
    if stream.not_all_same and len(set(data)) <= 1:
        raise RejectError("empty")
    reader = _Reader(data, _end(plan, data))
    for field_plan in plan.fields:
        tagged = field_plan in plan.by_tag.values()
        if not tagged and holds(field_plan.tests, reader.env):
            reader.read(field_plan)
    if plan.by_tag:
        reader.read_tags(plan.by_tag)
    reader.finish(plan)
    return reader.env


def _end(plan: StreamPlan, data: bytes) -> int:
    """Where the fields end: before the frame's own checksum and end marks."""
    framing = plan.rule.framing
    if framing is None or plan.rule.unpack is not None:
        return len(data)
    reserved = len(bytes.fromhex(framing.end)) + framing.tail
    if framing.checksum is not None and framing.checksum.at < 0:
        reserved = max(reserved, -framing.checksum.at)
    return len(data) - reserved


def _utf8(data: bytes) -> str:
    try:
        return data.rstrip(b"\0").decode("utf-8").strip()
    except UnicodeDecodeError:
        raise RejectError("not-text") from None


class _Reader:
    """Reads the fields of one record in order."""

    def __init__(self, data: bytes, end: int) -> None:
        self.data = data
        self.end = end
        self.position = 0
        self.env: Env = {}

    def take(self, size: int) -> bytes:
        taken = self.data[self.position : self.position + size]
        if len(taken) < size or self.position + size > self.end:
            raise RejectError("short")
        self.position += size
        return taken

    def read(self, plan: FieldPlan) -> None:
        rule = plan.rule
        if rule.offset is not None:
            self.position = rule.offset
        if rule.type == "uint_rest":
            if self.end - self.position not in rule.sizes:
                raise RejectError("length")
            raw: Raw = word(self.take(self.end - self.position), plan.endian)
        elif rule.type == "utf8_rest":
            raw = _utf8(self.take(self.end - self.position))
        elif rule.type == "bytes_rest":
            raw = self.take(self.end - self.position)
        elif rule.repeat is not None:
            raw = self._repeated(plan)
        else:
            raw = self._one(plan)
        self.env[rule.name] = raw

    def _one(self, plan: FieldPlan) -> int | bytes:
        rule = plan.rule
        data = self.take(plan.size * (2 if plan.wide and holds(plan.wide, self.env) else 1))
        if rule.type in {"ascii", "bytes", "datetime7"}:
            return data
        number = _number(plan, data)
        if rule.reserved and number & rule.reserved:
            raise RejectError("reserved")
        if rule.one_of and number not in rule.one_of:
            raise RejectError("value")
        _check_range(plan, number)
        return number

    def _repeated(self, plan: FieldPlan) -> Raw:
        rule = plan.rule
        numbers: list[int] = []
        stride = rule.stride or plan.size
        while len(numbers) < rule.repeat if isinstance(rule.repeat, int) else self.position < self.end:
            number = self._one(plan)
            assert isinstance(number, int)  # noqa: S101 - load refuses repeated text
            numbers.append(number)
            self.position += stride - plan.size
        if len(numbers) < rule.at_least:
            raise RejectError("short")
        if rule.fold == "or":
            folded = 0
            for number in numbers:
                folded |= number
            return folded
        return tuple(numbers)

    def read_tags(self, by_tag: Mapping[int, FieldPlan]) -> None:
        seen = 0
        while self.position < self.end:
            plan = by_tag.get(self.take(1)[0])
            if plan is None:  # its size is unknown: nothing after it can be read, what came before stands
                break
            self.read(plan)
            seen += 1
        if not seen:
            raise RejectError("no-object")
        self.position = self.end

    def finish(self, plan: StreamPlan) -> None:
        left = self.end - self.position
        checksum = plan.checksum
        if checksum is not None and holds(plan.checksum_tests, self.env):
            size, function = encodings.CHECKSUMS[checksum.alg]
            if left == size:
                if function(self.data[:-size]) != word(self.data[-size:], checksum.endian):
                    raise RejectError("checksum")
                self.env["crc_ok"] = 1
                left = 0
            elif not checksum.optional:
                raise RejectError("short" if left < size else "trailing")
        if left and plan.rule.trailing == "error" and not _has_offsets(plan):
            raise RejectError("trailing")


def _has_offsets(plan: StreamPlan) -> bool:
    return any(field_plan.rule.offset is not None for field_plan in plan.fields)


def word(data: bytes, endian: str) -> int:
    """Read an unsigned word."""
    return int.from_bytes(data, "big" if endian == "big" else "little")


def _number(plan: FieldPlan, data: bytes) -> int:
    if plan.rule.type == "bcd":
        try:
            return encodings.bcd(data)
        except ValueError:
            raise RejectError("value") from None
    raw = word(data, plan.endian)
    return encodings.signed(raw, 8 * len(data)) if plan.rule.type.startswith("i") else raw
