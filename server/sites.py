"""What the ward is, as loaded from the seed: its name, beds, wall screens, policy and code tables."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from clinical.errors import NotFoundError
from clinical.exchange import Ward
from clinical.policy import SitePolicy
from clinical.records import Generation
from server.live.screens import WallScreen, WallScreens
from server.storage import schema
from server.storage.codec import to_text
from server.storage.store import insert_into


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The wards this server owns, and the policy they live by."""

    wards: dict[str, Ward]
    generations: dict[str, Generation]  # ward → what its bedside data are
    policy: SitePolicy
    policy_document: dict[str, Any]
    screens: WallScreens = field(default_factory=WallScreens, compare=False)  # and when each was heard

    def ward(self, ward_id: str) -> Ward:
        """Return one ward.

        Raises:
            NotFoundError: This server does not own it.
        """
        try:
            return self.wards[ward_id]
        except KeyError:
            raise NotFoundError("ward", "this server does not know the ward") from None

    @property
    def first(self) -> Ward:
        """The ward a handheld shows when it names none."""
        return next(iter(self.wards.values()))


def load(connection: Connection) -> Site | None:
    """Read the site from the store; None on an empty store."""
    rows = {row.key: row.value for row in connection.execute(select(schema.meta))}
    if "wards" not in rows:
        return None
    document = json.loads(rows["policy"])
    return Site(
        wards={ward.id: ward for ward in msgspec.json.decode(rows["wards"], type=list[Ward])},
        generations=msgspec.json.decode(rows["generations"], type=dict[str, Generation]),
        policy=SitePolicy.from_dict(document),
        policy_document=document,
        screens=WallScreens(msgspec.json.decode(rows.get("screens", "[]"), type=list[WallScreen])),
    )


def save(connection: Connection, site: Site) -> None:
    """Write the site; replaces what was there."""
    values = {
        "wards": to_text(list(site.wards.values())),
        "generations": to_text(site.generations),
        "policy": to_text(site.policy_document),
        "screens": to_text(list(site.screens.registered)),
    }
    statement = insert_into(connection, "meta")
    connection.execute(
        statement.on_conflict_do_update(index_elements=["key"], set_={"value": statement.excluded.value}),
        [{"key": key, "value": value} for key, value in values.items()],
    )
