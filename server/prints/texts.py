"""The fixed words on labels, in both languages."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from clinical.records import Label, Sex

WORDS = {
    "bed": Label(zh="床", en="Bed"),
    "mrn": Label(zh="住院号", en="MRN"),
    "born": Label(zh="出生", en="Born"),
    "years": Label(zh="岁", en="y"),
    "months": Label(zh="月", en="mo"),
    "days": Label(zh="天", en="d"),
    "planned": Label(zh="计划", en="Due"),
    "printed": Label(zh="打印", en="Printed"),
    "beyond-use": Label(zh="配后有效至", en="Use before"),
    "prepared-by": Label(zh="配药", en="Prepared"),
    "checked-by": Label(zh="核对", en="Checked"),
    "hung-by": Label(zh="执行", en="Given"),
    "route": Label(zh="途径", en="Route"),
    "high-alert": Label(zh="高警示", en="HIGH ALERT"),
    "demo": Label(zh="演示 DEMO", en="DEMO 演示"),
    "demo-note": Label(zh="不得用于患者", en="not for patient care"),
    "lot": Label(zh="批号", en="Lot"),
    "expiry": Label(zh="有效期至", en="Expires"),
    "serial": Label(zh="序列号", en="Serial"),
    "collect": Label(zh="采集", en="Collect"),
    "tube-title": Label(zh="标本", en="Specimen"),
    "node": Label(zh="床旁节点", en="Bedside node"),
    "device": Label(zh="设备", en="Device"),
    "badge": Label(zh="工作证", en="Staff badge"),
    "scan-bed": Label(zh="扫描核对床位", en="Scan to confirm the bed"),
    "drops": Label(zh="滴/分", en="gtt/min"),
    "drop-factor": Label(zh="滴/mL", en="gtt/mL"),
    "print": Label(zh="第{serial}次", en="print {serial}"),
    "allergy": Label(zh="过敏", en="ALLERGY"),
    "ward": Label(zh="病区", en="Ward"),
}
SEXES = {
    Sex.MALE: Label(zh="男", en="Male"),
    Sex.FEMALE: Label(zh="女", en="Female"),
    Sex.OTHER: Label(zh="其他", en="Other"),
    Sex.UNKNOWN: Label(zh="性别未知", en="Sex unknown"),
}
ROUTES = {
    "PO": Label(zh="口服", en="by mouth"),
    "IV": Label(zh="静脉滴注", en="IV infusion"),
    "IVPB": Label(zh="静脉滴注", en="IV piggyback"),
    "IVP": Label(zh="静脉注射", en="IV push"),
    "IM": Label(zh="肌内注射", en="IM injection"),
    "SC": Label(zh="皮下注射", en="SC injection"),
    "ID": Label(zh="皮内注射", en="ID injection"),
    "SL": Label(zh="舌下含服", en="under the tongue"),
    "PR": Label(zh="直肠给药", en="rectal"),
    "INH": Label(zh="吸入", en="inhaled"),
}
CONTAINERS = {
    "purple": Label(zh="紫管", en="purple"),
    "red": Label(zh="红管", en="red"),
    "yellow": Label(zh="黄管", en="yellow"),
    "blue": Label(zh="蓝管", en="blue"),
    "green": Label(zh="绿管", en="green"),
    "grey": Label(zh="灰管", en="grey"),
    "black": Label(zh="黑管", en="black"),
}
UNITS = {
    "{tablet}": Label(zh="片", en="tablet"),
    "{capsule}": Label(zh="粒", en="capsule"),
    "{vial}": Label(zh="瓶", en="vial"),
    "{ampule}": Label(zh="支", en="ampule"),
    "[iU]": Label(zh="IU", en="IU"),
    "ug": Label(zh="µg", en="mcg"),
}


def say(label: Label, language: str) -> str:
    """Return a label in ``zh`` or ``en``."""
    return label.zh if language == "zh" else label.en


def word(name: str, language: str) -> str:
    """Return a fixed word."""
    return say(WORDS[name], language)


def sex_word(sex: Sex, language: str) -> str:
    """Return the word for a sex."""
    return say(SEXES[sex], language)


def route_word(route: str, language: str) -> str:
    """Return the route as a person says it, with its code where the code says more."""
    known = ROUTES.get(route)
    return say(known, language) if known else route


def container_word(container: str, language: str) -> str:
    """Return the tube a sample goes into; a container nobody named here stands for itself."""
    known = CONTAINERS.get(container)
    return say(known, language) if known else container


def unit_word(unit: str, language: str) -> str:
    """Return a UCUM unit as it is printed for people: no braces, no look-alike µg in English."""
    known = UNITS.get(unit)
    return say(known, language) if known else unit.strip("{}")


def age_text(born: date | None, on: date, language: str) -> str:
    """Return an age: years from 2 years on, months from 2 months on, else days; empty when not known.

    Small children need months and days, because their doses depend on them.
    """
    if born is None or born > on:
        return ""
    months = (on.year - born.year) * 12 + on.month - born.month - (on.day < born.day)
    if months >= 24:
        return _counted(months // 12, "years", language)
    if months >= 2:
        return _counted(months, "months", language)
    return _counted((on - born).days, "days", language)


def printed(serial: str, moment: datetime | None, zone: ZoneInfo, language: str) -> str:
    """Say which print of a label this is and when it was made; empty when neither is known."""
    number = word("print", language).format(serial=serial) if serial else ""
    when = f"{word('printed', language)} {clock(moment, zone)}" if moment is not None and serial else ""
    return " ".join(part for part in (when, number) if part)


def _counted(number: int, unit: str, language: str) -> str:
    joint = "" if language == "zh" else " "
    return f"{number}{joint}{word(unit, language)}"


def clock(moment: datetime, zone: ZoneInfo, *, with_date: bool = True) -> str:
    """Return a local time, ``11-25 09:30``."""
    return moment.astimezone(zone).strftime("%m-%d %H:%M" if with_date else "%H:%M")
