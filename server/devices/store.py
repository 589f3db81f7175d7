"""SQL of where devices are mounted."""

from __future__ import annotations

from sqlalchemy import Connection, select

from server.storage.schema import device_places


def mounted_at(connection: Connection, ward: str, bed: str) -> list[str]:
    """Devices mounted at a bed."""
    places = device_places
    return list(
        connection.scalars(select(places.c.device_id).where(places.c.ward == ward, places.c.bed == bed))
    )


def mounted_elsewhere(connection: Connection, ward: str, bed: str) -> list[tuple[str, str]]:
    """Devices mounted anywhere but at this bed, with their bed."""
    places = device_places
    rows = connection.execute(
        select(places.c.device_id, places.c.bed).where((places.c.ward != ward) | (places.c.bed != bed))
    )
    return [(row.device_id, row.bed) for row in rows]


def place_of(connection: Connection, device_id: str) -> tuple[str, str] | None:
    """Ward and bed where a device is mounted; None for one that is carried."""
    places = device_places
    row = connection.execute(
        select(places.c.ward, places.c.bed).where(places.c.device_id == device_id)
    ).first()
    return (row.ward, row.bed) if row is not None else None
