# ruff: noqa: E501 - a table of texts in two languages
"""States of the medication check: every verdict, as a demo ward would show it, in both languages."""

from __future__ import annotations

from dataclasses import replace

from clinical.bedside_check.model import Right
from clinical.records import Label
from pda_app.presenters import states as s
from pda_app.presenters.states import Tone
from tests.support.handheld_states import ALLERGY, BANNER, METOPROLOL, REASONS, THEOPHYLLINE, t

CEFTRIAXONE = t("头孢曲松钠", "Ceftriaxone")


def row(
    right: Right, icon: str, label: Label, value: s.Text, mark: str, evidence: s.Text = ""
) -> s.RightLine:
    return s.RightLine(right=right, icon=icon, label=label, value=value, evidence=evidence, mark=mark)


def rights(
    *, drug: str = "ok", rest: str = "ok", time: str = "ok", evidence: s.Text = ""
) -> tuple[s.RightLine, ...]:
    return (
        row(
            Right.PATIENT,
            "patient",
            t("患者", "Patient"),
            "P0012345678",
            "ok",
            t("扫描于 09:42:24", "scanned 09:42:24"),
        ),
        row(
            Right.DRUG,
            "medicine",
            t("药品", "Drug"),
            CEFTRIAXONE,
            drug,
            evidence or t("扫描于 09:42:30", "scanned 09:42:30"),
        ),
        row(Right.DOSE, "dose", t("剂量", "Dose"), "2 g (2 × 1 g)", rest),
        row(Right.ROUTE, "route", t("途径", "Route"), t("静脉滴注", "IV infusion"), rest),
        row(Right.TIME, "planned", t("时间", "Time"), "09:30 ± 60 min", time),
    )


NOT_GIVEN = s.Button(text=t("不给", "Not given"), icon="STOP")
CHECK_BASE = s.CheckState(
    banner=BANNER, allergy=ALLERGY, title=CEFTRIAXONE,
    detail=t("2 g · 静脉滴注 · 0.9% 氯化钠 100 mL · 200 mL/h", "2 g · IV infusion · 0.9% NaCl 100 mL · 200 mL/h"),
    time="09:30", rows=rights(), secondary=NOT_GIVEN,
)  # fmt: skip
GIVE = replace(
    CHECK_BASE,
    verdict=s.Verdict(
        kind="give", word=t("可以给药", "GIVE"), reason=t("五项核对全部一致", "All five rights confirmed")
    ),
    primary=s.Button(text=t("记录已给", "Record as given"), icon="GIVE", tone=Tone.OK),
)
WRONG = t("扫描到：头孢他啶 1 g", "scanned: Ceftazidime 1 g")
STOP = replace(
    CHECK_BASE,
    rows=rights(drug="stop", rest="unjudged", evidence=WRONG),
    findings=(s.FindingLine(code="DRUG-WRONG", tone=Tone.BAD, text=WRONG, override="none"),),
    verdict=s.Verdict(kind="stop", word=t("停止", "STOP"), reason=WRONG),
    primary=s.Button(text=t("重新扫描", "Scan again"), icon="scan"),
)
STOP_PATIENT = s.CheckState(
    verdict=s.Verdict(
        kind="stop", word=t("停止", "STOP"),
        reason=t("这袋药不是这位患者的", "This bag is not this patient's"),
    ),
    primary=s.Button(text=t("重新扫描", "Scan again"), icon="scan"),
)  # fmt: skip
LATE_ROWS = (
    row(Right.PATIENT, "patient", t("患者", "Patient"), "P0012345678", "ok"),
    row(Right.DRUG, "medicine", t("药品", "Drug"), METOPROLOL, "ok"),
    row(Right.DOSE, "dose", t("剂量", "Dose"), t("47.5 mg（1 片）", "47.5 mg (1 tablet)"), "ok"),
    row(Right.ROUTE, "route", t("途径", "Route"), t("口服", "Oral"), "ok"),
    row(
        Right.TIME, "planned", t("时间", "Time"), t("计划 08:00 · 现在 09:42", "Due 08:00 · now 09:42"), "warn",
        t("已晚 102 分，允许 ±60 分", "102 min late, window ±60 min"),
    ),
)  # fmt: skip
CHECK = replace(
    CHECK_BASE, title=METOPROLOL, detail=t("47.5 mg · 口服 · 每日 1 次", "47.5 mg · oral · once daily"), time="08:00",
    rows=LATE_ROWS, reasons=REASONS,
    verdict=s.Verdict(
        kind="check", word=t("核查", "CHECK"), reason=t("给药晚了 102 分：先选原因", "102 min late: choose a reason"),
    ),
    primary=s.Button(
        text=t("记录已给", "Record as given"), enabled=False, missing=t("请先选原因", "Choose a reason"), icon="GIVE",
    ),
)  # fmt: skip
CHECK_ANSWERED = replace(
    CHECK,
    reasons=replace(
        REASONS, choices=(replace(REASONS.choices[0], selected=True), *REASONS.choices[1:]),
    ),
    verdict=replace(CHECK.verdict, reason=t("晚 102 分：已选原因，请确认", "102 min late: reason given, confirm")),
    primary=s.Button(text=t("记录已给", "Record as given"), icon="GIVE"),
)  # fmt: skip
WAITING = replace(
    CHECK_BASE,
    verdict=s.Verdict(kind="waiting", reason=t("等待服务器核对", "Waiting for the server")),
    primary=s.Button(
        text=t("记录已给", "Record as given"), enabled=False, missing=t("核对中", "Checking"), icon="GIVE"
    ),
)
GIVE_OFFLINE = replace(
    GIVE, verdict=replace(GIVE.verdict, note=t("离线核对 · 数据 09:21", "Checked offline · data 09:21"))
)
EMPTY_CHECK = s.CheckState(verdict=s.Verdict(kind="needs", reason=t("扫描患者腕带", "Scan the wristband")))
START = replace(
    GIVE, kind="infusion", title=THEOPHYLLINE, detail=t("静脉滴注 · 120 mL/h", "IV infusion · 120 mL/h"),
    instruction=t("心率 >120 停用并呼叫我", "Stop and call me if HR >120"),
    start=s.StartForm(
        volume_ml="500", volume_error="", device="D-0412", device_id="ble:c0", sites=tuple(
            s.Choice(id=id_, text=t(zh, en), selected=id_ == "left-forearm")
            for id_, zh, en in (
                ("left-hand", "左手背", "Left hand"), ("right-hand", "右手背", "Right hand"),
                ("left-forearm", "左前臂", "Left forearm"), ("right-forearm", "右前臂", "Right forearm"),
                ("picc", "PICC", "PICC"), ("other", "其他", "Other"),
            )
        ), ordered=t("40 滴/分 · 120 mL/h · 20 滴/mL", "40 gtt/min · 120 mL/h · 20 gtt/mL"),
    ),
    primary=s.Button(text=t("开始输液", "Start infusion"), icon="GIVE", tone=Tone.OK),
)  # fmt: skip
SECOND = replace(
    START,
    second=s.SecondSheet(
        title=t("陈静：请独立计算滴速", "Chen Jing: calculate the rate yourself"), unit="mL/h", value="12", error="",
        record=s.Button(text=t("提交", "Submit"), icon="GIVE", tone=Tone.ACT),
    ),
)  # fmt: skip
STOP_LIFTABLE = replace(
    STOP, verdict=replace(STOP.verdict, note=t("第二人扫工牌并选原因后可继续", "A second nurse's badge and a reason can lift this")),
    witness=t("第二人：陈静 · 已独立计算", "Second: Chen Jing · own calculation done"),
)  # fmt: skip
NOT_GIVEN_OPEN = replace(
    CHECK,
    not_given=s.NotGivenSheet(
        outcomes=(
            s.Choice(id="held", text=t("暂停给", "Held"), selected=True),
            s.Choice(id="refused", text=t("患者拒绝", "Refused")),
            s.Choice(id="not-given", text=t("未给", "Not given")),
        ),
        reasons=replace(REASONS, title=t("原因", "Reason"), hint=""),
        record=s.Button(
            text=t("记录未给", "Record not given"), enabled=False, missing=t("请先选原因", "Choose a reason")
        ),
    ),
)
