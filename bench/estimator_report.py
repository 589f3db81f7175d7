"""The committed document of :mod:`bench.estimator`: the same figures as tables, with what they rest on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import fill
from typing import Any

WIDTH = 110
Row = dict[str, Any]
Column = tuple[str, Callable[[Row], Any]]

HEAD = """# How exact the drip estimators are

Written by `wardlink bench estimator --write docs/estimator-accuracy.md`; do not edit. The same version gives
the same figures on any machine: everything is simulated from fixed seeds. No public record of real drops
exists, so the sizes of the errors below are assumptions of this product. **A gravimetric bench (IEC
60601-2-24) has to confirm them before clinical use.**

What runs is the flow watch of the bedside node, fed once a second as a drop sensor feeds it. Set: 20 drops
per mL. Each line is three hours of steady flow, or twenty trials of a change.

| word | what is simulated |
|---|---|
| even | intervals and drop volumes vary by 5 % (one standard deviation); every drop is seen |
| usual | as before; 2 % of the drops are not seen, 2 % are followed by a splash that the sensor counts |
| shrunk | as usual, and a surfactant makes every drop a quarter smaller than the set says |
| load cell | noise 0.5 g, steps of 0.1 g, drift 0.4 g/h; every ten minutes a hand knocks it for 4 s |
"""
SUMMARY = """
## In short

- With the usual faults the shown rate is off by at most {bias} % on average and {p95} % in 95 of 100 looks.
- With the thresholds of the site policy a stopped drip is told {no_flow} s after its last drop at the latest
  (95 of 100), a drip at three times its order after {free_flow} s, without one false stop or free flow.
- Smaller drops are invisible to a counter: it says {shrunk} % too much. With a load cell the disagreement is
  told after {disagree} min at 60 drops a minute, and the calibrated drop volume, which may not leave 20 % of
  the nominal one, still says {calibrated} % too much.
"""
RATE = """
## {title}

{text}

"""
COUNTER_TEXT = (
    "The same sensor if it told only its count, so that every drop is placed at the second of its report. "
    "The volume is as good; the rate is not, wherever the interval is no whole number of seconds. No profile "
    "of this product reads such a sensor: ours say when the last drop fell, to the millisecond."
)
DETECT_TEXT = (
    "Delays in seconds: no flow from the last drop, free flow from the turn of the clamp to three times the "
    "order, empty from the last drop. Near end is due at {due}; its error is in minutes, plus is early. "
    "False alarms are those that begin in steady flow, as ordered: seen in three hours, given for a day."
)
WEIGHT_TEXT = (
    "The load cell's own rate, read after the first quarter of an hour, and what is left in the bag. Volume: "
    "by the nominal drop, and by the drop that the load cell has calibrated, against what truly ran in. "
    "Disagreement: minutes until the two channels are told to differ, by more than 5 mL and 10 %."
)


def _at(*path: str) -> Callable[[Row], Any]:
    def find(row: Row) -> Any:
        found: Any = row
        for name in path:
            found = found[name]
        return found

    return find


RATE_COLUMNS: Sequence[Column] = (
    ("gtt/min", _at("gtt_min")),
    ("rate: bias %", _at("bias_percent")),
    ("rate: p95 error %", _at("p95_error_percent")),
    ("volume: bias %", _at("volume_bias_percent")),
    ("first shown after s", _at("first_shown_s")),
)
DETECT_COLUMNS: Sequence[Column] = (
    ("gtt/min", _at("gtt_min")),
    ("no flow: median", _at("no_flow", "median_s")),
    ("p95", _at("no_flow", "p95_s")),
    ("free flow: median", _at("free_flow", "median_s")),
    ("p95", _at("free_flow", "p95_s")),
    ("not noticed", lambda row: row["no_flow"]["not_noticed"] + row["free_flow"]["not_noticed"]),
    ("near end: bias min", _at("near_end_bias_min")),
    ("p95 error min", _at("near_end_p95_error_min")),
    ("empty: p95", _at("empty_p95_s")),
    ("false no flow", _at("false_no_flow_per_day")),
    ("false free flow", _at("false_free_flow_per_day")),
    ("false deviation", _at("false_rate_deviation_per_day")),
)
WEIGHT_COLUMNS: Sequence[Column] = (
    ("gtt/min", _at("gtt_min")),
    ("rate: bias %", _at("bias_percent")),
    ("rate: p95 error %", _at("p95_error_percent")),
    ("left: p95 error mL", _at("remaining_p95_error_ml")),
    ("nominal volume: bias %", _at("nominal_volume_bias_percent")),
    ("calibrated: bias %", _at("calibrated_volume_bias_percent")),
    ("disagreement after min", _at("disagreement_min")),
)


def table(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """A Markdown table; None is a dash."""
    lines = ["| " + " | ".join(name for name, _ in columns) + " |", "|" + "---|" * len(columns)]
    lines += ("| " + " | ".join(_cell(get(row)) for _, get in columns) + " |" for row in rows)
    return "\n".join(lines) + "\n"


def _cell(value: float | None) -> str:
    return "–" if value is None else str(value or abs(value))  # no minus before a zero


def section(results: Sequence[Row], prefix: str, title: str, text: str, columns: Sequence[Column]) -> str:
    """One heading with its table."""
    rows = [row for row in results if row["id"].startswith(prefix + "/")]
    return RATE.format(title=title, text=fill(text, WIDTH)) + table(rows, columns)


def render(results: Sequence[Row]) -> str:
    """The whole document."""
    due = "10 min or 10 % of the bag left, whichever comes first"
    detect = DETECT_TEXT.format(due=due)
    return "".join((
        HEAD, _summary(results),
        section(results, "rate/even", "Rate and volume, even drops", "Nothing but unevenness.", RATE_COLUMNS),
        section(results, "rate/usual", "Rate and volume, usual faults",
                "Missed drops and splashes. The limits of the bench hold here: 2 % bias, 10 % p95.",
                RATE_COLUMNS),
        section(results, "rate/counter-only", "A sensor that only counts", COUNTER_TEXT, RATE_COLUMNS),
        section(results, "rate/shrunk", "Smaller drops, no load cell",
                "The rate in drops is right, the volume is not.", RATE_COLUMNS),
        section(results, "detection/site-policy", "Detection with the thresholds of the site policy", detect,
                DETECT_COLUMNS),
        section(results, "detection/quick", "Detection with quicker thresholds",
                "Stop after 10 s or five drops, free flow at 1.5 times the order for 5 s, deviation over one "
                "minute: what a site would gain, and what it would pay in false deviations.", DETECT_COLUMNS),
        section(results, "weight/usual", "Load cell beside the drops", WEIGHT_TEXT, WEIGHT_COLUMNS),
        section(results, "weight/shrunk", "Load cell beside smaller drops", "As before.", WEIGHT_COLUMNS),
    ))  # fmt: skip


def _summary(results: Sequence[Row]) -> str:
    def worst(prefix: str, find: Callable[[Row], Any]) -> Any:
        return max((find(row) for row in results if row["id"].startswith(prefix + "/")), key=abs)

    at_60 = next(row for row in results if row["id"] == "weight/shrunk/60")
    return SUMMARY.format(
        bias=abs(worst("rate/usual", _at("bias_percent"))),
        p95=worst("rate/usual", _at("p95_error_percent")),
        no_flow=worst("detection/site-policy", _at("no_flow", "p95_s")),
        free_flow=worst("detection/site-policy", _at("free_flow", "p95_s")),
        shrunk=worst("rate/shrunk", _at("volume_bias_percent")),
        disagree=at_60["disagreement_min"],
        calibrated=at_60["calibrated_volume_bias_percent"],
    )
