from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from broker import asyncapi
from broker.topics import Down, Up

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.requirement("R-BRK-08")
def test_the_committed_contract_is_what_the_types_say() -> None:
    assert (DOCS / "asyncapi.yaml").read_text(encoding="utf-8") == asyncapi.text()


def test_every_topic_has_a_channel_and_every_message_a_schema() -> None:
    document = asyncapi.document()
    assert set(document["channels"]) == {"status", *Up, *Down}
    for channel in document["channels"].values():
        (name,) = channel["messages"]
        assert name in document["components"]["messages"]
        assert name in document["components"]["schemas"]
    assert document["components"]["messages"]["Wave"]["contentType"].endswith("msgpack")


def test_the_yaml_reads_back_as_the_document() -> None:
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(asyncapi.text()) == msgspec.json.decode(msgspec.json.encode(asyncapi.document()))
