from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clinical.errors import UnavailableError
from server.prints import fonts


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    fonts.font_file.cache_clear()
    yield
    fonts.font_file.cache_clear()


def test_the_font_has_simplified_chinese_shapes() -> None:
    for bold in (False, True):
        family = fonts._loaded(20, bold=bold).getname()[0]
        assert family is not None
        assert family.endswith(" SC")


def test_the_system_collection_is_used_when_no_font_is_vendored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not fonts._COLLECTION.is_dir():
        pytest.skip("fonts-noto-cjk is not installed here")
    monkeypatch.setattr(fonts, "_VENDORED", tmp_path)
    path, index = fonts.font_file(bold=False)
    assert (path.suffix, index) == (".ttc", 2)


@pytest.mark.requirement("R-PRT-03")
def test_without_any_font_the_command_that_installs_one_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fonts, "_VENDORED", tmp_path)
    monkeypatch.setattr(fonts, "_COLLECTION", tmp_path)
    with pytest.raises(UnavailableError, match="apt-get install fonts-noto-cjk"):
        fonts.font_file(bold=True)


def test_a_collection_without_a_simplified_face_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ttc"
    broken.write_bytes(b"no font")
    with pytest.raises(UnavailableError):
        fonts._simplified_face(broken)
