"""A skin test: placed like a drug with the emergency drugs at hand, read by two after its time.

Each reader says what she sees before she knows what the other one saw: once the second badge is read, the
first reading is hidden until both are given.
"""

from __future__ import annotations

from dataclasses import replace

from clinical.bedside_check.model import Action, CheckResult, Right, Scan
from clinical.care_records import RunningSkinTest
from clinical.records import Ingredient, Patient, Product
from pda_app.ids import uuid7
from pda_app.presenters import words
from pda_app.presenters.asked import Asked
from pda_app.presenters.care import plan, timers
from pda_app.presenters.desk import Desk
from pda_app.presenters.draft import Draft
from pda_app.presenters.states import CareLine, ChoiceGroup, Msg, StepMark, Text

RESULTS = ("negative", "positive", "doubtful")
_SITES = ("left-forearm", "right-forearm", "other")


class SkinTesting:
    """The plan of a skin test."""

    kind = "skin-test"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def settle(self, draft: Draft) -> Draft:
        """A test that runs is read; one that does not is placed."""
        test = self._running(draft)
        if test is None:
            return replace(draft, action=Action.SKINTEST_START)
        return replace(draft, action=Action.SKINTEST_READ, task_id=test.task_id or draft.task_id, items=())

    def band(self, draft: Draft, scan: Scan) -> Draft:
        """Another wristband begins anew."""
        again = bool(draft.items)
        return draft.another(patient_scan=scan, items=(), task_id="" if again else draft.task_id)

    def item(self, draft: Draft, scan: Scan) -> Draft:
        """The drug that is tested."""
        return draft.another(items=(scan,))

    def choose(self, draft: Draft, group: str, code: str) -> Draft:
        """Emergency drugs, site, and what a reader sees."""
        match group:
            case "check":
                return plan.entered(draft, checks=plan.toggled(draft.entered.checks, code))
            case "site":
                return draft.unanswered(site=code)
            case "result" if draft.witness is None:
                return plan.entered(draft, result=code)
            case "second" if draft.witness is not None and not draft.confirmations:
                return draft.unanswered(witness=replace(draft.witness, result=code))
            case "other":
                return draft.another(entered=replace(draft.entered, result=""))
            case _:
                return draft

    def second_ready(self, draft: Draft) -> bool:
        """She has said what she sees, or looks at what is placed."""
        if draft.action is Action.SKINTEST_START:
            return bool(draft.items)
        return draft.witness is not None and bool(draft.witness.result) and bool(draft.entered.result)

    def missing(self, draft: Draft, result: CheckResult) -> Text:
        """The second reader, and her reading."""
        if draft.action is not Action.SKINTEST_READ or not draft.entered.result or not result.patient_id:
            return ""
        if any(one.code == "SKT-EARLY" for one in result.findings):
            return ""
        if draft.witness is None:
            return Msg("bedside.second-badge")
        return "" if draft.witness.result else Msg("skin.second-reads")

    def parts(self, draft: Draft, asked: Asked) -> plan.Parts:
        """Draw."""
        result, test = asked.result, self._running(draft)
        order = plan.order_of(self._desk, draft, result)
        reads = draft.action is Action.SKINTEST_READ
        return plan.Parts(
            page_title=Msg("skin.title-read" if reads else "skin.title-place"),
            word=Msg("skin.word-read" if reads else "skin.word-place"),
            record=Msg("skin.record-read" if reads else "skin.record-place"),
            hint=Msg("skin.hint"),
            title=plan.heading(self._desk, order),
            detail=words.order_detail(order) if order is not None else "",
            steps=self._steps(draft, result),
            timer=timers.reading(self._desk, test) if test is not None else None,
            lines=self._lines(draft, result, test),
            groups=self._reading(draft) if reads else self._placing(draft, result),
            other=Msg("skin.read-again") if reads and draft.witness is not None else "",
        )

    def event(self, draft: Draft, asked: Asked) -> plan.CareEvent | None:
        """The test was placed under a number made here, or it was read."""
        test = self._running(draft)
        subject = test.id if test is not None else uuid7(self._desk.now())
        return plan.recorded(self._desk, draft, asked, subject)

    # --- parts --------------------------------------------------------------------------------------

    def _running(self, draft: Draft) -> RunningSkinTest | None:
        """The test of the chosen task, or the only one of the scanned patient."""
        tests = self._desk.book.all(RunningSkinTest)
        if draft.task_id:
            return next((one for one in tests if one.task_id == draft.task_id), None)
        if draft.items or draft.patient_scan is None:
            return None
        patient = plan.patient_of(self._desk, draft.patient_scan)
        mine = [one for one in tests if patient is not None and one.patient_id == patient.id]
        return mine[0] if len(mine) == 1 else None

    def _steps(self, draft: Draft, result: CheckResult) -> tuple[StepMark, ...]:
        band = (Msg("collect.step-band"), bool(result.patient_id) and draft.patient_scan is not None)
        if draft.action is Action.SKINTEST_READ:
            second = draft.witness is not None and bool(draft.witness.result)
            return plan.steps(
                band,
                (Msg("skin.step-first"), bool(draft.entered.result)),
                (Msg("skin.step-second"), second and bool(draft.confirmations)),
            )
        wanted = self._desk.book.policy.care.skin_test.checks
        ready = not set(wanted) - set(draft.entered.checks)
        return plan.steps(
            band,
            (Msg("skin.step-drug"), bool(result.order_id and draft.items)),
            (Msg("skin.step-ready"), ready),
        )

    def _lines(self, draft: Draft, result: CheckResult, test: RunningSkinTest | None) -> tuple[CareLine, ...]:
        desk = self._desk
        patient = desk.book.get(Patient, result.patient_id)
        found = [
            plan.line(
                result, Right.PATIENT, "patient", Msg("right.patient"), patient.mrn if patient else "",
                desk=desk, evidence=plan.scanned(desk, draft.patient_scan),
            )
        ]  # fmt: skip
        if test is not None:
            placed = Msg.of(
                "skin.placed", time=desk.hhmm(test.started_at), name=desk.person_name(test.started_by)
            )
            what = self._substance(test)
            found.append(
                plan.line(
                    result, Right.TIME, "medicine", Msg("skin.step-drug"), what, desk=desk, evidence=placed
                )
            )
        else:
            order = plan.order_of(desk, draft, result)
            what = plan.heading(desk, order) if result.order_id and draft.items else ""
            rights = (
                (Right.DRUG, "medicine", what),
                (Right.ROUTE, "route", ""),
                (Right.SAFETY, "allergy", ""),
            )
            judged = [
                plan.line(result, right, icon, Msg(f"right.{right}"), value, desk=desk)
                for right, icon, value in rights
            ]
            found += [one for one in judged if one.value or one.mark in {"warn", "stop"}]
        return tuple(found)

    def _substance(self, test: RunningSkinTest) -> Text:
        ingredients: list[Ingredient] = [
            one for product in self._desk.book.all(Product) for one in product.ingredients
        ]
        known = next((one.display for one in ingredients if one.code == test.substance), None)
        return known or test.substance

    def _placing(self, draft: Draft, result: CheckResult) -> tuple[ChoiceGroup, ...]:
        if not (result.order_id and draft.items):
            return ()
        wanted = self._desk.book.policy.care.skin_test.checks
        checks = ((code, Msg(f"look.{code}")) for code in wanted)
        sites = ((code, Msg(f"site.{code}")) for code in _SITES)
        return (
            plan.group("check", Msg("skin.ready"), checks, draft.entered.checks, many=True),
            plan.group("site", Msg("skin.where"), sites, (draft.site,)),
        )

    def _reading(self, draft: Draft) -> tuple[ChoiceGroup, ...]:
        """The first reader's chips; after the second badge only hers, and nothing of the first."""
        options = tuple((code, Msg(f"skin.{code}")) for code in RESULTS)
        if draft.patient_scan is None:
            return ()
        if draft.witness is None:
            return (plan.group("result", Msg("skin.what-you-see"), options, (draft.entered.result,)),)
        if draft.confirmations:
            first, second = draft.entered.result, draft.witness.result
            return (
                plan.group("shown", self._whose(self._me()), options, (first,)),
                plan.group("shown", self._whose(draft.witness.id), options, (second,)),
            )
        return (plan.group("second", self._whose(draft.witness.id), options, (draft.witness.result,)),)

    def _me(self) -> str:
        return self._desk.session.practitioner.id if self._desk.session is not None else ""

    def _whose(self, id_: str) -> Text:
        return Msg.of("skin.what-she-sees", name=self._desk.person_name(id_))
