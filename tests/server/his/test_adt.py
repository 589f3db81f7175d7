from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from clinical.records import Sex
from server.his.mapping import facts_of
from server.his.message import parse
from server.his.port import (
    AdmitPatient,
    AllergyFact,
    CancelAdmit,
    CancelDischarge,
    DischargePatient,
    MergePatients,
    MovePatient,
    Place,
    SwapPatients,
    UpdatePatient,
)
from server.his.reading import Site
from server.his.refusal import RefusedMessageError

Build = Callable[..., bytes]
PID = "PID|1||P1^^^HOSP^MR||张^三||19580614|M"
PV1 = "PV1|1|I|W1^^01||||||||||||||||V1"


def only(raw: bytes, site: Site | None = None) -> object:
    facts = facts_of(parse(raw), site or Site())
    assert len(facts) == 1
    return facts[0]


def refused(raw: bytes) -> RefusedMessageError:
    with pytest.raises(RefusedMessageError) as caught:
        facts_of(parse(raw), Site())
    return caught.value


@pytest.mark.requirement("R-HIS-05")
def test_an_admission_says_who_where_and_since_when(admit: Build) -> None:
    fact = only(admit())
    assert isinstance(fact, AdmitPatient)
    assert (fact.mrn, fact.visit_number, fact.place) == ("P1", "V1", Place(ward="W1", bed="01"))
    assert (fact.who.name, fact.who.sex, fact.who.birth_date) == ("张三", Sex.MALE, date(1958, 6, 14))
    assert fact.at == datetime(2026, 11, 25, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(("processing", "demo"), [("P", False), ("T", True), ("D", True)])
def test_training_messages_are_marked_as_demo(admit: Build, processing: str, demo: bool) -> None:
    fact = only(admit(processing=processing))
    assert isinstance(fact, AdmitPatient)
    assert fact.demo is demo


def test_a_time_without_offset_is_the_hospitals_own(message: Build) -> None:
    raw = message("ADT^A01", "EVN||202611250800", PID, PV1)
    fact = only(raw, Site(zone=ZoneInfo("Europe/Berlin")))
    assert isinstance(fact, AdmitPatient)
    assert fact.at == datetime(2026, 11, 25, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("A01", AdmitPatient), ("A02", MovePatient), ("A03", DischargePatient), ("A04", AdmitPatient),
        ("A08", UpdatePatient), ("A11", CancelAdmit), ("A12", MovePatient), ("A13", CancelDischarge),
    ],
)  # fmt: skip
@pytest.mark.requirement("R-HIS-05")
def test_each_event_becomes_its_fact(message: Build, event: str, kind: type) -> None:
    assert isinstance(only(message(f"ADT^{event}", PID, PV1)), kind)


def test_a_move_names_both_beds_and_its_cancel_goes_back(message: Build) -> None:
    pv1 = "PV1|1|I|W1^^02|||W1^^01"
    move, back = only(message("ADT^A02", PID, pv1)), only(message("ADT^A12", PID, "PV1|1|I||||W1^^01"))
    assert isinstance(move, MovePatient)
    assert isinstance(back, MovePatient)
    assert (move.place.bed, move.prior and move.prior.bed) == ("02", "01")
    assert (back.place.bed, back.cancels) == ("01", True)


@pytest.mark.requirement("R-HIS-05")
def test_a_swap_names_two_patients_and_the_bed_of_each(message: Build) -> None:
    other = ("PID|1||P2^^^HOSP^MR", "PV1|1|I|W1^^02")
    fact = only(message("ADT^A17", PID, PV1, *other))
    assert isinstance(fact, SwapPatients)
    assert (fact.mrn, fact.place.bed, fact.other_mrn, fact.other_place.bed) == ("P1", "01", "P2", "02")
    assert refused(message("ADT^A17", PID, PV1)).code == "swap-needs-two"


@pytest.mark.parametrize("event", ["A40", "A18"])
def test_a_merge_names_the_number_that_stays_and_the_one_given_up(message: Build, event: str) -> None:
    fact = only(message(f"ADT^{event}", PID, "MRG|OLD^^^HOSP^MR"))
    assert isinstance(fact, MergePatients)
    assert (fact.mrn, fact.old_mrn) == ("P1", "OLD")


def test_a_merge_of_a_number_with_itself_is_refused(message: Build) -> None:
    assert refused(message("ADT^A40", PID, "MRG|P1^^^HOSP^MR")).code == "merge-with-itself"


@pytest.mark.parametrize("event", ["A24", "A06", ""])
@pytest.mark.requirement("R-HIS-06")
@pytest.mark.hazard("H-HIS-04")
def test_an_event_that_would_move_patients_unseen_is_rejected(message: Build, event: str) -> None:
    error = refused(message(f"ADT^{event}", PID, PV1))
    assert (error.reject, error.hl7_code) == (True, 201)


@pytest.mark.parametrize("event", ["A05", "A31", "A60"])
def test_an_event_that_says_nothing_for_a_ward_is_taken_and_changes_nothing(
    message: Build, event: str
) -> None:
    assert facts_of(parse(message(f"ADT^{event}", PID, PV1)), Site()) == ()


def test_an_outpatient_registration_changes_nothing(message: Build) -> None:
    assert facts_of(parse(message("ADT^A04", PID, "PV1|1|O|CLINIC^1")), Site()) == ()


@pytest.mark.parametrize(
    ("pid", "number"),
    [
        ("PID|1||X^^^A^SS~P1^^^B^MR", "P1"),
        ("PID|1||P9^^^A^PI~P1^^^B^MR", "P1"),
        ("PID|1||P1", "P1"),
        ("PID|1||P1^^^^EPI", "P1"),
    ],
)
def test_the_hospitals_own_number_is_chosen_among_several(message: Build, pid: str, number: str) -> None:
    fact = only(message("ADT^A08", pid))
    assert isinstance(fact, UpdatePatient)
    assert fact.mrn == number


@pytest.mark.parametrize("pid", ["PID|1||", "PID|1||110101195806140010^^^GA^NI", "PID|1||1^^^^AN", "NK1|1"])
@pytest.mark.requirement("R-HIS-06")
@pytest.mark.hazard("H-HIS-04")
def test_without_the_hospitals_number_the_message_is_refused(message: Build, pid: str) -> None:
    error = refused(message("ADT^A08", pid))
    assert (error.hl7_code, error.where) == (101, "PID-3")


@pytest.mark.parametrize(
    ("field", "name", "latin"),
    [
        ("张建国^^^^^^L^I~ZHANG Jianguo^^^^^^L^A", "张建国", "ZHANG Jianguo"),
        ("ZHANG^Jianguo^^^^^L^A~张^建国^^^^^L^I", "张建国", "ZHANG Jianguo"),
        ("DOE^JANE^Q", "DOE JANE Q", None),
        ("患者^太郎^^^^^L^I~カンジャ^タロウ^^^^^L^P", "患者太郎", None),
    ],
)
def test_the_written_name_comes_first_and_the_latin_one_beside_it(
    message: Build, field: str, name: str, latin: str | None
) -> None:
    fact = only(message("ADT^A08", f"PID|1||P1||{field}"))
    assert isinstance(fact, UpdatePatient)
    assert (fact.who.name, fact.who.name_latin) == (name, latin)


@pytest.mark.requirement("R-HIS-07")
@pytest.mark.hazard("H-HIS-04")
def test_what_is_absent_stays_unknown_and_what_is_deleted_is_cleared(message: Build) -> None:
    fact = only(message("ADT^A08", 'PID|1||P1||||""|""', 'AL1|1|DA|""'))
    assert isinstance(fact, UpdatePatient)
    assert (fact.who.name, fact.who.birth_date, fact.who.sex, fact.who.allergies) == (None, None, None, None)
    assert fact.who.cleared == {"birth_date", "sex", "allergies"}
    assert fact.place is None


@pytest.mark.parametrize(
    ("code", "sex"), [("M", Sex.MALE), ("2", Sex.FEMALE), ("U", Sex.UNKNOWN), ("O", Sex.OTHER)]
)
def test_sexes_of_hl7_and_of_the_chinese_code_are_read(message: Build, code: str, sex: Sex) -> None:
    fact = only(message("ADT^A08", f"PID|1||P1|||||{code}"))
    assert isinstance(fact, UpdatePatient)
    assert fact.who.sex is sex


@pytest.mark.parametrize("pid", ["PID|1||P1||||1958-06-14", "PID|1||P1||||19580231", "PID|1||P1|||||X"])
def test_a_wrong_birth_date_or_sex_is_refused(message: Build, pid: str) -> None:
    assert refused(message("ADT^A08", pid)).where in {"PID-7", "PID-8"}


@pytest.mark.requirement("R-HIS-05")
def test_allergies_are_taken_whole_with_severity_and_reactions(message: Build) -> None:
    fact = only(message("ADT^A01", PID, PV1, "AL1|1|DA|PEN^青霉素^L|SV|皮疹~休克", "AL1|2|FA|^虾|MI"))
    assert isinstance(fact, AdmitPatient)
    assert fact.who.allergies == (
        AllergyFact(code="PEN", text="青霉素", kind="DA", severity="severe", reaction="皮疹; 休克"),
        AllergyFact(code="", text="虾", kind="FA", severity="mild"),
    )


@pytest.mark.parametrize("line", ["AL1|1|DA|NKDA^none", "AL1|1|DA|X^无过敏史"])
def test_no_known_allergies_is_not_the_same_as_not_asked(message: Build, line: str) -> None:
    asked, silent = only(message("ADT^A01", PID, PV1, line)), only(message("ADT^A01", PID, PV1))
    assert isinstance(asked, AdmitPatient)
    assert isinstance(silent, AdmitPatient)
    assert (asked.who.allergies, silent.who.allergies) == ((), None)


def test_weight_level_of_care_and_diagnosis_are_read(message: Build) -> None:
    pv2 = "PV2" + "|" * 40 + "2^二级护理"
    obx = "OBX|1|NM|29463-7^Body weight^LN||68.50|kg|||||F|||20261125070000"
    fact = only(message("ADT^A01", PID, PV1, pv2, obx, "DG1|1||I10^高血压^I10"))
    assert isinstance(fact, AdmitPatient)
    assert (fact.who.weight_kg, fact.who.care_level, fact.who.diagnosis) == (
        Decimal("68.50"),
        "second",
        "高血压",
    )
    assert fact.who.weight_at == datetime(2026, 11, 24, 23, 0, tzinfo=UTC)


def test_a_weight_in_pounds_is_refused_and_not_read_as_kilograms(message: Build) -> None:
    assert refused(message("ADT^A01", PID, PV1, "OBX|1|NM|3141-9||150|[lb_av]")).code == "weight-unit"


def test_a_weight_in_grams_is_a_newborns(message: Build) -> None:
    fact = only(message("ADT^A01", PID, PV1, "OBX|1|NM|3141-9||3250|g"))
    assert isinstance(fact, AdmitPatient)
    assert fact.who.weight_kg == Decimal("3.250")


def test_discharge_time_is_the_visits_own(message: Build) -> None:
    fact = only(message("ADT^A03", PID, PV1 + "|" * 26 + "20261125113000"))
    assert isinstance(fact, DischargePatient)
    assert fact.at == datetime(2026, 11, 25, 3, 30, tzinfo=UTC)
