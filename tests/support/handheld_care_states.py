# ruff: noqa: E501 - a table of texts in two languages
"""States of the page of care: samples, blood and skin tests, as a demo ward would show them."""

from __future__ import annotations

from dataclasses import replace

from pda_app.presenters import states as s
from pda_app.presenters.states import Msg, Tone
from tests.support.handheld_states import ALLERGY, BANNER, NO_ALLERGY, REASONS, t

OTHER = replace(BANNER, bed="15", name="周玉梅", name_latin="ZHOU Yumei", sex=t("女", "F"), mrn="P0012345702")


def lines(*rows: tuple[str, s.Text, s.Text, s.Text, str]) -> tuple[s.CareLine, ...]:
    return tuple(
        s.CareLine(icon=icon, label=label, value=value, evidence=evidence, mark=mark)
        for icon, label, value, evidence, mark in rows
    )


def steps(*names: s.Text, at: int) -> tuple[s.StepMark, ...]:
    return tuple(
        s.StepMark(number=str(i + 1), text=name, mark="done" if i < at else "now" if i == at else "later")
        for i, name in enumerate(names)
    )


def chips(group: str, family: str, *codes: str, on: tuple[str, ...] = ()) -> tuple[s.Choice, ...]:
    return tuple(
        s.Choice(id=f"{group}:{code}", text=Msg(f"{family}.{code}"), selected=code in on) for code in codes
    )


SCANNED = t("扫描于 09:42", "scanned 09:42")
QUEUE = (
    s.QueueLine(id="S1", number="1", title=t("蓝管 · 凝血四项", "Blue tube · Clotting"), detail="S7KQ2M4XPA", trailing=Msg("collect.now"), tone=Tone.ACT, current=True),
    s.QueueLine(id="S2", number="2", title=t("紫管 · 血常规、B 型利钠肽", "Purple tube · Blood count, BNP"), detail="S7KQ2M4XPB", trailing=""),
    s.QueueLine(id="S3", number="", title=t("血培养（左臂）", "Blood culture (left arm)"), detail=Msg.of("collect.taken-at", time="09:31"), trailing=Msg.of("collect.send-within", span=t("49 分", "49 min")), tone=Tone.OK),
    s.QueueLine(id="S4", number="", title=t("急诊生化", "Chemistry, urgent"), detail=Msg.of("collect.taken-at", time="08:30"), trailing=Msg.of("collect.late", span=t("12 分", "12 min")), tone=Tone.BAD),
)  # fmt: skip
SPECIMEN = s.CareState(
    kind="specimen", page_title=Msg("collect.title"), banner=BANNER, allergy=ALLERGY, steps=steps(Msg("collect.step-band"), Msg("collect.step-tube"), Msg("collect.step-take"), at=2),
    title=t("凝血四项", "Clotting"), detail=t("蓝管 · 空腹", "Blue tube · fasting"), time="09:30",
    lines=lines(
        ("patient", Msg("right.patient"), "P0012345678", SCANNED, "ok"),
        ("specimen", Msg("collect.tube"), t("蓝管 · S7KQ2M4XPA", "Blue tube · S7KQ2M4XPA"), SCANNED, "ok"),
    ),
    queue_title=Msg("collect.queue"), queue=QUEUE,
    verdict=s.Verdict(kind="give", word=Msg("collect.word"), reason=Msg("bedside.all-confirmed")),
    secondary=s.Button(text=Msg("collect.other")), primary=s.Button(text=Msg.of("collect.record", tube=Msg("container.blue")), tone=Tone.OK, icon="GIVE"),
)  # fmt: skip
SPECIMEN_EMPTY = s.CareState(
    kind="specimen", page_title=Msg("collect.title"), steps=steps(Msg("collect.step-band"), Msg("collect.step-tube"), Msg("collect.step-take"), at=0), hint=Msg("collect.hint"),
    verdict=s.Verdict(kind="needs", reason=Msg("need.patient-scan")), primary=s.Button(text=Msg("check.scan"), tone=Tone.ACT, icon="scan"),
)  # fmt: skip
SPECIMEN_CHECK = replace(
    SPECIMEN, queue=QUEUE[:2],
    lines=(*SPECIMEN.lines, s.CareLine(icon="route", label=Msg("collect.arm"), value=Msg("site.left-elbow"), evidence=Msg.of("finding.SPC-ARM", site=Msg("site.left-elbow")), mark="warn")),
    groups=(
        s.ChoiceGroup(title=Msg("collect.which-tube"), hint=Msg("check.required"), choices=chips("container", "container", "blood-culture", "blue", "black", "red", "yellow", "green", "purple", "grey", on=("blue",))),
        s.ChoiceGroup(title=Msg("collect.which-arm"), hint=Msg("check.required"), choices=chips("site", "site", "left-elbow", "right-elbow", "left-hand", "right-hand", "other", on=("left-elbow",))),
    ),
    reasons=replace(REASONS, title=Msg("check.why")),
    verdict=s.Verdict(kind="check", word=Msg("verdict.check"), reason=Msg.of("finding.SPC-ARM", site=Msg("site.left-elbow")), note=t("离线核对 · 数据 09:21", "Checked offline · data 09:21")),
    secondary=s.Button(), primary=s.Button(text=Msg("collect.done"), enabled=False, missing=Msg("check.choose-reason")),
)  # fmt: skip

WAY = (
    Msg("blood.step-issued"),
    Msg("blood.step-received"),
    Msg("blood.step-checked"),
    Msg("blood.step-running"),
)
CELLS = t("悬浮红细胞", "Red cells, leucocyte-depleted")
BLOOD_LINES = lines(
    (
        "blood",
        Msg("blood.group"),
        Msg.of("blood.groups", patient="A+", unit="A+"),
        Msg("blood.crossmatch-compatible"),
        "ok",
    ),
    ("planned", Msg("blood.expires"), "2026-12-18 23:59", Msg.of("blood.issued", time="09:31"), "ok"),
)
LOOKS = s.ChoiceGroup(
    title=Msg("blood.look"), hint=Msg("bedside.choose-many"), many=True,
    choices=chips("look", "look", "bag-intact", "no-clots", "colour-normal", on=("bag-intact",)),
)  # fmt: skip


def person(name: str, icon: str, detail: s.Text, first: str, second: str) -> s.PersonRow:
    return s.PersonRow(icon=icon, text=Msg(f"blood.row-{name}"), detail=detail, first=first, second=second)


TABLE = s.PersonTable(
    first="王丽", first_count="4/4", second="陈静", second_count="2/4",
    rows=(
        person("wristband", "patient", "P0012345702", "ok", "ok"), person("unit", "blood", "A123426012345", "ok", "ok"),
        person("slip", "clipboard-list-outline", "A123426012345", "ok", "now"), person("look", "patrol", "", "ok", "later"),
    ),
)  # fmt: skip
BLOOD_CHECK = s.CareState(
    kind="transfusion", page_title=Msg("blood.title-check"), banner=OTHER, allergy=NO_ALLERGY, steps=steps(*WAY, at=1),
    title=CELLS, detail="200 mL · 90 mL/h · A123426012345", time="09:30", instruction=t("输注前 15 分钟慢速", "Slowly for the first 15 min"),
    lines=BLOOD_LINES, table=TABLE,
    verdict=s.Verdict(kind="needs", reason=Msg.of("blood.second-scans-slip", name="陈静")), secondary=s.Button(text=Msg("blood.wrong")),
    primary=s.Button(text=Msg("blood.record-check"), enabled=False, missing=Msg.of("blood.second-scans-slip", name="陈静")),
)  # fmt: skip
BLOOD_LOOK = replace(
    BLOOD_CHECK, groups=(LOOKS,), table=replace(TABLE, second=Msg("blood.second"), first_count="3/4", second_count="0/4", rows=tuple(replace(one, first="now" if one.icon == "patrol" else "ok", second="later") for one in TABLE.rows)),
    verdict=s.Verdict(kind="needs", reason=Msg("need.blood-checks")), primary=s.Button(text=Msg("blood.record-check"), enabled=False, missing=Msg("need.blood-checks")),
)  # fmt: skip
BLOOD_MATCH = replace(
    BLOOD_CHECK, table=replace(TABLE, second_count="4/4", rows=tuple(replace(one, second="ok" if one.second != "none" else "none") for one in TABLE.rows)),
    verdict=s.Verdict(kind="give", word=Msg("blood.word-check"), reason=Msg("bedside.all-confirmed")), primary=s.Button(text=Msg("blood.record-check"), tone=Tone.OK, icon="GIVE"),
)  # fmt: skip
BLOOD_PIN = replace(
    BLOOD_CHECK, second=s.SecondSheet(
        title=Msg.of("second.pin", name="陈静"), unit="", value="••••", error="", secret=True, how=Msg("bedside.pin-how"),
        record=s.Button(text=Msg("second.confirm"), tone=Tone.ACT, icon="GIVE"),
    ),
)  # fmt: skip


def number(key: str, value: str, unit: s.Text, note: s.Text = "", error: s.Text = "") -> s.NumberLine:
    return s.NumberLine(
        key=key,
        label=Msg("blood.rate" if key == "rate" else f"measure.{key}"),
        number=value,
        unit=unit,
        note=note,
        error=error,
    )


MONITOR = Msg.of("measure.monitor", time="09:41")
VITALS = (
    number("temperature", "366", "℃", error=Msg.of("measure.bad", low="20", high="46")), number("pulse", "80", "/min", MONITOR),
    number("respiration", "16", "/min", MONITOR), number("systolic", "120", "mmHg", MONITOR), number("saturation", "", "%"),
)  # fmt: skip
BLOOD_START = replace(
    BLOOD_CHECK, page_title=Msg("blood.title-start"), steps=steps(*WAY, at=2), table=None,
    numbers=(*VITALS, number("rate", "90", "mL/h", Msg.of("blood.slow", limit="120", minutes="15"))),
    groups=(s.ChoiceGroup(title=Msg("blood.where"), hint=Msg("check.required"), choices=chips("site", "site", "left-hand", "right-hand", "left-forearm", "right-forearm", "picc", "other", on=("left-forearm",))),),
    verdict=s.Verdict(kind="needs", reason=Msg("need.vitals")), secondary=s.Button(),
    primary=s.Button(text=Msg("blood.record-start"), enabled=False, missing=Msg("need.vitals")),
)  # fmt: skip
BLOOD_WATCH = replace(
    BLOOD_CHECK, page_title=Msg("blood.title-watch"), steps=steps(*WAY, at=3), table=None, instruction="",
    timer=s.CareTimer(value=Msg.of("blood.running", span=t("14 分", "14 min")), note=Msg.of("blood.due-quarter", time="09:45"), share=.06, tone=Tone.WARN),
    numbers=(replace(VITALS[0], number="36.8", error=""), *VITALS[1:]),
    groups=(s.ChoiceGroup(title=Msg("blood.symptoms"), hint=Msg("bedside.choose-many"), many=True, choices=chips("symptom", "symptom", "chill", "fever", "rash", "dyspnoea", "back-pain", "dark-urine", on=("chill",))),),
    verdict=s.Verdict(kind="stop", word=Msg("verdict.stop"), reason=Msg("finding.BLD-REACT")), secondary=s.Button(text=Msg("blood.end")),
    primary=s.Button(text=Msg("blood.record-reaction"), tone=Tone.BAD, icon="alarm"),
)  # fmt: skip

SKIN_WAY = (Msg("collect.step-band"), Msg("skin.step-first"), Msg("skin.step-second"))
RESULTS = ("negative", "positive", "doubtful")
SKIN_PLACE = s.CareState(
    kind="skin-test", page_title=Msg("skin.title-place"), banner=BANNER, allergy=ALLERGY, steps=steps(Msg("collect.step-band"), Msg("skin.step-drug"), Msg("skin.step-ready"), at=2),
    title=t("头孢曲松皮试", "Ceftriaxone skin test"), detail=t("0.1 mL · 皮内注射", "0.1 mL · intradermal"), time="09:30",
    lines=lines(
        ("patient", Msg("right.patient"), "P0012345678", SCANNED, "ok"), ("medicine", Msg("right.drug"), t("头孢曲松皮试", "Ceftriaxone skin test"), "", "ok"),
        ("allergy", Msg("right.safety"), "", Msg("finding.SAFE-ALLERGY-CLASS"), "warn"),
    ),
    groups=(
        s.ChoiceGroup(title=Msg("skin.ready"), hint=Msg("bedside.choose-many"), many=True, choices=chips("check", "look", "emergency-drugs")),
        s.ChoiceGroup(title=Msg("skin.where"), hint=Msg("check.required"), choices=chips("site", "site", "left-forearm", "right-forearm", "other", on=("left-forearm",))),
    ),
    verdict=s.Verdict(kind="needs", reason=Msg("need.emergency-drugs")), primary=s.Button(text=Msg("skin.record-place"), enabled=False, missing=Msg("need.emergency-drugs")),
)  # fmt: skip
PLACED = lines(
    ("patient", Msg("right.patient"), "P0012345678", SCANNED, "ok"),
    (
        "medicine",
        Msg("skin.step-drug"),
        t("头孢曲松", "Ceftriaxone"),
        Msg.of("skin.placed", time="09:21", name="王丽"),
        "ok",
    ),
)
SKIN_READ = replace(
    SKIN_PLACE, page_title=Msg("skin.title-read"), steps=steps(*SKIN_WAY, at=2), lines=PLACED,
    timer=s.CareTimer(value=Msg.of("skin.read-now", span="08:42"), note=Msg.of("skin.due-until", time="09:41", until="09:51"), share=1.0, tone=Tone.WARN),
    groups=(s.ChoiceGroup(title=Msg.of("skin.what-she-sees", name="陈静"), hint=Msg("check.required"), choices=chips("second", "skin", *RESULTS)),),
    verdict=s.Verdict(kind="needs", reason=Msg("skin.second-reads")), secondary=s.Button(text=Msg("skin.read-again")),
    primary=s.Button(text=Msg("skin.record-read"), enabled=False, missing=Msg("skin.second-reads")),
)  # fmt: skip
SKIN_WAIT = replace(
    SKIN_READ, steps=steps(*SKIN_WAY, at=0), groups=(), secondary=s.Button(),
    timer=s.CareTimer(value=Msg.of("skin.wait", span="08:00"), note=Msg.of("skin.due-at", time="09:50", until="10:00"), share=.6, tone=Tone.ACT),
    verdict=s.Verdict(kind="needs", reason=Msg("need.patient-scan")), primary=s.Button(text=Msg("check.scan"), tone=Tone.ACT, icon="scan"),
)  # fmt: skip
