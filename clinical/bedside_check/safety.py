"""SAFE: allergies, interactions, repeated therapy, vital signs and laboratory, skin tests, fasting."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from clinical import quantities
from clinical.bedside_check.case import GIVING, Case, is_future, older_than
from clinical.bedside_check.model import Action, OverrideClass, Right, Severity
from clinical.bedside_check.route import codes
from clinical.records import USABLE, Allergy, Generation, Ingredient, Observation, SkinTest

if TYPE_CHECKING:
    from clinical.drug_policy import DrugCondition

_SEVERE = frozenset({"severe", "anaphylaxis"})
_LOOK_BACK = timedelta(hours=24)
EQUIVALENT: dict[str, tuple[str, ...]] = {
    "MDC_CONC_GLU_GEN": ("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD",),
    "MDC_PULS_RATE": ("MDC_ECG_HEART_RATE", "MDC_PULS_OXIM_PULS_RATE", "MDC_PULS_RATE_NON_INV"),
}
"""Codes that answer the same question; the newest one counts."""


def judge(case: Case) -> None:
    """Judge everything about this patient and these ingredients together."""
    if case.action not in GIVING:
        return
    _allergies(case)
    _interactions(case)
    _repeated_therapy(case)
    _conditions(case)
    _skin_tests(case)
    _fasting(case)
    case.judged.add(Right.SAFETY)


def _allergies(case: Case) -> None:
    status = case.patient.allergy_status if case.patient is not None else "not-recorded"
    known = case.snapshot.allergies_of.get(case.patient_id, [])
    for allergy in known:
        for ingredient in case.ingredients():
            if _allergy(case, allergy, ingredient):
                break
    if status == "not-recorded" or (status == "known" and not known):
        case.add("SAFE-ALLERGY-UNKNOWN")


def _allergy(case: Case, allergy: Allergy, ingredient: Ingredient) -> bool:
    if allergy.substance == ingredient.code:
        override = OverrideClass.NONE if allergy.severity == "anaphylaxis" else None
        case.add(
            "SAFE-ALLERGY", override=override, substance=allergy.substance, severity_word=allergy.severity
        )
        return True
    if allergy.substance in ingredient.classes:
        severity = Severity.STOP if allergy.severity in _SEVERE else Severity.WARN
        case.add(
            "SAFE-ALLERGY-CLASS",
            severity=severity,
            substance=allergy.substance,
            severity_word=allergy.severity,
        )
        return True
    return False


def _recent_codes(case: Case) -> set[str]:
    """Return ingredient and class codes the patient got within a day, or gets now from other bags."""
    by_code = _ingredients_by_code(case)
    given = {code for past in case.given(_LOOK_BACK) for code, _ in past.ingredients}
    return given | {name for code in given if code in by_code for name in by_code[code].classes}


def _ingredients_by_code(case: Case) -> dict[str, Ingredient]:
    return {one.code: one for product in case.snapshot.products.values() for one in product.ingredients}


def _interactions(case: Case) -> None:
    if not case.policy.interactions:
        return
    mine, theirs = codes(case), _recent_codes(case)
    for pair in case.policy.interactions:
        meets = (pair.a in mine and pair.b in theirs) or (pair.b in mine and pair.a in theirs)
        if pair.severity == "major" and meets:
            accepted = case.order is not None and case.order.interaction_overridden
            severity = Severity.INFO if accepted else Severity.WARN
            case.add("SAFE-INTERACTION", severity=severity, a=pair.a, b=pair.b)


def _repeated_therapy(case: Case) -> None:
    """Another drug of the same class within the time it works."""
    mine = {one.code for one in case.ingredients()}
    classes = {name for one in case.ingredients() for name in one.classes} & set(
        case.policy.duplicate_classes
    )
    if not classes:
        return
    by_code = _ingredients_by_code(case)
    for name in sorted(classes):
        for past in case.given(timedelta(minutes=case.policy.duplicate_classes[name])):
            others = {code for code, _ in past.ingredients} - mine
            if any(name in by_code[code].classes for code in others if code in by_code):
                case.add("SAFE-DUP-THERAPY", group=name, at=past.at)
                break


def _conditions(case: Case) -> None:
    mine, missing = codes(case), set[str]()
    for condition in case.policy.conditions:
        if condition.drug not in mine or (condition.routes and case.route not in condition.routes):
            continue
        kind = "LAB" if condition.kind == "lab" else "VITAL"
        seen = measured(case, condition.measure)
        value = _value(seen, condition) if seen is not None else None
        if seen is None and not condition.required:
            continue
        if seen is None or value is None or older_than(seen.effective, case.at, condition.max_age_min):
            if condition.measure not in missing:
                missing.add(condition.measure)
                case.add(f"SAFE-{kind}-MISSING", measure=condition.measure, minutes=condition.max_age_min)
        elif _is_out(value, condition):
            case.add(
                f"SAFE-{kind}-OUT", severity=condition.severity, measure=condition.measure,
                value=seen.value, unit=seen.unit, limit=condition.limit,
            )  # fmt: skip


def measured(case: Case, code: str) -> Observation | None:
    """Return the newest trusted value of a measure or of an equivalent one.

    Values that are doubted, from the future, or of a simulator on a real patient do not count.
    """
    own = case.patient.generation if case.patient is not None else Generation.REAL
    found = (
        case.snapshot.observations.get((case.patient_id, name)) for name in (code, *EQUIVALENT.get(code, ()))
    )
    good = [
        seen
        for seen in found
        if seen is not None
        and seen.value is not None
        and seen.validity in USABLE
        and not is_future(seen.effective, case.at)
        and (seen.generation is Generation.REAL or seen.generation is own)
    ]
    return max(good, key=lambda seen: seen.effective, default=None)


def _value(seen: Observation, condition: DrugCondition) -> Fraction | None:
    """Return a value in the condition's unit; a condition without one takes the value as it is."""
    unit = condition.unit or seen.unit
    return None if seen.value is None else quantities.convert(seen.value, seen.unit, unit)


def _is_out(value: Fraction, condition: DrugCondition) -> bool:
    limit = Fraction(condition.limit)
    return (condition.op == "<" and value < limit) or (condition.op == ">" and value > limit)


def _skin_tests(case: Case) -> None:
    needed = [product for product in case.products() if product.skin_test]
    tests = case.snapshot.skin_tests_of.get(case.patient_id, [])
    for product in needed:
        names = {code for one in product.ingredients for code in (one.code, *one.classes)}
        mine = [test for test in tests if test.substance in names and test.read_at <= case.at]
        code = _skin_test(case, mine, product.id)
        if code and (case.action is not Action.SKINTEST_START or code == "SAFE-SKIN-POSITIVE"):
            case.add(code, product=product.id)


def _skin_test(case: Case, tests: list[SkinTest], product_id: str) -> str:
    """Return the rule that speaks against it. A positive test never expires."""
    if any(test.result == "positive" for test in tests):
        return "SAFE-SKIN-POSITIVE"
    if not tests:
        return "SAFE-SKIN-MISSING"
    newest = max(tests, key=lambda test: test.read_at)
    if newest.result != "negative":
        return "SAFE-SKIN-MISSING"
    if older_than(newest.read_at, case.at, case.policy.skin_test_valid_h * 60):
        return "SAFE-SKIN-EXPIRED"
    lot = next(
        (
            item.found.element("10")
            for item in case.items
            if item.product is not None and item.product.id == product_id
        ),
        "",
    )
    return "SAFE-SKIN-LOT" if newest.lot and lot and lot != newest.lot else ""


def _fasting(case: Case) -> None:
    encounter = case.encounter
    if encounter is not None and "fasting" in encounter.risks and case.route == "PO":
        case.add("SAFE-NPO")
    if not set(case.policy.meal_classes) & codes(case):
        return
    meal = measured(case, "MDCX_MEAL")
    if meal is None or older_than(meal.effective, case.at, case.policy.meal_window_min):
        case.add("SAFE-MEAL", minutes=case.policy.meal_window_min)
