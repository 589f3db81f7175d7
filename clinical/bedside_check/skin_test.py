"""SKT: a skin test is placed like a drug, and read by two persons after its time.

Source: bc-1 §5.10 (read at 20 minutes).
"""

from __future__ import annotations

from datetime import timedelta

from clinical.bedside_check import order, patient, timing, witness
from clinical.bedside_check.case import Case
from clinical.bedside_check.model import Action, Right
from clinical.care_records import RunningSkinTest

RESULTS = frozenset({"negative", "positive", "doubtful"})


def judge_start(case: Case) -> None:
    """Emergency drugs stand ready before a skin test is placed, and no test of the substance is running."""
    if case.action is not Action.SKINTEST_START:
        return
    if set(case.policy.care.skin_test.checks) - set(case.request.entered.checks):
        case.need("emergency-drugs")
    codes = {code for one in case.ingredients() for code in (one.code, *one.classes)}
    running = case.snapshot.running_skin_tests_of.get(case.patient_id, [])
    mine = next((test for test in running if test.substance in codes), None)
    if mine is not None:
        case.add("TIME-DUP", by=mine.started_by, at=mine.started_at, reason="running")
    if case.order is not None and case.order.kind != "skin-test":
        case.add("MED-WRONG-DRUG", reason="not-a-skin-test")


def judge_reading(case: Case) -> None:
    """Judge the reading of a test that was placed."""
    test = _find(case)
    if test is None:
        case.need("skin-test")
        return
    case.skin_test = test
    case.order = case.snapshot.orders.get(test.order_id)
    case.task = case.snapshot.tasks.get(test.task_id)
    order.judge(case)
    timing.judge(case)
    _time(case, test)
    _result(case)
    patient.judge_bed(case)
    case.judged |= {Right.DRUG, Right.TIME, Right.SAFETY, Right.WITNESS}
    case.complete = True


def _find(case: Case) -> RunningSkinTest | None:
    """Return the test that is meant: the one of the task, or the only one the patient has."""
    running = case.snapshot.running_skin_tests_of.get(case.patient_id, [])
    task_id = case.request.task_id
    mine = [test for test in running if not task_id or test.task_id == task_id]
    return mine[0] if len(mine) == 1 else None


def _time(case: Case, test: RunningSkinTest) -> None:
    policy, waited = case.policy.care.skin_test, case.at - test.started_at
    minutes = int(waited.total_seconds() // 60)
    if waited < timedelta(minutes=policy.read_after_min):
        case.add("SKT-EARLY", minutes=minutes, due=test.started_at + timedelta(minutes=policy.read_after_min))
    elif waited > timedelta(minutes=policy.read_until_min):
        case.add("SKT-LATE", minutes=minutes)


def _result(case: Case) -> None:
    """Two readers, each with their own result, before either knows the other's."""
    result, second = case.request.entered.result, case.request.witness
    if result not in RESULTS:
        case.need("skin-test-result")
    if second is None:
        case.add("SKT-SECOND")
        return
    witness.judge_person(case, second)
    if result in RESULTS and second.result != result:
        case.add("SKT-DISAGREE")
