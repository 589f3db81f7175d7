from __future__ import annotations

import re

import pytest

from clinical.records import Generation
from edge_node import health
from edge_node.metrics import render
from edge_node.node import Node
from edge_node.outbox import Outbox
from firmware_profiles import registry
from tests.support.edge_bench import NODE, Bench

LINE = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.e+-]+')


@pytest.fixture
def node(bench: Bench, outbox: Outbox) -> Node:
    made = Node(
        node_id=NODE,
        version="1",
        generation=Generation.DEMO,
        clock=bench.time.clock(),
        outbox=outbox,
        wire=None,  # type: ignore[arg-type]  # no broker here
        process=lambda: {"descriptors": 12, "resident_kib": 4096},
    )
    made.session("serial:x", registry.load().get("nonin_oem3"))
    return made


@pytest.mark.requirement("R-EDGE-25")
def test_the_health_document_is_also_metrics_that_prometheus_can_read(node: Node) -> None:
    text = render(health.document(node.health)).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in lines), lines
    assert "wardlink_edge_broker_connected 0" in lines
    assert "wardlink_edge_process_descriptors 12" in lines
    assert 'wardlink_edge_device_state{device="serial:x",state="searching"} 1' in lines
    assert 'wardlink_edge_device_frames_total{device="serial:x"} 0' in lines
    assert text.count("# TYPE") == len({line.split("{")[0].split(" ")[0] for line in lines})
    assert text.endswith("\n")


def test_what_is_not_known_is_left_out_and_names_are_escaped() -> None:
    device = {"uid": 'a"b\\c', "state": "lost", "frames": 1, "attempts": 2}
    text = render({"ok": True, "devices": [device]}).decode()
    assert "wardlink_edge_outbox_depth" not in text
    assert 'device="a\\"b\\\\c"' in text
