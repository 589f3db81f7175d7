"""The nursing chart, critical values and the shift's handover: what is written, summed and signed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from clinical import worklist
from clinical.chart_records import Assessment, CriticalValue, FluidRecord, Handover, Round
from clinical.errors import ConflictError, NotFoundError, RefusedError
from clinical.exchange import Charted, InfusionChanged, Outcome
from clinical.fluid_balance import Period
from clinical.identifiers import hospital
from clinical.records import Administration, Alarm, AlarmPriority, CareLevel, Encounter
from server.chart import service as chart
from server.critical_values import service as critical
from server.handover import service as handover
from server.observations import charted
from server.storage.codec import to_bytes
from server.sync import events
from server.ticker import tidy
from tests.server.conftest import START, WardBench
from tests.support.server_process import WardProcess
from tests.support.ward_http import bearer, serving, token_of

WARD_FILE = Path(__file__).parents[1] / "data" / "ward.toml"
TODAY = date(2026, 5, 4)
BRADEN = {"sensory": 3, "moisture": 3, "activity": 2, "mobility": 2, "nutrition": 3, "friction": 2}


@pytest.fixture
def patient(any_ward: WardBench) -> WardBench:
    any_ward.admit("1001", "01")
    return any_ward


def write(ward: WardBench, event_id: str, person: str = "N20713", **line: Any) -> Outcome:
    event = Charted(
        id=event_id, at=ward.clock(), sent=ward.clock(), operator=person, handheld="pda-1", **line
    )  # fmt: skip
    item = msgspec.json.decode(to_bytes(event))
    return events.receive(ward.store, ward.site, ward.session(person), [item])[0]


def amount(direction: str, kind: str, ml: int, **more: Any) -> FluidRecord:
    """A record as a handheld fills it in; id, time and person are the event's."""
    fields = {"id": "", "patient_id": "P-1001", "at": START, "by": ""} | more
    return FluidRecord(direction=direction, kind=kind, ml=Decimal(ml), **fields)


def scale(name: str, answers: dict[str, Any], **more: Any) -> Assessment:
    fields = {"id": "", "patient_id": "P-1001", "at": START, "by": "", "answers": answers} | more
    return Assessment(scale=name, **fields)


def day(ward: WardBench) -> chart.FluidDay:
    picture = ward.store.picture
    return chart.fluid_day(picture.all(FluidRecord), picture.all(Administration), TODAY, ward.site.policy)


# ---- fluids


@pytest.mark.requirement("R-CHART-01")
@pytest.mark.hazard("H-CHART-01")
def test_intake_and_output_are_summed_by_shift_with_the_bags_that_went_in(patient: WardBench) -> None:
    task = patient.task_of(patient.order_bag("1001", "I"))
    asked = patient.request("r-i", items=(hospital.encode("bag", patient.bag(task.id).id),))
    begun = patient.started("s-i", task, asked, device_id="")
    session = patient.session()
    patient.store.write(lambda unit: events.apply(unit, patient.site, session, begun))
    write(patient, "f1", fluid=amount("in", "oral", 200))
    write(patient, "f2", fluid=amount("out", "urine", 350))
    patient.clock.move(minutes=50)
    stop = InfusionChanged(
        id="x-i", at=patient.clock(), sent=patient.clock(), operator="N20713", handheld="pda-1",
        infusion_id=begun.infusion_id, action="stop-early", residual_ml=Decimal(40), reason="reaction",
    )  # fmt: skip
    patient.store.write(lambda unit: events.apply(unit, patient.site, session, stop))
    patient.clock.move(hours=8)
    write(patient, "f3", fluid=amount("out", "drain", 50))
    found = day(patient)
    assert (found.whole.intake_ml, found.whole.output_ml, found.whole.net_ml) == (260, 400, -140)
    assert found.whole.by_kind["in", "infusion"] == 60
    assert [one.output_ml for one in found.shifts] == [350, 50, 0]


@pytest.mark.requirement("R-CHART-01")
def test_a_correction_replaces_its_line_and_the_store_keeps_both(patient: WardBench) -> None:
    write(patient, "f1", fluid=amount("out", "urine", 3500))
    assert write(patient, "f2", fluid=amount("out", "urine", 350, replaces="f1")).status == "accepted"
    assert day(patient).whole.output_ml == 350


def day_by_route(ward: WardBench, tmp_path: Path, day_of: date) -> dict[str, Any]:
    with serving(ward.store, ward.site, tmp_path) as client:
        head = bearer(token_of(ward.store, "N20713"))
        answer = client.get(
            "/api/v1/patients/P-1001/fluids", params={"day": day_of.isoformat()}, headers=head
        )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["whole"]
    return found


@pytest.mark.requirement("R-CHART-12")
@pytest.mark.hazard("H-CHART-01")
def test_the_sums_of_a_day_long_past_are_those_of_that_day(patient: WardBench, tmp_path: Path) -> None:
    write(patient, "f1", fluid=amount("in", "oral", 200))
    write(patient, "f2", fluid=amount("out", "urine", 3500))
    write(patient, "f3", fluid=amount("out", "urine", 350, replaces="f2"))
    before = day_by_route(patient, tmp_path, TODAY)
    assert (before["intake_ml"], before["output_ml"]) == ("200", "350")
    patient.clock.move(days=5)
    patient.store.write(lambda unit: tidy(unit, timedelta(hours=24)))
    assert not list(patient.store.picture.all(FluidRecord))
    assert day_by_route(patient, tmp_path, TODAY) == before


@pytest.mark.requirement("R-CHART-09")
@pytest.mark.hazard("H-CHART-01")
def test_a_line_is_corrected_by_its_writer_within_a_day_and_by_the_head_nurse_later(
    patient: WardBench, tmp_path: Path
) -> None:
    write(patient, "f1", fluid=amount("out", "urine", 3500))
    other = write(patient, "f2", "N20488", fluid=amount("out", "urine", 1, replaces="f1"))
    assert (other.status, other.code) == ("refused", "not-yours")
    patient.clock.move(hours=23)
    own = write(patient, "f3", fluid=amount("out", "urine", 400, replaces="f1"))
    assert own.status == "accepted"
    patient.clock.move(days=4)
    patient.store.write(lambda unit: tidy(unit, timedelta(hours=24)))
    late = write(patient, "f4", fluid=amount("out", "urine", 1, replaces="f3"))
    assert (late.status, late.code) == ("refused", "not-yours")
    head = write(patient, "f5", "N10001", fluid=amount("out", "urine", 350, replaces="f3"))
    assert head.status == "accepted"
    assert day_by_route(patient, tmp_path, TODAY)["output_ml"] == "350"


@pytest.mark.requirement("R-CHART-09")
@pytest.mark.hazard("H-CHART-01")
def test_a_line_of_another_patient_or_of_nobody_is_not_taken_out(patient: WardBench) -> None:
    patient.admit("1002", "02", "李秀英")
    write(patient, "f1", fluid=amount("out", "urine", 350, patient_id="P-1002"))
    for replaced in ("f1", "none"):
        told = write(patient, f"x-{replaced}", fluid=amount("out", "urine", 1, replaces=replaced))
        assert (told.status, told.code) == ("refused", "unknown-record")
    assert [one.id for one in patient.store.picture.all(FluidRecord)] == ["f1"]


@pytest.mark.requirement("R-CHART-01")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"fluid": amount("out", "urine", 0)}, "fluid-entry"),
        ({"fluid": amount("out", "urine", 20_001)}, "fluid-entry"),
        ({"fluid": amount("sideways", "urine", 10)}, "fluid-entry"),
        ({"fluid": amount("out", "urine", 10, patient_id="P-9")}, "unknown-patient"),
        ({"assessment": scale("braden", {"sensory": 3})}, "assessment"),
        ({"assessment": scale("braden", BRADEN | {"friction": 4})}, "assessment"),
        ({"assessment": scale("glasgow", {})}, "scale"),
        ({}, "one-record"),
        ({"fluid": amount("in", "oral", 1), "assessment": scale("pain", {"nrs": 1})}, "one-record"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    patient: WardBench, line: dict[str, Any], code: str
) -> None:
    told = write(patient, "bad", **line)
    assert (told.status, told.code) == ("refused", code)
    assert not list(patient.store.picture.all(FluidRecord))


# ---- scales and rounds


@pytest.mark.requirement("R-CHART-02")
@pytest.mark.hazard("H-CHART-01")
@pytest.mark.parametrize(
    ("name", "answers", "total", "tier"),
    [
        ("braden", BRADEN, 15, "mild"),
        ("morse", {
            "fall_history": "yes", "secondary_diagnosis": "no", "aid": "none", "iv_access": "yes",
            "gait": "weak", "mental": "oriented",
        }, 55, "high"),
        ("pain", {"nrs": 7}, 7, "severe"),
    ],
)  # fmt: skip
def test_a_scale_is_added_up_by_the_server_whatever_the_handheld_says(
    patient: WardBench, name: str, answers: dict[str, Any], total: int, tier: str
) -> None:
    told = write(patient, "a1", assessment=scale(name, answers, total=99, tier="none", by="somebody"))
    assert told.status == "accepted"
    kept = next(iter(patient.store.picture.all(Assessment)))
    assert (kept.id, kept.by, kept.total, kept.tier) == ("a1", "N20713", total, tier)


@pytest.mark.requirement("R-CHART-03")
@pytest.mark.hazard("H-CHART-01")
def test_a_round_is_due_by_grade_and_a_look_puts_it_off(patient: WardBench) -> None:
    stay = next(iter(patient.store.picture.all(Encounter)))
    graded = replace(stay, care_level=CareLevel.FIRST, moved_at=patient.clock())
    patient.store.write(lambda unit: unit.put(graded))

    def due() -> list[str]:
        facts = patient.store.picture.facts("W1")
        return [item.name for item in worklist.items(facts, patient.clock(), patient.site.policy)]

    assert due() == []
    patient.clock.move(minutes=60)
    assert due() == ["round-due"]
    patient.clock.move(minutes=16)
    assert due() == ["round-overdue"]
    look = Round(id="", patient_id="P-1001", at=START, by="", findings=("asleep",))
    assert write(patient, "r1", round=look).status == "accepted"
    assert due() == []


@pytest.mark.requirement("R-CHART-01")
def test_a_doctor_does_not_write_the_nurses_chart(patient: WardBench) -> None:
    assert write(patient, "f1", "D30012", fluid=amount("in", "oral", 10)).status == "refused"


# ---- critical values


def call(ward: WardBench, **changes: Any) -> CriticalValue:
    value = CriticalValue(
        id="cv-1", patient_id="P-1001", test="K+", value="6.8", unit="mmol/L", reported_by="LAB",
        received_by="N20713", received_at=ward.clock(), doctor="D30012", told_at=ward.clock(),
    )  # fmt: skip
    return ward.store.write(lambda unit: critical.receive(unit, replace(value, **changes)))


def sounding(ward: WardBench) -> list[AlarmPriority]:
    return [
        one.priority
        for one in ward.store.picture.all(Alarm)
        if one.condition == critical.CONDITION and one.present
    ]


@pytest.mark.requirement("R-CHART-04")
@pytest.mark.hazard("H-CHART-02")
def test_a_critical_value_alarms_until_a_doctor_says_what_is_done(patient: WardBench) -> None:
    assert call(patient) == call(patient)
    assert sounding(patient) == [AlarmPriority.HIGH]
    patient.clock.move(minutes=4)

    def answer(by: str) -> CriticalValue:
        return patient.store.write(lambda unit: critical.acknowledge(unit, "cv-1", by, "葡萄糖酸钙"))

    first = answer("D30012")
    assert (first.acknowledged_by, first.action) == ("D30012", "葡萄糖酸钙")
    assert answer("D99999") == first
    assert sounding(patient) == []


@pytest.mark.requirement("R-CHART-04")
def test_a_critical_value_of_nobody_or_under_a_used_id_is_refused(patient: WardBench) -> None:
    call(patient)
    with pytest.raises(ConflictError):
        call(patient, value="2.1")
    with pytest.raises(NotFoundError):
        call(patient, id="cv-2", patient_id="P-9")
    with pytest.raises(NotFoundError):
        patient.store.write(lambda unit: critical.acknowledge(unit, "none", "D30012", "x"))


@pytest.mark.requirement("R-CHART-10")
@pytest.mark.hazard("H-CHART-02")
def test_critical_values_of_a_patient_are_read_with_who_was_told_and_what_was_done(
    patient: WardBench, tmp_path: Path
) -> None:
    call(patient)
    patient.clock.move(minutes=4)
    patient.store.write(lambda unit: critical.acknowledge(unit, "cv-1", "D30012", "葡萄糖酸钙"))
    patient.clock.move(days=3)
    patient.store.write(lambda unit: tidy(unit, timedelta(hours=24)))
    call(patient, id="cv-2", value="2.1")
    with serving(patient.store, patient.site, tmp_path) as client:
        head = bearer(token_of(patient.store, "N20713"))
        path = "/api/v1/patients/P-1001/critical-values"
        found = client.get(path, headers=head).json()
        second = client.get(path, params={"limit": 1, "offset": 1}, headers=head).json()
        nobody = client.get("/api/v1/patients/P-9/critical-values", headers=head)
    assert (found["total"], [one["id"] for one in found["critical_values"]]) == (2, ["cv-2", "cv-1"])
    answered = second["critical_values"][0]
    assert (answered["acknowledged_by"], answered["action"]) == ("D30012", "葡萄糖酸钙")
    assert nobody.json()["code"] == "unknown-patient"


@pytest.mark.requirement("R-CHART-11")
@pytest.mark.hazard("H-CHART-02")
def test_the_mews_of_a_stay_is_scored_from_fresh_values_and_never_guessed(
    patient: WardBench, tmp_path: Path
) -> None:
    stay = patient.store.picture.stays_of("P-1001")[0].id

    def score() -> dict[str, Any]:
        with serving(patient.store, patient.site, tmp_path) as client:
            head = bearer(token_of(patient.store, "N20713"))
            answer = client.get(f"/api/v1/encounters/{stay}/mews", headers=head)
            assert client.get("/api/v1/encounters/none/mews", headers=head).status_code == 404
        found: dict[str, Any] = answer.json()
        return found

    empty = score()
    assert (empty["total"], empty["missing"]) == (None, ["sbp", "pulse", "rr", "temp_c", "consciousness"])
    values = {
        "MDC_PRESS_BLD_NONINV_SYS": "85", "MDC_PULS_RATE": "125", "MDC_RESP_RATE": "22",
        "MDC_TEMP_AXILLA": "38.6", "MDCX_CONSCIOUSNESS": "2",
    }  # fmt: skip
    units = {
        "MDC_PRESS_BLD_NONINV_SYS": "mm[Hg]", "MDC_PULS_RATE": "/min", "MDC_RESP_RATE": "/min",
        "MDC_TEMP_AXILLA": "Cel", "MDCX_CONSCIOUSNESS": "1",
    }  # fmt: skip
    said = tuple(
        charted.Charted(code=code, value=Decimal(value), unit=units[code]) for code, value in values.items()
    )
    made = charted.ChartedSet(id="set-00000001", at=patient.clock(), values=said)
    patient.store.write(lambda unit: charted.chart(unit, patient.session(), stay, made))
    full = score()
    assert (full["total"], full["tier"], full["missing"]) == (8, "critical", [])
    patient.clock.move(hours=4, minutes=1)
    assert score()["total"] is None


# ---- handover


def shift(ward: WardBench) -> Period:
    return Period(start=START - timedelta(hours=1), end=ward.clock() + timedelta(minutes=1))


def sheet(ward: WardBench) -> handover.Sheet:
    facts = ward.store.picture.facts("W1")
    return handover.sheet(facts, ward.site.ward("W1").beds, shift(ward), ward.clock(), ward.site.policy)


@pytest.mark.requirement("R-CHART-05")
@pytest.mark.hazard("H-CHART-02")
def test_the_sheet_of_a_shift_says_what_happened_and_what_is_open(patient: WardBench) -> None:
    patient.admit("1002", "02", "李秀英")
    order_id = patient.order("1001", "A")
    task = patient.task_of(order_id)
    write(patient, "f1", fluid=amount("out", "urine", 350))
    write(patient, "a1", assessment=scale("pain", {"nrs": 7}))
    call(patient)
    first, second = sheet(patient).patients
    assert (first.bed, second.bed) == ("01", "02")
    assert (first.new_orders, first.open_tasks, first.stopped_orders) == ((order_id,), (task.id,), ())
    assert (first.output_ml, first.assessments, first.critical_values) == (350.0, {"pain": 7}, ("cv-1",))
    assert first.alarms == {critical.CONDITION: 1}
    assert second.new_orders == ()


@pytest.mark.requirement("R-CHART-05")
def test_a_shift_is_given_by_one_nurse_and_taken_by_another(patient: WardBench) -> None:
    stay = next(iter(patient.store.picture.all(Encounter)))
    made = Handover(
        id="h-1", ward="W1", since=START, until=START, given_by="N20713", given_at=START,
        notes={stay.id: "夜间注意血压"},
    )  # fmt: skip

    def give(given: Handover) -> Handover:
        return patient.store.write(lambda unit: handover.give(unit, given))

    def take(by: str, handover_id: str = "h-1") -> Handover:
        return patient.store.write(lambda unit: handover.take(unit, handover_id, by))

    assert give(made) == give(made)
    assert [one.id for one in patient.store.picture.facts("W1").handovers] == ["h-1"]
    with pytest.raises(ConflictError):
        give(replace(made, notes={}))
    with pytest.raises(NotFoundError):
        give(replace(made, id="h-2", notes={"E-none": "x"}))
    with pytest.raises(NotFoundError):
        take("N20488", "none")
    with pytest.raises(RefusedError):
        take("N20713")
    taken = take("N20488")
    assert taken.taken_by == "N20488"
    assert take("N10001") == taken


# ---- over HTTP


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WardProcess]:
    process = WardProcess(tmp_path_factory.mktemp("chart"), WARD_FILE)
    process.start()
    yield process
    assert process.stop() == 0


@pytest.mark.requirement("R-CHART-05")
def test_the_routes_answer_with_numbers_or_with_one_clear_problem(server: WardProcess) -> None:
    now = datetime.now(UTC)
    span = {"since": (now - timedelta(hours=8)).isoformat(), "until": now.isoformat()}
    with server.client() as nurse:
        assert nurse.get("/wards/W1/handover", params=span).json()["patients"] == []
        too_long = span | {"since": (now - timedelta(hours=25)).isoformat()}
        assert nurse.get("/wards/W1/handover", params=too_long).json()["code"] == "period"
        given = nurse.post("/wards/W1/handover", json={"id": "0198c0de-1", **span})
        assert given.status_code == 201
        assert nurse.post("/handovers/0198c0de-1/take").json()["code"] == "same-person"
        assert (
            nurse.get("/patients/P-9/fluids", params={"day": "2026-05-04"}).json()["code"]
            == "unknown-patient"
        )
        called = {"id": "0198c0de-2", "patient_id": "P-9", "test": "K+", "value": "6.8", "reported_by": "LAB"}
        answer: httpx2.Response = nurse.post("/critical-values", json=called | {"read_back": True})
        assert answer.json()["code"] == "unknown-patient"
        assert nurse.post("/critical-values", json=called).status_code == 422
        assert nurse.post("/critical-values/x/acknowledge", json={"action": "x"}).status_code == 403


@pytest.mark.requirement("R-CHART-06")
def test_old_lines_leave_the_picture_and_the_newest_scale_and_round_stay(ward: WardBench) -> None:
    ward.admit("1001", "01")
    for number in range(2):
        write(ward, f"a{number}", assessment=scale("pain", {"nrs": number}))
        write(ward, f"r{number}", round=Round(id="", patient_id="P-1001", at=START, by=""))
        write(ward, f"f{number}", fluid=amount("in", "oral", 10))
        ward.clock.move(hours=1)
    ward.clock.move(hours=60)
    ward.store.write(lambda unit: tidy(unit, timedelta(hours=24)))
    facts = ward.store.picture.facts("W1")
    assert ([one.id for one in facts.assessments], [one.id for one in facts.rounds], facts.fluids) == (
        ["a1"], ["r1"], (),
    )  # fmt: skip
