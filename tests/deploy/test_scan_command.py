"""``wardlink scan`` as a person or a program uses it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from clinical.errors import UnavailableError
from clinical.identifiers.hospital import encode
from deploy.cli import main

pytestmark = [pytest.mark.requirement("R-CLIN-40"), pytest.mark.hazard("H-CLIN-02")]

VECTORS = json.loads(
    (Path(__file__).resolve().parents[1] / "data" / "gs1" / "vectors.json").read_text(encoding="utf-8")
)["vectors"]


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*arguments, stdin=None):
        if stdin is not None:
            data = stdin if isinstance(stdin, bytes) else json.dumps(stdin).encode()
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        code = main(["scan", *arguments])
        out = capsys.readouterr().out
        return code, json.loads(out) if out else None

    return call


def test_texts_are_answered_in_one_array(run):
    code, found = run(encode("bed", "W1", "01"), "]d20106931475000124\x1d10A1")
    assert (code, [one["kind"] for one in found]) == (0, ["bed", "gs1"])
    assert found[1]["elements"] == [{"ai": "01", "value": "06931475000124"}, {"ai": "10", "value": "A1"}]


def test_every_reference_vector_keeps_its_verdict_through_the_command(run):
    chosen = [v for v in VECTORS if v["form"] in {"scan", "bracketed", "digital_link"}]
    code, found = run("--stdin", stdin=[v.get("input") for v in chosen])
    assert code == 0
    assert [one["valid"] for one in found] == [v["valid"] for v in chosen]
    assert [one["elements"] for one in found if one["valid"]] == [v["parsed"] for v in chosen if v["valid"]]


def test_each_item_of_stdin_is_good_or_bad_on_its_own(run):
    items = [
        {"raw": "0106931475000124", "symbology": "]d2"},
        7,
        {"raw": 7},
        {"raw": "x", "symbology": 7},
        "\ud800",
    ]
    code, found = run("--stdin", stdin=items)
    assert (code, [one["valid"] for one in found]) == (0, [True, False, False, False, False])
    assert all(one["error"] for one in found[1:])


@pytest.mark.parametrize("data", [b"{}", b"nonsense", b"\xff\xfe"])
def test_stdin_that_is_no_array_is_refused(run, data):
    assert run("--stdin", stdin=data) == (1, None)


@pytest.mark.parametrize("arguments", [[], ["--stdin", "x"]])
def test_either_texts_or_stdin(run, arguments):
    assert run(*arguments)[0] == 1


def test_an_image_is_decoded_with_its_symbology(run, tmp_path):
    zxingcpp = pytest.importorskip("zxingcpp")
    image = pytest.importorskip("PIL.Image")
    text = encode("wristband", "M100", "2")
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode)
    picture = image.fromarray(code.to_image(scale=4))
    picture.save(tmp_path / "band.png")
    status, found = run(str(tmp_path / "band.png"))
    assert (status, found[0]["kind"], found[0]["value"]) == (0, "wristband", "M100")
    image.new("L", (80, 80), 255).save(tmp_path / "blank.png")
    assert "no barcode" in run(str(tmp_path / "blank.png"))[1][0]["error"]


def test_a_file_that_is_no_image_and_a_missing_decoder_say_so(run, tmp_path, monkeypatch):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    assert run(str(broken)) == (1, None)
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    assert run(str(broken)) == (1, None)
    from deploy.commands.scan import read_image

    with pytest.raises(UnavailableError, match="install"):
        read_image(broken)


def test_a_name_that_is_no_file_is_a_code(run):
    assert run("missing.png")[1][0]["kind"] == "unknown"
