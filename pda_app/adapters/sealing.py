"""Keys and ciphers of the local store.

Two secrets: the *device secret* (a file only this user can read; an operating system's keystore where
there is one) and each nurse's PIN. From the device secret come the key of the device compartment and the
key that hides record ids. The ward key is random; for each nurse it is wrapped by a key made of the
device secret *and* the PIN through argon2id, so neither a copied disk nor a watched PIN opens it alone.
"""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from clinical.errors import UnavailableError

KEY_BYTES = 32
NONCE_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class PinCost:
    """Argon2id cost (OWASP minimum by default): memory in KiB, passes, lanes."""

    memory_kib: int = 19_456
    passes: int = 2
    lanes: int = 1


def stretch(pin: str, salt: bytes, cost: PinCost, length: int = KEY_BYTES) -> bytes:
    """Turn a PIN into a key; slow on purpose (about 50 ms), so call it in a thread."""
    return hash_secret_raw(pin.encode(), salt, cost.passes, cost.memory_kib, cost.lanes, length, Type.ID)


class Box:
    """AES-256-GCM with a fresh nonce each time; ``context`` binds a value to the place it is stored in."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return nonce and ciphertext."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, context)

    def unseal(self, sealed: bytes, context: bytes) -> bytes | None:
        """Return the plain bytes; None when the key, the place or a single bit is wrong."""
        if len(sealed) < NONCE_BYTES:
            return None
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
        except InvalidTag:
            return None


def derive(secret: bytes, purpose: str, salt: bytes = b"") -> bytes:
    """Make a key for one purpose out of a secret (HKDF-SHA-256)."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt or None, info=purpose.encode()).derive(secret)


def blind(key: bytes, *parts: str) -> bytes:
    """Return a stable name that tells nothing about an id; ids may hold a patient's number."""
    return hmac.new(key, "\x1f".join(parts).encode(), sha256).digest()


def device_secret(path: Path) -> bytes:
    """Read the device secret, or make it when there is none yet.

    Raises:
        UnavailableError: The file is there but is not a secret, or may not be read.
    """
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        return _make_secret(path)
    except OSError as error:
        raise UnavailableError(
            "store-secret", "the device secret cannot be read; check its permissions"
        ) from error
    if len(secret) != KEY_BYTES:
        raise UnavailableError("store-secret", "the device secret is damaged; enrol this handheld again")
    return secret


def _make_secret(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    secret = secrets.token_bytes(KEY_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    return secret


def shred(path: Path) -> None:
    """Overwrite and remove a key file. Flash may keep old blocks; what they open is removed as well."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
