"""Gravity infusions: arithmetic, the drop estimator and the judgement of what flows against the order."""

from clinical.infusion.drops import DropEstimate, DropEstimator
from clinical.infusion.judgement import FLOW_CONDITIONS, FlowCondition, FlowGoal, FlowJudge, FlowJudgement

__all__ = [
    "FLOW_CONDITIONS",
    "DropEstimate",
    "DropEstimator",
    "FlowCondition",
    "FlowGoal",
    "FlowJudge",
    "FlowJudgement",
]
