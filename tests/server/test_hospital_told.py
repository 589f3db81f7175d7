"""What is committed is queued for the hospital once: after a restart, after a crash, in order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import hl7
import pytest
from sqlalchemy import select

from clinical.care_records import SampleNeed, Specimen
from clinical.exchange import InfusionChanged
from clinical.records import (
    Alarm,
    AlarmPriority,
    Dose,
    Flow,
    Infusion,
    Label,
    Observation,
    Order,
    OrderItem,
    Product,
    Validity,
)
from server.alarms import service as alarms
from server.his.mllp import MllpSettings, serve
from server.his.stand_in import StandIn
from server.his.told import Topic
from server.his_link import HospitalLink
from server.infusions import service as infusions
from server.observations.charted import Charted, ChartedSet, chart
from server.orders import service as orders
from server.settings import His
from server.storage.schema import hl7_messages, meta
from server.storage.store import UnitOfWork


def turn(ward: Any, *topics: str, word: str = "on") -> None:
    def run(unit: UnitOfWork) -> None:
        for topic in topics:
            statement = unit.upsert("mappings").values(system="tell", code=topic, target=word)
            unit.connection.execute(
                statement.on_conflict_do_update(index_elements=["system", "code"], set_={"target": word})
            )

    ward.store.write(run)


class Told:
    """A ward with a hospital that is not there yet: everything waits on disk."""

    def __init__(self, ward: Any, *topics: str) -> None:
        self.ward, self.link = ward, HospitalLink(His(send_to="localhost:1"), ward.store, ward.site)
        turn(ward, *(topics or tuple(Topic)))
        self.link.tell()

    def messages(self, kind: str = "") -> list[Any]:
        while self.link.tell():
            pass
        with self.ward.store.reading() as connection:
            rows = connection.execute(
                select(hl7_messages.c.raw, hl7_messages.c.type)
                .where(hl7_messages.c.direction == "out")
                .order_by(hl7_messages.c.n)
            ).all()
        return [hl7.parse(bytes(row.raw).decode()) for row in rows if row.type.startswith(kind)]


@pytest.fixture
def told(any_ward: Any) -> Told:
    any_ward.admit("1001", "01")
    return Told(any_ward)


@pytest.fixture
def quick(ward: Any) -> Told:
    ward.admit("1001", "01")
    return Told(ward)


def condition(ward: Any, name: str = "limit-low", **said: Any) -> alarms.Condition:
    fields: dict[str, Any] = {
        "condition": name,
        "kind": "physiological",
        "priority": AlarmPriority.MEDIUM,
        "at": ward.clock(),
        "encounter_id": "E-V1001",
        "device_id": "serial:oximeter-01",
        "params": {"code": "MDC_PULS_OXIM_SAT_O2", "measured": 84.0, "limit": 90.0, "unit": "%"},
    }
    return alarms.Condition(**(fields | said))


def facets(message: Any) -> dict[str, str]:
    return {str(row[3][0][1]): str(row[5]) for row in message["OBX"]}


@pytest.mark.requirement("R-HIS-22")
@pytest.mark.hazard("H-HIS-07")
def test_each_phase_of_an_alarm_is_told_in_order_under_one_identity(told: Told) -> None:
    ward = told.ward
    ward.store.write(lambda unit: alarms.begin(unit, condition(ward)))
    ward.clock.move(seconds=5)
    ward.store.write(lambda unit: alarms.begin(unit, condition(ward, priority=AlarmPriority.HIGH)))
    alarm = next(iter(ward.store.picture.all(Alarm)))
    ward.clock.move(seconds=5)
    ward.store.write(lambda unit: alarms.acknowledge(unit, unit.get(Alarm, alarm.id), "N20713", unit.now))
    ward.clock.move(seconds=5)
    ward.store.write(lambda unit: alarms.end_condition(unit, condition(ward)))
    sent = told.messages("ORU^R40")
    assert [facets(one)["MDC_ATTR_EVENT_PHASE"] for one in sent] == [
        "start",
        "escalate",
        "acknowledged",
        "end",
    ]
    assert {str(one["OBR"][0][3][0][0]) for one in sent} == {alarm.id}
    assert [facets(one)["MDC_ATTR_ALARM_PRIORITY"] for one in sent] == ["PM", "PH", "PH", "PH"]
    assert facets(sent[0])["MDC_PULS_OXIM_SAT_O2"] == "84"
    assert facets(sent[-1])["MDC_ATTR_ALARM_STATE"] == "inactive"
    assert str(sent[0]["PV1"][0][3]) == "W1^^01"


@pytest.mark.requirement("R-HIS-22")
def test_alarms_of_gateways_of_the_link_itself_and_without_a_patient_are_not_told_back(quick: Told) -> None:
    ward = quick.ward
    for seen in (
        condition(ward, params={"gateway": "GW"}, subject="1"),
        condition(ward, "his-silent", encounter_id=""),
        condition(ward, "critical-value", subject="2"),
    ):
        ward.store.write(lambda unit, seen=seen: alarms.begin(unit, seen))
    assert quick.messages() == []


@pytest.mark.requirement("R-HIS-22")
@pytest.mark.hazard("H-HIS-07")
def test_an_infusion_is_told_from_its_start_to_its_end(told: Told) -> None:
    ward = told.ward
    task = ward.task_of(ward.order_bag("1001", "B1"))
    started = ward.started("e-start-1", task, ward.request("r1"))
    ward.store.write(lambda unit: infusions.record_started(unit, ward.site, started))
    for number, (action, said) in enumerate(
        [
            ("pause", {}),
            ("resume", {}),
            ("rate", {"rate_ml_h": Decimal(90)}),
            ("complete", {"residual_ml": Decimal(2)}),
        ]
    ):
        ward.clock.move(minutes=5)
        event = InfusionChanged(
            id=f"e-change-{number}", at=ward.clock(), sent=ward.clock(), operator="N20713", handheld="pda-1",
            infusion_id="I-e-start-1", action=action, **said,
        )  # fmt: skip
        ward.store.write(lambda unit, event=event: infusions.record_changed(unit, ward.site, event))
    sent = told.messages("ORU^R42")
    events = [facets(one)["MDC_ATTR_EVT_COND"].split("^")[1] for one in sent]
    assert [name.removeprefix("MDC_EVT_PUMP_") for name in events] == [
        "DELIV_START", "DELIV_STOP", "DELIV_START", "PARAMETER_CHANGE", "DELIV_COMP",
    ]  # fmt: skip
    assert [facets(one)["MDC_FLOW_FLUID_PUMP"] for one in sent] == ["60", "60", "60", "90", "90"]
    assert facets(sent[-1])["MDC_VOL_FLUID_DELIV_TOTAL"] == "98"
    assert str(sent[0]["OBR"][0][2]) == "B1"
    assert facets(sent[1])["MDC_PUMP_INFUSING_STATUS"] == "^pump-status-not-infusing"


def specimen_order(ward: Any) -> Specimen:
    item = OrderItem(
        product_id="CBC", display=Label(zh="血常规", en="CBC"), dose=Dose(value=Decimal(1), unit="{tube}")
    )
    order = Order(
        id="O-S1", version=1, status="active", encounter_id="E-V1001", patient_id="P-1001", kind="specimen",
        category="once", items=(item,), route="", frequency="once", start=ward.clock(), placer_id="S1",
        nurse_verified=True, pharmacist_verified=True, sample=SampleNeed(container="purple"),
    )  # fmt: skip
    product = Product(id="CBC", display=item.display, unit="{tube}", form="test")
    ward.store.write(lambda unit: unit.put(product))
    ward.store.write(lambda unit: orders.place(unit, order, ward.site.policy))
    return next(iter(ward.store.picture.all(Specimen)))


@pytest.mark.requirement("R-HIS-22")
def test_a_sample_that_was_taken_is_told_once_and_nothing_else_of_it(quick: Told) -> None:
    ward = quick.ward
    tube = specimen_order(ward)
    for said in (
        {"state": "printed", "printed_at": ward.clock()},
        {"state": "collected", "collected_at": ward.clock(), "collected_by": "N20713"},
        {"state": "received", "received_at": ward.clock()},
    ):
        tube = replace(tube, **said)
        ward.store.write(lambda unit, tube=tube: unit.put(tube))
    (sent,) = quick.messages("OML")
    assert (str(sent["ORC"][0][2]), str(sent["OBR"][0][4][0][0])) == ("S1", "CBC")
    assert str(sent["SPM"][0][2][0][0]) == tube.id
    assert str(sent["OBR"][0][10]) == "N20713^王丽"


@pytest.mark.requirement("R-HIS-22")
def test_what_a_nurse_writes_down_is_told_with_her_name(told: Told) -> None:
    ward = told.ward
    one = ChartedSet(
        id="charted-0001",
        at=ward.clock(),
        values=(Charted(code="MDC_TEMP_AXILLA", value=Decimal("37.2"), unit="Cel"),),
    )
    for _ in range(2):
        ward.store.write(lambda unit: chart(unit, ward.session(), "E-V1001", one))
    (sent,) = told.messages("ORU^R01")
    assert facets(sent) == {"MDC_TEMP_AXILLA": "37.2"}
    assert str(sent["OBX"][0][16]) == "N20713^王丽"


def measured(ward: Any, value: str, device: str = "serial:oximeter-01") -> None:
    one = Observation(
        id="P-1001/MDC_PULS_OXIM_SAT_O2", patient_id="P-1001", code="MDC_PULS_OXIM_SAT_O2",
        value=Decimal(value), unit="%", effective=ward.clock(), validity=Validity.VALID, device_id=device,
    )  # fmt: skip
    ward.store.write(lambda unit: unit.put(one))


@pytest.mark.requirement("R-HIS-22")
def test_the_newest_values_of_our_devices_are_told_once_a_minute(told: Told) -> None:
    ward = told.ward
    for seconds, value in ((61, "97"), (10, "96"), (10, "95"), (45, "94"), (61, None)):
        ward.clock.move(seconds=seconds)
        if value is not None:
            measured(ward, value)
        told.link.tell()
    sent = told.messages("ORU^R01")
    assert [facets(one)["MDC_PULS_OXIM_SAT_O2"] for one in sent] == ["97", "94"]
    ward.clock.move(seconds=61)
    measured(ward, "90", device="GATEWAY")
    assert len(told.messages("ORU^R01")) == 2  # another maker's gateway told us; it is not told back


@pytest.mark.requirement("R-HIS-22")
def test_a_measured_flow_is_told_with_its_infusion(quick: Told) -> None:
    ward = quick.ward
    task = ward.task_of(ward.order_bag("1001", "B1"))
    started = ward.started("e-start-1", task, ward.request("r1"))
    ward.store.write(lambda unit: infusions.record_started(unit, ward.site, started))
    flow = Flow(
        id="I-e-start-1", effective=ward.clock(), validity=Validity.VALID, rate_ml_h=58.4, infused_ml=10.26,
        remaining_ml=89.7, time_left_min=92.0,
    )  # fmt: skip
    ward.store.write(lambda unit: unit.put(flow))
    ward.clock.move(seconds=61)
    (sent,) = quick.messages("ORU^R01")
    assert facets(sent)["MDC_VOL_FLUID_DELIV_TOTAL"] == "10.3"
    ward.store.write(lambda unit: unit.put(replace(unit.get(Infusion, flow.id), rate_ml_h=Decimal(70))))
    assert facets(quick.messages("ORU^R42")[-1])["MDC_VOL_FLUID_TBI_REMAIN"] == "89.7"


@pytest.mark.requirement("R-HIS-22")
@pytest.mark.hazard("H-HIS-07")
def test_after_a_restart_nothing_is_missing_and_nothing_is_told_twice(told: Told) -> None:
    ward = told.ward
    ward.store.write(lambda unit: alarms.begin(unit, condition(ward)))
    assert len(told.messages()) == 1
    ward.store.write(
        lambda unit: alarms.end_condition(unit, condition(ward))
    )  # nobody told it before the end
    again = HospitalLink(His(send_to="localhost:1"), ward.store, ward.site)
    told.link = again
    assert [facets(one)["MDC_ATTR_EVENT_PHASE"] for one in told.messages()] == ["start", "end"]


@pytest.mark.requirement("R-HIS-22")
def test_a_failure_while_queueing_leaves_everything_to_be_told(
    quick: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward = quick.ward
    ward.store.write(lambda unit: alarms.begin(unit, condition(ward)))
    with monkeypatch.context() as patch:
        patch.setattr("server.hospital_told._note", lambda *_: (_ for _ in ()).throw(RuntimeError("cut")))
        with pytest.raises(RuntimeError):
            quick.link.tell()
    assert len(quick.messages()) == 1


@pytest.mark.requirement("R-HIS-22")
def test_a_topic_begins_when_it_is_switched_on_and_ends_when_it_is_off(ward: Any) -> None:
    ward.admit("1001", "01")
    told = Told(ward, "infusions")
    ward.store.write(lambda unit: alarms.begin(unit, condition(ward)))
    assert told.messages() == []
    turn(ward, "alerts")
    assert told.messages() == []  # what was before is not told
    ward.store.write(lambda unit: alarms.end_condition(unit, condition(ward)))
    assert len(told.messages()) == 1
    turn(ward, "alerts", "infusions", word="off")
    told.link.tell()
    with ward.store.reading() as connection:
        assert connection.execute(select(meta.c.key).where(meta.c.key.like("his-told-%"))).all() == []


async def alarm_and_chart(ward: Any, port: int) -> dict[str, int]:
    """Let an alarm begin and a nurse write something down, and tell both to the hospital at ``port``."""
    link = HospitalLink(His(send_to=f"127.0.0.1:{port}"), ward.store, ward.site)
    turn(ward, "alerts", "charted")
    link.tell()
    ward.store.write(lambda unit: alarms.begin(unit, condition(ward)))
    pain = Charted(code="MDCX_PAIN_NRS", value=Decimal(3), unit="{score}")
    one = ChartedSet(id="charted-0002", at=ward.clock(), values=(pain,))
    ward.store.write(lambda unit: chart(unit, ward.session(), "E-V1001", one))
    link.tell()
    sending = asyncio.create_task(link.run_sender())
    for _ in range(500):
        await asyncio.sleep(0.02)
        if not link.messages.counts().get("out-queued"):
            break
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    return link.messages.counts()


@pytest.mark.requirement("R-HIS-22")
@pytest.mark.hazard("H-HIS-07")
@pytest.mark.parametrize(("answer", "state"), [("AA", "out-accepted"), ("AE", "out-rejected")])
def test_each_answer_is_followed_and_a_refusal_alarms(ward: Any, answer: str, state: str) -> None:
    ward.admit("1001", "01")

    async def scenario() -> dict[str, int]:
        hospital = await serve(MllpSettings(), StandIn(answer=answer).handle)
        counts = await alarm_and_chart(ward, hospital.port)
        await hospital.close()
        return counts

    counts = asyncio.run(scenario())
    if answer == "AA":
        assert counts == {state: 2}
    else:  # the alert's accept answer says it was safely taken; the chart's application answer refuses it
        assert counts == {"out-accepted": 1, state: 1}
        assert "his-rejected" in {one.condition for one in ward.store.picture.all(Alarm)}
