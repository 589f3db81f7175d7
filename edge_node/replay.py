"""Recorded frames run through today's profiles: what would we have read, and what do we read now?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from edge_node.adapters.flight_recorder import Row
from firmware_profiles.decode import Context, DecodedValue, decode
from firmware_profiles.plan import Profile
from firmware_profiles.reading import NO_CONTEXT


def replayed(
    rows: Iterable[Row], profile_of: Callable[[str], Profile], contexts: Mapping[str, Context]
) -> Iterator[dict[str, Any]]:
    """Decode each row.

    Args:
        rows: What was recorded.
        profile_of: The profile of an id, perhaps a newer one.
        contexts: Address and key by device, for sealed adverts.

    Yields:
        One document per row: when, which device, and either its records or why it was rejected.

    Raises:
        NotFoundError: A profile or stream that was recorded does not exist any more.
    """
    for row in rows:
        decoded = decode(profile_of(row.profile), row.stream, row.data, contexts.get(row.device, NO_CONTEXT))
        yield {
            "at": row.utc.isoformat(),
            "device": row.device,
            "profile": row.profile,
            "stream": row.stream,
            "hex": row.data.hex(),
            "accepted": decoded.accepted,
            "reject": decoded.reject or None,
            "records": [_shown(record) for record in decoded.records],
        }


def _shown(record: Mapping[str, DecodedValue]) -> dict[str, Any]:
    return {
        name: {"value": _plain(one.value), "unit": one.unit, "validity": one.validity.value}
        for name, one in record.items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
