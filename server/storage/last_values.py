"""Newest values at rest: one row per patient and device, its values side by side.

The rows say exactly what the picture says: a value stands in the row of the device that measured it last,
and a row goes with its last value. So the table stays as small as the ward, however many patients have been
there; what they had stays in ``samples``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, delete

from clinical.records import Generation, Observation, Validity
from server.storage import bulk, schema
from server.storage.picture import Change, Entry, Picture
from server.storage.unit import UnitOfWork

KIND = "observations"
_KEYS = ("patient_id", "device_id")
_COLUMNS = (*_KEYS, "body")
_READ = "SELECT patient_id, device_id, body FROM last_values"
Key = tuple[str, str]  # patient, device


class LastValue(msgspec.Struct, array_like=True, frozen=True):
    """One value; ``code`` is an MDC reference id, ``unit`` is UCUM."""

    code: str
    value: Decimal | None
    unit: str
    validity: Validity


class LastSample(msgspec.Struct, array_like=True, frozen=True):
    """Values that a device measured at one time, and the change that brought them."""

    effective: datetime
    generation: Generation
    seq: int
    ward: str
    values: tuple[LastValue, ...]


class LastRow(NamedTuple):
    """What one device measured last of one patient: one sample, unless it sends values at different times."""

    patient_id: str
    device_id: str
    samples: tuple[LastSample, ...]


_DECODER = msgspec.json.Decoder(tuple[LastSample, ...])
_ENCODER = msgspec.json.Encoder()


def observation_id(patient_id: str, code: str) -> str:
    """Id of the newest value of a code: one record per patient and code."""
    return f"{patient_id}/{code}"


def read(connection: Connection) -> list[LastRow]:
    """Read the newest values of every patient; 200 rows for 200 beds with a monitor each."""
    rows = connection.exec_driver_sql(_READ).all()
    decode = _DECODER.decode
    return [LastRow(patient, device, decode(body)) for patient, device, body in rows]


def entries(rows: Iterable[LastRow]) -> dict[str, Entry]:
    """Return the newest values as facts, by id."""
    found = {}
    for row in rows:
        for sample in row.samples:
            for one in sample.values:
                record = Observation(
                    id=observation_id(row.patient_id, one.code),
                    patient_id=row.patient_id,
                    code=one.code,
                    value=one.value,
                    unit=one.unit,
                    effective=sample.effective,
                    validity=one.validity,
                    device_id=row.device_id,
                    generation=sample.generation,
                )
                found[record.id] = Entry(record, sample.seq, sample.ward)
    return found


class LastRows:
    """Writes newest values; knows which of them share a row. Used on the writer's thread."""

    def __init__(self, picture: Picture) -> None:
        self._ids: dict[Key, dict[str, None]] = {}  # in the order in which the device names them
        for entry in picture.kinds.get(KIND, {}).values():
            self._place(_observed(entry.record))

    def write(self, unit: UnitOfWork, changes: Iterable[Change], after: Picture) -> None:
        """Write the rows that changes touch, as ``after`` has them."""
        touched: dict[Key, None] = {}
        for change in changes:
            if change.kind == KIND:
                touched.update((key, None) for key in self._touched(change))
        if not touched:
            return
        now = {key: self._standing(key, after) for key in touched}
        rows = [(*key, _body(found)) for key, found in now.items() if found]
        bulk.upsert(unit.connection, "last_values", _KEYS, _COLUMNS, rows)
        _remove(unit.connection, [key for key, found in now.items() if not found])
        unit.after_commit(lambda: self._settle(now))

    def _touched(self, change: Change) -> Iterator[Key]:
        """Yield the row a value leaves and the one it comes to; mostly they are the same."""
        if change.new is not None:
            yield self._place(_observed(change.new))
        if change.old is not None:
            yield _key(_observed(change.old))

    def _place(self, one: Observation) -> Key:
        """Note that a value belongs to a row; if its commit then fails, the row just does not have it."""
        if one.id != observation_id(one.patient_id, one.code):
            raise ValueError("a last value is named after its patient and code")
        key = _key(one)
        self._ids.setdefault(key, {})[one.id] = None
        return key

    def _standing(self, key: Key, after: Picture) -> list[Entry]:
        known = after.kinds.get(KIND, {})
        found = [known[one] for one in self._ids.get(key, ()) if one in known]
        return [entry for entry in found if _key(_observed(entry.record)) == key]

    def _settle(self, now: dict[Key, list[Entry]]) -> None:
        """Forget what has left its row, once that is on disk."""
        for key, found in now.items():
            if found:
                self._ids[key] = dict.fromkeys(entry.record.id for entry in found)
            else:
                self._ids.pop(key, None)


def _observed(record: object) -> Observation:
    if not isinstance(record, Observation):
        raise TypeError("only observations are last values")
    return record


def _key(one: Observation) -> Key:
    return one.patient_id, one.device_id


def _body(found: Sequence[Entry]) -> str:
    """Encode values as samples: those of one time, kind, change and ward stand together."""
    samples: dict[tuple[datetime, Generation, int, str], list[LastValue]] = {}
    for entry in found:
        one = _observed(entry.record)
        said = samples.setdefault((one.effective, one.generation, entry.seq, entry.ward), [])
        said.append(LastValue(one.code, one.value, one.unit, one.validity))
    return _ENCODER.encode([LastSample(*key, tuple(values)) for key, values in samples.items()]).decode()


def _remove(connection: Connection, keys: Sequence[Key]) -> None:
    table = schema.last_values
    for patient_id, device_id in keys:
        connection.execute(
            delete(table).where(table.c.patient_id == patient_id, table.c.device_id == device_id)
        )
