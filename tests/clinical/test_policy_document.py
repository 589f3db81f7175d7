"""The policy as a document: every value explained, a schema as strict as the reader."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal

import pytest

from clinical import plain, plain_schema, policy_text
from clinical.bedside_check.model import Severity
from clinical.errors import BadInputError
from clinical.policy import DoseLimit, SitePolicy
from clinical.policy_notes import NOTES

pytestmark = [pytest.mark.requirement("R-CLIN-58"), pytest.mark.hazard("H-CLIN-08")]
SCHEMA = plain_schema.schema(SitePolicy)
TYPES = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}


def fits(value, schema):
    """Judge a value by the few words of JSON Schema that the policy uses."""
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    if schema["type"] == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if type(value) is not TYPES[schema["type"]]:
        return False
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return False
    if schema["type"] == "array":
        return all(fits(item, schema["items"]) for item in value)
    return schema["type"] != "object" or fits_table(value, schema)


def fits_table(value, schema):
    known, rest = schema.get("properties", {}), schema["additionalProperties"]
    if set(schema.get("required", ())) - set(value):
        return False
    return all(
        fits(item, known[name]) if name in known else bool(rest) and fits(item, rest)
        for name, item in value.items()
    )


def leaves(table, path=""):
    """Names that need a note: settings of the policy's own tables, not of lists and free names in them."""
    for name, value in table.items():
        inner = f"{path}.{name}" if path else name
        yield inner
        free = {"care.lines", "care.assessments.first_h", "care.assessments.again_h"}
        own = inner in {"windows", "flow", "care"} or (inner.startswith("care.") and inner not in free)
        if isinstance(value, dict) and own:
            yield from leaves(value, inner)


def test_every_setting_says_where_its_value_comes_from_and_no_note_is_left_over():
    assert sorted(leaves(SitePolicy.default().to_dict())) == sorted(NOTES)


def test_the_document_reads_back_equal_whatever_a_site_changed():
    policy = SitePolicy.from_dict(
        {
            "version": "ward-1 \"quoted\"", "severities": {"TIME-LATE": "STOP"},
            "prefixes": {"PID:": "wristband"}, "recalls": [{"product": "x", "lot": "7"}],
            "care": {"blood": {"slow_ml_h": 90}},
        }
    )  # fmt: skip
    text = policy_text.toml(policy)
    assert SitePolicy.from_dict(tomllib.loads(text)) == policy
    assert '"PID:" = "wristband"' in text


def test_the_schema_takes_the_default_policy():
    assert fits(SitePolicy.default().to_dict(), SCHEMA)
    assert fits(tomllib.loads(policy_text.toml(SitePolicy.default())), SCHEMA)


@pytest.mark.parametrize(
    "document",
    [
        {"surprise": 1}, {"zone": 8}, {"windows": {"surprise": 1}}, {"windows": 5},
        {"recalls": {"product": "x"}}, {"recalls": [{}]}, {"recalls": ["x"]}, {"clock_times": []},
        {"site_rotation_h": True},
        {"severities": {"TIME-LATE": "LOUD"}}, {"flow": {"stale_s": "long"}}, {"care": {"bloods": {}}},
        {"dose_limits": [{"ingredient": "x", "unit": "g", "single": "much"}]},
        {"dose_limits": [{"ingredient": "x", "unit": "g", "single": True}]},
        {"care": {"blood": {"slow_ml_h": "90"}}}, {"resuscitation": 1},
    ],
)  # fmt: skip
def test_schema_and_reader_refuse_the_same_shapes(document):
    assert not fits(document, SCHEMA)
    with pytest.raises(BadInputError):
        SitePolicy.from_dict(document)


@pytest.mark.parametrize(
    "document",
    [
        {"dose_limits": [{"ingredient": "x", "unit": "g", "single": "1.5"}]},
        {"dose_limits": [{"ingredient": "x", "unit": "g", "single": 1.5}]},
        {"flow": {"stale_s": 12}}, {"severities": {"TIME-LATE": Severity.STOP.value}},
        {"care": {"glucose": {"high": 9}}}, {"clock_times": {"bid": {"oral": ["07:00", "19:00"]}}},
    ],
)  # fmt: skip
def test_schema_and_reader_take_the_same_shapes(document):
    assert fits(document, SCHEMA)
    SitePolicy.from_dict(document)


def test_a_table_without_required_settings_names_none_and_one_with_them_does():
    assert "required" not in SCHEMA
    assert plain_schema.schema(DoseLimit)["required"] == ["ingredient", "unit"]
    assert plain.read(DoseLimit, {"ingredient": "x", "unit": "g"}, "limit").single is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undescribed:
    amount: Decimal


def test_a_table_is_described_by_its_own_first_line():
    assert SCHEMA["description"].startswith("One hospital's rules")
    assert plain_schema.schema(Undescribed)["properties"] == {"amount": plain_schema.schema(DoseLimit)[
        "properties"]["single"]}  # fmt: skip
