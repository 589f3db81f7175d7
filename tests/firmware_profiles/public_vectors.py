"""Public bytes through the profile of their device, as ``wardlink profile decode`` reads them, and compared.

Run over a file of such vectors, it says of each entry whether it agrees, and why the others are not read::

    python -m tests.firmware_profiles.public_vectors FILE...

An entry names its device, its bytes (``hex_or_ascii``), whether they are valid and what they mean
(``expected``: values by name, or ``records`` of them). Bytes under a copyleft licence can thus be compared
without a copy of them in this repository.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from deploy.commands import profile as command
from firmware_profiles import registry
from firmware_profiles.reading import Context

PROFILES: Mapping[str, str] = {
    "Abbott FreeStyle Libre": "abbott_libre",
    "Abbott FreeStyle Optium": "abbott_freestyle_optium",
    "Alaris": "alaris_asena",
    "Atomax": "atomax_skale",
    "BCI": "bci_5byte",
    "BTHome": "bthome_v2",
    "Baxter AS50": "baxter_as50",
    "Bayer": "ascensia_contour",
    "Beurer BM85": "beurer_bm85",
    "Contec": "contec_cms50d_plus",
    "Dexcom": "dexcom_g6",
    "Draeger": "draeger_medibus",
    "FitTrack": "fittrack_dara",
    "Ivy": "ivy_450c",
    "Laica": "laica_scale",
    "LifeScan OneTouch Ultra2": "lifescan_ultra2",
    "LifeScan OneTouch UltraEasy": "lifescan_ultraeasy",
    "Mettler": "mettler_sics",
    "Microlife": "microlife_bpm",
    "Nonin OEM": "nonin_oem3",
    "Omron": "omron_hem7142t2",
    "Omron HEM-7600T": "omron_hem7600t",
    "Philips IntelliVue": "philips_intellivue",
    "Polar H10 ECG": "polar_h10",
    "Polar H10 advert": "polar_hr_advert",
    "Polar HR": "sig_heart_rate",
    "Robi S9": "robi_s9",
    "SIG Blood": "sig_blood_pressure",
    "SIG Body": "sig_body_composition",
    "SIG CGM": "sig_cgm",
    "SIG Current": "sig_current_time",
    "SIG Glucose": "sig_glucose",
    "SIG Heart": "sig_heart_rate",
    "SIG Intermediate Cuff": "sig_blood_pressure",
    "SIG Pulse": "sig_plx",
    "SIG RACP": "sig_glucose",
    "SIG Record": "sig_glucose",
    "SIG Thermometer": "sig_thermometer",
    "SIG Weight": "sig_weight",
    "SIG cuff": "sig_blood_pressure",
    "Senssun": "senssun_if_b7",
    "FORA": "taidoc_8byte",
    "TaiDoc": "taidoc_8byte",
    "Vitafit": "vitafit_vt701",
    "Xiaogui": "xiaogui_tzc4",
    "Xiaomi MMC-T201-1": "xiaomi_mmc_t201",
    "Xiaomi MMC-W505": "xiaomi_mmc_w505",
    "Xiaomi Mi Body": "xiaomi_mi_scale_2",
    "Xiaomi Mi Scale (": "xiaomi_mi_scale_1",
    "Xiaomi Mi Scale V1": "xiaomi_mi_scale_1",
    "Xiaomi Mi Scale V2": "xiaomi_mi_scale_2",
    "Xiaomi S200": "xiaomi_s200",
    "Xiaomi S400": "xiaomi_s400",
    "XOSS": "xoss_x2",
    "Yonker": "yonker_bp",
}
"""How the name of a device begins → the profile that reads it."""

NOT_READ: Mapping[str, str] = {
    "CRC16": "a checksum alone, no device: the checksums that profiles use are tested by themselves",
    "IEEE-11073": "a number alone, no device: SFLOAT and FLOAT are tested by themselves",
    "Philips IntelliVue RS-232 frame": "what a sender makes of two bytes; the profile reads its frame back",
    "TaiDoc/FORA date": "four bytes out of a frame; read inside the whole frame of eight",
}
"""How the name of an entry begins → why no stream of a profile reads its bytes."""

ONE_STREAM: Mapping[str, str] = {"Nonin OEM III bad checksum": "packet"}
"""Where only one stream of a profile is meant: another finds the frames in it that are whole."""

NAMES: Mapping[str, tuple[str, ...]] = {
    "conc_mg_dL": ("glucose_mg_dl",),
    "context": ("context_follows",),
    "crc": ("crc_ok",),
    "dia": ("diastolic",),
    "loc": ("location",),
    "map": ("mean",),
    "offset_min": ("time_offset_min",),
    "site": ("type",),
    "status": ("conditions",),
    "sys": ("systolic",),
    "temp": ("temperature",),
    "time": ("base_time",),
}
"""A value's name in the vectors → its name in the profiles, where they differ."""
PAIRS: Mapping[str, tuple[str, str]] = {"fast": ("spo2_fast", "pr_fast"), "slow": ("spo2_slow", "pr_slow")}
WORDS: Mapping[str, Any] = {"NaN": None, "mmHg": "mm[Hg]", "ok": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one entry: ``agrees``, ``differs`` or ``not-read``, and why."""

    id: str
    device: str
    verdict: str
    why: str = ""


def same(wanted: Any, got: Any) -> bool:
    """Whether a decoded value is the expected one."""
    if isinstance(wanted, str) and isinstance(got, list):
        return bytes(got).hex() == wanted
    if isinstance(wanted, list):
        return isinstance(got, list) and sorted(map(str, wanted)) == sorted(map(str, got))
    if isinstance(wanted, str) and isinstance(got, str):
        return got.startswith(wanted)  # the vectors leave out seconds that a frame does not carry
    if isinstance(wanted, bool) or isinstance(got, bool):
        return wanted is got
    if isinstance(wanted, int | float) and isinstance(got, int | float):
        return Decimal(str(wanted)) == Decimal(str(got))
    return bool(wanted == got)


def differences(records: list[dict[str, Any]], answer: Mapping[str, Any]) -> str:
    """Name what a decoded answer has different from the expected records; empty when it agrees."""
    found = answer.get("records") or [answer["values"]]
    if records and "frames" in records[0]:
        return "" if len(found) == records[0]["frames"] else f"{len(found)} frames"
    if len(found) != len(records):
        return f"{len(found)} records instead of {len(records)}"
    for wanted, record in zip(records, found, strict=True):
        for name, value in wanted.items():
            if not _holds(name, value, record):
                return f"{name} is {record.get(name, {}).get('value')}, not {value}"
    return ""


def _holds(name: str, wanted: Any, record: Mapping[str, Any]) -> bool:
    wanted = WORDS.get(wanted, wanted) if isinstance(wanted, str) else wanted
    if name == "unit":
        return any(one["unit"] == wanted for one in record.values())
    if name in PAIRS:
        return all(same(one, record[key]["value"]) for one, key in zip(wanted, PAIRS[name], strict=True))
    known = [record[one] for one in (name, *NAMES.get(name, ())) if one in record]
    return any(same(wanted, one["value"]) for one in known)


def decoded(profile_id: str, stream: str, item: str, known: Mapping[str, str]) -> dict[str, Any]:
    """Decode as ``wardlink profile decode`` does."""
    context = Context(mac=known.get("mac", ""), key=bytes.fromhex(known.get("bindkey", "")))
    return command._decode_one(registry.load().get(profile_id), stream, item, context)


def _longest(table: Mapping[str, str], device: str) -> str | None:
    found = [start for start in table if device.startswith(start)]
    return table[max(found, key=len)] if found else None


def _wanted(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    expected = entry["expected"] or {}
    if isinstance(expected, dict):
        expected = expected.get("records", [expected])
    return [dict(record) for record in expected]


def outcome(entry: Mapping[str, Any]) -> Outcome:
    """Decode one entry through every stream of its device's profile and compare."""
    name, device = str(entry["id"]), str(entry["device"])
    reason = _longest(NOT_READ, device)
    profile_id = _longest(PROFILES, device)
    if reason or profile_id is None:
        return Outcome(id=name, device=device, verdict="not-read", why=reason or "no profile")
    item = entry["hex_or_ascii"]
    text = "".join(item) if isinstance(item, list) else item
    why = ""
    one_stream = _longest(ONE_STREAM, device)
    for stream in [one_stream] if one_stream else registry.load().get(profile_id).streams:
        answer = decoded(profile_id, stream, text, entry.get("context") or {})
        if not answer["accepted"]:
            why = why or str(answer["reject"])
            continue
        if not entry["valid"]:
            return Outcome(id=name, device=device, verdict="differs", why=f"accepted by {stream}")
        why = differences(_wanted(entry), answer)
        if not why:
            return Outcome(id=name, device=device, verdict="agrees", why=f"{profile_id} {stream}")
    verdict = "differs" if entry["valid"] else "agrees"
    return Outcome(id=name, device=device, verdict=verdict, why=f"{profile_id}: {why}")


def outcomes(paths: list[Path]) -> Iterator[Outcome]:
    """Go through every entry of some files."""
    for path in paths:
        content = json.loads(path.read_text(encoding="utf-8"))
        for entry in content["vectors"] if isinstance(content, dict) else content:
            yield outcome(entry)


def main(arguments: list[str]) -> int:
    """Print what became of each entry that does not simply agree, and how many there are of each kind."""
    found = list(outcomes([Path(argument) for argument in arguments]))
    for one in found:
        if one.verdict != "agrees":
            print(f"{one.verdict:<9}{one.id:<6}{one.device}: {one.why}")
    counts = {kind: sum(one.verdict == kind for one in found) for kind in ("agrees", "differs", "not-read")}
    print(", ".join(f"{kind} {count}" for kind, count in counts.items()))
    return 1 if counts["differs"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
