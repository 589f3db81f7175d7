"""A settings file that cannot be read is one clear sentence, whatever is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical.errors import BadInputError
from pda_app.settings import load


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[server", b"handheld = 1\n"])
def test_a_settings_file_that_cannot_be_used_is_one_clear_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "handheld.toml"
    file.write_bytes(content)
    with pytest.raises(BadInputError, match=r"settings file|setting "):
        load(file)
