"""The simulated BlueZ against the real one: one scenario, two worlds, and no difference without a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import vm_machine
from tests.support.vm_compare import (
    Explanation,
    compare,
    explanations,
    observations,
    report,
    run_real,
    run_simulated,
)

KNOWN = Explanation(seen="b", simulated=1, real=2, why="because")


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.requirement("R-EDGE-11")
def test_the_simulated_radio_and_the_real_bluetoothd_differ_only_as_explained(tmp_path: Path) -> None:
    if command := vm_machine.missing():
        pytest.fail(
            f"not run: the emulated machine is not installed here. Run this, then start again: {command}"
        )
    result = compare(run_simulated(), run_real(tmp_path), explanations())
    assert result.good, report(result)
    assert len(result.same) > 100
    assert any(name.startswith("reading: wardlink_drip") for name in result.same)


def test_a_difference_without_a_reason_is_told() -> None:
    result = compare({"a": 1, "b": 1}, {"a": 3, "b": 2}, [KNOWN])
    assert [one.seen for one in result.different] == ["a"]
    assert result.explained == (KNOWN,)
    assert not result.good
    assert "NOT EXPLAINED a" in report(result)


def test_an_explained_observation_that_changes_once_more_is_told() -> None:
    result = compare({"b": 1}, {"b": 5}, [KNOWN])
    assert [one.real for one in result.different] == [5]


def test_an_observation_that_one_world_did_not_make_is_told() -> None:
    result = compare({"a": 1}, {}, [])
    assert [one.real for one in result.different] == ["nothing"]


def test_an_explanation_that_is_no_longer_needed_is_told() -> None:
    result = compare({"b": 1}, {"b": 1}, [KNOWN])
    assert result.stale == ("b",)
    assert not result.good


def test_observations_are_read_among_the_lines_of_a_log() -> None:
    assert observations('a log line\n{"seen": "x", "value": [1]}\n') == {"x": [1]}


def test_every_known_difference_has_a_reason_and_is_listed_in_the_documentation() -> None:
    document = (vm_machine.ROOT / "docs/bluetooth-fidelity.md").read_text(encoding="utf-8")
    listed = explanations()
    assert len({one.seen for one in listed}) == len(listed)
    for one in listed:
        assert one.why.endswith(".")
        assert one.simulated != one.real
        assert f"| {one.seen} |" in document
        assert one.why in document


def test_a_computer_without_the_machine_is_told_which_command_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "apt-get install" in vm_machine.missing()
    assert "qemu-system-x86" in vm_machine.missing()
