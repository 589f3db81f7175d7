"""The first content of an empty store: one TOML file written by people (``docs/`` describes it).

::

    [ward]            id, zone, generation, display = {zh, en}, beds = ["01", …], rooms = {"01" = "1"}
    [[people]]        id, name, name_latin, roles, badge, pin_hash (or, in a Demo ward only, pin)
    [[nodes]]         id, beds                        which beds a bedside node serves
    [[devices]]       id, kind, profile, label, serial, bed   (bed: mounted there, follows who lies there)
    [[screens]]       id, name = {zh, en}, ward       wall screens that are missed when they say nothing
    [[products]]      a formulary entry as clinical.records.Product, strengths as {value, unit}
    [mappings.SYSTEM] CODE = TARGET                   the hospital's codes: ward, bed, drug, route,
                                                      frequency, unit, allergy

Unknown keys are errors: a misspelt allergy class must not silently load as no class.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy import insert

from clinical.errors import BadInputError
from clinical.exchange import Ward
from clinical.policy import SitePolicy
from clinical.records import Device, Generation, Label, Practitioner, Product
from server import sites
from server.live.screens import WallScreen, WallScreens
from server.people.service import hash_pin
from server.people.store import add_credential
from server.sites import Site
from server.storage import schema
from server.storage.codec import to_text
from server.storage.store import Store, UnitOfWork


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WardSeed(_Table):
    """The ward itself."""

    id: str = Field(min_length=1, max_length=32)
    zone: str
    generation: Generation = Generation.REAL
    display: Label
    beds: tuple[str, ...] = Field(min_length=1, max_length=400)


class PersonSeed(_Table):
    """One person with badge and PIN."""

    id: str
    name: str
    name_latin: str = ""
    roles: tuple[str, ...]
    wards: tuple[str, ...] | None = None  # this ward when not said; [] for somebody of the whole hospital
    badge: str
    pin_hash: str = ""
    pin: str = ""


class NodeSeed(_Table):
    """One bedside node and the beds it serves."""

    id: str
    beds: tuple[str, ...]


class DeviceSeed(_Table):
    """One device the ward owns; ``bed`` when it is mounted there for good."""

    id: str
    kind: str
    profile: str
    label: str = ""
    serial: str = ""
    bed: str = ""


class ScreenSeed(_Table):
    """One wall screen that somebody would miss; its page is opened with ``?screen=`` and this id."""

    id: str = Field(min_length=1, max_length=32, pattern=r"^[0-9A-Za-z._-]+$")
    name: Label
    ward: str = ""  # the ward of this file when not said


class Seed(_Table):
    """The whole file."""

    ward: WardSeed
    people: tuple[PersonSeed, ...]
    nodes: tuple[NodeSeed, ...] = ()
    devices: tuple[DeviceSeed, ...] = ()
    screens: tuple[ScreenSeed, ...] = ()
    products: tuple[dict[str, Any], ...] = ()
    mappings: dict[str, dict[str, str]] = {}


_PRODUCT = TypeAdapter(Product)


def read(path: Path) -> Seed:
    """Read and check a seed file.

    Raises:
        BadInputError: Missing, not TOML, or not a seed; the sentence names the place.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        seed = Seed.model_validate(document)
    except OSError as error:
        raise BadInputError("seed-file", f"cannot read the ward file: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError("seed-file", f"the ward file is not valid TOML: {error}") from error
    except ValidationError as error:
        raise BadInputError("seed-file", f"the ward file: {_first(error)}") from error
    _check(seed)
    return seed


def _first(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def _check(seed: Seed) -> None:
    beds = set(seed.ward.beds)
    strangers = [bed for node in seed.nodes for bed in node.beds if bed not in beds]
    strangers += [device.bed for device in seed.devices if device.bed and device.bed not in beds]
    if strangers:
        raise BadInputError(
            "seed-bed", f"the ward file names a bed that the ward does not have: {strangers[0]}"
        )
    _check_screens(seed)
    for person in seed.people:
        if person.pin and seed.ward.generation is not Generation.DEMO:
            raise BadInputError(
                "seed-pin", "a PIN may stand in a ward file only for a Demo ward; use pin_hash"
            )
        if not (person.pin or person.pin_hash):
            raise BadInputError("seed-pin", "every person needs a pin_hash (argon2id)")
    try:
        ZoneInfo(seed.ward.zone)
    except (OSError, ValueError, KeyError) as error:
        raise BadInputError("seed-zone", "ward.zone is an IANA time zone such as Asia/Shanghai") from error


def _check_screens(seed: Seed) -> None:
    names = [screen.id for screen in seed.screens]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise BadInputError("seed-screen", f"the ward file names the screen {twice} twice")
    if any(screen.ward not in {"", seed.ward.id} for screen in seed.screens):
        raise BadInputError("seed-screen", "a screen of the ward file shows another ward; leave out its ward")


def products(seed: Seed) -> list[Product]:
    """Read the formulary of a seed.

    Raises:
        BadInputError: An entry has an unknown key or a wrong value.
    """
    result = []
    for entry in seed.products:
        unknown = sorted(set(entry) - set(Product.__dataclass_fields__))
        if unknown:
            raise BadInputError("seed-product", f"a product has no key {unknown[0]}")
        try:
            result.append(_PRODUCT.validate_python(entry))
        except ValidationError as error:
            raise BadInputError("seed-product", f"product {entry.get('id', '?')}: {_first(error)}") from error
    return result


def read_policy(path: Path | None) -> SitePolicy:
    """Read the site policy; the product's own proposals when there is no file.

    Raises:
        BadInputError: The file cannot be read or would weaken a safety rule.
    """
    if path is None:
        return SitePolicy.default()
    try:
        return SitePolicy.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BadInputError("policy-file", f"cannot read the policy file: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError("policy-file", f"the policy file is not valid TOML: {error}") from error


def plant(store: Store, seed: Seed, policy: SitePolicy) -> Site:
    """Load a seed into an empty store, all of it in one transaction."""
    ward = Ward(id=seed.ward.id, display=seed.ward.display, zone=seed.ward.zone, beds=seed.ward.beds)
    site = Site(
        wards={ward.id: ward},
        generations={ward.id: seed.ward.generation},
        policy=policy,
        policy_document=policy.to_dict(),
        screens=WallScreens(
            WallScreen(id=screen.id, ward=ward.id, display=screen.name) for screen in seed.screens
        ),
    )
    formulary = products(seed)
    hashes = {person.id: person.pin_hash or hash_pin(person.pin) for person in seed.people}

    def load(unit: UnitOfWork) -> None:
        sites.save(unit.connection, site)
        _plant_people(unit, seed, hashes)
        for product in formulary:
            unit.put(product)
        _plant_devices(unit, seed)
        _plant_tables(unit, seed)
        unit.audit("seed", actor="system", entity=f"ward:{ward.id}")

    store.write(load)
    return site


def _plant_people(unit: UnitOfWork, seed: Seed, hashes: dict[str, str]) -> None:
    for person in seed.people:
        unit.put(
            Practitioner(
                id=person.id,
                name=person.name,
                name_latin=person.name_latin,
                roles=person.roles,
                badge=person.badge,
                wards=(seed.ward.id,) if person.wards is None else person.wards,
            )
        )
        add_credential(unit.connection, person.id, person.badge, hashes[person.id])


def _plant_devices(unit: UnitOfWork, seed: Seed) -> None:
    for device in seed.devices:
        unit.put(
            Device(
                id=device.id,
                kind=device.kind,
                profile=device.profile,
                label=device.label,
                serial=device.serial,
                generation=seed.ward.generation,
            )
        )
        if device.bed:
            place = {"device_id": device.id, "ward": seed.ward.id, "bed": device.bed}
            unit.connection.execute(insert(schema.device_places).values(place))


def _plant_tables(unit: UnitOfWork, seed: Seed) -> None:
    for node in seed.nodes:
        unit.connection.execute(
            insert(schema.nodes).values(
                id=node.id, ward=seed.ward.id, beds=to_text(list(node.beds)), since=unit.now, status=""
            )
        )
    rows = [
        {"system": system, "code": code, "target": target}
        for system, table in seed.mappings.items()
        for code, target in table.items()
    ]
    if rows:
        unit.connection.execute(insert(schema.mappings), rows)
