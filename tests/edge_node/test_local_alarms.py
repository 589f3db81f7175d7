from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest

from broker.messages import AlarmMessage, Value, decode
from broker.topics import Up
from clinical.infusion import DropEstimate, FlowCondition, FlowJudgement
from clinical.policy import SitePolicy
from clinical.records import AlarmPriority, Generation, Validity
from edge_node.estimate import FlowReport
from edge_node.local_alarms import STATE_KEY, LocalAlarms
from edge_node.outbox import Outbox
from firmware_profiles.schema import AlarmRule
from firmware_profiles.values import DecodedValue
from tests.support.edge_bench import Bench, Time

SPO2 = "MDC_PULS_OXIM_SAT_O2"
DEVICE = "serial:oximeter"


@dataclass
class Rig:
    time: Time
    outbox: Outbox
    alarms: LocalAlarms

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.time.pass_s(1)
            self.alarms.tick()

    def spo2(self, number: int | None, seconds: int = 1, validity: Validity = Validity.VALID) -> None:
        for _ in range(seconds):
            self.time.pass_s(1)
            value = Value(
                code=SPO2, n=None if number is None else Decimal(number), unit="%", validity=validity
            )
            self.alarms.vitals(DEVICE, [value])
            self.alarms.tick()

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(message.condition, message.phase) for message in self.messages]

    @property
    def messages(self) -> list[AlarmMessage]:
        rows = self.outbox.store.span(1, self.outbox.store.last_seq, 10_000)
        return [decode(row.payload, AlarmMessage) for row in rows if row.kind is Up.ALARMS]

    def again(self) -> LocalAlarms:
        """The node after a restart."""
        self.alarms = make(self.outbox, self.time)
        self.alarms.restore(self.outbox.store.state(STATE_KEY))
        return self.alarms


def make(outbox: Outbox, time: Time) -> LocalAlarms:
    return LocalAlarms(
        outbox.put, outbox.envelope, lambda: time.clock().now(), SitePolicy.default(), Generation.DEMO
    )


@pytest.fixture
def rig(bench: Bench, outbox: Outbox) -> Rig:
    return Rig(bench.time, outbox, make(outbox, bench.time))


def flow(*conditions: FlowCondition, state: str = "flowing") -> FlowReport:
    estimate = DropEstimate(
        gtt_min=40.0,
        rate_ml_h=120.0,
        drops=100,
        infused_ml=5.0,
        since_last_s=1.0,
        age_s=1.0,
        validity=Validity.VALID,
    )
    judgement = FlowJudgement(state=state, remaining_ml=10.0, conditions=conditions)
    return FlowReport(
        infusion="inf-1", device="ble:drip", estimate=estimate, judgement=judgement, expected_gtt_min=40
    )


NO_FLOW = FlowCondition(condition="no-flow", priority=AlarmPriority.HIGH, params=(("silent_s", 70.0),))


@pytest.mark.requirement("R-EDGE-12")
def test_a_desaturation_alarms_after_its_delay_and_ends_when_it_is_over(rig: Rig) -> None:
    rig.spo2(97, 5)
    rig.spo2(88, 9)
    assert not rig.told
    rig.spo2(88, 3)
    assert rig.told == [("limit-low", "start")]
    rig.spo2(97, 8)
    assert rig.told == [("limit-low", "start"), ("limit-low", "end")]
    assert rig.messages[0].params["limit"] == 90
    assert rig.messages[0].generation is Generation.DEMO


def test_a_short_dip_is_no_alarm(rig: Rig) -> None:
    rig.spo2(85, 4)
    rig.spo2(97, 20)
    assert not rig.told


def test_a_critical_value_raises_the_priority_of_the_alarm_that_stands(rig: Rig) -> None:
    rig.spo2(88, 12)
    rig.spo2(75, 2)
    assert [message.priority for message in rig.messages] == [AlarmPriority.MEDIUM, AlarmPriority.HIGH]
    assert rig.told[-1] == ("limit-low", "update")


@pytest.mark.parametrize("validity", [Validity.QUESTIONABLE, Validity.INVALID, Validity.NOT_AVAILABLE])
def test_a_value_that_is_not_valid_is_not_judged(rig: Rig, validity: Validity) -> None:
    rig.spo2(60, 30, validity)
    rig.spo2(None, 5)
    assert not rig.told


@pytest.mark.requirement("R-EDGE-12")
def test_a_stopped_drip_alarms_at_once_and_ends_when_it_runs(rig: Rig) -> None:
    rig.alarms.flow(flow(NO_FLOW, state="no-flow"))
    rig.alarms.flow(flow())
    assert rig.told == [("no-flow", "start"), ("no-flow", "end")]
    assert rig.messages[0].infusion == "inf-1"
    assert rig.messages[0].id == rig.messages[1].id


def test_a_sensor_that_is_not_heard_ends_no_alarm_of_its_drip(rig: Rig) -> None:
    rig.alarms.flow(flow(NO_FLOW))
    rig.alarms.flow(flow(state="stale"))
    assert rig.told == [("no-flow", "start")]


@pytest.mark.requirement("R-EDGE-13")
def test_an_acknowledged_alarm_says_by_which_role_and_speaks_again_when_it_goes_on(rig: Rig) -> None:
    rig.alarms.flow(flow(NO_FLOW))
    name = rig.messages[0].id
    assert rig.alarms.acknowledge(name, "nurse")
    assert rig.messages[-1].params["acknowledged_by"] == "nurse"
    assert rig.alarms.standing[0].signal == "acknowledged"
    rig.wait(121)
    assert rig.alarms.standing[0].signal == "on"
    assert not rig.alarms.acknowledge("unknown", "nurse")


def test_a_latching_alarm_stays_until_it_was_seen(rig: Rig) -> None:
    free = FlowCondition(condition="free-flow", priority=AlarmPriority.HIGH)
    rig.alarms.flow(flow(free))
    rig.alarms.flow(flow())
    assert rig.alarms.standing[0].signal == "latched"
    rig.alarms.acknowledge(rig.alarms.standing[0].id, "nurse")
    assert not rig.alarms.standing


@pytest.mark.requirement("R-EDGE-14")
def test_a_lost_device_withdraws_its_limits_and_alarms_after_a_moment(rig: Rig) -> None:
    rig.spo2(80, 12)
    rig.alarms.device_lost(DEVICE, lost=True, reason="unplugged", watched=True)
    assert rig.told == [("limit-low", "start"), ("limit-low", "end")]
    rig.wait(11)
    assert rig.told[-1] == ("device-lost", "start")
    assert rig.messages[-1].kind == "technical"
    rig.alarms.device_lost(DEVICE, lost=False)
    rig.wait(5)
    assert rig.told[-1] == ("device-lost", "end")


def test_a_device_that_comes_right_back_raises_nothing(rig: Rig) -> None:
    rig.alarms.device_lost(DEVICE, lost=True, reason="link-lost")
    rig.wait(4)
    rig.alarms.device_lost(DEVICE, lost=False)
    rig.wait(20)
    assert not rig.told


@pytest.mark.requirement("R-EDGE-15")
def test_after_a_restart_the_same_alarm_goes_on(rig: Rig) -> None:
    rig.alarms.flow(flow(NO_FLOW))
    name = rig.messages[0].id
    rig.again().flow(flow(NO_FLOW))
    rig.wait(30)
    assert rig.told == [("no-flow", "start")]
    rig.alarms.flow(flow())
    rig.wait(21)
    assert (rig.messages[-1].id, rig.messages[-1].phase) == (name, "end")


@pytest.mark.requirement("R-EDGE-15")
def test_an_alarm_whose_cause_is_gone_after_a_restart_ends_instead_of_standing_for_ever(rig: Rig) -> None:
    rig.alarms.flow(flow(NO_FLOW))
    rig.again()
    rig.wait(25)
    assert rig.told == [("no-flow", "start"), ("no-flow", "end")]
    assert not rig.alarms.standing


def test_alarms_of_an_infusion_that_is_over_end(rig: Rig) -> None:
    rig.alarms.flow(flow(NO_FLOW))
    rig.alarms.withdraw(lambda subject: subject.infusion == "inf-1")
    assert rig.told[-1] == ("no-flow", "end")
    assert not rig.alarms.standing


def test_changing_numbers_are_told_now_and_then_not_every_second(rig: Rig) -> None:
    for silent in range(70, 95):
        condition = FlowCondition(
            condition="no-flow", priority=AlarmPriority.HIGH, params=(("silent_s", float(silent)),)
        )
        rig.time.pass_s(1)
        rig.alarms.flow(flow(condition))
    assert rig.told.count(("no-flow", "update")) == 2


def test_a_device_that_says_it_is_faulty_is_believed(rig: Rig) -> None:
    rules = [
        AlarmRule(value="fault", kind="technical", priority="Me"),
        AlarmRule(value="battery", kind="limit", priority="Lo", lo=Decimal(10)),
        AlarmRule(value="absent", kind="technical", priority="Lo"),
    ]
    rig.alarms.device_rules(
        DEVICE, rules, {"fault": DecodedValue(value=True), "battery": DecodedValue(value=Decimal(9))}
    )
    rig.alarms.device_rules(
        DEVICE, rules, {"fault": DecodedValue(value=False), "battery": DecodedValue(value=Decimal(9))}
    )
    assert rig.told == [("device-fault", "start"), ("device-limit", "start"), ("device-fault", "end")]


def test_the_nodes_own_trouble_is_a_technical_alarm(rig: Rig) -> None:
    rig.alarms.node("outbox-full", holds=True, priority=AlarmPriority.MEDIUM)
    rig.alarms.node("outbox-full", holds=False)
    assert rig.told == [("outbox-full", "start"), ("outbox-full", "end")]
