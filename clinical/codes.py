"""One reviewed table of observation codes: IEEE 11073 MDC, LOINC, UCUM and the words people read.

MDC numbers are context-free codes of IEEE 11073-10101; local codes begin with ``MDCX_`` and have none.
Source per row: P11073 = IEEE 11073-10101 nomenclature with the LOINC mapping of the LOINC/IEEE table,
LOCAL = this product.
"""

from __future__ import annotations

from dataclasses import dataclass

from clinical.records import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One observation code. ``decimals`` is how many a screen shows."""

    ref_id: str
    mdc: int | None
    loinc: str
    ucum: str
    label: Label
    short: str
    decimals: int
    source: str


_ROWS = (
    ("MDC_PULS_OXIM_SAT_O2", 150456, "59408-5", "%", "血氧饱和度", "Oxygen saturation", "SpO2", 0),
    ("MDC_PULS_OXIM_PULS_RATE", 149530, "8889-8", "/min", "脉率（血氧）", "Pulse rate (oximeter)", "PR", 0),
    ("MDC_PULS_OXIM_PERF_REL", 150488, "61006-3", "%", "灌注指数", "Perfusion index", "PI", 1),
    ("MDC_PULS_OXIM_PLETH", 150452, "76523-0", "1", "血氧容积波", "Plethysmogram", "Pleth", 0),
    ("MDC_ECG_HEART_RATE", 147842, "8867-4", "/min", "心率", "Heart rate", "HR", 0),
    ("MDC_PULS_RATE", 149514, "8867-4", "/min", "脉搏", "Pulse", "P", 0),
    ("MDC_PULS_RATE_NON_INV", 149546, "8867-4", "/min", "脉率（血压）", "Pulse rate (cuff)", "PR", 0),
    ("MDC_RESP_RATE", 151562, "9279-1", "/min", "呼吸", "Respiratory rate", "RR", 0),
    ("MDC_PRESS_BLD_NONINV", 150020, "85354-9", "mm[Hg]", "无创血压", "Blood pressure", "NIBP", 0),
    ("MDC_PRESS_BLD_NONINV_SYS", 150021, "8480-6", "mm[Hg]", "收缩压", "Systolic pressure", "SYS", 0),
    ("MDC_PRESS_BLD_NONINV_DIA", 150022, "8462-4", "mm[Hg]", "舒张压", "Diastolic pressure", "DIA", 0),
    ("MDC_PRESS_BLD_NONINV_MEAN", 150023, "8478-0", "mm[Hg]", "平均压", "Mean pressure", "MAP", 0),
    ("MDC_TEMP_BODY", 150364, "8310-5", "Cel", "体温", "Body temperature", "T", 1),
    ("MDC_TEMP_AXILLA", 188508, "8328-7", "Cel", "腋温", "Axillary temperature", "T ax", 1),
    ("MDC_TEMP_EAR", 188428, "8333-7", "Cel", "耳温", "Ear temperature", "T ear", 1),
    ("MDC_TEMP_ORAL", 188424, "8331-1", "Cel", "口温", "Oral temperature", "T or", 1),
    ("MDC_TEMP_RECT", 188420, "8332-9", "Cel", "肛温", "Rectal temperature", "T rec", 1),
    ("MDC_CONC_GLU_GEN", 160196, "15074-8", "mmol/L", "血糖", "Glucose", "GLU", 1),
    (
        "MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD",
        160184,
        "14743-9",
        "mmol/L",
        "末梢血糖",
        "Glucose (cap.)",
        "GLU",
        1,
    ),
    ("MDC_CONC_K_GEN", 160104, "6298-4", "mmol/L", "血钾", "Potassium", "K", 1),
    ("MDC_MASS_BODY_ACTUAL", 188736, "29463-7", "kg", "体重", "Body weight", "WT", 1),
    ("MDC_LEN_BODY_ACTUAL", 188740, "8302-2", "cm", "身高", "Body height", "HT", 0),
    ("MDC_FLOW_FLUID_PUMP", 157784, "", "mL/h", "流速", "Flow rate", "Rate", 0),
    ("MDC_VOL_FLUID_DELIV_TOTAL", 157824, "", "mL", "已输入量", "Volume infused", "In", 0),
    ("MDC_VOL_FLUID_TBI", 157884, "", "mL", "预置量", "Volume to be infused", "VTBI", 0),
    ("MDC_VOL_FLUID_TBI_REMAIN", 157872, "", "mL", "剩余量", "Volume remaining", "Left", 0),
    ("MDC_TIME_PD_REMAIN", 157916, "", "min", "剩余时间", "Time remaining", "Time", 0),
    ("MDC_ATTR_VAL_BATT_CHARGE", 67996, "", "%", "电池电量", "Battery", "Batt", 0),
    ("MDCX_DROP_RATE", None, "", "{gtt}/min", "滴速", "Drip rate", "Drip", 0),
    ("MDCX_DROP_COUNT", None, "", "{gtt}", "滴数", "Drop count", "Drops", 0),
    ("MDCX_INR", None, "6301-6", "1", "国际标准化比值", "INR", "INR", 1),
    ("MDCX_APTT", None, "14979-9", "s", "活化部分凝血活酶时间", "aPTT", "aPTT", 0),
    ("MDCX_PLATELETS", None, "777-3", "10*9/L", "血小板", "Platelets", "PLT", 0),
    ("MDCX_MEAL", None, "", "1", "进餐", "Meal", "Meal", 0),
    ("MDCX_OXYGEN", None, "57485-0", "1", "吸氧", "Supplemental oxygen", "O2", 0),
    ("MDCX_CONSCIOUSNESS", None, "67775-7", "1", "意识", "Level of consciousness", "ACVPU", 0),
    ("MDCX_PAIN_NRS", None, "72514-3", "{score}", "疼痛评分", "Pain score", "Pain", 0),
)

CODES: dict[str, Code] = {
    ref: Code(
        ref_id=ref, mdc=mdc, loinc=loinc, ucum=ucum, label=Label(zh=zh, en=en), short=short,
        decimals=decimals, source="LOCAL" if mdc is None else "P11073",
    )
    for ref, mdc, loinc, ucum, zh, en, short, decimals in _ROWS
}  # fmt: skip
"""Observation codes by MDC reference id."""


def by_loinc(loinc: str) -> Code | None:
    """Return the first code with this LOINC number."""
    return next((code for code in CODES.values() if loinc and code.loinc == loinc), None)


def by_mdc(mdc: int) -> Code | None:
    """Return the code with this MDC number."""
    return next((code for code in CODES.values() if code.mdc == mdc), None)
