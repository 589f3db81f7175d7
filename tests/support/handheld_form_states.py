# ruff: noqa: E501 - a table of texts in two languages
"""States of the forms: vital signs with their score, intake and output, a critical value."""

from __future__ import annotations

from dataclasses import replace

from pda_app.presenters import states as s
from pda_app.presenters.states import Msg, Tone
from tests.support.handheld_care_states import MONITOR, chips
from tests.support.handheld_states import ALLERGY, BANNER, t


def tabs(on: str) -> tuple[s.Choice, ...]:
    return tuple(
        s.Choice(id=one, text=Msg(f"form.{one}"), selected=one == on)
        for one in ("vitals", "fluids", "critical")
    )


def number(key: str, value: str, unit: str, note: s.Text = "", error: s.Text = "") -> s.NumberLine:
    return s.NumberLine(key=key, label=Msg(f"measure.{key}"), number=value, unit=unit, note=note, error=error)


def one_of(
    group: str, title: str, family: str, *codes: str, on: str = "", hint: str = "check.required"
) -> s.ChoiceGroup:
    return s.ChoiceGroup(title=Msg(title), hint=Msg(hint), choices=chips(group, family, *codes, on=(on,)))


VITALS = s.FormState(
    kind="vitals", banner=BANNER, allergy=ALLERGY, tabs=tabs("vitals"),
    score=s.ScoreView(number="7", word=Msg("vitals.tier-high"), detail=Msg.of("vitals.red", list=Msg("measure.respiration")), tone=Tone.BAD),
    numbers=(
        number("temperature", "38.4", "℃"), number("pulse", "112", "/min", MONITOR), number("respiration", "26", "/min"),
        number("saturation", "94", "%", MONITOR), number("systolic", "108", "mmHg"), number("diastolic", "700", "mmHg", error=Msg.of("measure.bad", low="10", high="250")),
    ),
    groups=(
        one_of("oxygen", "vitals.oxygen", "vitals", "air", "oxygen", on="oxygen", hint="vitals.for-score"),
        one_of("consciousness", "vitals.consciousness", "vitals", "A", "C", "V", "P", "U", on="A", hint="vitals.for-score"),
    ),
    secondary=s.Button(text=Msg("form.clear")), primary=s.Button(text=Msg("vitals.record"), enabled=False, missing=Msg("vitals.correct")),
)  # fmt: skip
VITALS_OFFLINE = replace(
    VITALS, notice=Msg.of("form.not-saved", why=Msg("error.store-troubled")), notice_tone=Tone.BAD,
    score=s.ScoreView(number="--", word=Msg("vitals.no-score"), detail=Msg.of("vitals.lacking", list=t("呼吸、意识", "Resp, consciousness")), tone=Tone.PLAIN),
    numbers=tuple(replace(one, error="", number="70" if one.error else one.number) for one in VITALS.numbers),
    primary=s.Button(text=Msg("vitals.record"), enabled=True),
)  # fmt: skip
FLUIDS = s.FormState(
    kind="fluids", banner=BANNER, allergy=ALLERGY, tabs=tabs("fluids"),
    numbers=(s.NumberLine(key="ml", label=Msg("fluids.amount"), number="250", unit="mL"),),
    groups=(
        one_of("kind", "fluids.in", "fluid", "oral", "tube-feed", "other-in"),
        one_of("kind", "fluids.out", "fluid", "urine", "stool", "vomit", "drain", "other-out", on="urine"),
    ),
    lines_title=Msg.of("fluids.shift", intake="1250", output="800", net="+450"),
    lines=(
        s.QueueLine(id="1", number="", title=t("出 尿", "Out urine"), detail=t("09:10 · 王丽", "09:10 · 王丽"), trailing="300 mL"),
        s.QueueLine(id="2", number="", title=t("入 饮水进食", "In oral"), detail=t("08:40 · 陈静", "08:40 · 陈静"), trailing="200 mL"),
    ),
    secondary=s.Button(text=Msg("form.clear")), primary=s.Button(text=Msg.of("fluids.record-kind", kind=Msg("fluid.urine")), tone=Tone.ACT, icon="GIVE"),
)  # fmt: skip
TESTS = ("potassium", "sodium", "glucose", "haemoglobin", "platelets", "inr", "troponin", "lactate", "other")
CRITICAL = s.FormState(
    kind="critical", banner=BANNER, allergy=ALLERGY, tabs=tabs("critical"),
    read_back=s.ReadBack(
        what=Msg("lab.potassium"), number="6.8", unit="mmol/L", who=Msg.of("critical.say", name="赵明"),
        choice=s.Choice(id="read-back:x", text=Msg("critical.confirmed")),
    ),
    numbers=(s.NumberLine(key="value", label=Msg("critical.value"), number="6.8", unit="mmol/L"),),
    groups=(
        one_of("test", "critical.which", "lab", *TESTS, on="potassium"),
        s.ChoiceGroup(title=Msg("critical.told"), hint=Msg("critical.told-later"), choices=(s.Choice(id="doctor:D1", text="李明远", selected=True), s.Choice(id="doctor:D2", text="欧阳慧敏"))),
    ),
    texts=(s.TextLine(key="from", label=Msg("critical.from"), value="赵明", hint=Msg("critical.from-hint")),),
    lines_title=Msg("critical.open"),
    lines=(
        s.QueueLine(id="1", number="", title=t("血红蛋白 48 g/L", "Haemoglobin 48 g/L"), detail=Msg.of("critical.taken", time="09:12", name="王丽"), trailing=Msg("critical.waits"), tone=Tone.BAD),
    ),
    secondary=s.Button(text=Msg("form.clear")), primary=s.Button(text=Msg("critical.record"), enabled=False, missing=Msg("critical.read-back-first")),
)  # fmt: skip
CRITICAL_KEPT = replace(
    CRITICAL, notice=Msg.of("form.not-saved", why=Msg("error.server-silent")), notice_tone=Tone.BAD, read_back=None,
    groups=(one_of("test", "critical.which", "lab", *TESTS, on="other"), CRITICAL.groups[1]),
    texts=(s.TextLine(key="test", label=Msg("critical.test"), value="", hint=Msg("critical.test-hint")), *CRITICAL.texts),
)  # fmt: skip
