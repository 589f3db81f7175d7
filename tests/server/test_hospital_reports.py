"""What laboratories, blood banks and other makers' gateways report, as it becomes true on the ward."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from clinical.care_records import BloodUnit
from clinical.chart_records import CriticalValue
from clinical.records import (
    Alarm,
    Association,
    Encounter,
    Generation,
    Label,
    Observation,
    Order,
    Patient,
    Product,
    Validity,
    Wristband,
)
from server.critical_values import service as critical_values
from server.his.mapping import facts_of
from server.his.message import parse
from server.his.port import IssueBlood, Place, SwapPatients
from server.his.reading import Site
from server.his.tables import shipped
from server.his_link import HospitalLink
from server.settings import His
from server.storage.schema import hl7_messages, mappings, samples
from server.storage.store import Committed
from tests.server.his.conftest import SAMPLES

SPO2 = "OBX|1|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.3.1.1|{value}|262688^MDC_DIM_PERCENT^MDC||{flags}|||R"
OBR = "OBR|1||R1|69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|||{at}"
LAB = "OBR|1|O1|L1|K^血钾|||20260504085500|||||||||||||||20260504085900||LAB|F"
ALERT = (
    "OBR|1||{alert}|196616^MDC_EVT_ALARM^MDC|||{at}\r"
    "OBX|1|ST|196670^MDC_EVT_LO^MDC|1.3.1.150456.1|Low SpO2|||L~PM~SP|||F\r"
    "OBX|2|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.3.1.150456.2|84|262688^MDC_DIM_PERCENT^MDC|90-96||||F\r"
    "OBX|3|ST|68481^MDC_ATTR_EVENT_PHASE^MDC|1.3.1.150456.3|{phase}||||||F\r"
    "OBX|4|ST|68482^MDC_ATTR_ALARM_STATE^MDC|1.3.1.150456.4|{state}||||||F"
)


class Hospital:
    """Sends messages to a ward as the hospital does, and says what was answered."""

    def __init__(self, ward: Any) -> None:
        self.ward, self.link, self._number = ward, HospitalLink(His(), ward.store, ward.site), 0

    def send(self, kind: str, *segments: str, processing: str = "T") -> str:
        self._number += 1
        now = f"{self.ward.clock():%Y%m%d%H%M%S}+0000"
        head = (
            f"MSH|^~\\&|GATEWAY|H|WARDLINK|W1|{now}||{kind}|G{self._number}|{processing}|2.6"
            "||||||UNICODE UTF-8"
        )
        return self.raw("\r".join((head, *segments)).encode())

    def raw(self, message: bytes) -> str:
        frames = self.link._receiver.handle(message, "test")
        if not frames:
            return "none"
        answer = frames[-1].decode()
        parts = answer.split("\rERR|")
        code = parts[1].split("|")[4].split("^")[0] if len(parts) > 1 else ""
        return " ".join((answer.split("\rMSA|")[1][:2], code)).strip()

    def detail(self) -> str:
        with self.ward.store.reading() as connection:
            rows = connection.execute(select(hl7_messages.c.detail).order_by(hl7_messages.c.n.desc()))
            return str(rows.scalars().first())

    def values(self) -> dict[str, Observation]:
        return {one.code: one for one in self.ward.store.picture.all(Observation)}

    def alarms(self) -> dict[str, Alarm]:
        return {
            one.condition: one for one in self.ward.store.picture.all(Alarm) if one.condition != "his-error"
        }

    def spo2(
        self, value: str = "97", flags: str = "", *, who: str = "PID|1||1001^^^H^MR", **said: Any
    ) -> str:
        bed = said.pop("bed", "PV1|1|I|W1^^01")
        at = f"{self.ward.clock() - timedelta(seconds=5):%Y%m%d%H%M%S}+0000"
        lines = (who, bed, OBR.format(at=at), SPO2.format(value=value, flags=flags))
        return self.send("ORU^R01", *lines, **said)

    def alert(self, phase: str, state: str = "active", alert: str = "A1^GW", **said: Any) -> str:
        self.ward.clock.move(seconds=10)
        at = f"{self.ward.clock():%Y%m%d%H%M%S}+0000"
        body = ALERT.format(alert=alert, phase=phase, state=state, at=at)
        return self.send("ORU^R40", said.pop("who", "PID|1||1001^^^H^MR"), "PV1|1|I|W1^^01", body, **said)


@pytest.fixture
def hospital(any_ward: Any) -> Hospital:
    any_ward.admit("1001", "01")
    return Hospital(any_ward)


@pytest.fixture
def quick(ward: Any) -> Hospital:
    ward.admit("1001", "01")
    return Hospital(ward)


@pytest.mark.requirement("R-HIS-18")
@pytest.mark.hazard("H-HIS-08")
def test_a_critical_result_alarms_until_a_doctor_has_answered(hospital: Hospital) -> None:
    obx = "OBX|1|NM|2823-3^血钾^LN||6.9|mmol/L|3.5-5.3|HH|||F"
    assert hospital.send("ORU^R01", "PID|1||1001^^^H^MR", LAB, obx) == "AA"
    ward = hospital.ward
    (value,) = ward.store.picture.all(CriticalValue)
    assert (value.test, value.value, value.unit, value.reported_by) == ("血钾", "6.9", "mmol/L", "GATEWAY")
    assert (value.patient_id, value.told_at) == ("P-1001", None)
    assert hospital.alarms()["critical-value"].bed == "01"
    assert hospital.values()["MDC_CONC_K_GEN"].value == Decimal("6.9")
    assert hospital.send("ORU^R01", "PID|1||1001^^^H^MR", LAB, obx) == "AA"  # the same result once more
    assert len(list(ward.store.picture.all(CriticalValue))) == 1
    ward.store.write(lambda unit: critical_values.acknowledge(unit, value.id, "D30012", "停补钾"))
    assert hospital.alarms()["critical-value"].signal == "off"


@pytest.mark.requirement("R-HIS-18")
@pytest.mark.hazard("H-HIS-08")
def test_a_critical_result_of_somebody_unknown_is_an_error_and_any_other_is_only_kept(
    quick: Hospital,
) -> None:
    obx = "OBX|1|NM|2823-3^K^LN||{value}|mmol/L|3.5-5.3|{flag}|||F"
    send = quick.send
    assert (
        send("ORU^R01", "PID|1||77^^^H^MR", LAB, obx.format(value="6.9", flag="HH")) == "AE unknown-patient"
    )
    assert send("ORU^R01", "PID|1||77^^^H^MR", LAB, obx.format(value="4.1", flag="N")) == "AA"
    assert "nobody of these wards" in quick.detail()
    assert quick.values() == {}


@pytest.mark.requirement("R-HIS-18")
def test_a_result_without_code_or_unit_of_ours_is_kept_and_named(quick: Hospital) -> None:
    lines = (
        "OBX|1|NM|WBC^白细胞||9.1|10*9/L|||||F", "OBX|2|NM|15074-8^GLU^LN||182|mg/dL|||||F",
        "OBX|3|NM|2823-3^K^LN||27|mg/L|||||F",
    )  # fmt: skip
    assert quick.send("ORU^R01", "PID|1||1001^^^H^MR", LAB, *lines) == "AA"
    assert quick.values()["MDC_CONC_GLU_GEN"].value == Decimal("10.10")
    assert "MDC_CONC_K_GEN, WBC" in quick.detail()


@pytest.mark.requirement("R-HIS-18")
@pytest.mark.hazard("H-HIS-08")
def test_a_withdrawn_result_is_never_used_again(quick: Hospital) -> None:
    obx = "OBX|1|NM|2823-3^K^LN||2.9|mmol/L|||||{status}"
    for status in ("F", "W"):
        assert quick.send("ORU^R01", "PID|1||1001^^^H^MR", LAB, obx.format(status=status)) == "AA"
    assert quick.values()["MDC_CONC_K_GEN"].validity is Validity.INVALID


@pytest.mark.requirement("R-HIS-19")
@pytest.mark.hazard("H-HIS-09")
def test_device_values_are_filed_by_number_and_bed_with_their_validity(hospital: Hospital) -> None:
    assert hospital.spo2("97") == "AA"
    newest = hospital.values()["MDC_PULS_OXIM_SAT_O2"]
    assert (newest.value, newest.unit, newest.validity) == (Decimal(97), "%", Validity.VALID)
    assert (newest.device_id, newest.patient_id) == ("GATEWAY", "P-1001")
    hospital.ward.clock.move(seconds=30)
    assert hospital.spo2("71", "QUES") == "AA"
    assert hospital.values()["MDC_PULS_OXIM_SAT_O2"].validity is Validity.QUESTIONABLE
    with hospital.ward.store.reading() as connection:
        rows = connection.execute(select(samples.c.encounter_id, samples.c.device_id)).all()
    assert {tuple(row) for row in rows} == {("E-V1001", "GATEWAY")}
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"who": "PID|1||Unknown^^^^VN"}, "AA"),  # the bed says who
        ({"who": "PID|1||", "bed": "PV1|1|I|ICU^101^A"}, "AA"),  # by the ward's tables
        ({"who": "PID|1||77^^^H^MR", "bed": "PV1|1|I|OTHER^^01"}, "AA nobody"),
        ({"who": "PID|1||77^^^H^MR"}, "AE unknown-patient"),
        ({"bed": "PV1|1|I|W1^^02"}, "AE wrong-bed"),
        ({"who": "PID|1||", "bed": "PV1|1|I|W1^^03"}, "AE bed-empty"),
        ({"who": "PID|1||", "bed": "PV1|1|I"}, "AE no-subject"),
    ],
)
@pytest.mark.requirement("R-HIS-19")
@pytest.mark.hazard("H-HIS-09")
def test_a_report_is_never_filed_by_a_guess(quick: Hospital, said: dict[str, str], answer: str) -> None:
    quick.ward.admit("1002", "02")
    assert quick.spo2(**said) == answer.removesuffix(" nobody")
    filed = {one.patient_id for one in quick.values().values()}
    assert filed == ({"P-1001"} if answer == "AA" else set())
    if "nobody" in answer:
        assert "nobody of these wards" in quick.detail()


@pytest.mark.requirement("R-HIS-19")
def test_a_device_that_is_on_a_patient_needs_neither_number_nor_bed(quick: Hospital) -> None:
    obx = SPO2.format(value="96", flags="") + "|||||||oximeter-01"
    assert quick.send("ORU^R01", "PID|1||", "PV1|1|I", OBR.format(at="20260504085900"), obx) == "AA"
    assert quick.values()["MDC_PULS_OXIM_SAT_O2"].device_id == "oximeter-01"


@pytest.mark.requirement("R-HIS-19")
@pytest.mark.hazard("H-HIS-09")
def test_training_messages_never_reach_a_real_patient(quick: Hospital) -> None:
    store = quick.ward.store
    real = store.picture.get(Patient, "P-1001")
    store.write(lambda unit: unit.put(replace(real, generation=Generation.REAL)))
    assert quick.spo2() == "AE not-real"
    assert quick.spo2(processing="P") == "AA"


def test_units_of_other_worlds_become_ours(quick: Hospital) -> None:
    lines = (
        "OBX|1|NM|8310-5^T^LN||100.4|[degF]|||||F", "OBX|2|NM|8480-6^SYS^LN||16|kPa|||||F",
        "OBX|3|NM|29463-7^WT^LN||3210|g|||||F", "OBX|4|NM|150448^PERF^MDC||3.9|262656|||||F",
    )  # fmt: skip
    assert quick.send("ORU^R01", "PID|1||1001^^^H^MR", "OBR|1||R", *lines) == "AA"
    values = {code: (str(one.value), one.unit) for code, one in quick.values().items()}
    assert values == {
        "MDC_TEMP_BODY": ("38.00", "Cel"), "MDC_PRESS_BLD_NONINV_SYS": ("120.01", "mm[Hg]"),
        "MDC_MASS_BODY_ACTUAL": ("3.21", "kg"), "MDC_PULS_OXIM_PERF_REL": ("3.9", "%"),
    }  # fmt: skip


@pytest.mark.requirement("R-HIS-20")
@pytest.mark.hazard("H-HIS-09")
def test_an_alert_alarms_at_its_bed_from_its_start_to_its_end(hospital: Hospital) -> None:
    assert hospital.alert("start") == "AA"
    alarm = hospital.alarms()["device-limit"]
    assert (alarm.kind, alarm.priority.value, alarm.bed, alarm.signal) == ("physiological", "Me", "01", "on")
    assert alarm.params["measured"] == 84
    assert alarm.params["detail"] == "Low SpO2"
    assert hospital.alert("continue") == "AA"
    assert hospital.alert("end", "inactive") == "AA"
    ended = hospital.alarms()["device-limit"]
    assert (ended.id, ended.present, ended.signal) == (alarm.id, False, "latched")
    assert hospital.alert("start", who="PID|1||77^^^H^MR") == "AE unknown-patient"


@pytest.mark.parametrize(
    ("phases", "signal"),
    [(("start", "acknowledged"), "acknowledged"), (("tpoint",), "latched"), (("end",), "latched")],
)
@pytest.mark.requirement("R-HIS-20")
def test_each_phase_of_an_alert_has_its_effect(quick: Hospital, phases: tuple[str, ...], signal: str) -> None:
    for phase in phases:
        assert quick.alert(phase) == "AA"
    assert quick.alarms()["device-limit"].signal == signal


@pytest.mark.requirement("R-HIS-20")
def test_a_late_phase_changes_nothing(quick: Hospital) -> None:
    assert quick.alert("end", "inactive") == "AA"
    quick.ward.clock.move(seconds=-60)
    assert quick.alert("start") == "AA"
    assert not quick.alarms()["device-limit"].present
    assert "later phase" in quick.detail()


@pytest.mark.requirement("R-HIS-20")
def test_a_technical_alert_of_nobody_alarms_without_a_bed(quick: Hospital) -> None:
    raw = (SAMPLES / "pcd04_occlusion_start.hl7").read_bytes().replace(b"|P|2.6", b"|T|2.6")
    lines = [line for line in raw.split(b"\r") if not line.startswith((b"PID", b"PV1"))]
    assert quick.raw(b"\r".join(lines)) == "CA"
    alarm = quick.alarms()["device-fault"]
    assert (alarm.kind, alarm.encounter_id, alarm.device_id) == ("technical", "", "P6013")


@pytest.mark.requirement("R-HIS-20")
@pytest.mark.hazard("H-HIS-09")
def test_a_gateway_that_falls_silent_alarms_until_it_speaks_again(hospital: Hospital) -> None:
    beat = [
        "PID|||", "OBR|1||830|196616^MDC_EVT_ALARM^MDC",
        "OBX|1|ST|196614^MDC_EVT_ACTIVE^MDC|1.0.0.1|continue",
        "OBX|2|NM|67860^MDC_ATTR_CONFIRM_TIMEOUT^MDC|1.0.0.8|5|264320^MDC_DIM_SEC^MDC",
    ]  # fmt: skip
    watch, clock = hospital.link.gateways, hospital.ward.clock
    assert hospital.send("ORU^R40", *beat) == "AA"
    clock.move(seconds=14)
    watch.tick()
    assert hospital.alarms() == {}
    clock.move(seconds=2)
    watch.tick()
    watch.tick()
    alarm = hospital.alarms()["device-lost"]
    assert (alarm.signal, alarm.params["gateway"]) == ("on", "GATEWAY")
    assert hospital.send("ORU^R40", *beat) == "AA"
    assert hospital.alarms()["device-lost"].signal == "off"
    again = HospitalLink(His(), hospital.ward.store, hospital.ward.site).gateways  # it died with the server
    clock.move(seconds=16)
    again.tick()
    assert hospital.alarms()["device-lost"].signal == "on"
    assert hospital.send("ORU^R40", *beat, "OBX|3|ST|68482^MDC_ATTR_ALARM_STATE|1.0.0.4|inactive") == "AA"
    clock.move(seconds=60)
    watch.tick()
    assert not hospital.alarms()["device-lost"].present  # it said that it would end


PLACES = {
    "ward": dict.fromkeys(("HO Surgery", "COLWELL", "3 West ICU", "HO 3 West ICU", "CU1"), "W1"),
    "bed": {
        "HO Surgery^OR^1": "02",
        "SOLAR": "03",
        "HO 3 West ICU^10^1": "04",
        "3002^1": "05",
        "Bed001": "01",
    },
}
IN = ("TEST0001", "HO2009001", "12345", "HO2009003", "HO2009002", "003939", "1122334", "PT-SUB-001")
# What each public sample is answered, and which kinds of records it changes on a ward where its people lie.
EFFECTS: dict[str, tuple[str, set[str]]] = {
    "ack_r40_ca": ("none", set()),
    "adt_a01_admit": ("AA", set()),
    "adt_a01_admit_minimal": ("AE already-admitted", {"alarms"}),
    "adt_a01_epic_style": ("AE unmapped-ward", {"alarms"}),
    "adt_a02_epic_style": ("AE unmapped-ward", {"alarms"}),
    "adt_a02_transfer": ("AE place-missing", {"alarms"}),
    "adt_a03_discharge": ("AE unknown-patient", {"alarms"}),
    "adt_a08_bed_update_derived": ("AE bed-taken", {"alarms"}),
    "omp_o09_dexamethasone": ("AE order-control", {"alarms"}),
    "omp_o09_order": ("AE order-control", {"alarms"}),
    "orm_o01_lab_order": ("AR not-a-drug-order", {"alarms"}),
    "oru_r01_benevision": ("AA", {"observations"}),
    "oru_r01_glucose": ("AA", set()),
    "oru_r01_philips_local_codes": ("AA", {"observations"}),
    "oru_r01_vitals_news": ("AA", {"observations"}),
    "pcd01_monitor_periodic": ("CA", {"observations"}),
    "pcd01_nibp_episodic": ("CA", {"observations"}),
    "pcd01_pump_status": ("AA", set()),
    "pcd03_accept_ack": ("none", set()),
    "pcd03_dopamine_order": ("AR type-unsupported", {"alarms"}),
    "pcd03_heparin_order": ("AR type-unsupported", {"alarms"}),
    "pcd03_rrg_reject": ("none", set()),
    "pcd03_saline_order": ("AR type-unsupported", {"alarms"}),
    "pcd04_advisory": ("AA", {"alarms"}),
    "pcd04_ge_hypertension_advisory": ("CA", set()),
    "pcd04_occlusion_end": ("CA", {"alarms"}),
    "pcd04_occlusion_start": ("CA", {"alarms"}),
    "pcd04_sensor_disconnected": ("CA", {"alarms"}),
    "pcd04_spo2_low_start": ("CA", {"alarms"}),
    "pcd04_watchdog": ("CA", set()),
    "pcd05_ora_r41_delivered": ("AR processing-id", {"alarms"}),
    "pcd10_delivery_start": ("CA", {"observations"}),
    "ras_o17_administration": ("AE charset-mismatch", {"alarms"}),
    "ras_o17_minimal": ("AR type-unsupported", {"alarms"}),
    "rde_o11_antibiotic": ("AE field-form", {"alarms"}),
    "rde_o11_sodium": ("AE field-missing", {"alarms"}),
}


@pytest.mark.requirement("R-HIS-01")
@pytest.mark.parametrize("file", sorted(SAMPLES.glob("*.hl7")), ids=lambda file: file.stem)
def test_each_public_sample_has_its_effect_on_the_store(ward: Any, file: Path) -> None:
    rows = [
        {"system": system, "code": code, "target": target}
        for system, table in PLACES.items()
        for code, target in table.items()
    ]
    ward.store.write(lambda unit: unit.connection.execute(insert(mappings), rows))
    for number, mrn in enumerate(IN, start=1):
        ward.admit(mrn, f"{number:02d}")
    seen = Seen()
    ward.store.listen(seen)
    assert (Hospital(ward).raw(file.read_bytes()), seen.kinds) == EFFECTS[file.stem]


class Seen:
    """Remembers which kinds of records commits changed."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()

    def committed(self, commit: Committed) -> None:
        self.kinds |= {change.kind for change in commit.changes}


@pytest.mark.requirement("R-HIS-05")
@pytest.mark.hazard("H-HIS-04")
def test_two_patients_change_beds_at_once_and_their_devices_stay_at_the_beds(hospital: Hospital) -> None:
    ward = hospital.ward
    ward.admit("1002", "02")
    swap = ("PID|1||1001^^^H^MR", "PV1|1|I|W1^^02", "PID|1||1002^^^H^MR", "PV1|1|I|W1^^01")
    for _ in range(2):
        assert hospital.send("ADT^A17", *swap) == "AA"
    beds = {one.patient_id: one.bed for one in ward.store.picture.all(Encounter)}
    assert beds == {"P-1001": "02", "P-1002": "01"}
    on = {one.device_id: one.encounter_id for one in ward.store.picture.all(Association) if one.end is None}
    assert on == {"serial:oximeter-01": "E-V1002", "serial:oximeter-02": "E-V1001"}


def test_a_swap_into_a_third_bed_or_one_bed_is_refused(quick: Hospital) -> None:
    quick.ward.admit("1002", "02")
    quick.ward.admit("1003", "03")

    def swap(one: str, other: str) -> str:
        fact = SwapPatients(
            mrn="1001",
            place=Place(ward="W1", bed=one),
            other_mrn="1002",
            other_place=Place(ward="W1", bed=other),
        )
        return str(quick.ward.hospital.apply(fact).code)

    assert (swap("03", "01"), swap("02", "02")) == ("bed-taken", "swap-same-bed")


@pytest.mark.requirement("R-HIS-05")
@pytest.mark.hazard("H-HIS-04")
def test_a_merge_takes_only_what_cannot_go_wrong(quick: Hospital) -> None:
    ward, merge = quick.ward, ("PID|1||2002^^^H^MR", "MRG|{old}^^^H^MR")
    assert quick.send("ADT^A40", merge[0], merge[1].format(old="9999")) == "AA"
    assert quick.send("ADT^A40", merge[0], merge[1].format(old="1001")) == "AE merge-needs-person"
    assert quick.send("ADT^A03", "PID|1||1001^^^H^MR", "PV1|1|I|W1^^01") == "AA"
    assert quick.send("ADT^A40", merge[0], merge[1].format(old="1001")) == "AA"
    assert not any(one.active for one in ward.store.picture.all(Wristband) if one.patient_id == "P-1001")


BLOOD = (
    "PID|1||1001^^^H^MR",
    "ORC|NW|B77|||||||20260504080000|||D1^李",
)
BPO = "BPO|1|RBC^悬浮红细胞||1|200|mL"
BPX = "BPX|1|DS|F|20260504085500|G1234 26 000001|E0332^RBC|||||A+||20260601000000||200|mL"
CROSS = "OBX|1|ST|CROSSMATCH^交叉配血||相合||||||F|||20260504083000"


@pytest.fixture
def bank(quick: Hospital) -> Hospital:
    product = Product(
        id="RBC", display=Label(zh="悬浮红细胞", en="Red cells"), unit="{unit}", form="blood", routes=("IV",)
    )
    quick.ward.store.write(lambda unit: unit.put(product))
    return quick


@pytest.mark.requirement("R-HIS-21")
@pytest.mark.hazard("H-HIS-10")
def test_blood_is_ordered_and_issued_by_the_table_and_taken_once(bank: Hospital) -> None:
    assert bank.send("OMB^O27", *BLOOD, BPO) == "AA"
    order = bank.ward.store.picture.get(Order, "O-B77")
    assert (order.kind, order.volume_ml, order.items[0].product_id) == ("transfusion", Decimal(200), "RBC")
    for _ in range(2):
        assert bank.send("BPS^O29", *BLOOD, CROSS, BPO, BPX) == "AA"
    (unit,) = bank.ward.store.picture.all(BloodUnit)
    assert (unit.donation, unit.group, unit.component, unit.state) == (
        "G1234 26 000001", "A+", "red-cells", "issued",
    )  # fmt: skip
    assert (unit.crossmatch, unit.volume_ml, unit.order_id) == ("compatible", Decimal(200), "O-B77")
    two = BPX.replace("000001", "000002")
    assert bank.send("BPS^O29", *BLOOD, CROSS, BPO, BPX.replace("000001", "000003"), two) == "AA"
    assert len(list(bank.ward.store.picture.all(BloodUnit))) == 3


@pytest.mark.requirement("R-HIS-21")
def test_units_of_two_orders_in_one_message_each_keep_their_order(bank: Hospital) -> None:
    second = BLOOD[1].replace("B77", "B78")
    for orc in (BLOOD[1], second):
        assert bank.send("OMB^O27", BLOOD[0], orc, BPO) == "AA"
    other = BPX.replace("000001", "000002")
    assert bank.send("BPS^O29", *BLOOD, BPO, BPX, second, BPO, other) == "AA"
    found = {one.donation[-1]: one.order_id for one in bank.ward.store.picture.all(BloodUnit)}
    assert found == {"1": "O-B77", "2": "O-B78"}


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        (("|DS|", "|RD|"), "AA"),
        (("|A+|", "|Z+|"), "AE blood-word"),
        (("|G1234 26 000001|", "||"), "AE field-missing"),
        (("||20260601000000|", "|||"), "AE field-missing"),
        (("|DS|", "|QQ|"), "AE blood-word"),
    ],
)
@pytest.mark.requirement("R-HIS-21")
@pytest.mark.hazard("H-HIS-10")
def test_blood_that_is_not_issued_or_not_understood_never_arrives(
    bank: Hospital, change: tuple[str, str], answer: str
) -> None:
    bank.send("OMB^O27", *BLOOD, BPO)
    assert bank.send("BPS^O29", *BLOOD, BPO, BPX.replace(*change)) == answer
    assert not list(bank.ward.store.picture.all(BloodUnit))


@pytest.mark.requirement("R-HIS-21")
def test_blood_without_its_order_is_refused(bank: Hospital) -> None:
    assert bank.send("BPS^O29", *BLOOD, BPO, BPX) == "AE unknown-order"


def test_a_hospital_with_a_message_of_its_own_changes_the_table_and_no_code(
    bank: Hospital, tmp_path: Path
) -> None:
    own = tmp_path / "tables.toml"
    own.write_text(
        '[blood_message]\n"zbt^z01" = "issue"\n[blood]\ndonation = "ZBU-1"\nproduct = "ZBU-2"\n'
        'product_code = "ZBU-3"\ncomponent = "ZBU-2"\ngroup = "ZBU-4"\nexpires = "ZBU-5"\nstatus = ""\n'
        'order = "ZBU-6"\nvolume = ""\nissued = ""\n',
        "utf-8",
    )
    head = "MSH|^~\\&|BB|H|W|W|20260504||ZBT^Z01|1|P|2.4\r"
    text = head + "PID|1||1001\rZBU|D1|血浆|P1|O POS|20260601|B77\rZBU|D2|血浆|P1|O POS|20260601|B77\r"
    facts = facts_of(parse(text.encode()), Site(tables=shipped().with_site(own)))
    assert [
        (fact.donation, fact.component, fact.order) for fact in facts if isinstance(fact, IssueBlood)
    ] == [
        ("D1", "plasma", "B77"),
        ("D2", "plasma", "B77"),
    ]
