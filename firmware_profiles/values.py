"""Raw fields to values: scale, unit, validity. Nothing here knows where a byte was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from clinical.records import Validity
from firmware_profiles import encodings
from firmware_profiles.encodings import Special
from firmware_profiles.framing import RejectError
from firmware_profiles.plan import StreamPlan, Term, ValuePlan
from firmware_profiles.reading import Env, Raw, holds

Scalar = Decimal | int | str | bool | None

WORST = (
    Validity.VALID,
    Validity.VALIDATED,
    Validity.ONGOING,
    Validity.CALIBRATING,
    Validity.QUESTIONABLE,
    Validity.UNDERFLOW,
    Validity.OVERFLOW,
    Validity.INVALID,
    Validity.NOT_AVAILABLE,
)
"""From best to worst: when several rules speak about one value, the worst word stands."""

SPECIAL_VALIDITY: Mapping[Special, Validity] = {
    Special.NAN: Validity.NOT_AVAILABLE,
    Special.NRES: Validity.INVALID,
    Special.PLUS_INFINITY: Validity.OVERFLOW,
    Special.MINUS_INFINITY: Validity.UNDERFLOW,
    Special.RESERVED: Validity.INVALID,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedValue:
    """One value as the device shows it. ``value`` is ``None`` when there was no number."""

    value: Scalar | tuple[Scalar, ...]
    unit: str = ""
    validity: Validity = Validity.VALID
    code: str = ""  # MDC reference id, empty when the value has none
    reason: str = ""  # why the validity is not Vld
    rate_hz: float | None = None  # set for waveforms: ``value`` is then a tuple of samples


def read_values(plan: StreamPlan, env: Env) -> dict[str, DecodedValue]:
    """Return the values of one record by name.

    Raises:
        RejectError: A date or code word that cannot be.
    """
    values: dict[str, DecodedValue] = {}
    for value_plan in plan.values:
        rule = value_plan.rule
        if rule.name in values:
            continue
        present = any if rule.bits else all  # names of bits come from whichever octets are there
        if holds(value_plan.tests, env) and present(name in env for name in value_plan.fields()):
            values[rule.name] = _coded(value_plan, _value(value_plan, env), env)
        elif rule.absent_is_null:
            values[rule.name] = DecodedValue(value=None, validity=Validity.NOT_AVAILABLE, reason="absent")
    for quality in plan.quality:
        validity = quality.rule.validity
        if validity is not None and holds(quality.tests, env):
            for name in quality.rule.values or list(values):
                if name in values:
                    values[name] = _worse(values[name], validity, quality.rule.reason)
    return values


def _worse(value: DecodedValue, validity: Validity, reason: str) -> DecodedValue:
    if WORST.index(validity) <= WORST.index(value.validity):
        return value
    return replace(value, validity=validity, reason=reason)


def _coded(plan: ValuePlan, value: DecodedValue, env: Env) -> DecodedValue:
    """Replace the code by the one of the site or specimen, where the frame names it."""
    term = plan.code_term
    raw = env.get(term.field) if term is not None else None
    if term is None or not isinstance(raw, int):
        return value
    return replace(value, code=plan.rule.codes.get(str(raw >> term.shift & term.mask), value.code))


def _value(plan: ValuePlan, env: Env) -> DecodedValue:
    rule = plan.rule
    if rule.date is not None:
        return DecodedValue(value=_date(plan, env), code=rule.code)
    raw = _raw(plan, env)
    if isinstance(raw, tuple):
        return _list(plan, raw, env)
    return _scalar(plan, raw, env)


def _list(plan: ValuePlan, raw: tuple[int, ...], env: Env) -> DecodedValue:
    samples = [_scalar(plan, item, env) for item in raw]
    bad = next((sample for sample in samples if sample.validity is not Validity.VALID), None)
    return DecodedValue(
        value=tuple(sample.value for sample in samples if not isinstance(sample.value, tuple)),
        unit=_reading(plan, env)[1],
        code=plan.rule.code,
        validity=bad.validity if bad else Validity.VALID,
        reason=bad.reason if bad else "",
        rate_hz=plan.rule.rate_hz,
    )


def _raw(plan: ValuePlan, env: Env) -> Raw:
    """The source's word: one field whole, each item of a repeated one, or bits of several joined."""
    first = plan.terms[0]
    raw = env.get(first.field)
    if isinstance(raw, tuple):
        return tuple(item >> first.shift & first.mask for item in raw)
    return _joined(plan.terms, env) if isinstance(raw, int) or plan.rule.bits else raw


def _joined(terms: tuple[Term, ...], env: Env) -> int:
    joined = 0
    for term in terms:
        raw = env.get(term.field)
        if raw is None:
            continue
        assert isinstance(raw, int)  # noqa: S101 - load refuses to join anything else
        joined |= (raw >> term.shift & term.mask) << term.place
    return joined


def _reading(plan: ValuePlan, env: Env) -> tuple[Decimal, str]:
    """Scale and unit: of the first case that holds, or the plain ones."""
    for case in plan.cases:
        if holds(case.tests, env):
            return case.scale, case.unit
    return plan.rule.scale, plan.rule.unit


def _scalar(plan: ValuePlan, raw: Raw, env: Env) -> DecodedValue:
    rule = plan.rule
    scale, unit = _reading(plan, env)
    if raw is None:
        return DecodedValue(
            value=None, unit=unit, validity=Validity.NOT_AVAILABLE, code=rule.code, reason="empty"
        )
    if isinstance(raw, bytes):
        return DecodedValue(value=_bytes_text(plan, raw), unit=unit, code=rule.code)
    if isinstance(raw, str):
        return DecodedValue(value=_mapped(plan, raw) if rule.map else raw, unit=unit, code=rule.code)
    if plan.type in {"sfloat", "float"} and isinstance(raw, int):
        number = encodings.sfloat(raw) if plan.type == "sfloat" else encodings.float32(raw)
        if isinstance(number, Special):
            validity = SPECIAL_VALIDITY[number]
            return DecodedValue(value=None, unit=unit, validity=validity, code=rule.code, reason=number.value)
        return _plain(plan, number, scale, unit)
    return _word_value(plan, raw, scale, unit)


def _word_value(plan: ValuePlan, raw: Raw, scale: Decimal, unit: str) -> DecodedValue:
    rule = plan.rule
    assert isinstance(raw, int | Decimal)  # noqa: S101 - all other kinds are handled before
    if raw in rule.invalid:
        return DecodedValue(
            value=None, unit=unit, validity=Validity.NOT_AVAILABLE, code=rule.code, reason="sentinel"
        )
    if rule.map:
        return DecodedValue(value=_mapped(plan, str(raw)), unit=unit, code=rule.code)
    if rule.flag:
        return DecodedValue(value=bool(raw), code=rule.code)
    if rule.bits:
        names = tuple(name for bit, name in rule.bits.items() if int(raw) >> int(bit) & 1)
        return DecodedValue(value=names, code=rule.code)
    return _plain(plan, raw, scale, unit)


def _mapped(plan: ValuePlan, raw: str) -> str:
    try:
        return plan.rule.map[raw]
    except KeyError:
        raise RejectError("value") from None


def _bytes_text(plan: ValuePlan, raw: bytes) -> str:
    try:
        if plan.type == "datetime7":
            return encodings.datetime7(raw, plan.endian)
        if plan.type == "ascii":
            return raw.rstrip(b"\0 ").decode("ascii")
    except ValueError:
        raise RejectError("time" if plan.type == "datetime7" else "value") from None
    return raw.hex()


def _plain(plan: ValuePlan, raw: int | Decimal, scale: Decimal, unit: str) -> DecodedValue:
    rule = plan.rule
    whole = isinstance(raw, int) and scale == 1 and rule.add == 0 and not unit
    number: int | Decimal = raw if whole else Decimal(raw) * scale + rule.add
    if rule.step is not None:
        number = (number / rule.step).to_integral_value() * rule.step
    value = DecodedValue(value=number, unit=unit, code=rule.code)
    if rule.plausible is not None and not rule.plausible[0] <= number <= rule.plausible[1]:
        return replace(value, validity=Validity.QUESTIONABLE, reason="implausible")
    return value


def _date(plan: ValuePlan, env: Env) -> str:
    assert plan.rule.date is not None  # noqa: S101 - only called for dates
    numbers: dict[str, int] = {}
    for name, term in plan.dates:
        raw = env[term.field] if term is not None else 0
        if not isinstance(raw, int):
            raise RejectError("time")
        numbers[name] = raw >> term.shift & term.mask if term is not None else 0
    numbers["year"] += plan.rule.date.year_base
    try:
        return encodings.clock_text(**numbers)
    except ValueError:
        raise RejectError("time") from None
