"""The page's own rules, run in the browser that will run them: what may be shown of what is known."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

NOW = 1_764_000_000_000  # some moment, in epoch milliseconds
BED = {"bed": "01", "occupied": True, "demo": True, "node": {"id": "n", "state": "online", "since": NOW}}
DRIP = {
    "id": "i",
    "bed": "01",
    "drug": {"zh": "盐水", "en": "saline"},
    "state": "running",
    "volume_ml": 250,
    "rate_ml_h": 120,
    "ordered_gtt_min": 40,
    "measured_gtt_min": 41,
    "measured_ml_h": 123,
    "remaining_ml": 172,
    "time_left_min": 84,
    "deviation_percent": 2.5,
    "flow": "flowing",
    "effective": NOW - 1000,
    "validity": "Vld",
    "started_at": NOW - 2_340_000,
}
SPO2 = {
    "bed": "01",
    "code": "MDC_PULS_OXIM_SAT_O2",
    "value": "97",
    "unit": "%",
    "validity": "Vld",
    "effective": NOW - 1000,
    "generation": "Demo",
    "alarm": "",
}

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def run(browser: Any) -> Any:
    """Call an exported function of one of the page's modules."""
    from tests.server.web.feed import serving
    from tests.server.web.scenario import small_ward

    with serving(small_ward()) as (url, _):
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{url}/icon.svg")

        def call(module: str, expression: str, *arguments: Any) -> Any:
            load = f"const m = await import('{url}/js/{module}.js');"
            return page.evaluate(
                f"async (args) => {{ {load} return ({expression})(...args); }}", list(arguments)
            )

        yield call
        context.close()


def drip(run: Run, bed: dict[str, Any] | None = None, **changes: Any) -> Any:
    return run("present", "m.infusion", bed or BED, {**DRIP, **changes}, NOW)


@pytest.mark.requirement("R-WEB-05")
def test_a_live_drip_has_a_time_left(run: Run) -> None:
    shown = drip(run)
    assert (shown["word"], shown["minutes"], shown["rate"], shown["bound"]) == ("flowing", 84, 41, False)


@pytest.mark.requirement("R-WEB-05")
@pytest.mark.hazard("H-WEB-02")
@pytest.mark.parametrize(
    ("bed", "changes", "word"),
    [
        (BED, {"effective": NOW - 11_000}, "sensor-lost"),
        (BED, {"effective": None}, "waiting"),
        (BED, {"flow": "stale"}, "sensor-lost"),
        (BED, {"validity": "Inv"}, "sensor-lost"),
        ({**BED, "node": {"state": "offline"}}, {}, "stale"),
    ],
)
def test_a_drip_that_is_not_heard_has_no_countdown(
    run: Run, bed: dict[str, Any], changes: dict[str, Any], word: str
) -> None:
    shown = drip(run, bed, **changes)
    assert (shown["minutes"], shown["rate"], shown["deviation"], shown["bound"]) == (None, None, None, True)
    assert shown["word"] == word


@pytest.mark.requirement("R-WEB-05")
@pytest.mark.parametrize("flow", ["no-flow", "free-flow", "empty", "unknown"])
def test_a_drip_that_does_not_run_as_it_should_has_no_countdown_either(run: Run, flow: str) -> None:
    assert drip(run, flow=flow)["minutes"] is None


@pytest.mark.requirement("R-WEB-07")
def test_the_drip_to_act_on_first_stands_first(run: Run) -> None:
    cases: dict[str, dict[str, Any]] = {
        "stale": {"effective": NOW - 60_000},
        "long": {},
        "soon": {"time_left_min": 4},
        "stopped": {"flow": "no-flow"},
        "free": {"flow": "free-flow"},
    }
    drips = [{**DRIP, "id": name, **changes} for name, changes in cases.items()]
    code = (
        "(bed, drips, now) => m.byUrgency(drips.map((one) => m.infusion(bed, one, now))).map((one) => one.id)"
    )
    assert run("present", code, BED, drips, NOW) == ["free", "stopped", "soon", "long", "stale"]


@pytest.mark.requirement("R-WEB-04")
@pytest.mark.hazard("H-WEB-01")
@pytest.mark.parametrize(
    ("bed", "changes", "state"),
    [
        (BED, {}, "live"),
        (BED, {"effective": NOW - 10_001}, "stale"),
        (BED, {"effective": None}, "stale"),
        ({**BED, "node": {"state": "offline"}}, {}, "stale"),
        (BED, {"value": None, "validity": "NA"}, "none"),
        (BED, {"validity": "Inv"}, "none"),
        (BED, {"validity": "Qst"}, "doubtful"),
    ],
)
def test_a_number_that_is_not_fresh_and_valid_does_not_look_so(
    run: Run, bed: dict[str, Any], changes: dict[str, Any], state: str
) -> None:
    assert run("present", "m.numeric", bed, {**SPO2, **changes}, NOW)["state"] == state


@pytest.mark.requirement("R-WEB-04")
def test_an_old_number_does_not_look_like_an_alarm(run: Run) -> None:
    old = {**SPO2, "value": "82", "alarm": "Hi", "effective": NOW - 60_000}
    assert run("present", "m.numeric", BED, old, NOW)["alarm"] == ""
    assert run("present", "m.numeric", BED, {**old, "effective": NOW}, NOW)["alarm"] == "Hi"


@pytest.mark.requirement("R-WEB-11")
@pytest.mark.hazard("H-WEB-05")
def test_demo_values_never_appear_on_a_real_patient(run: Run) -> None:
    real = {**BED, "demo": False}
    assert run("present", "m.numeric", real, SPO2, NOW) is None
    assert run("present", "m.numeric", real, {**SPO2, "generation": "Real"}, NOW)["shown"] == "97"


@pytest.mark.requirement("R-WEB-03")
@pytest.mark.parametrize(
    ("bed", "known", "kind"),
    [
        ({"occupied": False}, False, "empty"),
        ({"occupied": True, "node": {"state": "offline"}}, True, "offline"),
        ({"occupied": True, "node": None}, False, "no-device"),
        ({"occupied": True, "node": None}, True, "live"),
    ],
)
def test_beds_without_data_are_told_apart(run: Run, bed: dict[str, Any], known: bool, kind: str) -> None:
    assert run("present", "m.tileKind", bed, known) == kind


@pytest.mark.requirement("R-WEB-02")
@pytest.mark.parametrize(
    ("beds", "width", "height", "columns", "scrolls"),
    [
        (8, 1516, 958, 2, False),
        (24, 1516, 958, 4, False),
        (12, 1516, 958, 3, False),
        (1, 1516, 958, 1, False),
        (24, 1272, 610, 3, True),
    ],
)
def test_the_grid_uses_the_room_it_has(
    run: Run, beds: int, width: int, height: int, columns: int, scrolls: bool
) -> None:
    grid = run("grid", "m.arrange", beds, width, height)
    assert (grid["columns"], grid["scrolls"]) == (columns, scrolls)
    assert grid["rowHeight"] >= 145
    if not scrolls:
        rows = -(-beds // columns)
        assert rows * grid["rowHeight"] + 4 * (rows - 1) <= height


@pytest.mark.requirement("R-WEB-08")
def test_a_pause_ends_for_what_must_be_heard(run: Run) -> None:
    code = """(first, later) => {
      const pause = new m.AudioPause();
      pause.toggle(1000, first);
      return [pause.left(1000), pause.check(2000, first), pause.check(3000, [...first, ...later])];
    }"""
    medium = {"id": "a", "priority": "Me"}
    assert run("alarms", code, [medium], [{"id": "b", "priority": "Me"}]) == [120_000, 119_000, 118_000]
    assert run("alarms", code, [medium], [{"id": "b", "priority": "Hi"}])[2] == 0
    assert run("alarms", code, [{"id": "a", "priority": "Hi"}], [{"id": "b", "priority": "Hi"}])[2] == 0


LIVE = """(messages) => {
  const live = new m.LiveState();
  const taken = messages.map((message) => live.take(message));
  return { state: live.state, seq: live.seq, epoch: live.epoch, hello: live.hello(),
           counted: taken.map((t) => t.counted), changes: taken.map((t) => t.changes.length) };
}"""
SNAP = {"t": "snap", "epoch": "e", "seq": 10, "now": NOW, "s": {"alarms": {"a": {"id": "a"}}}, "lanes": []}


@pytest.mark.requirement("R-WEB-13")
def test_deltas_change_the_snapshot_and_repeats_do_not(run: Run) -> None:
    delta = {
        "t": "d",
        "d": [[9, "alarm", "a", None], [11, "alarm", "b", {"id": "b"}], [12, "alarm", "a", None]],
        "seq": 12,
    }
    after = run("protocol", LIVE, [SNAP, delta, delta, {"t": "hb", "seq": 12, "now": NOW}])
    assert after["state"]["alarms"] == {"b": {"id": "b"}}
    assert after["changes"] == [0, 2, 0, 0]
    assert after["counted"] == [True, True, True, False]
    assert after["hello"] == {"t": "hello", "epoch": "e", "seq": 12, "lanes": True}


@pytest.mark.requirement("R-WEB-13")
def test_a_new_epoch_replaces_everything(run: Run) -> None:
    after = run("protocol", LIVE, [SNAP, {**SNAP, "epoch": "f", "seq": 3, "s": {"alarms": {}}}])
    assert (after["epoch"], after["seq"], after["state"]["alarms"]) == ("f", 3, {})


@pytest.mark.requirement("R-WEB-13")
def test_what_a_newer_server_adds_is_not_guessed(run: Run) -> None:
    after = run(
        "protocol", LIVE, [SNAP, {"t": "unheard-of"}, {"t": "d", "d": [[11, "strange", "k", {}]], "seq": 11}]
    )
    assert after["seq"] == 11


@pytest.mark.requirement("R-WEB-13")
def test_waveform_frames_are_read_as_the_server_packs_them(run: Run) -> None:
    frame = struct.pack("<BBHIdH4h", 1, 1, 513, 70_000, NOW + 0.25, 4, -32768, -1, 0, 32767)
    code = """(bytes) => {
      const frame = m.parseFrame(Uint8Array.from(bytes).buffer);
      return frame && { ...frame, samples: [...frame.samples] };
    }"""
    expected = {"lane": 513, "seq": 70_000, "t0": NOW + 0.25, "samples": [-32768, -1, 0, 32767]}
    assert run("protocol", code, list(frame)) == expected
    assert run("protocol", code, list(frame[:-1])) is None
    assert run("protocol", code, [2, *frame[1:]]) is None
    assert run("protocol", code, [1, 1]) is None


@pytest.mark.requirement("R-WEB-12")
def test_a_missing_piece_of_a_wave_stays_a_gap_and_the_pen_never_runs_ahead(run: Run) -> None:
    code = """(t0) => {
      const lane = new m.Lane({ id: 1, code: "X", rate_hz: 10, gain: 2, offset: 1, lo: 0, hi: 9 });
      const feed = (t, value) => lane.feed(
        { t0: t, samples: new Int16Array(10).fill(value) }, (t - t0) + 1100);
      feed(t0, 1);
      feed(t0 + 2000, 2);
      feed(t0, 9);
      const first = Math.round(t0 / 100);
      return [lane.value(first), lane.value(first + 10), lane.value(first + 29), lane.value(first + 30),
              lane.target(1e9) <= first + 29,
              ...[3100, 6500, 20000].map((at) => lane.freshness(at))]
              .map((v) => Number.isNaN(v) ? "gap" : v);
    }"""
    assert run("sweep", code, NOW) == [3, "gap", 5, "gap", True, "live", "old", "blank"]
