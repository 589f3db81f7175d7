"""Every profile that ships, loaded once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from clinical.errors import ConflictError, NotFoundError
from firmware_profiles.load import load_file
from firmware_profiles.plan import Profile

DEVICES = Path(__file__).resolve().parent / "devices"


class Registry:
    """Profiles by id, in the order of their ids."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self._profiles = dict(sorted(profiles.items()))

    def __iter__(self) -> Iterator[Profile]:
        return iter(self._profiles.values())

    def __len__(self) -> int:
        return len(self._profiles)

    def __contains__(self, profile_id: object) -> bool:
        return profile_id in self._profiles

    def get(self, profile_id: str) -> Profile:
        """Return one profile.

        Raises:
            NotFoundError: No profile has this id.
        """
        try:
            return self._profiles[profile_id]
        except KeyError:
            raise NotFoundError(
                "no-profile", f"there is no profile {profile_id}; see: wardlink profile list"
            ) from None


def load_directory(directory: Path) -> Registry:
    """Load every ``*.toml`` below a directory.

    Raises:
        BadInputError: A file is wrong; the message names file and key.
        ConflictError: Two files hold one id.
    """
    profiles: dict[str, Profile] = {}
    for path in sorted(directory.rglob("*.toml")):
        profile = load_file(path)
        if profile.id in profiles:
            raise ConflictError(
                "profile-twice", f"{path}: profile.id: {profile.id} is also in {profiles[profile.id].path}"
            )
        profiles[profile.id] = profile
    return Registry(profiles)


@cache
def load() -> Registry:
    """Return the shipped profiles; they are read once in a process."""
    return load_directory(DEVICES)
