"""A ward that behaves the same way every time: what the feed of the central screen's tests shows.

Names and drugs are fictional; everything is marked ``Demo``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

PLETH = "MDC_PULS_OXIM_PLETH"
ECG = "MDC_ECG_ELEC_POTL_II"
SPO2 = "MDC_PULS_OXIM_SAT_O2"
PULSE = "MDC_PULS_OXIM_PULS_RATE"
HEART = "MDC_ECG_HEART_RATE"

NAMES = (
    *("陈*兰", "李*军", "赵*华", "孙*梅", "周*平", "吴*芳", "郑*国", "王*国", "", "冯*英", "陈*明", "何*珍"),
    *("许*强", "韩*云", "曹*林", "彭*秀", "曾*海", "萧*红", "田*伟", "董*霞", "袁*峰", "潘*莲", "", "蔡*东"),
)
DRUGS = (
    ("0.9% 氯化钠 250 ml + 硝酸甘油 10 mg", "NS 250 ml + nitroglycerin 10 mg"),
    ("5% 葡萄糖 500 ml + 10% 氯化钾 10 ml", "D5W 500 ml + KCl 10 ml"),
    ("0.9% 氯化钠 100 ml + 头孢呋辛 1.5 g", "NS 100 ml + cefuroxime 1.5 g"),
    ("复方氨基酸 250 ml", "Amino acids 250 ml"),
    ("左氧氟沙星 0.5 g / 100 ml", "Levofloxacin 0.5 g / 100 ml"),
    ("丹参多酚酸盐 200 mg + 5% 葡萄糖 250 ml", "Salvianolate 200 mg + D5W 250 ml"),
)


def iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@dataclass(kw_only=True)
class Scenario:
    """The state a server would hold, and how it changes with time."""

    start: datetime
    beds: list[str]
    state: Json = field(default_factory=dict)
    lanes: list[Json] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)  # beds whose devices have stopped
    rates: dict[str, float] = field(default_factory=dict)  # bed → heart rate

    def vital(self, bed: str, code: str, value: str, unit: str, **more: Any) -> tuple[str, Json]:
        shape: Json = {
            "bed": bed,
            "code": code,
            "value": value,
            "unit": unit,
            "validity": "Vld",
            "effective": iso(self.start),
            "generation": "Demo",
            "lo": None,
            "hi": None,
            "alarm": "",
        }
        return f"{bed}/{code}", {**shape, **more}

    def add_vital(self, bed: str, code: str, value: str, unit: str, **more: Any) -> None:
        key, shape = self.vital(bed, code, value, unit, **more)
        self.state["vitals"][key] = shape

    def add_infusion(
        self, bed: str, drug: int, *, volume: float, left: float, rate: float, **more: Any
    ) -> str:
        key = f"inf-{bed}"
        zh, en = DRUGS[drug % len(DRUGS)]
        ml_h = rate * 60 / 20
        self.state["infusions"][key] = {
            "id": key,
            "bed": bed,
            "drug": {"zh": zh, "en": en},
            "state": "running",
            "volume_ml": volume,
            "rate_ml_h": ml_h,
            "drops_per_ml": 20,
            "ordered_gtt_min": rate,
            "measured_gtt_min": rate,
            "measured_ml_h": ml_h,
            "infused_ml": volume - left,
            "remaining_ml": left,
            "time_left_min": left / ml_h * 60,
            "end_at": None,
            "deviation_percent": 0.0,
            "flow": "flowing",
            "effective": iso(self.start),
            "validity": "Vld",
            "started_at": iso(self.start - timedelta(minutes=(volume - left) / ml_h * 60)),
            "device": f"ble:{bed}",
            **more,
        }
        return key

    def add_alarm(self, key: str, bed: str, condition: str, priority: str, **more: Any) -> None:
        self.state["alarms"][key] = {
            "id": key,
            "bed": bed,
            "condition": condition,
            "kind": "physiological",
            "priority": priority,
            "present": True,
            "signal": "on",
            "params": {},
            "started_at": iso(self.start - timedelta(seconds=48)),
            "ended_at": None,
            "acknowledged_by": "",
            "acknowledged_at": None,
            "generation": "Demo",
            **more,
        }

    def add_task(self, key: str, bed: str, kind: str, minutes: int, zh: str, en: str) -> None:
        planned = self.start + timedelta(minutes=minutes)
        self.state["tasks"][key] = {
            "id": key,
            "bed": bed,
            "kind": kind,
            "status": "overdue" if minutes < -10 else "due" if minutes <= 0 else "pending",
            "planned_at": iso(planned),
            "latest": iso(planned + timedelta(minutes=60)),
            "text": {"zh": zh, "en": en},
        }

    def add_lane(self, bed: str, code: str) -> None:
        ecg = code == ECG
        self.lanes.append(
            {
                "id": len(self.lanes) + 1,
                "bed": bed,
                "code": code,
                "unit": "mV" if ecg else "1",
                "rate_hz": 125 if ecg else 75,
                "gain": 0.001 if ecg else 1,
                "offset": 0,
                "lo": -0.4 if ecg else 0,
                "hi": 1.3 if ecg else 255,
            }
        )

    def samples(self, lane: Json, second: int) -> list[int]:
        """One second of a wave: a function of the bed and the time alone."""
        rate = lane["rate_hz"]
        beat = self.rates.get(lane["bed"], 75) / 60
        shape = ecg if lane["code"] == ECG else pleth
        return [shape((second + i / rate) * beat % 1) for i in range(rate)]

    def advance(self, now: datetime) -> list[tuple[str, str, Json]]:
        """Move the ward to ``now`` and say what changed."""
        changes: list[tuple[str, str, Json]] = []
        for key, vital in self.state["vitals"].items():
            if vital["bed"] in self.silent or vital["code"].startswith(("MDC_PRESS", "MDC_TEMP")):
                continue
            vital["effective"] = iso(now)
            changes.append(("vital", key, vital))
        for key, one in self.state["infusions"].items():
            if one["bed"] in self.silent:
                continue
            rate = one["measured_gtt_min"] or 0
            one["remaining_ml"] = max(0.0, one["remaining_ml"] - rate / 20 / 60)
            one["infused_ml"] = one["volume_ml"] - one["remaining_ml"]
            one["time_left_min"] = one["remaining_ml"] / (rate * 3) * 60 if rate else None
            one["effective"] = iso(now)
            changes.append(("infusion", key, one))
        return changes


def ecg(phase: float) -> int:
    """Millivolts × 1000 of one beat."""
    waves = (
        (0.18, 0.025, 120),
        (0.27, 0.01, -120),
        (0.3, 0.014, 1050),
        (0.325, 0.01, -220),
        (0.52, 0.045, 260),
    )
    return round(sum(height * math.exp(-(((phase - at) / width) ** 2)) for at, width, height in waves))


def pleth(phase: float) -> int:
    """Counts of one pulse, with its dicrotic notch."""
    main = math.exp(-(((phase - 0.25) / 0.11) ** 2))
    second = 0.24 * math.exp(-(((phase - 0.52) / 0.16) ** 2))
    return round(60 + 150 * main + 150 * second)


def bed_facts(bed: str, index: int, start: datetime, *, occupied: bool = True, **more: Any) -> Json:
    facts: Json = {
        "bed": bed,
        "occupied": occupied,
        "name": NAMES[index % len(NAMES)] if occupied else "",
        "sex": "female" if index % 2 else "male",
        "age": 44 + (index * 7) % 40,
        "care_level": ("first", "second", "third")[index % 3],
        "risks": ["fall"] if index % 4 == 2 else [],
        "allergy": "known" if index % 5 == 3 else "none",
        "news2": {"total": index % 4, "tier": "low"},
        "tasks_due": 1,
        "tasks_overdue": 0,
        "node": {"id": f"wl-n{bed}", "state": "online", "since": iso(start - timedelta(hours=3))},
        "demo": True,
    }
    return {**facts, **more} if occupied else {**facts, "news2": None, "tasks_due": 0, "node": None, **more}


def empty_ward(beds: list[str], start: datetime) -> Scenario:
    state: Json = {
        "ward": {
            "id": "W1",
            "display": {"zh": "演示病区", "en": "Demo ward"},
            "zone": "Asia/Shanghai",
            "beds": beds,
            "generation": "Demo",
        },
        "beds": {},
        "vitals": {},
        "infusions": {},
        "alarms": {},
        "tasks": {},
        "health": {
            "nodes_online": 2,
            "nodes_total": 2,
            "broker": True,
            "his": {"state": "ok", "last": iso(start)},
            "unassigned": 0,
        },
    }
    return Scenario(start=start, beds=beds, state=state)


def small_ward(start: datetime | None = None) -> Scenario:
    """Eight beds as the demo has them: oximeters, drips, one offline, one empty, one without devices."""
    now = start or datetime.now(UTC)
    beds = [f"{n:02d}" for n in range(1, 9)]
    ward = empty_ward(beds, now)
    for index, bed in enumerate(beds):
        ward.state["beds"][bed] = bed_facts(bed, index, now, occupied=bed != "06")
    ward.state["beds"]["03"]["risks"] = ["fall", "pressure"]
    ward.state["beds"]["07"]["node"] |= {
        "state": "offline",
        "since": iso(now - timedelta(minutes=2, seconds=34)),
    }
    ward.rates |= {"01": 76, "02": 110, "03": 68}
    for bed, spo2, pulse in (("01", "97", "76"), ("02", "88", "110"), ("03", "95", "68")):
        low = bed == "02"
        ward.add_vital(bed, SPO2, spo2, "%", lo=90, hi=100, alarm="Hi" if low else "")
        ward.add_vital(bed, PULSE, pulse, "/min", lo=50, hi=120)
        ward.add_lane(bed, PLETH)
    add_spot_checks(ward, "03", now - timedelta(minutes=62))
    ward.add_vital("07", SPO2, "96", "%", effective=iso(now - timedelta(minutes=2, seconds=36)))
    ward.add_vital("07", PULSE, "71", "/min", effective=iso(now - timedelta(minutes=2, seconds=36)))
    ward.silent.add("07")
    ward.add_infusion("01", 0, volume=250, left=172, rate=40)
    ward.add_infusion("03", 3, volume=250, left=143, rate=35)
    ward.add_infusion(
        "04", 1, volume=500, left=286, rate=60, measured_gtt_min=81, deviation_percent=35, flow="fast"
    )
    ward.add_infusion("05", 2, volume=100, left=9, rate=60, flow="near-end")
    ward.add_infusion(
        "07", 5, volume=250, left=77, rate=30, effective=iso(now - timedelta(minutes=2, seconds=36))
    )
    ward.add_alarm(
        "a-spo2", "02", "limit-low", "Hi", params={"code": SPO2, "measured": 88, "limit": 90, "unit": "%"}
    )
    deviation = {"measured": 81, "ordered": 60, "percent": 35}
    ward.add_alarm("a-rate", "04", "rate-deviation", "Me", params=deviation, kind="technical")
    ward.add_alarm("a-end", "05", "near-end", "Me", params={"remaining_ml": 9, "minutes": 3})
    ward.add_alarm("a-node", "07", "node-offline", "Lo", kind="technical")
    ward.add_task("t1", "01", "medication", -14, "头孢呋辛 1.5 g 静滴", "Cefuroxime 1.5 g IV")
    ward.add_task("t2", "03", "vitals", 0, "血压 q1h", "Blood pressure q1h")
    ward.add_task("t3", "05", "infusion", 12, "接瓶：0.9% 氯化钠 500 ml", "Next bag: NS 500 ml")
    ward.add_task("t4", "04", "patrol", 25, "输液巡视", "Infusion round")
    return ward


def add_spot_checks(ward: Scenario, bed: str, at: datetime) -> None:
    for code, value in (("SYS", "128"), ("DIA", "76"), ("MEAN", "93")):
        ward.add_vital(bed, f"MDC_PRESS_BLD_NONINV_{code}", value, "mm[Hg]", effective=iso(at))
    ward.add_vital(bed, "MDC_RESP_RATE", "16", "/min", lo=8, hi=24)
    ward.add_vital(bed, "MDC_TEMP_BODY", "36.6", "Cel", effective=iso(at))


def large_ward(start: datetime | None = None) -> Scenario:
    """Twenty-four beds, most with a monitor and a drip."""
    now = start or datetime.now(UTC)
    beds = [f"{n:02d}" for n in range(1, 25)]
    ward = empty_ward(beds, now)
    for index, bed in enumerate(beds):
        occupied = bed not in {"09", "23"}
        ward.state["beds"][bed] = bed_facts(bed, index, now, occupied=occupied)
        if not occupied:
            continue
        rate = 60 + (index * 11) % 45
        ward.rates[bed] = rate
        ward.add_vital(bed, HEART, str(rate), "/min", lo=50, hi=120)
        ward.add_vital(bed, SPO2, str(94 + index % 6), "%", lo=90, hi=100)
        add_spot_checks(ward, bed, now - timedelta(minutes=30 + index))
        if bed == "19":
            continue
        ward.add_lane(bed, ECG)
        ward.add_lane(bed, PLETH)
        if index % 6 != 5:
            ward.add_infusion(bed, index, volume=250, left=20 + index * 9, rate=30 + index)
    make_trouble(ward, now)
    return ward


def make_trouble(ward: Scenario, now: datetime) -> None:
    """Give some beds of the large ward something to show."""
    ward.state["beds"]["19"]["node"] |= {"state": "offline", "since": iso(now - timedelta(minutes=3))}
    ward.silent.add("19")
    for vital in ward.state["vitals"].values():
        if vital["bed"] == "19":
            vital["effective"] = iso(now - timedelta(minutes=3))
    ward.state["vitals"][f"08/{SPO2}"] |= {"value": "84", "alarm": "Hi"}
    ward.add_alarm(
        "b1", "08", "limit-low", "Hi", params={"code": SPO2, "measured": 84, "limit": 90, "unit": "%"}
    )
    ward.state["infusions"]["inf-20"] |= {
        "measured_gtt_min": 138,
        "flow": "free-flow",
        "deviation_percent": 182,
    }
    ward.add_alarm("b2", "20", "free-flow", "Hi", params={"measured": 138, "ordered": 49})
    stopped = {"measured_gtt_min": 0, "flow": "no-flow", "deviation_percent": -100, "time_left_min": None}
    ward.state["infusions"]["inf-13"] |= stopped
    ward.add_alarm("b3", "13", "no-flow", "Me", params={"silent_s": 95})
    seen = {"acknowledged_by": "林护士", "acknowledged_at": iso(now), "signal": "acknowledged"}
    ward.state["vitals"]["15/MDC_TEMP_BODY"] |= {"value": "38.6", "alarm": "Me"}
    params = {"code": "MDC_TEMP_BODY", "measured": 38.6, "limit": 38.5, "unit": "Cel"}
    ward.add_alarm("b4", "15", "limit-high", "Me", params=params, **seen)
    ward.add_alarm("b5", "19", "node-offline", "Lo", kind="technical", params={"node": "wl-n19"})
    for index in range(9):
        ward.add_task(f"t{index}", f"{index + 1:02d}", "medication", index * 20 - 30, "口服药", "Oral drugs")
