"""Benches that write a document, and the decoder that stands beside ours."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from bench import edge_decoders
from clinical.errors import BadInputError
from deploy.commands import bench

pytestmark = [pytest.mark.requirement("R-EDGE-31")]


class Exact:
    """A bench whose figures are the same everywhere."""

    @staticmethod
    def measure() -> list[dict[str, Any]]:
        return [{"id": "a", "ok": True}]

    @staticmethod
    def render(results: list[dict[str, Any]]) -> str:
        return f"# {len(results)} result\n"


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    bench.configure(parser)
    return bench.run(parser.parse_args(list(arguments)))


def test_a_bench_writes_its_document(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench, "_load", lambda _name: Exact)
    assert run("estimator", "--write", str(tmp_path / "found.md")) == 0
    assert (tmp_path / "found.md").read_text() == "# 1 result\n"


def test_a_bench_without_a_document_says_so_before_it_measures(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="leave out --write"):
        run("edge", "--write", str(tmp_path / "found.md"))


def test_without_the_other_decoder_the_bench_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_decoders, "THEIRS", "no_such_decoder")
    (result,) = edge_decoders.compare()
    assert result["skipped"]
    assert "pip install TheengsDecoder" in result["note"]


def test_both_decoders_agree_on_every_advert_that_both_decode() -> None:
    pytest.importorskip("TheengsDecoder")
    found = edge_decoders.compare()
    assert len(found) == len(edge_decoders.SAMPLES)
    assert [result for result in found if not result["values_agree"]] == []
