"""Reads profiles from their files and checks them.

Everything that can be wrong in a file is found here, once, and told in one line with the file and the
key. What is left for the decoder to refuse are bytes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from clinical.errors import BadInputError, NotFoundError
from firmware_profiles import rules
from firmware_profiles.plan import (
    CasePlan,
    FieldPlan,
    Profile,
    QualityPlan,
    StreamPlan,
    Term,
    Test,
    ValuePlan,
)
from firmware_profiles.reading import TEXT_TYPES
from firmware_profiles.rules import WrongProfileError
from firmware_profiles.schema import Conditions, Field, ProfileFile, Quality, Stream, ValueRule

SIZES: Mapping[str, int] = {
    "u8": 1, "u16": 2, "u24": 3, "u32": 4, "u64": 8, "i8": 1, "i16": 2, "i24": 3, "i32": 4,
    "sfloat": 2, "float": 4, "datetime7": 7,
}  # fmt: skip
CRC_OK = "crc_ok"
WHOLE_NUMBERS = frozenset(name for name in SIZES if name[0] in "ui")
REPEATABLE = frozenset(SIZES) - {"datetime7"}
NEED_LENGTH = frozenset(("bcd", "ascii", "bytes"))


def _conditions(conditions: Conditions) -> list[str]:
    return [conditions] if isinstance(conditions, str) else list(conditions)


class _Compiler:
    """Turns one stream's rules into plans, resolving every name."""

    def __init__(self, stream: Stream, key: str) -> None:
        self.stream = stream
        self.key = key
        self.fields: dict[str, Field] = {}
        self.parts: dict[str, Term] = {}

    def compile(self) -> StreamPlan:
        records = self.stream.records
        checksum = records.checksum if records is not None else self.stream.checksum
        if checksum is not None:
            self.fields[CRC_OK] = Field(name=CRC_OK, type="u8")  # what the checksum itself says
        fields = tuple(self._field(index, rule) for index, rule in enumerate(self.stream.field))
        values = tuple(self._value(index, rule) for index, rule in enumerate(self.stream.value))
        quality = tuple(self._quality(index, rule) for index, rule in enumerate(self.stream.quality))
        by_tag = {}
        for index, rule in enumerate(self.stream.tags.object if self.stream.tags else []):
            key = f"{self.key}.tags.object[{index}]"
            self._term(rule.field, key)
            plan = next(plan for plan in fields if plan.rule.name == rule.field)
            if not plan.size:
                raise WrongProfileError(f"{key}: {rule.field} needs a fixed size")
            by_tag[rule.tag] = plan
        tests = self._tests(checksum.when, f"{self.key}.checksum.when") if checksum is not None else ()
        return StreamPlan(self.stream, fields, values, quality, self._pattern(), by_tag, checksum, tests)

    def _unique(self, names: list[str], key: str) -> None:
        doubled = {name for name in names if names.count(name) > 1}
        if doubled:
            raise WrongProfileError(f"{key}: {', '.join(sorted(doubled))} is defined twice")

    def _field(self, index: int, rule: Field) -> FieldPlan:
        key = f"{self.key}.field[{index}]"
        if rule.name in self.fields or rule.name in self.parts:
            raise WrongProfileError(f"{key}.name: {rule.name} is defined twice")
        if (rule.type in TEXT_TYPES) != (self.stream.line is not None):
            raise WrongProfileError(f"{key}.type: {rule.type} does not belong in this kind of stream")
        if (rule.type in NEED_LENGTH) != (rule.length is not None):
            raise WrongProfileError(
                f"{key}.length: {'needed for' if rule.length is None else 'not for'} {rule.type}"
            )
        if rule.repeat is not None and rule.type not in REPEATABLE:
            raise WrongProfileError(f"{key}.repeat: a {rule.type} cannot be repeated")
        if rule.type == "uint_rest" and not rule.sizes:
            raise WrongProfileError(f"{key}.sizes: needed for uint_rest")
        tests = self._tests(rule.when, f"{key}.when")
        self.fields[rule.name] = rule
        size = rule.length or SIZES.get(rule.type, 0)
        if rule.split and rule.type not in WHOLE_NUMBERS | {"hex", "int"}:
            raise WrongProfileError(f"{key}.split: {rule.type} has no bits")
        for name, (bit, bits) in rule.split.items():
            if bit < 0 or bits < 1 or (size and bit + bits > 8 * size):
                raise WrongProfileError(
                    f"{key}.split.{name}: bits {bit} to {bit + bits - 1} are not in {rule.type}"
                )
            self.parts[name] = Term(rule.name, bit, (1 << bits) - 1, 0)
        self._unique([*self.fields, *self.parts], f"{key}.split")
        wide = self._tests(rule.wide_when or [], f"{key}.wide_when")
        return FieldPlan(rule, tests, size, rule.endian or self.stream.endian, wide)

    def _term(self, name: str, key: str, place: int = 0) -> Term:
        part = self.parts.get(name)
        if part is not None:
            return Term(part.field, part.shift, part.mask, place)
        if name not in self.fields:
            raise WrongProfileError(f"{key}: there is no field {name}")
        return Term(name, 0, -1, place)

    def _tests(self, conditions: Conditions, key: str) -> tuple[Test, ...]:
        return tuple(self._test(condition, key) for condition in _conditions(conditions))

    def _test(self, condition: str, key: str) -> Test:
        compared = re.fullmatch(r"(\w+)([!=])=(\S+)", condition)
        if compared:
            term = self._term(compared[1], key)
            wanted: int | str = compared[3]
            if self.fields[term.field].type not in TEXT_TYPES - {"int", "hex"}:
                try:
                    wanted = int(compared[3], 0)
                except ValueError:
                    raise WrongProfileError(f"{key}: {compared[3]} is not a number") from None
            return Test(term.field, term.shift, term.mask, wanted, compared[2] == "=")
        single = re.fullmatch(r"!?(\w+)\.(\d+)", condition)
        if single is None:
            raise WrongProfileError(f"{key}: {condition} is not name.bit, !name.bit, name==n or name!=n")
        name, bit = single[1], single[2]
        term = self._term(name, key)
        return Test(term.field, term.shift + int(bit), 1, 1, not condition.startswith("!"))

    def _value(self, index: int, rule: ValueRule) -> ValuePlan:
        key = f"{self.key}.value[{index}]"
        if (rule.source is None) == (rule.date is None):
            raise WrongProfileError(f"{key}: give either source or date")
        if rule.scale == 0 or any(case.scale == 0 for case in rule.cases):
            raise WrongProfileError(f"{key}.scale: must not be 0")
        if rule.step is not None and rule.step <= 0:
            raise WrongProfileError(f"{key}.step: must be more than 0")
        terms = tuple(self._source_terms(rule.source or "", f"{key}.source"))
        cases = tuple(
            CasePlan(
                self._tests(case.when, f"{key}.cases[{place}].when"),
                case.scale if case.scale is not None else rule.scale,
                case.unit if case.unit is not None else rule.unit,
            )
            for place, case in enumerate(rule.cases)
        )
        dates = tuple(self._dates(rule, f"{key}.date"))
        rules = [self.fields[term.field] for term in terms]
        kind = rules[0].type if rules else None
        odd = [one.type for one in rules if one.type not in WHOLE_NUMBERS or one.repeat is not None]
        if len(terms) > 1 and odd:
            raise WrongProfileError(f"{key}.source: {odd[0]} cannot be joined from bits")
        code_term = self._term(rule.code_from, f"{key}.code_from") if rule.code_from is not None else None
        return ValuePlan(
            rule,
            self._tests(rule.when, f"{key}.when"),
            terms,
            kind,
            cases,
            dates,
            code_term,
            (rules[0].endian if rules else None) or self.stream.endian,
        )

    def _source_terms(self, source: str, key: str) -> Iterator[Term]:
        for text in source.split("|") if source else []:
            name, _, place = text.partition("<<")
            yield self._term(name, key, int(place or 0))

    def _dates(self, rule: ValueRule, key: str) -> Iterator[tuple[str, Term | None]]:
        if rule.date is not None:
            for part in ("year", "month", "day", "hour", "minute", "second"):
                name: str | None = getattr(rule.date, part)
                yield part, self._term(name, f"{key}.{part}") if name is not None else None

    def _quality(self, index: int, rule: Quality) -> QualityPlan:
        key = f"{self.key}.quality[{index}]"
        known = {value.name for value in self.stream.value}
        unknown = [name for name in rule.values if name not in known]
        if unknown:
            raise WrongProfileError(f"{key}.values: there is no value {unknown[0]}")
        if rule.validity is None and not rule.demo:
            raise WrongProfileError(f"{key}: give validity or demo")
        return QualityPlan(rule, self._tests(rule.when, f"{key}.when"))

    def _pattern(self) -> re.Pattern[str] | None:
        line = self.stream.line
        if line is None:
            return None
        key = f"{self.key}.line.regex"
        try:
            pattern = re.compile(line.regex, re.ASCII)
        except re.error as error:
            raise WrongProfileError(f"{key}: {error}") from error
        wanted = {*self.fields, *([line.over, line.at] if line.checksum else [])}
        missing = wanted - set(pattern.groupindex)
        if missing:
            raise WrongProfileError(f"{key}: there is no group {min(missing)}")
        return pattern


def _compiled(file: ProfileFile, path: str) -> Profile:
    plans: dict[str, StreamPlan] = {}
    for index, stream in enumerate(file.stream):
        key = f"stream[{index}]"
        if stream.id in plans:
            raise WrongProfileError(f"{key}.id: {stream.id} is defined twice")
        rules.check_stream(stream, key)
        plans[stream.id] = _Compiler(stream, key).compile()
    rules.check_file(file)
    return Profile(file, path, plans)


def parse(text: str, *, path: str) -> Profile:
    """Read a profile from its text.

    Args:
        text: TOML.
        path: Name of the file, for messages.

    Raises:
        BadInputError: Not TOML, not this schema, or names that lead nowhere; one line with file and key.
    """
    try:
        data = tomllib.loads(text, parse_float=Decimal)
        return _compiled(msgspec.convert(data, ProfileFile), path)
    except tomllib.TOMLDecodeError as error:
        raise BadInputError("profile-toml", f"{path}: not TOML: {error}") from error
    except msgspec.ValidationError as error:
        what, _, key = str(error).partition(" - at `$")
        where = key.rstrip("`").lstrip(".")
        raise BadInputError("profile-schema", f"{path}: {where + ': ' if where else ''}{what}") from error
    except WrongProfileError as error:
        raise BadInputError("profile-rule", f"{path}: {error}") from error


def load_file(path: Path) -> Profile:
    """Read a profile from a file.

    Raises:
        NotFoundError: There is no such file.
        BadInputError: As :func:`parse`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFoundError("no-file", f"there is no file {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError("profile-file", f"{path}: cannot be read as UTF-8 text") from error
    return parse(text, path=str(path))
