"""One reviewed table of observation codes: IEEE 11073 MDC, LOINC, UCUM and the words people read.

MDC numbers are context-free codes (partition x 65536 + code); local codes begin with ``MDCX_`` and have none.
A row with a review note has a part that no publication at hand confirms; a hospital that exchanges it has it
confirmed first. An empty LOINC is one that nobody has confirmed, or that does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass

from clinical.records import Label

SOURCES = {
    "OX": "IEEE 11073-10404, pulse oximeter",
    "BP": "IEEE 11073-10407, blood pressure monitor",
    "TH": "IEEE 11073-10408, thermometer",
    "WS": "IEEE 11073-10415, weighing scale",
    "GL": "IEEE 11073-10417, glucose meter",
    "PHD": "IEEE 11073-20601, personal health devices",
    "DIM": "IEEE 11073-10101, nomenclature",
    "PCD": "IHE Patient Care Device Technical Framework, volume 2, sample messages",
    "VS": "HL7 FHIR R4, value set of vital signs",
    "MII": "Medizininformatik-Initiative, core data set, intensive care",
    "LN": "LOINC",
    "LOCAL": "this product",
}
"""What a row's source names: first who defines the MDC number and its unit, then the LOINC number."""


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
    source: tuple[str, ...]  # keys of SOURCES
    review: str = ""  # what is still to be confirmed; empty = reviewed


# fmt: off
_ROWS: tuple[tuple[str, int | None, str, str, str, str, str, int, str, str], ...] = (
    ("MDC_PULS_OXIM_SAT_O2", 150456, "59408-5", "%",
     "血氧饱和度", "Oxygen saturation", "SpO2", 0, "OX VS", ""),
    ("MDC_PULS_OXIM_PULS_RATE", 149530, "8889-8", "/min",
     "脉率（血氧）", "Pulse rate (oximeter)", "PR", 0, "OX LN", ""),
    ("MDC_PULS_OXIM_PERF_REL", 150448, "61006-3", "%",
     "灌注指数", "Perfusion index", "PI", 1, "OX PCD LN", ""),
    ("MDC_PULS_OXIM_PLETH", 150452, "76523-0", "1",
     "血氧容积波", "Plethysmogram", "Pleth", 0, "OX LN", "pending: LOINC"),
    ("MDC_ECG_HEART_RATE", 147842, "8867-4", "/min", "心率", "Heart rate", "HR", 0, "DIM VS", ""),
    ("MDC_ECG_ELEC_POTL", 131328, "", "uV", "心电（导联未定）", "ECG, lead not named", "ECG", 0, "DIM", ""),
    ("MDC_ECG_ELEC_POTL_I", 131329, "", "uV", "心电 I 导联", "ECG, lead I", "I", 0, "DIM", ""),
    ("MDC_ECG_ELEC_POTL_II", 131330, "", "uV", "心电 II 导联", "ECG, lead II", "II", 0, "DIM", ""),
    ("MDC_PULS_RATE", 149514, "8867-4", "/min", "脉搏", "Pulse", "P", 0, "DIM VS", ""),
    ("MDC_PULS_RATE_NON_INV", 149546, "8867-4", "/min",
     "脉率（血压）", "Pulse rate (cuff)", "PR", 0, "BP PCD VS", ""),
    ("MDC_RESP_RATE", 151562, "9279-1", "/min", "呼吸", "Respiratory rate", "RR", 0, "DIM PCD VS", ""),
    ("MDC_PRESS_BLD_NONINV", 150020, "85354-9", "mm[Hg]",
     "无创血压", "Blood pressure", "NIBP", 0, "BP VS", ""),
    ("MDC_PRESS_BLD_NONINV_SYS", 150021, "8480-6", "mm[Hg]",
     "收缩压", "Systolic pressure", "SYS", 0, "BP PCD VS", ""),
    ("MDC_PRESS_BLD_NONINV_DIA", 150022, "8462-4", "mm[Hg]",
     "舒张压", "Diastolic pressure", "DIA", 0, "BP PCD VS", ""),
    ("MDC_PRESS_BLD_NONINV_MEAN", 150023, "8478-0", "mm[Hg]",
     "平均压", "Mean pressure", "MAP", 0, "BP PCD VS", ""),
    ("MDC_TEMP_BODY", 150364, "8310-5", "Cel", "体温", "Body temperature", "T", 1, "TH VS", ""),
    ("MDC_TEMP_AXILLA", 188452, "8328-7", "Cel", "腋温", "Axillary temperature", "T ax", 1, "TH MII", ""),
    ("MDC_TEMP_EAR", 188428, "8333-7", "Cel", "耳温", "Ear temperature", "T ear", 1, "TH MII", ""),
    ("MDC_TEMP_ORAL", 188424, "8331-1", "Cel", "口温", "Oral temperature", "T or", 1, "TH MII", ""),
    ("MDC_TEMP_RECT", 188420, "8332-9", "Cel", "肛温", "Rectal temperature", "T rec", 1, "TH MII", ""),
    ("MDC_CONC_GLU_GEN", 160020, "15074-8", "mmol/L", "血糖", "Glucose", "GLU", 1, "GL LN", ""),
    ("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", 160184, "14743-9", "mmol/L",
     "末梢血糖", "Glucose (cap.)", "GLU", 1, "GL LN", ""),
    ("MDC_CONC_K_GEN", 160016, "6298-4", "mmol/L", "血钾", "Potassium", "K", 1, "DIM LN", ""),
    ("MDC_MASS_BODY_ACTUAL", 188736, "29463-7", "kg", "体重", "Body weight", "WT", 1, "WS VS", ""),
    ("MDC_LEN_BODY_ACTUAL", 188740, "8302-2", "cm", "身高", "Body height", "HT", 0, "WS VS", ""),
    ("MDC_FLOW_FLUID_PUMP", 157784, "", "mL/h", "流速", "Flow rate", "Rate", 0, "PCD", ""),
    ("MDC_VOL_FLUID_DELIV_TOTAL", 157993, "", "mL", "已输入量", "Volume infused", "In", 0, "PCD", ""),
    ("MDC_VOL_FLUID_TBI", 157884, "", "mL", "预置量", "Volume to be infused", "VTBI", 0, "PCD", ""),
    ("MDC_VOL_FLUID_TBI_REMAIN", 157872, "", "mL", "剩余量", "Volume remaining", "Left", 0, "PCD", ""),
    ("MDC_TIME_PD_REMAIN", 157916, "", "min", "剩余时间", "Time remaining", "Time", 0, "PCD", ""),
    ("MDC_ATTR_VAL_BATT_CHARGE", 67996, "", "%", "电池电量", "Battery", "Batt", 0, "PHD", ""),
    ("MDCX_DROP_RATE", None, "", "{gtt}/min", "滴速", "Drip rate", "Drip", 0, "LOCAL", ""),
    ("MDCX_DROP_COUNT", None, "", "{gtt}", "滴数", "Drop count", "Drops", 0, "LOCAL", ""),
    ("MDCX_INR", None, "6301-6", "1", "国际标准化比值", "INR", "INR", 1, "LOCAL LN", ""),
    ("MDCX_APTT", None, "14979-9", "s", "活化部分凝血活酶时间", "aPTT", "aPTT", 0, "LOCAL LN", ""),
    ("MDCX_PLATELETS", None, "777-3", "10*9/L", "血小板", "Platelets", "PLT", 0, "LOCAL LN", ""),
    ("MDCX_MEAL", None, "", "1", "进餐", "Meal", "Meal", 0, "LOCAL", ""),
    ("MDCX_OXYGEN", None, "", "1", "吸氧", "Supplemental oxygen", "O2", 0, "LOCAL", "pending: LOINC"),
    ("MDCX_CONSCIOUSNESS", None, "67775-7", "1",
     "意识", "Level of consciousness", "ACVPU", 0, "LOCAL LN", ""),
    ("MDCX_PAIN_NRS", None, "72514-3", "{score}", "疼痛评分", "Pain score", "Pain", 0, "LOCAL LN", ""),
    ("MDCX_SEDATION_RASS", None, "", "{score}",
     "镇静评分（RASS）", "Sedation (RASS)", "RASS", 0, "LOCAL", "pending: LOINC"),
)
# fmt: on

CODES: dict[str, Code] = {
    ref: Code(
        ref_id=ref, mdc=mdc, loinc=loinc, ucum=ucum, label=Label(zh=zh, en=en), short=short,
        decimals=decimals, source=tuple(source.split()), review=review,
    )
    for ref, mdc, loinc, ucum, zh, en, short, decimals, source, review in _ROWS
}  # fmt: skip
"""Observation codes by MDC reference id."""

DROP_COUNT, DROP_RATE = "MDCX_DROP_COUNT", "MDCX_DROP_RATE"
FLOW_RATE, INFUSED = "MDC_FLOW_FLUID_PUMP", "MDC_VOL_FLUID_DELIV_TOTAL"
REMAINING, TIME_LEFT = "MDC_VOL_FLUID_TBI_REMAIN", "MDC_TIME_PD_REMAIN"
FLOW_CODES = frozenset({DROP_COUNT, DROP_RATE, FLOW_RATE, INFUSED, REMAINING, TIME_LEFT})
"""What a bag's sensor or pump says of its flow; never a vital sign."""


def by_loinc(loinc: str) -> Code | None:
    """Return the first code with this LOINC number."""
    return next((code for code in CODES.values() if loinc and code.loinc == loinc), None)


def by_mdc(mdc: int) -> Code | None:
    """Return the code with this MDC number."""
    return next((code for code in CODES.values() if code.mdc == mdc), None)
