from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import main
from firmware_profiles import registry, simulate
from firmware_profiles.decode import decode
from firmware_profiles.plan import Profile
from firmware_profiles.schema import json_schema

DOCS = Path(__file__).resolve().parents[2] / "docs"


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    assert main(["profile", *arguments]) == code
    return json.loads(capsys.readouterr().out)


@pytest.mark.requirement("R-DEV-15")
def test_list_names_every_profile_with_its_streams(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["id"]: row for row in answer(capsys, "list", "--json")}
    assert len(rows) >= 40
    assert rows["sig_plx"]["streams"] == [
        {"id": "continuous", "source": "gatt", "characteristic": "2A5F"},
        {"id": "spot", "source": "gatt", "characteristic": "2A5E"},
    ]
    assert {"vendor", "model", "kind", "transport", "trust", "vectors"} <= set(rows["wardlink_drip"])
    assert main(["profile", "list"]) == 0
    assert "sig_plx" in capsys.readouterr().out


@pytest.mark.requirement("R-DEV-15")
def test_decode_answers_each_item_good_or_bad(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('["00 61 00 48 00", "00", "zz", 5, "01FF0748000000"]'))
    good, short, no_hex, no_text, special = answer(capsys, "decode", "sig_plx", "continuous", "--stdin")
    assert good["values"]["spo2"] == {"value": 97, "unit": "%", "validity": "Vld"}
    assert (good["accepted"], good["reject"]) == (True, None)
    assert [one["reject"] for one in (short, no_hex, no_text)] == ["short", "not-hex", "not-text"]
    assert special["reject"] == "short"


def test_decode_finds_frames_in_a_serial_stream(capsys: pytest.CaptureFixture[str]) -> None:
    one, two, none = answer(
        capsys, "decode", "bci_5byte", "frame", "0102038732054862", "8732054862 8732054861", "0732054862"
    )
    assert one["values"]["spo2"]["value"] == 98
    assert [record["spo2"]["value"] for record in two["records"]] == [98, 97]
    assert (none["accepted"], none["reject"]) == (False, "marks")


def test_decode_takes_lines_lists_fractions_and_keys(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = answer(capsys, "decode", "alaris_asena", "line", "!REMQUERY^DEACT|F295\r")
    assert line["values"]["cmd"]["value"] == "REMQUERY"
    (pleth,) = answer(capsys, "decode", "sig_heart_rate", "measurement", "1C AA 8D00 8D00")
    assert pleth["values"]["rr_1024"]["value"] == [141]
    (sealed,) = answer(
        capsys, "decode", "bthome_v2", "advert", "41a47266c95f730011223378237214",
        "--mac", "54:48:E6:8F:80:A5", "--key", "231d39c1d7cc1ab1aee224cd096db932",
    )  # fmt: skip
    assert sealed["values"]["temp_Cel"]["value"] == 25.06


@pytest.mark.parametrize("text", ["{", "{}"])
def test_decode_refuses_what_is_no_array(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["profile", "decode", "sig_plx", "continuous", "--stdin"]) == 1
    assert "standard input" in capsys.readouterr().err


def test_an_unknown_profile_or_stream_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "decode", "nothing", "x", "00"]) == 1
    assert main(["profile", "decode", "sig_plx", "x", "00"]) == 1
    assert "wardlink profile list" in capsys.readouterr().err


@pytest.mark.requirement("R-DEV-16")
def test_a_new_profile_begins_with_a_failing_vector(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["profile", "new", "acme_ox", "--dir", str(tmp_path)]) == 0
    file = str(tmp_path / "acme_ox.toml")
    capsys.readouterr()
    (result,) = answer(capsys, "check", file, "--json", code=1)
    assert result["problems"] == ["acme_ox: test[0] (measurement): value is 0, not 1"]
    assert main(["profile", "new", "acme_ox", "--dir", str(tmp_path)]) == 1
    assert main(["profile", "new", "Acme", "--dir", str(tmp_path)]) == 1
    assert main(["profile", "new", "acme2", "--kind", "X", "--dir", str(tmp_path)]) == 1


def test_check_runs_all_and_tells_faults(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert all(result["ok"] for result in answer(capsys, "check", "--json"))
    (tmp_path / "bad.toml").write_text("schema = 2\n")
    assert main(["profile", "check", str(tmp_path / "bad.toml"), registry.load().get("sig_plx").path]) == 1
    bad, good = capsys.readouterr().out.splitlines()
    assert "bad.toml: " in bad
    assert good.startswith("ok: ")


@pytest.mark.requirement("R-DEV-17")
def test_every_profile_without_a_key_simulates_frames_that_it_decodes() -> None:
    for profile in registry.load():
        for name, stream in profile.streams.items():
            if stream.decrypt is None and stream.unpack is None:
                frames = list(simulate.frames(profile, name, count=3, seed=5))
                assert all(decode(profile, name, frame).accepted for frame in frames), (profile.id, name)
                assert frames == list(simulate.frames(profile, name, count=3, seed=5))


def test_simulate_prints_frames_marked_demo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "simulate", "sig_plx", "--count", "2", "--every", "0.01"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["generation"] for row in rows] == ["Demo", "Demo"]
    assert main(["profile", "simulate", "ivy_450c", "--stream", "spo2", "--count", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["frame"].startswith("SPO2=1;")


@pytest.mark.requirement("R-DEV-18")
def test_the_committed_schema_is_what_the_types_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "schema"]) == 0
    assert (DOCS / "profile.schema.json").read_text(encoding="utf-8") == capsys.readouterr().out
    assert json.loads((DOCS / "profile.schema.json").read_text()) == json_schema()


def test_a_stream_without_a_vector_is_simulated_from_defaults(make: Callable[..., Profile]) -> None:
    profile = make('field=[{name="a", type="u16", default=7}]\nvalue=[{name="v", source="a"}]')
    assert list(simulate.frames(profile, "s", count=1, seed=1)) == [b"\x07\x00"]
