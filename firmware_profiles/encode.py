"""Values to bytes: the interpreter run backwards, so that every profile is also a simulator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from clinical.errors import BadInputError
from firmware_profiles import encodings
from firmware_profiles.encodings import Special
from firmware_profiles.load import CRC_OK
from firmware_profiles.plan import CasePlan, FieldPlan, Profile, StreamPlan, Term, Test, ValuePlan
from firmware_profiles.reading import TEXT_TYPES, holds
from firmware_profiles.sealing import checksum_bytes, framed
from firmware_profiles.values import Scalar

Given = Scalar | Special | Sequence[Scalar] | tuple[Decimal, str]
"""What may be given for a value: a number, a text, a flag, ``None`` (the device's word for "no number"),
a list for repeated fields and bit names, or ``(number, unit)`` where the stream knows several units."""


def encode(profile: Profile, stream_id: str, values: Mapping[str, Given]) -> bytes:
    """Encode one frame (a line without its end) that decodes to ``values``.

    Fields that no given value needs are left out where the format lets them, or hold their default.

    Raises:
        NotFoundError: The profile has no such stream.
        BadInputError: An unknown value name, or a value that this format cannot say.
    """
    return encode_records(profile, stream_id, [values])


def encode_records(profile: Profile, stream_id: str, records: Sequence[Mapping[str, Given]]) -> bytes:
    """Encode a frame that holds several records, oldest first.

    Raises:
        NotFoundError: The profile has no such stream.
        BadInputError: As :func:`encode`, or several records where the format has room for one.
    """
    plan = profile.plan(stream_id)
    if plan.rule.unpack is not None:
        raise BadInputError("encode-unpacked", f"stream {stream_id} lies in nested lists; it has no way back")
    if len(records) != 1 and plan.rule.records is None:
        raise BadInputError("encode-records", f"stream {stream_id} holds exactly one record")
    return b"".join(_record(plan, values) for values in records)


def _record(plan: StreamPlan, values: Mapping[str, Given]) -> bytes:
    known = {value.rule.name: value for value in plan.values}
    writer = _Writer(plan)
    for name, given in values.items():
        if name not in known:
            raise BadInputError("encode-name", f"stream {plan.rule.id} has no value {name}")
        try:
            writer.put(known[name], given)
        except (ValueError, ArithmeticError, TypeError) as error:
            raise BadInputError("encode-value", f"{name}: {error}") from error
    try:
        return writer.whole()
    except (OverflowError, ValueError) as error:
        raise BadInputError("encode-value", f"a value of {plan.rule.id} is out of range: {error}") from error


class _Writer:
    """Collects raw fields, then lays them out."""

    def __init__(self, plan: StreamPlan) -> None:
        self.plan = plan
        self.words: dict[str, int] = {}
        self.lists: dict[str, tuple[int, ...]] = {}
        self.data: dict[str, bytes] = {}
        self.texts: dict[str, str] = {}
        self.needed: set[str] = set()
        self.with_checksum = False
        for field in plan.fields:
            first = field.rule.one_of[0] if field.rule.one_of else field.rule.default
            self.words[field.rule.name] = first if isinstance(first, int) else 0

    # --- one value ---

    def put(self, plan: ValuePlan, given: Given) -> None:
        given, unit = _with_unit(plan, given)
        if plan.rule.source == CRC_OK:
            self.with_checksum = bool(given)
            return
        case = self._case(plan, unit)
        if given is None and plan.rule.absent_is_null:
            return
        self._satisfy(plan.tests)
        for name in plan.fields():
            self._need(name)
        if plan.rule.date is not None:
            self._put_date(plan, str(given))
        elif isinstance(given, Sequence) and not isinstance(given, str):
            self._put_many(plan, list(given), case)
        else:
            self._put_one(plan, given, case)

    def _case(self, plan: ValuePlan, unit: str) -> CasePlan | None:
        """Choose the reading by unit, and set what selects it."""
        if not plan.cases:
            return None
        fallback = next((case for case in plan.cases if not case.tests), plan.cases[0])
        case = next((case for case in plan.cases if case.unit == unit), None) if unit else fallback
        if case is None:
            raise ValueError(f"this format has no unit {unit}")
        self._satisfy(case.tests)
        return case

    def _need(self, name: str) -> None:
        if name not in self.needed:
            self.needed.add(name)
            self._satisfy(self.plan.field(name).tests)
            for tag, field in self.plan.by_tag.items():
                if field.rule.name == name:
                    self.needed.add(f"tag {tag}")

    def _satisfy(self, tests: Iterable[Test]) -> None:
        for test in tests:
            if isinstance(test.wanted, str):
                if test.equal:
                    self.texts[test.field] = test.wanted
            elif test.equal or test.mask == 1:
                wanted = test.wanted if test.equal else test.wanted ^ 1
                self._bits(Term(test.field, test.shift, test.mask, 0), wanted)
            self._need(test.field)

    def _bits(self, term: Term, word: int) -> None:
        """Set a group of bits of a field, leaving its others."""
        if term.mask < 0:
            self.words[term.field] = word
            return
        if word < 0 or word > term.mask:
            raise ValueError(f"{word} does not fit its bits")
        kept = self.words[term.field] & ~(term.mask << term.shift)
        self.words[term.field] = kept | word << term.shift

    def _put_date(self, plan: ValuePlan, text: str) -> None:
        year, *rest = encodings.clock_parts(text)
        base = plan.rule.date.year_base if plan.rule.date is not None else 0
        for (_, term), number in zip(plan.dates, [year - base, *rest], strict=True):
            if term is not None:
                self._bits(term, number)

    def _put_many(self, plan: ValuePlan, given: list[Scalar], case: CasePlan | None) -> None:
        term = plan.terms[0]
        if plan.rule.bits:
            by_name = {name: int(bit) for bit, name in plan.rule.bits.items()}
            for name in given:
                if name not in by_name:
                    raise ValueError("not one of the names of this value's bits")
                bit = by_name[str(name)]
                group = max((one for one in plan.terms if one.place <= bit), key=lambda one: one.place)
                self.words[group.field] |= 1 << (bit - group.place + group.shift)
            return
        if self.plan.field(term.field).rule.repeat is None:
            raise ValueError("this value is not a list")
        self.lists[term.field] = tuple(self._word(plan, item, case) for item in given)

    def _put_one(self, plan: ValuePlan, given: Scalar | Special, case: CasePlan | None) -> None:
        name = plan.terms[0].field
        field = self.plan.field(name)
        if plan.terms[0].mask >= 0 and field.rule.type in TEXT_TYPES:
            self._bits(plan.terms[0], self._word(plan, given, case))
        elif field.rule.type in TEXT_TYPES or field.rule.type == "utf8_rest":
            self.texts[name] = self._text(plan, field, given, case)
        elif field.rule.type in {"ascii", "bytes", "bytes_rest", "datetime7"}:
            self.data[name] = _bytes(field, str(given))
        else:
            word = self._word(plan, given, case)
            if field.wide and word >> 8 * field.size:
                self._satisfy(field.wide)
            if len(plan.terms) == 1:
                self._bits(plan.terms[0], word)
                return
            for term in plan.terms:
                bits = term.mask if term.mask >= 0 else (1 << 8 * self.plan.field(term.field).size) - 1
                self._bits(term, word >> term.place & bits)

    def _word(self, plan: ValuePlan, given: Scalar | Special, case: CasePlan | None) -> int:
        if isinstance(given, Special) or given is None:
            return _no_number(plan, given)
        if plan.rule.map:
            return int(_unmapped(plan, str(given)))
        scale = case.scale if case is not None else plan.rule.scale
        number = (Decimal(given) - plan.rule.add) / scale
        if plan.type == "sfloat":
            return encodings.pack_sfloat(number)
        if plan.type == "float":
            return encodings.pack_float32(number)
        return int(number.to_integral_value(ROUND_HALF_EVEN))

    def _text(self, plan: ValuePlan, field: FieldPlan, given: Scalar | Special, case: CasePlan | None) -> str:
        if given is None:
            return field.rule.absent
        if field.rule.lookup:
            word = self._word(plan, given, case)
            return _looked_up(field, word)
        if plan.rule.map:
            return _unmapped(plan, str(given))
        if field.rule.type in {"text", "utf8_rest"}:
            return str(given)
        scale = case.scale if case is not None else plan.rule.scale
        number = (Decimal(given) - plan.rule.add) / scale
        if field.rule.type == "decimal":
            return f"{number:f}"
        return f"{int(number.to_integral_value(ROUND_HALF_EVEN)):{'X' if field.rule.type == 'hex' else 'd'}}"

    # --- the whole ---

    def whole(self) -> bytes:
        if self.plan.rule.line is None:
            return self.frame()
        framing = self.plan.rule.framing
        return self.line() if framing is None else framed(framing, bytearray(self.line()))

    def line(self) -> bytes:
        line = self.plan.rule.line
        assert line is not None  # noqa: S101 - the caller looked
        filled = {field.rule.name: self._group(field) for field in self.plan.fields}
        if line.checksum is None:
            return line.template.format(**filled).encode()
        size, function = encodings.CHECKSUMS[line.checksum]
        pattern = self.plan.pattern
        draft = line.template.format(**filled, **{line.at: "0" * 2 * size})
        match = pattern.fullmatch(draft) if pattern is not None else None
        if match is None:
            raise ValueError("the line does not fit its own pattern")
        check = f"{function(match[line.over].encode()):0{2 * size}X}"
        return line.template.format(**filled, **{line.at: check}).encode()

    def _group(self, field: FieldPlan) -> str:
        """Return what stands in a line's group: a text, or the word whose bits were set."""
        rule = field.rule
        if rule.name in self.texts:
            return self.texts[rule.name]
        if rule.name not in self.needed or (rule.type == "text" and not rule.lookup):
            return str(rule.one_of[0]) if rule.one_of else rule.absent
        word = self.words[rule.name]
        if rule.lookup:
            return _looked_up(field, word)
        return f"{word:X}" if rule.type == "hex" else str(word)

    def frame(self) -> bytes:
        body = bytearray()
        position = 0
        tagged = [field.rule.name for field in self.plan.by_tag.values()]
        for field in self.plan.fields:
            if field.rule.name in tagged or not holds(field.tests, dict(self.words)):
                continue
            if field.rule.offset is not None:
                position = field.rule.offset
            position = self._place(body, position, field)
        for tag, field in self.plan.by_tag.items():
            if f"tag {tag}" in self.needed:
                body += bytes([tag]) + self._field_bytes(field, self.words[field.rule.name])
        return self._sealed(body)

    def _place(self, body: bytearray, position: int, field: FieldPlan) -> int:
        rule = field.rule
        words = self.lists.get(rule.name, (self.words[rule.name],))
        if isinstance(rule.repeat, int):
            words = (words * rule.repeat)[: rule.repeat] if len(words) == 1 else words
            if len(words) != rule.repeat:
                raise ValueError(f"{rule.name} needs {rule.repeat} items")
        elif rule.repeat == "rest" and rule.name not in self.lists:
            words = words * rule.at_least
        for word in words:
            data = self.data.get(rule.name) or self._field_bytes(field, word)
            _lay(body, position, data)
            position += max(rule.stride or 0, len(data))
        return position

    def _field_bytes(self, field: FieldPlan, word: int) -> bytes:
        rule = field.rule
        order = "big" if field.endian == "big" else "little"
        if rule.type in {"utf8_rest", "bytes_rest"}:
            return self.texts.get(rule.name, "").encode()
        if rule.type == "bcd":
            return encodings.pack_bcd(word, field.size)
        if rule.type == "datetime7":
            return encodings.pack_datetime7("0000-00-00T00:00:00")
        if rule.type == "uint_rest":
            fitting = [size for size in rule.sizes if word < 1 << 8 * size]
            size = min(fitting, default=max(rule.sizes))
            return word.to_bytes(size, "big" if order == "big" else "little")
        size = field.size * (2 if field.wide and holds(field.wide, dict(self.words)) else 1)
        return word.to_bytes(size, "big" if order == "big" else "little", signed=rule.type.startswith("i"))

    def _sealed(self, body: bytearray) -> bytes:
        """Add sizes, marks and checksums."""
        stream = self.plan.rule
        records, framing = stream.records, stream.framing
        checksum = self.plan.checksum
        optional = checksum is not None and checksum.optional and not self.with_checksum
        if optional or not holds(self.plan.checksum_tests, dict(self.words)):
            checksum = None
        size = encodings.CHECKSUMS[checksum.alg][0] if checksum is not None else 0
        if records is not None and records.size_at is not None:
            body[records.size_at] = len(body) + size
        if stream.length is not None and len(body) + size < stream.length and framing is None:
            body += bytes(stream.length - len(body) - size)
        if checksum is not None:
            body += checksum_bytes(checksum, bytes(body))
        if framing is not None:
            return framed(framing, body)
        return bytes(body)


def _looked_up(field: FieldPlan, word: int) -> str:
    for text, number in field.rule.lookup.items():
        if number == word:
            return text
    raise ValueError(f"{field.rule.name} has no word for this")


def _with_unit(plan: ValuePlan, given: Given) -> tuple[Given, str]:
    match given:
        case (Decimal() | int() as number, str() as unit) if not plan.rule.bits:
            return number, unit
        case _:
            return given, ""


def _lay(body: bytearray, position: int, data: bytes) -> None:
    if len(body) < position + len(data):
        body += bytes(position + len(data) - len(body))
    body[position : position + len(data)] = data


def _no_number(plan: ValuePlan, given: Special | None) -> int:
    if plan.type in {"sfloat", "float"}:
        special = given or Special.NAN
        return encodings.pack_sfloat(special) if plan.type == "sfloat" else encodings.pack_float32(special)
    if given is None and plan.rule.invalid:
        return plan.rule.invalid[0]
    raise ValueError("this format has no word for a missing number")


def _unmapped(plan: ValuePlan, given: str) -> str:
    for raw, text in plan.rule.map.items():
        if text == given:
            return raw
    raise ValueError("not one of the words of this value")


def _bytes(field: FieldPlan, text: str) -> bytes:
    if field.rule.type == "datetime7":
        return encodings.pack_datetime7(text, field.endian)
    data = text.encode("ascii") if field.rule.type == "ascii" else bytes.fromhex(text)
    if field.rule.type == "bytes_rest":
        return data
    if len(data) > field.size:
        raise ValueError(f"{len(data)} bytes where {field.size} have room")
    return data.ljust(field.size, b"\0")
