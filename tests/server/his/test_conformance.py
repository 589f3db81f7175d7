"""The guide for interface engineers says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cli import main
from server.his.conformance import inbound, markdown, outbound, texts
from server.his.tables import NAMES
from server.his.told import Topic

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "integration.md"
BEGIN, END = "<!-- made by: wardlink his conformance -->\n", "<!-- end -->"


@pytest.mark.requirement("R-HIS-26")
def test_the_tables_of_the_guide_are_those_of_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    made = GUIDE.read_text("utf-8").split(BEGIN)[1].split(END)[0]
    assert made == markdown()
    assert main(["his", "conformance"]) == 0
    assert capsys.readouterr().out == made


@pytest.mark.requirement("R-HIS-26")
def test_nothing_is_described_that_is_not_taken_and_nothing_taken_that_is_not_described() -> None:
    taken = {row.message for row in inbound()} - {"BPS^O29"}
    assert taken == set(texts()["inbound"])
    assert {row.message.partition(":")[0] for row in outbound()} == {"administrations", *Topic}
    assert set(texts()["tables"]) == set(NAMES)


def test_each_command_of_the_guide_exists(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for line in GUIDE.read_text("utf-8").splitlines() if line.startswith("wardlink his ")]
    assert len(lines) > 8
    for action in {line.split()[2] for line in lines}:
        with pytest.raises(SystemExit) as caught:
            main(["his", action, "--help"])
        assert caught.value.code == 0
        capsys.readouterr()
