"""Everything a person reads exists in Chinese and in English."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[3] / "server" / "web"
KEY = re.compile(r"[a-z]+\.[A-Za-z0-9_.-]+")


def catalog(language: str) -> dict[str, str]:
    texts: dict[str, str] = json.loads((WEB / "i18n" / f"{language}.json").read_text(encoding="utf-8"))
    return texts


def code() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((WEB / "js").rglob("*.js")))


@pytest.mark.requirement("R-WEB-10")
def test_both_catalogs_have_the_same_keys_and_no_empty_text() -> None:
    zh, en = catalog("zh"), catalog("en")
    assert zh.keys() == en.keys()
    assert [key for key in zh if not zh[key].strip() or not en[key].strip()] == []


@pytest.mark.requirement("R-WEB-10")
def test_both_languages_use_the_same_values() -> None:
    zh, en = catalog("zh"), catalog("en")
    values = {key: (set(re.findall(r"{(\w+)}", zh[key])), set(re.findall(r"{(\w+)}", en[key]))) for key in zh}
    assert [key for key, (a, b) in values.items() if a != b] == []


@pytest.mark.requirement("R-WEB-10")
def test_every_text_the_code_asks_for_exists() -> None:
    groups = {key.partition(".")[0] for key in catalog("zh")} - {"demo", "title"}
    quoted = {word for word in re.findall(r"[\"'`]([^\"'`\n]+)[\"'`]", code()) if KEY.fullmatch(word)}
    asked = {word for word in quoted if word.partition(".")[0] in groups and not word.endswith(".js")}
    assert len(asked) > 100
    assert sorted(asked - catalog("zh").keys()) == []


@pytest.mark.requirement("R-WEB-10")
def test_every_family_of_texts_is_complete() -> None:
    families = {
        "flow": "flowing slow fast no-flow free-flow near-end empty stale unknown paused waiting sensor-lost",
        "task": "pending due overdue running paused error",
        "care": "special first second third",
        "risk": "fall pressure fasting isolation",
        "alarm": "no-flow free-flow rate-deviation near-end empty stale overrun limit-low limit-high "
        "device-lost "
        "device-fault device-limit node-offline radio-lost outbox-full publish-refused dose-missed "
        "possible-double-dose given-against-order supply-failure site-finding event-unreadable",
        "priority": "Hi Me Lo",
        "page": "wall bed alarms handover infusions tasks statistics nodes",
        "node": "is-offline is-never is-foreign is-behind is-device is-well do-offline do-never do-foreign "
        "do-behind do-device do-well",
        "session": "searching discovered connecting ready streaming lost",
        "care-item": "round-due round-warn round-overdue patrol-due patrol-warn patrol-overdue",
        "scale": "braden morse pain",
    }
    wanted = {f"{family}.{word}" for family, words in families.items() for word in words.split()}
    assert sorted(wanted - catalog("zh").keys()) == []


@pytest.mark.requirement("R-WEB-10")
def test_chinese_stands_only_in_the_catalog() -> None:
    allowed = {'"中文"'}  # the name of a language, in that language
    found = set(re.findall(r"[\"'`][^\"'`\n]*[\u4e00-\u9fff][^\"'`\n]*[\"'`]", code()))
    assert found <= allowed
