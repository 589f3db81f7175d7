"""A value that a device no longer says is withdrawn, while the device itself goes on talking."""

from __future__ import annotations

from broker.messages import Readings, decode
from broker.topics import Up
from clinical.records import Generation, Validity
from edge_node.node import Node
from edge_node.ports import Frame
from edge_node.sessions import SessionState
from firmware_profiles import registry
from tests.support.edge_bench import NODE, Bench, Time

IVY = registry.load().get("ivy_450c")
PUMP = registry.load().get("new_era_ne1000")


def node_of(bench: Bench) -> Node:
    return Node(
        node_id=NODE,
        version="1",
        generation=Generation.DEMO,
        clock=bench.time.clock(),
        outbox=bench.open(),
        wire=None,  # type: ignore[arg-type]  # no broker here
    )


def readings(node: Node) -> list[Readings]:
    node.outbox.flush()
    rows = node.outbox.store.span(1, node.outbox.store.last_seq, 1000)
    return [decode(row.payload, Readings) for row in rows if row.kind is Up.READINGS]


def test_a_value_that_is_no_longer_said_is_withdrawn_once_and_its_limit_alarm_ends(
    bench: Bench, time: Time
) -> None:
    node = node_of(bench)
    session = node.session("serial:ivy", IVY)
    for state in (SessionState.DISCOVERED, SessionState.CONNECTING, SessionState.READY):
        session.to(state)

    def say(stream: str, line: bytes, seconds: int) -> None:
        for _ in range(seconds):
            node.on_frame(session, IVY, Frame(stream=stream, data=line, stamp=node.clock.now()))
            node.second()
            time.pass_s(1)

    say("spo2", b"SPO2=1;70;PR=80 ;", 20)
    assert node.alarms.standing
    say("rr", b"RR=1;14;;", 15)
    assert not node.alarms.standing
    gone = [one for one in readings(node) if one.values[0].n is None]
    assert len(gone) == 1
    assert {value.code for value in gone[0].values} == {"MDC_PULS_OXIM_SAT_O2", "MDC_PULS_OXIM_PULS_RATE"}
    assert {value.validity for value in gone[0].values} == {Validity.NOT_AVAILABLE}
    node.collector.forget("serial:ivy")
    assert node.collector.freshness.aged(1e12) == []
