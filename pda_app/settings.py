"""Settings of one handheld: a TOML file, then environment variables, read once at the start."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from clinical.errors import BadInputError


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Server(_Group):
    """Where the ward server is, and whom to trust."""

    url: str = Field(description="https://host:port of the ward server")
    ca_file: Path | None = Field(default=None, description="the hospital's certificate authority")
    check_silence_s: float = Field(
        default=2.0, gt=0, le=10, description="a re-check that takes longer counts as offline"
    )
    poll_s: float = Field(default=20.0, ge=0, le=25, description="how long one long poll waits")


class Security(_Group):
    """Locking and attempts."""

    pin_length: int = Field(default=6, ge=4, le=12, description="digits of a PIN")
    lock_after_s: int = Field(default=180, ge=15, description="idle seconds until the screen locks")
    attempts: int = Field(default=5, ge=1, le=10, description="wrong PINs until the pad is blocked")
    block_s: int = Field(default=300, ge=1, description="seconds the pad stays blocked")


class Look(_Group):
    """How it is shown at the start; the nurse changes it live."""

    language: Literal["zh", "en"] = "zh"
    dark: bool = False
    text_scale: float = Field(default=1.0, ge=1.0, le=1.3)
    sound: bool = True
    speech: bool = False


class Camera(_Group):
    """The camera scanner; ``source`` is a number or a file (a recorded film)."""

    source: str = ""
    width: int = Field(default=1280, ge=320)
    height: int = Field(default=720, ge=240)


class HandheldSettings(BaseSettings):
    """Everything one handheld is told; unknown keys are errors."""

    model_config = SettingsConfigDict(
        env_prefix="WARDLINK_PDA__", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    handheld: str = Field(min_length=1, max_length=64, description="name of this device on the ward")
    state_dir: Path
    secret_file: Path | None = Field(
        default=None,
        description="device secret, outside state_dir; /etc/wardlink or the user's own by default",
    )
    demo: bool = Field(default=False, description="a Demo ward: the secret may lie beside the database")
    server: Server
    security: Security = Security()
    look: Look = Look()
    camera: Camera = Camera()

    @model_validator(mode="after")
    def _secret_is_apart(self) -> Self:
        """A copy of the database's directory must not hold its key; in a Demo no patient is real."""
        beside = self.secret_file is not None and self.secret_file.resolve().is_relative_to(
            self.state_dir.resolve()
        )
        if beside and not self.demo:
            raise ValueError("secret_file must not lie in state_dir; only a Demo ward may keep it there")
        return self

    @property
    def device_secret(self) -> Path:
        """Where the device secret lies."""
        if self.secret_file is not None:
            return self.secret_file
        name = f"{quote(self.handheld, safe='')}.key"
        return self.state_dir / "device.key" if self.demo else _secrets() / name


def _secrets() -> Path:
    """The machine's own directory where this program may write it, else the user's configuration (XDG)."""
    machine = Path("/etc/wardlink")
    if os.access(machine, os.W_OK):
        return machine
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(home) if Path(home).is_absolute() else Path.home() / ".config") / "wardlink"


def load(path: Path) -> HandheldSettings:
    """Read the settings file.

    Raises:
        BadInputError: The file is missing, is not TOML, or does not fit; the message names the setting.
    """
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return HandheldSettings(**document)
    except OSError as error:
        raise BadInputError("settings-file", f"the settings file {path.name} cannot be read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError("settings-file", f"the settings file {path.name} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInputError("settings-value", f"setting {where}: {first['msg']}", setting=where) from error
