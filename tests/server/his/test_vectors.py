from __future__ import annotations

from pathlib import Path

import pytest

from server.his.mapping import facts_of
from server.his.message import parse
from server.his.port import (
    AdmitPatient,
    DischargePatient,
    GatewayAlive,
    MovePatient,
    Place,
    ReportAlert,
    ReportMeasurements,
    ReportResults,
    UpdatePatient,
)
from server.his.reading import Site
from server.his.refusal import RefusedMessageError

UNSUPPORTED = ("AR", "type-unsupported")
# What becomes of each public sample: the kinds of its facts, or answer and code of its refusal.
EXPECTED: dict[str, tuple[object, ...]] = {
    "adt_a01_admit.hl7": (),  # no ward is named yet: nothing for a ward
    "adt_a01_admit_minimal.hl7": (AdmitPatient,),
    "adt_a01_epic_style.hl7": (AdmitPatient,),
    "adt_a02_epic_style.hl7": (MovePatient,),
    "adt_a02_transfer.hl7": ("AE", "place-missing"),
    "adt_a03_discharge.hl7": (DischargePatient,),
    "adt_a08_bed_update_derived.hl7": (UpdatePatient,),
    "omp_o09_dexamethasone.hl7": ("AE", "order-control"),  # ORC-1 OP is for outside dispensing
    "omp_o09_order.hl7": ("AE", "order-control"),
    "orm_o01_lab_order.hl7": ("AR", "not-a-drug-order"),
    "rde_o11_antibiotic.hl7": ("AE", "field-form"),  # a unit stands in RXE-4
    "rde_o11_sodium.hl7": ("AE", "field-missing"),  # no route
    "oru_r01_glucose.hl7": (ReportResults,),
    "oru_r01_vitals_news.hl7": (ReportMeasurements,),
    "oru_r01_benevision.hl7": (ReportMeasurements,),
    "oru_r01_philips_local_codes.hl7": (ReportMeasurements,),
    "pcd01_monitor_periodic.hl7": (ReportMeasurements,),
    "pcd01_nibp_episodic.hl7": (ReportMeasurements,),
    "pcd01_pump_status.hl7": (),  # its eight segments hold a state and no number
    "pcd10_delivery_start.hl7": (ReportMeasurements,),
    "pcd04_advisory.hl7": (ReportAlert,),
    "pcd04_ge_hypertension_advisory.hl7": (ReportAlert,),
    "pcd04_occlusion_end.hl7": (ReportAlert,),
    "pcd04_occlusion_start.hl7": (ReportAlert,),
    "pcd04_sensor_disconnected.hl7": (ReportAlert,),
    "pcd04_spo2_low_start.hl7": (ReportAlert,),
    "pcd04_watchdog.hl7": (GatewayAlive,),
    "ack_r40_ca.hl7": ("AE", "field-missing"),
    "pcd05_ora_r41_delivered.hl7": ("AR", "processing-id"),
    "ras_o17_administration.hl7": ("AE", "charset-mismatch"),  # UTF-8 under ISO IR87
}
FILES = sorted((Path(__file__).resolve().parents[2] / "data" / "hl7").glob("*.hl7"))


@pytest.mark.requirement("R-HIS-01")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_public_sample_is_understood_or_refused_with_its_reason(file: Path) -> None:
    assert outcome(file.read_bytes()) == EXPECTED.get(file.name, UNSUPPORTED)


def outcome(raw: bytes) -> tuple[object, ...]:
    try:
        return tuple(type(fact) for fact in facts_of(parse(raw), Site()))
    except RefusedMessageError as refusal:
        return ("AR" if refusal.reject else "AE", refusal.code)


def test_there_are_as_many_samples_as_were_collected() -> None:
    assert len(FILES) == 36


def test_the_minimal_admission_names_ward_room_and_bed() -> None:
    file = next(file for file in FILES if file.name == "adt_a01_admit_minimal.hl7")
    (fact,) = facts_of(parse(file.read_bytes()), Site())
    assert isinstance(fact, AdmitPatient)
    assert (fact.mrn, fact.place, fact.visit_number) == (
        "TEST0001", Place(ward="ICU", room="101", bed="A"), "V0001",
    )  # fmt: skip


def test_escaped_signs_of_a_bed_name_are_read() -> None:
    file = next(file for file in FILES if file.name == "adt_a02_epic_style.hl7")
    (fact,) = facts_of(parse(file.read_bytes()), Site())
    assert isinstance(fact, MovePatient)
    assert (fact.mrn, fact.place.room, fact.place.bed) == ("ZZZ1203713", "L&D TRIAGE-333", "333-01")
