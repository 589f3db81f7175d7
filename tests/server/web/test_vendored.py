"""Third-party files are listed, licensed, unchanged, and nothing of the page comes from elsewhere."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

WEB = Path(__file__).resolve().parents[3] / "server" / "web"
RISKY = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function|setAttribute\(.style")
OWN = {".js", ".css", ".html", ".json", ".svg", ".toml"}


def manifest() -> list[dict[str, Any]]:
    with (WEB / "VENDOR.toml").open("rb") as file:
        packages: list[dict[str, Any]] = tomllib.load(file)["package"]
    return packages


@pytest.mark.requirement("R-WEB-15")
def test_every_vendored_file_is_what_its_manifest_says() -> None:
    for package in manifest():
        assert package["name"]
        assert package["version"]
        assert package["licence"] in {"OFL-1.1", "MIT"}
        assert package["licence_file"] in package["sha256"]
        for name, expected in package["sha256"].items():
            assert hashlib.sha256((WEB / name).read_bytes()).hexdigest() == expected, name


@pytest.mark.requirement("R-WEB-15")
def test_every_file_that_is_not_ours_is_in_the_manifest() -> None:
    listed = {name for package in manifest() for name in package["sha256"]}
    files = [path for path in WEB.rglob("*") if path.is_file() and path.suffix not in OWN]
    foreign = {path.relative_to(WEB).as_posix() for path in files}
    assert foreign == listed


@pytest.mark.requirement("R-WEB-14")
def test_the_page_names_no_other_host() -> None:
    urls = {
        url
        for path in WEB.rglob("*")
        if path.suffix in OWN
        for url in re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", path.read_text(encoding="utf-8"))
    }
    assert urls <= {"http://www.w3.org", "//www.w3.org"}  # the name of the SVG language, never fetched


@pytest.mark.requirement("R-WEB-14")
def test_nothing_inline_that_a_strict_content_policy_would_refuse() -> None:
    html = (WEB / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", html) == []
    for path in WEB.rglob("*.js"):
        code = path.read_text(encoding="utf-8")
        assert RISKY.findall(code) == []
