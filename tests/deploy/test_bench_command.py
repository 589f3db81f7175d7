"""``wardlink bench``: figures of this machine, beside their limits."""

from __future__ import annotations

import argparse
import json

import pytest

from clinical.errors import UnavailableError
from deploy.commands import bench

pytestmark = [pytest.mark.requirement("R-CLIN-60"), pytest.mark.hazard("H-CLIN-08")]


def run(*arguments):
    parser = argparse.ArgumentParser()
    bench.configure(parser)
    return bench.run(parser.parse_args(list(arguments)))


@pytest.mark.slow
def test_the_clinical_bench_measures_against_its_limits_and_a_plain_variant(capsys):
    assert run("clinical", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    results = {result["id"]: result for result in found["results"]}
    assert {"check", "check-without-index", "gs1-parse", "gs1-plain", "drop", "drop-plain"} <= set(results)
    assert all(result["median"] > 0 for result in results.values())
    assert [results[name]["limit"] for name in ("check", "gs1-parse", "drop")] == [2000.0, 20.0, 5.0]
    assert results["check-without-index"]["ratio"] > 1
    assert isinstance(found["ok"], bool)


class Measured:
    @staticmethod
    def measure():
        return [
            {"id": "a", "unit": "us", "median": 1.5, "p99": 2, "limit": 3, "limit_of": "p99", "ok": True},
            {"id": "b", "unit": "us", "median": 9, "limit": 3, "limit_of": "median", "ok": False},
            {"id": "c", "unit": "us", "median": 9},
        ]  # fmt: skip


def test_a_missed_limit_is_an_answer_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr(bench, "_load", lambda _name: Measured)
    assert run("clinical") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "a median 1.5 us p99 2 us limit 3 (p99) ok", "b median 9 us limit 3 (median) MISSED",
        "c median 9 us",
    ]  # fmt: skip
    run("clinical", "--json")
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_an_installed_package_without_its_source_says_where_benches_run(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "_ROOT", tmp_path)
    with pytest.raises(UnavailableError) as caught:
        run("clinical")
    assert caught.value.code == "bench-needs-checkout"


def test_a_checkout_that_is_not_on_the_path_is_put_there(monkeypatch):
    monkeypatch.setattr(bench.sys, "path", [])
    monkeypatch.setattr(bench.importlib, "import_module", lambda name: name)
    assert bench._load("clinical") == "bench.clinical"
    assert bench.sys.path == [str(bench._ROOT)]
