"""What no table can say: decryption of adverts, by name, from a fixed registry."""

from __future__ import annotations

import math
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


def laica(frame: bytes, mac: str, key: bytes) -> bytes:
    """Uncover the reading of a Laica scale: four bytes after the address, each combined with A0.

    Source: the Laica parser of custom-components/ble_monitor.
    """
    del mac, key
    return frame[:6] + bytes(byte ^ 0xA0 for byte in frame[6:10]) + frame[10:]


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

DEXCOM_PIECE = 20


def dexcom_backfill(frame: bytes) -> bytes:
    """Join the numbered pieces of a Dexcom backfill: each begins with its number and one byte more.

    The first piece has four more bytes before its records. Source: LoopKit/CGMBLEKit.
    """
    pieces = [frame[start : start + DEXCOM_PIECE] for start in range(0, len(frame), DEXCOM_PIECE)]
    if any(piece[0] != number for number, piece in enumerate(pieces, start=1)):
        raise RejectError("order")
    return b"".join(piece[2:] for piece in pieces)[4:]


def mmc_t201(frame: bytes) -> bytes:
    """Append the body's temperature, in thousandths, that two probes of an MMC-T201-1 suggest; 0 for none.

    The formula was fitted by Bluetooth-Devices/xiaomi-ble to what an app showed from 36.5 to 37.8 degrees.
    """
    if len(frame) < 7:
        raise RejectError("short")
    near, far = (int.from_bytes(frame[at : at + 2], "little", signed=True) / 100 for at in (3, 5))
    body = 3.71934e-11 * math.exp(0.69314 * near) - 1.02801e-8 * math.exp(0.53871 * far) + 36.413
    return frame + round(1000 * body if 0 < body < 60 else 0).to_bytes(2, "little")


UNPACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    "intellivue-numerics": intellivue.numerics,
    "dexcom-backfill": dexcom_backfill,
    "mmc-t201": mmc_t201,
}
"""What no table can lay flat: nested lists, pieces of one message, a value that must be calculated."""

HOOKS: Mapping[str, Callable[[bytes, str, bytes], bytes]] = {
    "bthome-v2": bthome_v2,
    "mibeacon": mibeacon,
    "laica": laica,
}
