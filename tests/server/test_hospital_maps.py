"""Mapping tables as data, what is missing in them, and both sides laid beside each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from clinical.errors import BadInputError
from deploy.cli import main
from server import hospital_maps, hospital_reconcile
from server.his_link import HospitalLink
from server.settings import His
from server.storage.schema import audit
from tests.server.test_his_intake import ADMIT

ORDER = (
    "MSH|^~\\&|HIS|H|WARDLINK|W1|20260504090000||RDE^O11|{control}|T|2.6||||||UNICODE UTF-8\r"
    "PID|1||1001^^^H^MR\rORC|NW|{control}|||||||20260504080000||PH1\r"
    "TQ1|1||{frequency}||||20260504120000\rRXE||{drug}^头孢|1||g\rRXR|{route}\r"
)


def order(control: str, drug: str = "CEF1", route: str = "IVPB", frequency: str = "BID") -> bytes:
    return ORDER.format(control=control, drug=drug, route=route, frequency=frequency).encode()


@pytest.fixture
def config(ward: Any, tmp_path: Path) -> Path:
    ward.admit("1001", "01")
    file = tmp_path / "server.toml"
    file.write_text(
        f'[server]\nstate_dir = "state"\n[storage]\nurl = "{ward.store.engine.url}"\n'
        '[ward]\nseed = "none.toml"\n',
        "utf-8",
    )
    return file


@pytest.fixture
def ask(config: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def run(*words: str, code: int = 0, verb: str = "map") -> Any:
        capsys.readouterr()
        assert main(["his", verb, *words, "--config", str(config), "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return run


def send(ward: Any, *messages: bytes) -> list[str]:
    link = HospitalLink(His(), ward.store, ward.site)
    return [link._receiver.handle(raw, "test")[0].split(b"\rMSA|")[1][:2].decode() for raw in messages]


@pytest.mark.requirement("R-HIS-24")
@pytest.mark.hazard("H-HIS-01")
def test_codes_that_were_used_and_nobody_mapped_are_told_with_how_often(ward: Any, ask: Any) -> None:
    ward_of = ADMIT.format(sender="HIS", control="A1", mrn="7", bed="Z9").encode()
    glucose = (
        b"MSH|^~\\&|LIS|H|W|W|20260504||ORU^R01|L1|T|2.6\rPID|1||1001\rOBR|1||R1|X^Y\r"
        b"OBX|1|NM|WBC^White cells||9|10*9/L|||||F\r"
    )
    send(ward, order("1", "NEW1"), order("2", "NEW1"), order("3", route="鼻"), order("4", frequency="Q99"))
    send(ward, ward_of, glucose, order("5"))
    missing = {(one["system"], one["code"]): one["count"] for one in ask("unmapped")["unmapped"]}
    assert missing == {
        ("drug", "NEW1"): 2, ("route", "鼻"): 1, ("frequency", "Q99"): 1, ("bed", "Z9"): 1,
        ("observation", "WBC"): 1,
    }  # fmt: skip


@pytest.mark.requirement("R-HIS-24")
def test_a_file_is_imported_as_a_whole_with_a_version_and_its_messages_then_go_through(
    ward: Any, ask: Any, tmp_path: Path, config: Path
) -> None:
    table = tmp_path / "codes.csv"
    table.write_text("system,code,target\ndrug,NEW1,CEF1\nroute,静滴,IV\nfrequency,BID,bid\n", "utf-8")
    assert send(ward, order("1", "NEW1")) == ["AE"]
    assert ask("import", str(table), code=1)["error"]["code"] == "server-running"
    rows, digest = hospital_maps.read(table)
    done = ward.store.write(
        lambda unit: hospital_maps.take(unit, ward.site, rows, by="N10001", digest=digest)
    )
    assert (done.version, done.added, done.changed, done.same) == (1, 1, 1, 1)
    assert send(ward, order("1", "NEW1")) == ["AA"]
    with ward.store.reading() as connection:
        said = connection.execute(
            select(audit.c.action, audit.c.detail).where(audit.c.actor == "N10001")
        ).all()
    assert [tuple(row) for row in said] == [
        ("mapping", "NEW1 = CEF1"), ("mapping", "静滴 = IV, was IVPB"),
        ("mapping-import", f"sha256 {digest}"),
    ]  # fmt: skip
    listed = ask("list", "--system", "route")
    assert (listed["version"], listed["rows"]) == (1, [["route", "口服", "PO"], ["route", "静滴", "IV"]])
    ward.store.close()
    toml = tmp_path / "codes.toml"
    toml.write_text('[drug]\n"NEW1" = "PCT500"\n[tell]\nalerts = "on"\n', "utf-8")
    assert ask("import", str(toml)) == {"version": 2, "added": 1, "changed": 1, "same": 0}


@pytest.mark.requirement("R-HIS-21")
def test_a_ward_reads_by_its_own_rows_from_the_next_start_on(ward: Any, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[critical_flag]\n"!!" = "critical"\n[blood]\nstatus = ""\n', "utf-8")
    rows, digest = hospital_maps.read(file)
    ward.store.write(lambda unit: hospital_maps.take(unit, ward.site, rows, by="x", digest=digest))
    tables = HospitalLink(His(), ward.store, ward.site)._receiver.site.tables
    assert (tables.find("critical_flag", "!!"), tables.find("blood", "status")) == ("critical", "")
    assert tables.find("critical_flag", "HH") == "critical"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "system,code\n", "must begin"),
        ("a.csv", "system,code,target\ndrug,X\n", "line 2 must have three columns"),
        ("a.csv", "system,code,target\n\n", "holds no code"),
        ("a.toml", "[drug", "is not TOML"),
        ("a.toml", 'drug = "x"', "must be a table"),
        ("a.toml", "[drug]\nx = 1", "must be a text"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_its_line(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    with pytest.raises(BadInputError, match=said):
        hospital_maps.read(file)


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError):
        hospital_maps.read(tmp_path / "none.csv")
    with pytest.raises(BadInputError):
        hospital_reconcile.read(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("colour,X,Y", "no table 'colour'"), ("drug,X,NONE", "'NONE' is not known"),
        ("ward,X,W9", "not known"), ("bed,X,99", "not known"), ("route,X,XX", "not known"),
        ("frequency,X,q99x", "not known"),
        ("observation,X,MDC_NO", "not known"), ("tell,nonsense,on", "no code of this table"),
        ("tell,alerts,maybe", "not known"), ("drug,,CEF1", "no code"),
        ("drug,X,CEF1\ndrug,X,CEF1", "stands twice"),
    ],
)  # fmt: skip
@pytest.mark.requirement("R-HIS-24")
def test_one_wrong_row_imports_nothing(ward: Any, tmp_path: Path, row: str, said: str) -> None:
    file = tmp_path / "codes.csv"
    file.write_text(f"system,code,target\nunit,盒,{{box}}\n{row}\n", "utf-8")
    rows, digest = hospital_maps.read(file)
    with pytest.raises(BadInputError, match=said):
        ward.store.write(lambda unit: hospital_maps.take(unit, ward.site, rows, by="x", digest=digest))
    with ward.store.reading() as connection:
        assert ("unit", "盒") not in hospital_maps.Known(connection, ward.site).rows


@pytest.mark.requirement("R-HIS-24")
def test_explaining_on_a_ward_says_which_codes_it_lacks(
    ward: Any, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def explained(raw: bytes) -> Any:
        file = tmp_path / "one.hl7"
        file.write_bytes(raw)
        assert main(["his", "explain", str(file), "--config", str(config), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    good, bad = explained(order("1")), explained(order("2", "NEW1"))
    assert (good["accepted"], good["unmapped"]) == (True, [])
    assert (bad["accepted"], bad["answer"], bad["reason"]["code"]) == (False, "AE", "unmapped-code")
    assert bad["unmapped"] == [{"system": "drug", "code": "NEW1"}]
    assert ward.store.picture.cursor == ward.store.picture.cursor


@pytest.mark.requirement("R-HIS-25")
@pytest.mark.hazard("H-HIS-07")
def test_both_sides_are_compared_and_each_difference_is_named(ward: Any, ask: Any, tmp_path: Path) -> None:
    assert send(ward, order("77")) == ["AA"]
    export = tmp_path / "hospital.csv"
    export.write_text("kind,key,value\ncensus,1001,W1^01\norder,77,active\norder,old,ended\n", "utf-8")
    same = ask(str(export), verb="reconcile")
    assert (same["equal"], same["compared"]) == (True, {"census": 1, "order": 2, "administration": 0})
    export.write_text("kind,key,value\ncensus,1001,W1^02\ncensus,1002,W1^03\nadministration,77,1\n", "utf-8")
    different = ask(str(export), verb="reconcile")
    assert [(one["kind"], one["key"], one["hospital"], one["ward"]) for one in different["differences"]] == [
        ("census", "1001", "W1^02", "W1^01"), ("census", "1002", "W1^03", ""), ("order", "77", "", "active"),
        ("administration", "77", "1", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["kind,key\n", "kind,key,value\ncolour,1,2\n", "kind,key,value\ncensus,1\n"])
def test_an_export_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.csv"
    file.write_text(text, "utf-8")
    with pytest.raises(BadInputError):
        hospital_reconcile.read(file)


def test_a_store_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "server.toml"
    file.write_text(
        f'[server]\nstate_dir = "state"\n[storage]\nurl = "sqlite:///{tmp_path / "none.db"}"\n'
        '[ward]\nseed = "none.toml"\n',
        "utf-8",
    )
    assert main(["his", "map", "list", "--config", str(file), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "no-store"
    assert main(["his", "map", "import", "--config", str(file)]) == 1
