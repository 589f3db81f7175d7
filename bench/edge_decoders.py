"""Decodes the same adverts with this product and with TheengsDecoder, one after the other, in one run.

TheengsDecoder (the decoder of Theengs Gateway and OpenMQTTGateway) finds the device among all it knows and
decodes it, from JSON text to JSON text. Ours is given the same work: find the profile among all profiles,
then decode. Only adverts that both decode are compared; connected and serial devices it does not do.
"""

from __future__ import annotations

import importlib
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from firmware_profiles import registry
from firmware_profiles.decode import Decoded, decode
from firmware_profiles.match import Advertisement, advert_frames, match
from firmware_profiles.registry import Registry

ROUNDS = 400
THEIRS = "TheengsDecoder"
ADDRESS = "A4:C1:38:00:00:01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One advert that both decode; ``same`` pairs our value's name with theirs."""

    device: str
    same: dict[str, str]
    name: str = ""
    service_uuid: str = ""
    service_data: str = ""
    manufacturer_data: str = ""

    def seen(self) -> Advertisement:
        """As our radio hands it on."""
        maker = bytes.fromhex(self.manufacturer_data)
        return Advertisement(
            name=self.name,
            service_data={self.service_uuid: bytes.fromhex(self.service_data)} if self.service_uuid else {},
            manufacturer_data={int.from_bytes(maker[:2], "little"): maker[2:]} if maker else {},
        )

    def document(self) -> dict[str, Any]:
        """As theirs wants it."""
        found: dict[str, Any] = {"id": ADDRESS, "name": self.name, "rssi": -60}
        if self.service_uuid:
            found |= {"servicedatauuid": self.service_uuid.lower(), "servicedata": self.service_data}
        if self.manufacturer_data:
            found |= {"manufacturerdata": self.manufacturer_data}
        return found


SAMPLES = (
    Sample(
        device="BTHome v2 thermometer", name="ATC_000001", service_uuid="FCD2",
        service_data="400007015502ca0903bf13",
        same={"temp_Cel": "tempc", "humidity_pct": "hum", "battery_pct": "batt"},
    ),
    Sample(
        device="Xiaomi Mi Smart Scale", service_uuid="181D", service_data="22543de507040b101708",
        same={"weight": "weight"},
    ),
    Sample(
        device="Xiaomi Mi Body Composition Scale", service_uuid="181B",
        service_data="0226b20705040f0201ac018642", same={"weight": "weight", "impedance": "impedance"},
    ),
    Sample(
        device="Polar heart rate", name="Polar OH1 1", manufacturer_data="6b00bf46463c",
        same={"hr": "bpm"},
    ),
)  # fmt: skip


def ours(profiles: Registry, seen: Advertisement) -> Decoded | None:
    """Find the profile and decode the first frame it takes from the advert."""
    profile = match(profiles, seen)
    if profile is None:
        return None
    for stream, data in advert_frames(profile, seen):
        return decode(profile, stream, data)
    return None


def median_us(work: Callable[[], object]) -> float:
    """Median microseconds of one call, in the state a running program is in."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - began)
    return round(statistics.median(times) / 1000, 1)


def compare() -> list[dict[str, Any]]:
    """One result for each device, or one that says how to install what is missing."""
    try:
        theirs = importlib.import_module(THEIRS)
    except ModuleNotFoundError:
        note = f"{THEIRS} is not installed; to compare: python -m pip install TheengsDecoder"
        return [{"id": "decode-beside-theengs", "skipped": True, "note": note}]
    profiles = registry.load()
    return [_one(profiles, theirs.decodeBLE, sample) for sample in SAMPLES]


def _one(profiles: Registry, decode_ble: Callable[[str], str | None], sample: Sample) -> dict[str, Any]:
    seen, document = sample.seen(), sample.document()
    profile = match(profiles, seen)
    frame = next(iter(advert_frames(profile, seen)), None) if profile is not None else None
    text = json.dumps(document)
    result: dict[str, Any] = {"id": f"decode/{sample.device}", "unit": "us"}
    their = decode_ble(text)
    if profile is None or frame is None or their is None:
        return {**result, "ok": False, "note": "not decoded by both"}
    stream, data = frame
    result |= {
        "profile": profile.id,
        "decode_us": median_us(lambda: decode(profile, stream, data)),
        "match_and_decode_us": median_us(lambda: ours(profiles, seen)),
        "theengs_us": median_us(lambda: decode_ble(text)),
        "theengs_with_json_us": median_us(lambda: json.loads(decode_ble(json.dumps(document)) or "{}")),
    }
    found = ours(profiles, seen)
    differ = _differ(found, json.loads(their), sample.same)
    return {
        **result,
        "ratio": round(result["theengs_with_json_us"] / result["match_and_decode_us"], 2),
        "values_agree": not differ,
        "ok": not differ,
        "note": "; ".join(differ),
    }


def _differ(found: Decoded | None, their: dict[str, Any], same: dict[str, str]) -> list[str]:
    values = found.values if found is not None else {}
    apart = []
    for mine, theirs in same.items():
        value, other = (values[mine].value if mine in values else None), their.get(theirs)
        if not isinstance(value, int | Decimal) or other is None or abs(float(value) - float(other)) > 1e-6:
            apart.append(f"{mine} {value} is not {theirs} {other}")
    return apart
