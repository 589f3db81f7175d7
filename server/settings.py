"""What the ward server is told by its configuration file and its environment.

The file is TOML; any value can be replaced by an environment variable such as
``WARDLINK_SERVER__STORAGE__URL``. Secrets are only ever file paths. Unknown keys are errors.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from clinical.errors import BadInputError
from server.fhir.settings import Fhir
from server.people.settings import Access

Port = Annotated[int, Field(ge=0, le=65535)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Listener(_Section):
    """Where people's devices reach the server."""

    host: str = "127.0.0.1"
    port: Port = 8443
    cert_file: Path | None = None
    key_file: Path | None = None
    plain_port: Port = 0  # 0 = none; only ever bound to the loopback address
    state_dir: Path
    public_url: str = ""
    metrics_token_file: Path | None = None  # who shows it reads /metrics from another machine
    pin_attempts: Annotated[int, Field(ge=3, le=10)] = 5
    lockout_s: Annotated[int, Field(ge=10, le=3600)] = 300
    session_h: Annotated[int, Field(ge=1, le=24)] = 12


class Storage(_Section):
    """Where facts rest: ``sqlite:///…`` or ``postgresql+psycopg://…``.

    With ``pg_schema`` several servers share one PostgreSQL database: each owns its wards, in a schema of this
    name, hears only the nodes of these wards, and is known to the broker as ``wardlink-server-NAME``.
    """

    url: str
    pg_schema: Annotated[str, Field(pattern=r"^([a-z][a-z0-9]{0,30})?$")] = ""
    wave_retention_h: Annotated[int, Field(ge=1, le=24 * 90)] = 48
    sample_retention_d: Annotated[int, Field(ge=1, le=3650)] = 30  # single samples; their minutes stay


class Mqtt(_Section):
    """The broker of the bedside nodes; port 0 runs the server without one.

    ``client`` is what speaks to it: our own reader on the event loop, or paho at a higher cost per message.
    """

    host: str = "127.0.0.1"
    port: Port = 0
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    client: Literal["asyncio", "paho"] = "asyncio"
    batch_ms: Annotated[int, Field(ge=10, le=1000)] = 100
    max_buffered: Annotated[int, Field(ge=100, le=1_000_000)] = 20_000


class His(_Section):
    """The hospital information system; port 0 listens to none.

    With ``ca_file``, ``cert_file`` and ``key_file`` both directions speak TLS and both sides show
    certificates; ours is then used as server and as client and must be issued for both. Without them
    messages travel in the clear: only on this machine, or with named ``senders``.
    """

    mllp_port: Port = 0
    mllp_host: str = "127.0.0.1"
    senders: tuple[str, ...] = ()
    send_to: str = ""
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    silent_after_s: Annotated[int, Field(ge=10, le=86_400)] = 300
    sending_application: str = "WARDLINK"
    sending_facility: str = "WARD"
    receiving_application: str = "HIS"
    receiving_facility: str = "HOSPITAL"


class WardFiles(_Section):
    """Files read on the first start on an empty store."""

    seed: Path
    policy: Path | None = None


class ServerSettings(BaseSettings):
    """Everything one ward server is told."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="WARDLINK_SERVER__", env_nested_delimiter="__"
    )

    server: Listener
    storage: Storage
    mqtt: Mqtt = Mqtt()
    his: His = His()
    fhir: Fhir = Fhir()
    access: Access = Access()
    ward: WardFiles

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def read(path: Path) -> ServerSettings:
    """Read the settings from ``path``; relative paths in it are relative to the file.

    Raises:
        BadInputError: The file is missing, not TOML, or says something that is not a setting.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError("settings-file", f"cannot read the settings file: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError("settings-file", f"the settings file is not valid TOML: {error}") from error
    return from_mapping(document, path.parent.resolve())


def from_mapping(document: dict[str, Any], base: Path) -> ServerSettings:
    """Validate a settings document; relative paths are taken from ``base``.

    Raises:
        BadInputError: A key is unknown, missing or has a wrong value; the sentence names the key.
    """
    try:
        return ServerSettings(**_anchored(document, base))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadInputError("settings", f"setting {key}: {first['msg']}") from error


_PATHS = {"cert_file", "key_file", "ca_file", "state_dir", "metrics_token_file", "seed", "policy"}


def _anchored(document: dict[str, Any], base: Path) -> dict[str, Any]:
    anchored: dict[str, Any] = {}
    for section, values in document.items():
        anchored[section] = (
            {
                key: base / value if key in _PATHS and isinstance(value, str) else value
                for key, value in values.items()
            }
            if isinstance(values, dict)
            else values
        )
    return anchored
