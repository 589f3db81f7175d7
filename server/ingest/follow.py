"""What a filed reading moves beside its row: the newest values of the patient, the drip it counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from broker.messages import Readings, Value
from clinical.codes import DROP_COUNT, DROP_RATE, FLOW_CODES, FLOW_RATE, INFUSED, REMAINING, TIME_LEFT
from clinical.limits import ADULT
from clinical.records import Encounter, Observation, Validity
from server.infusions import flow
from server.observations.service import keep_newest
from server.storage.last_values import observation_id
from server.storage.unit import UnitOfWork
from server.storage.values import Codes, Layouts

OBSERVE_EVERY = timedelta(seconds=5)
"""How often the newest values of a patient are written for handhelds, up to 500 beds of ten values."""
_VALUES_A_SECOND = 1_000
"""With more values than this, they are written less often: screens get each of them anyway."""
_MOST_STREAMS = 200_000
_ENDLESS = Decimal("Infinity")


@dataclass(frozen=True, slots=True)
class Layout:
    """What is known of the values that stand side by side in one kind of reading."""

    number: int
    is_shown: bool
    bounds: tuple[tuple[Decimal, Decimal], ...]

    def is_outside(self, message: Readings) -> bool:
        """Whether a value is at or beyond a limit, so that its judge must see it."""
        for value, (low, high) in zip(message.values, self.bounds, strict=True):
            number = value.n
            if number is not None and not low < number < high:
                return True
        return False


@dataclass(frozen=True, slots=True)
class _Observed:
    """When the newest values of a stream were last written, and for whom."""

    patient_id: str
    effective: datetime
    validity: tuple[Validity, ...]


class Follower:
    """Keeps newest values; used on the writer's thread."""

    def __init__(self) -> None:
        self._layouts: dict[Codes, Layout] = {}
        self._observed: dict[tuple[str, int], _Observed] = {}
        self._fresh: dict[tuple[str, int], _Observed] = {}
        self._every = OBSERVE_EVERY

    def layout_of(self, unit: UnitOfWork, layouts: Layouts, message: Readings) -> Layout:
        """Return the layout of a reading."""
        codes = tuple([(value.code, value.unit) for value in message.values])
        layout = self._layouts.get(codes)
        if layout is None:
            number = layouts.number_of(unit, codes)
            layout = Layout(number, any(code not in FLOW_CODES for code, _ in codes), _bounds(codes))
            made = layout
            unit.after_commit(lambda: self._remember(codes, made))
        return layout

    def _remember(self, codes: Codes, layout: Layout) -> None:
        if len(self._layouts) >= 10_000:
            self._layouts.clear()
        self._layouts[codes] = layout

    def observe(self, unit: UnitOfWork, message: Readings, stay: Encounter, layout: Layout) -> None:
        """Keep the newest values for handhelds, every few seconds or when a validity changes."""
        key = (message.device, layout.number)
        before = self._fresh.get(key) or self._observed.get(key)
        if before is not None and before.patient_id == stay.patient_id:
            young = message.effective - before.effective < self._every
            if young and all(
                value.validity is word for value, word in zip(message.values, before.validity, strict=True)
            ):
                return
        validity = tuple([value.validity for value in message.values])
        self._fresh[key] = _Observed(stay.patient_id, message.effective, validity)
        for value in message.values:
            if value.code not in FLOW_CODES:
                keep_newest(unit, _observation(message, value, stay))

    def write(self, unit: UnitOfWork) -> None:
        """End a batch: remember what it wrote once it is on disk."""
        fresh, self._fresh = self._fresh, {}
        if not fresh:
            return
        standing = len(unit.entries("observations"))
        every = max(OBSERVE_EVERY, timedelta(seconds=standing / _VALUES_A_SECOND))
        unit.after_commit(lambda: self._observed_now(fresh, every))

    def _observed_now(self, fresh: dict[tuple[str, int], _Observed], every: timedelta) -> None:
        if len(self._observed) > _MOST_STREAMS:
            self._observed.clear()
        self._observed.update(fresh)
        self._every = every


def _bounds(codes: Iterable[tuple[str, str]]) -> tuple[tuple[Decimal, Decimal], ...]:
    found = []
    for code, unit in codes:
        limit = ADULT.get(code)
        if limit is None or limit.unit != unit:
            found.append((-_ENDLESS, _ENDLESS))
        else:
            low = -_ENDLESS if limit.low is None else limit.low
            found.append((low, _ENDLESS if limit.high is None else limit.high))
    return tuple(found)


def _observation(message: Readings, value: Value, stay: Encounter) -> Observation:
    return Observation(
        id=observation_id(stay.patient_id, value.code),
        patient_id=stay.patient_id,
        code=value.code,
        value=value.n,
        unit=value.unit,
        effective=message.effective,
        validity=value.validity,
        device_id=message.device,
        generation=message.generation,
    )


def measured(message: Readings) -> flow.Measured:
    """What a reading says of a drip."""
    by_code = {value.code: value for value in message.values}

    def number(code: str) -> float | None:
        value = by_code.get(code)
        usable = value is not None and value.n is not None and value.validity is not Validity.INVALID
        return float(value.n) if usable and value is not None and value.n is not None else None

    drops, rate = number(DROP_COUNT), by_code.get(DROP_RATE)
    return flow.Measured(
        effective=message.effective,
        drops=int(drops) if drops is not None and drops >= 0 else None,
        gtt_min=number(DROP_RATE),
        rate_ml_h=number(FLOW_RATE),
        infused_ml=number(INFUSED),
        remaining_ml=number(REMAINING),
        time_left_min=number(TIME_LEFT),
        validity=rate.validity if rate is not None else Validity.ONGOING,
    )
