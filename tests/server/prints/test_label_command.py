from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from clinical.identifiers import resolve
from deploy.cli import main
from deploy.commands.label import KINDS
from server.prints.symbols import read_all

FIELDS: dict[str, list[str]] = {
    "wristband": [
        "--mrn", "P1", "--serial", "1", "--name", "张三", "--birth-date", "1958-06-14", "--sex", "male"
    ],
    "bag": [
        "--bag-id", "B1", "--bed", "01", "--name", "张三", "--mrn", "P1", "--route", "IVPB",
        "--planned-at", "2026-11-25T09:30", "--line", "0.9% 氯化钠 100 mL=100 mL", "--line", "头孢=2 g",
        "--rate-ml-h", "200", "--drops-per-ml", "20", "--demo",
    ],
    "tube": [
        "--tube-id", "T1", "--bed", "01", "--name", "张三", "--mrn", "P1", "--specimen", "血",
        "--tests", "血常规", "--collect-at", "2026-11-25T07:00+08:00",
    ],
    "bed": ["--ward", "W1", "--bed", "01"],
    "node": ["--node", "wl-edge-0a0001"],
    "device": ["--uid", "ble:c0-00-00-00-01-01", "--label", "D-0101"],
    "badge": ["--badge", "N1", "--name", "王丽"],
    "drug": ["--gtin", "06901234567892", "--lot", "A1", "--expiry", "2027-12-31", "--serial", "S1"],
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.requirement("R-PRT-05")
def test_each_label_is_made_from_the_command_line(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "label.png"
    assert main(["label", kind, *FIELDS[kind], "--out", str(file), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    read = {resolve(text).kind for text in read_all(Image.open(io.BytesIO(file.read_bytes())))}
    assert {code["kind"] for code in report["codes"]} == {str(one) for one in read}
    assert (report["kind"], report["dpi"]) == (kind, 300)


def test_a_pdf_is_made_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "label.pdf"
    assert main(["label", "bed", *FIELDS["bed"], "--out", str(file), "--lang", "en"]) == 0
    assert file.read_bytes().startswith(b"%PDF")
    assert "90 × 55 mm" in capsys.readouterr().out


def test_fields_may_come_from_a_file_and_options_win(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"ward": "W1", "bed": "07"}'))
    out = str(tmp_path / "a.png")
    assert main(["label", "bed", "--fields", "-", "--bed", "08", "--out", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["codes"][0]["serial"] == "08"


@pytest.mark.parametrize(
    ("kind", "arguments", "code"),
    [
        ("bed", ["--ward", "W1", "--out", "x.png"], "label-field"),
        ("bed", ["--ward", "W1", "--bed", "1", "--out", "x.gif"], "label-file"),
        ("bed", ["--ward", "W1", "--bed", "1", "--out", "no/such/x.png"], "label-file"),
        ("bed", ["--fields", "missing.json", "--out", "x.png"], "label-fields"),
        ("bed", ["--ward", "W1", "--bed", "1", "--out", "x.png", "--zone", "Nowhere"], "zone"),
        ("bag", [*FIELDS["bag"], "--line", "no dose", "--out", "x.png"], "label-line"),
        ("wristband", [*FIELDS["wristband"], "--birth-date", "14.6.1958", "--out", "x.png"], "label-field"),
        ("drug", [*FIELDS["drug"], "--gtin", "123", "--out", "x.png"], "code-not-encodable"),
    ],
)
@pytest.mark.requirement("R-PRT-05")
def test_what_cannot_be_printed_is_told_and_nothing_is_written(
    tmp_path: Path, kind: str, arguments: list[str], code: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["label", kind, *arguments, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["[]", '{"colour": "red"}', "{"])
def test_a_wrong_file_of_fields_is_refused(tmp_path: Path, text: str) -> None:
    fields = tmp_path / "fields.json"
    fields.write_text(text, encoding="utf-8")
    assert main(["label", "bed", "--fields", str(fields), "--out", str(tmp_path / "x.png")]) == 1
