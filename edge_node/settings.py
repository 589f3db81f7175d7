"""What an engineer writes about one bedside node, checked before anything starts.

Two files: the node's own (:class:`EdgeSettings`) and, for the demo and tests, that of its simulated
devices (:class:`SimulationSettings`). Unknown keys are errors; secrets stand only as file paths.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from broker.topics import check_node_id
from clinical.errors import BadInputError
from clinical.records import Generation

DEVICE_UID = r"^(?:ble|serial):[A-Za-z0-9][A-Za-z0-9._-]{0,80}$"
KEY_BYTES = 16
BLE_ADDRESS = r"^[0-9A-F]{2}(?::[0-9A-F]{2}){5}$"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NodeSection(_Section):
    """Who this node is and where it keeps its state."""

    id: str
    state_dir: Path
    generation: Generation = Generation.REAL

    @field_validator("id")
    @classmethod
    def _is_node_id(cls, value: str) -> str:
        try:
            return check_node_id(value)
        except BadInputError as error:
            raise ValueError(error.message) from error


class MqttSection(_Section):
    """The broker, and the certificate that is this node's identity there."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 8883
    ca_file: Path
    cert_file: Path
    key_file: Path


Adapter = Annotated[str, Field(pattern=r"^hci\d{1,3}$")]


class BluetoothSection(_Section):
    """The radios. ``bus`` is a D-Bus address; empty means the system bus.

    ``adapters`` are names such as ``hci0``; each device is reached through the one that hears it best. With
    none named, the first adapter of the machine is used alone.
    """

    enabled: bool = True
    bus: str = ""
    adapters: tuple[Adapter, ...] = ()

    @field_validator("adapters")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("an adapter is named twice")
        return value


class SerialPortSection(_Section):
    """Which profile speaks on ports whose name matches ``glob``."""

    glob: Annotated[str, Field(min_length=1)]
    profile: Annotated[str, Field(min_length=1)]


class SerialSection(_Section):
    """The directory whose entries are the serial ports, polled for hot-plug."""

    directory: Path | None = None
    poll_s: Annotated[float, Field(ge=0.05, le=60)] = 1.0
    ports: tuple[SerialPortSection, ...] = ()


class BoundDevice(_Section):
    """A BLE device that belongs to this node; others are reported and never used.

    ``serial`` is the device's own serial number: when given, a device that answers with another is refused.
    ``key_file`` holds the bind key of sealed adverts as 32 hex digits.
    """

    uid: Annotated[str, Field(pattern=DEVICE_UID)]
    profile: Annotated[str, Field(min_length=1)]
    address: Annotated[str, Field(pattern=BLE_ADDRESS)]
    serial: Annotated[str, Field(max_length=64)] = ""
    key_file: Path | None = None

    @field_validator("address", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    def key(self) -> bytes:
        """The bind key, empty without one.

        Raises:
            BadInputError: The file cannot be read or holds no key; the message names only the device.
        """
        if self.key_file is None:
            return b""
        try:
            key = bytes.fromhex(self.key_file.read_text(encoding="ascii").strip())
        except (OSError, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise BadInputError("bind-key", f"the key file of {self.uid} must hold 32 hex digits")
        return key


class OutboxSection(_Section):
    """How much may wait on the disk, and for how long."""

    max_bytes: Annotated[int, Field(ge=65_536)] = 256 * 1024 * 1024
    max_age_h: Annotated[float, Field(gt=0)] = 72.0


class RecorderSection(_Section):
    """The flight recorder: raw frames of the last days; 0 bytes switches it off."""

    max_bytes: Annotated[int, Field(ge=0)] = 64 * 1024 * 1024
    max_age_h: Annotated[float, Field(gt=0)] = 72.0


class LampSection(_Section):
    """Lamp, buzzer and button on the node's pins (BCM numbers); -1 where there is none.

    Needs the gpiozero package; without this section it is never loaded.
    """

    red_pin: Annotated[int, Field(ge=-1, le=27)] = -1
    yellow_pin: Annotated[int, Field(ge=-1, le=27)] = -1
    cyan_pin: Annotated[int, Field(ge=-1, le=27)] = -1
    buzzer_pin: Annotated[int, Field(ge=-1, le=27)] = -1
    button_pin: Annotated[int, Field(ge=-1, le=27)] = -1


class HealthSection(_Section):
    """Loopback port of the health document; 0 switches it off."""

    port: Annotated[int, Field(ge=0, le=65535)] = 0


class EdgeSettings(BaseSettings):
    """Everything one node needs; the file first, then ``WARD_EDGE__SECTION__KEY`` from the environment."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="WARD_EDGE__", env_nested_delimiter="__"
    )

    node: NodeSection
    mqtt: MqttSection
    bluetooth: BluetoothSection = BluetoothSection(enabled=False)
    serial: SerialSection = SerialSection()
    devices: tuple[BoundDevice, ...] = ()
    outbox: OutboxSection = OutboxSection()
    health: HealthSection = HealthSection()
    recorder: RecorderSection = RecorderSection()
    lamp: LampSection | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the file, and read nothing else."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @field_validator("devices")
    @classmethod
    def _each_device_once(cls, value: tuple[BoundDevice, ...]) -> tuple[BoundDevice, ...]:
        for kind, seen in (("uid", [d.uid for d in value]), ("address", [d.address for d in value])):
            if len(set(seen)) != len(seen):
                raise ValueError(f"two devices have the same {kind}")
        return value


class DripPeripheral(_Section):
    """A simulated drip sensor on the simulated radio."""

    kind: Literal["wardlink_drip"]
    address: Annotated[str, Field(pattern=BLE_ADDRESS)]
    name: str = "WL-DRIP"
    serial: str = ""
    drops_per_ml: Annotated[int, Field(ge=1, le=100)] = 20
    jitter: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    seed: int = 1

    @field_validator("address", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value


class DripAdvertPeripheral(DripPeripheral):
    """A simulated drip sensor in broadcast mode; ``key`` is the bind key that seals its adverts."""

    kind: Literal["wardlink_drip_advert"]  # type: ignore[assignment]  # narrows the kind of the base
    key: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$")]


class GlucosePeripheral(_Section):
    """A simulated glucose meter with results in its memory."""

    kind: Literal["sig_glucose"]
    address: Annotated[str, Field(pattern=BLE_ADDRESS)]
    name: str = "WL-GLUCOSE"
    serial: str = ""
    records: Annotated[int, Field(ge=0, le=1000)] = 5
    seed: int = 1

    @field_validator("address", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value


Peripheral = Annotated[DripPeripheral | DripAdvertPeripheral | GlucosePeripheral, Field(discriminator="kind")]


class SerialInstrument(_Section):
    """A simulated instrument on a pseudo-terminal; ``name`` is its entry in the port directory."""

    kind: Literal["nonin_oem3"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,80}$")]
    spo2: Annotated[int, Field(ge=0, le=100)] = 97
    pulse: Annotated[int, Field(ge=18, le=321)] = 72
    seed: int = 1


class SimulationSettings(_Section):
    """The simulated devices of one node.

    Sockets and port links live in ``directory``, or in a private temporary directory when it is empty.
    """

    directory: Path | None = None
    peripherals: tuple[Peripheral, ...] = ()
    serials: tuple[SerialInstrument, ...] = ()


S = TypeVar("S", EdgeSettings, SimulationSettings)


def load(path: Path, kind: type[S]) -> S:
    """Read and check one settings file.

    Raises:
        BadInputError: The file is missing, is not TOML, or a key is unknown or wrong; the message names
            the file and every such key but never repeats a value.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError("settings-missing", f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError("settings-syntax", f"{path} is not a TOML file: {error}") from error
    try:
        return kind(**raw)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
        )
        raise BadInputError("settings", f"{path}: {wrong}") from error


def ble_uid(address: str) -> str:
    """Name a BLE device as the rest of the product does: ``ble:c0-00-00-00-01-01``."""
    return "ble:" + address.lower().replace(":", "-")


def serial_uid(entry: str) -> str:
    """Name a serial device by its entry in the port directory."""
    return f"serial:{entry}"
