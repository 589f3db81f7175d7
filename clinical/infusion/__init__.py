"""Gravity infusions: arithmetic, the drop estimator and the judgement of what flows against the order."""

from clinical.infusion.drops import DropEstimate, DropEstimator
from clinical.infusion.judgement import FlowCondition, FlowGoal, FlowJudge, FlowJudgement

__all__ = ["DropEstimate", "DropEstimator", "FlowCondition", "FlowGoal", "FlowJudge", "FlowJudgement"]
