"""What stands inside a finding's sentence: names for ids, words for codes, the ward's time for instants."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clinical.bedside_check.model import Finding, Right, Severity
from pda_app.presenters.check_words import sentence
from tests.support.handheld import Rig, at

Play = Callable[..., None]


@pytest.mark.requirement("R-PDA-60")
@pytest.mark.hazard("H-PDA-16")
@pytest.mark.parametrize(
    ("code", "params", "zh", "en"),
    [
        (
            "TIME-DUP",
            {"by": "N20488", "at": at(-10).isoformat()},
            "此次已由 陈静 于 09:32 执行",
            "Already done by 陈静 at 09:32",
        ),
        (
            "ORD-ENDED",
            {"at": at(-1500).isoformat()},
            "医嘱已于 11-24 08:42 结束",
            "The order ended at 11-24 08:42",
        ),
        ("DOSE-OVER", {"ordered": "2 {tablet}"}, "超过医嘱剂量 2 片", "More than ordered: 2 tab"),
        ("DOSE-SPLIT", {"quantity": "0.50", "unit": "{tablet}"}, "只给 0.5 片", "Give only 0.5 tab"),
        ("MED-WRONG-ROUTE", {"ordered": "PO"}, "此药的医嘱途径不同：口服", "Ordered by another route: Oral"),
        (
            "ROUTE-FORM",
            {"form": "tablet", "route": "IV"},
            "片剂不能用于静脉给药",
            "Tablet cannot be given by IV",
        ),
        (
            "SAFE-ALLERGY",
            {"substance": "i-aspirin", "severity_word": "severe"},
            "过敏：阿司匹林肠溶片（重）",
            "Allergy: Aspirin EC (severe)",
        ),
        (
            "SAFE-INTERACTION",
            {"a": "opioid", "b": "xyz"},
            "相互作用：阿片类 与 xyz",
            "Interaction: opioids and xyz",
        ),
        (
            "SAFE-LAB-OUT",
            {"measure": "MDC_CONC_GLU_GEN", "value": "3.7", "unit": "mmol/L", "limit": "3.9"},
            "血糖 3.7 mmol/L，界限 3.9",
            "Glucose 3.7 mmol/L, limit 3.9",
        ),
        (
            "PRN-HISTORY",
            {"times": f"{at(-60).isoformat()} {at(-5).isoformat()}"},
            "近期使用：08:42、09:37",
            "Given lately: 08:42, 09:37",
        ),
        ("MED-UNKNOWN", {"kind": "gs1"}, "药品目录中没有此条码", "This code is not in the formulary"),
        (
            "ORD-NONE",
            {"reason": "bag-without-order"},
            "没有医嘱：瓶签对应的医嘱不存在",
            "There is no order: the label's order does not exist",
        ),
        (
            "INF-TRANSITION",
            {"state": "paused"},
            "输液状态不允许这一步（已暂停）",
            "The infusion's state does not allow this (Paused)",
        ),
        ("TIME-EARLY", {"minutes": "-75"}, "早 75 分钟", "75 min early"),
    ],
)
def test_values_become_what_a_nurse_says(
    signed_in: Play, code: str, params: dict[str, str], zh: str, en: str
) -> None:
    async def scenario(rig: Rig) -> None:
        finding = Finding(code=code, severity=Severity.STOP, right=Right.TIME, params=tuple(params.items()))
        said = sentence(rig.app.desk, finding)
        assert (rig.text(said), rig.text(said, "en")) == (zh, en)

    signed_in(scenario)
