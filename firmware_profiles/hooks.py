"""What no table can say: decryption of adverts, by name, from a fixed registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from firmware_profiles import intellivue
from firmware_profiles.framing import RejectError


def _address(mac: str) -> bytes:
    try:
        address = bytes.fromhex(mac.replace(":", "").replace("-", ""))
    except ValueError:
        address = b""
    if len(address) != 6:
        raise RejectError("no-address")
    return address


def _opened(key: bytes, nonce: bytes, sealed: bytes, associated: bytes | None) -> bytes:
    if len(key) not in {16, 24, 32}:
        raise RejectError("no-key")
    try:
        return AESCCM(key, tag_length=4).decrypt(nonce, sealed, associated)
    except (InvalidTag, ValueError):
        raise RejectError("decrypt") from None


def bthome_v2(frame: bytes, mac: str, key: bytes) -> bytes:
    """Open a BTHome v2 advert (service data FCD2); a plain one passes unless a key is known.

    The result begins with the device information byte, its encryption bit cleared.
    Source: BTHome v2 format; nonce = address, UUID, information byte, counter; 4-byte MIC.
    """
    if not frame:
        raise RejectError("short")
    information = frame[0]
    if not information & 1:
        if key:  # a device that once encrypted is not believed in the clear
            raise RejectError("downgrade")
        return frame
    if len(frame) < 1 + 1 + 4 + 4:
        raise RejectError("short")
    counter, mic = frame[-8:-4], frame[-4:]
    nonce = _address(mac) + b"\xd2\xfc" + frame[:1] + counter
    return bytes([information & 0xFE]) + _opened(key, nonce, frame[1:-8] + mic, None)


def mibeacon(frame: bytes, mac: str, key: bytes) -> bytes:
    """Open a Xiaomi MiBeacon advert (service data FE95) down to object id, length and data.

    Source: MiBeacon v4/v5 as implemented by public parsers; associated data 0x11, 4-byte MIC.
    """
    if len(frame) < 5:
        raise RejectError("short")
    control = int.from_bytes(frame[:2], "little")
    start = 5 + (6 if control & 0x10 else 0)
    address = frame[5:11][::-1] if control & 0x10 else _address(mac)
    start += 1 if control & 0x20 else 0
    if not control & 0x40:
        raise RejectError("no-object")
    if not control & 0x08:
        if len(frame) < start + 4:
            raise RejectError("short")
        return frame[start:]
    if len(frame) < start + 1 + 7:
        raise RejectError("short")
    nonce = address[::-1] + frame[2:5] + frame[-7:-4]
    return _opened(key, nonce, frame[start:-7] + frame[-4:], b"\x11")


def seal_bthome_v2(plain: bytes, mac: str, key: bytes, counter: int) -> bytes:
    """Seal a plain BTHome v2 advert as a sensor does: the way back of :func:`bthome_v2`."""
    information = bytes([plain[0] | 1])
    count = counter.to_bytes(4, "little")
    nonce = _address(mac) + b"\xd2\xfc" + information + count
    sealed = AESCCM(key, tag_length=4).encrypt(nonce, plain[1:], None)
    return information + sealed[:-4] + count + sealed[-4:]


def bthome_counter(frame: bytes) -> int | None:
    """The counter of a sealed BTHome v2 advert, which must grow; None for a plain one.

    Only worth something once the advert has been opened: the seal covers the counter.
    """
    return int.from_bytes(frame[-8:-4], "little") if frame[0] & 1 else None


COUNTERS: Mapping[str, Callable[[bytes], int | None]] = {"bthome-v2": bthome_counter}
"""Where a decryption's counter stands, for those whose counter grows over the whole life of a device."""

UNPACKERS: Mapping[str, Callable[[bytes], bytes]] = {"intellivue-numerics": intellivue.numerics}
"""What lies in nested lists whose depth no table can say, laid flat: one record after the other."""

HOOKS: Mapping[str, Callable[[bytes, str, bytes], bytes]] = {"bthome-v2": bthome_v2, "mibeacon": mibeacon}
