"""The site policy: complete, readable back, and never weaker than bc-1 allows."""

from __future__ import annotations

import json
import tomllib

import pytest

from clinical.bedside_check.model import Severity
from clinical.errors import BadInputError
from clinical.policy import FlowThresholds, SitePolicy

pytestmark = [pytest.mark.requirement("R-CLIN-30"), pytest.mark.hazard("H-CLIN-08")]


def test_the_default_policy_survives_json_and_back():
    policy = SitePolicy.default()
    assert SitePolicy.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy


def test_a_site_names_only_what_it_changes():
    document = tomllib.loads("""
        version = "ward-1"
        verification = "prohibit"
        [windows]
        hourly_min = 30
        [severities]
        TIME-LATE = "STOP"
        [clock_times.bid]
        oral = ["07:00", "19:00"]
        [[dose_limits]]
        ingredient = "ibuprofen"
        unit = "mg"
        per_day = 1200
        [flow]
        calibrated = 0
    """)
    policy = SitePolicy.from_dict(document)
    assert policy.severities["TIME-LATE"] is Severity.STOP
    assert policy.clock_times["bid"].oral == ("07:00", "19:00")
    assert (policy.windows.hourly_min, policy.windows.daily_min, policy.flow.calibrated) == (30, 120, 0.0)
    assert policy.dose_limits[0].per_day == 1200


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"severities": {"TIME-DUP": "WARN"}}, "policy-severity"),
        ({"severities": {"MED-EXPIRED": "INFO"}}, "policy-severity"),
        ({"severities": {"SYS-STATE-CHANGED": "STOP"}}, "policy-severity"),
        ({"severities": {"NO-RULE": "WARN"}}, "policy-severity"),
        ({"severities": {"TIME-LATE": "LOUD"}}, "policy-value"),
        ({"verification": "maybe"}, "policy-value"),
        ({"screen_silent_s": 14}, "policy-value"),
        ({"alarm_short_s": 0.5}, "policy-value"),
        ({"alarm_short_s": 601}, "policy-value"),
        ({"zone": "Mars/Olympus"}, "policy-zone"),
        ({"zone": "../etc"}, "policy-zone"),
        ({"zone": 8}, "policy-value"),
        ({"surprise": 1}, "policy-key"),
        ({"windows": {"surprise": 1}}, "policy-key"),
        ({"windows": 5}, "policy-value"),
        ({"recalls": {"product": "x"}}, "policy-value"),
        ({"recalls": [{}]}, "policy-value"),
        ({"recalls": ["x"]}, "policy-value"),
        ({"clock_times": []}, "policy-value"),
        ({"site_rotation_h": True}, "policy-value"),
        ({"dose_limits": [{"ingredient": "x", "unit": "g", "single": "much"}]}, "policy-value"),
        ({"dose_limits": [{"ingredient": "x", "unit": "g", "single": True}]}, "policy-value"),
        ({"care": {"assessments": {"again_h": {"pain-severe": 0}}}}, "policy-care"),
        ({"flow": {"free_flow_factor": 1}}, "policy-flow"),
        ({"flow": {"stale_s": -1}}, "policy-flow"),
        ({"flow": {"stale_s": "long"}}, "policy-value"),
        ({"flow": {"deviation_warn_percent": 30}}, "policy-flow"),
        ("nothing", "policy-value"),
    ],
)
def test_a_policy_that_is_wrong_or_unsafe_is_refused_at_load(document, code):
    with pytest.raises(BadInputError) as caught:
        SitePolicy.from_dict(document)
    assert caught.value.code == code


def test_a_policy_may_raise_any_rule_and_lower_what_may_be_overridden():
    policy = SitePolicy.from_dict(
        {"severities": {"PRN-HISTORY": "WARN", "TIME-LATE": "INFO", "TIME-DUP": "STOP"}}
    )
    assert policy.severities["TIME-LATE"] is Severity.INFO


def test_flow_thresholds_travel_as_a_plain_mapping():
    thresholds = FlowThresholds(stale_s=12, near_end_min=5)
    assert FlowThresholds.from_mapping(thresholds.as_mapping() | {"newer": 1.0}) == thresholds
    assert FlowThresholds.from_mapping({}) == FlowThresholds()
