"""Devices, what each can measure, and on whom it is."""

from __future__ import annotations

from dataclasses import dataclass

from clinical.codes import CODES
from clinical.records import Association, Device, Encounter, Infusion
from firmware_profiles import registry
from server.fhir.resources.observations import concept_of, unit_concept
from server.fhir.shape import Resource, coding, concept, identifier, period, pruned, reference
from server.fhir.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One thing a device measures."""

    device: Device
    code: str

    @property
    def id(self) -> str:
        """Id made of device and code."""
        return f"{self.device.id}/{self.code}"


def metrics_of(device: Device) -> list[Metric]:
    """What a device of this model measures, by its profile; nothing for a model nobody knows here."""
    profiles = registry.load()
    if device.profile not in profiles:
        return []
    plans = profiles.get(device.profile).plans.values()
    found = {value.rule.code for plan in plans for value in plan.values if value.rule.code in CODES}
    return [Metric(device=device, code=code) for code in sorted(found)]


def device(one: Device, view: View) -> Resource:
    """Map a device the ward owns; on whom it is, DeviceUseStatement says to those who may know."""
    del view
    return pruned(
        {
            "resourceType": "Device",
            "identifier": [identifier("urn:wardlink:device", one.id)],
            "status": "active" if one.active else "inactive",
            "serialNumber": one.serial,
            "deviceName": [{"name": one.label, "type": "user-friendly-name"}] if one.label else [],
            "modelNumber": one.profile,
            "type": concept(coding("urn:wardlink:device-kind", one.kind)),
        }
    )


def device_metric(one: Metric, view: View) -> Resource:
    """Map one thing a device measures."""
    del view
    return pruned(
        {
            "resourceType": "DeviceMetric",
            "identifier": [identifier("urn:wardlink:device-metric", one.id)],
            "type": concept_of(one.code),
            "unit": unit_concept(CODES[one.code].ucum),
            "source": reference("Device", one.device.id, one.device.label),
            "operationalStatus": "on" if one.device.active else "off",
            "category": "measurement",
        }
    )


def device_use(one: Association, view: View) -> Resource:
    """Map the time a device was on a patient."""
    stay = view.picture.get(Encounter, one.encounter_id)
    infusion = view.picture.get(Infusion, one.infusion_id) if one.infusion_id else None
    return pruned(
        {
            "resourceType": "DeviceUseStatement",
            "identifier": [identifier("urn:wardlink:device-use", one.id)],
            "basedOn": [],
            "status": "active" if one.end is None else "completed",
            "subject": view.patient(stay.patient_id) if stay is not None else {"display": "unknown"},
            "timingPeriod": period(one.start, one.end),
            "source": view.person(one.by),
            "device": reference("Device", one.device_id),
            "note": [{"text": f"infusion {infusion.id}"}] if infusion is not None else [],
        }
    )
