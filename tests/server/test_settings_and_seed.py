"""Files written by people: what is wrong is named, nothing is guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clinical.errors import BadInputError
from server import seed as seeds
from server import settings

WARD_FILE = Path(__file__).parents[1] / "data" / "ward.toml"
GOOD = """
[server]
state_dir = "state"
plain_port = 1
[storage]
url = "sqlite:///x.db"
[ward]
seed = "ward.toml"
"""


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "server.toml").write_text(GOOD)
    read = settings.read(tmp_path / "server.toml")
    assert (read.server.state_dir, read.ward.seed) == (tmp_path / "state", tmp_path / "ward.toml")
    assert read.mqtt.port == 0


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARDLINK_SERVER__STORAGE__URL", "sqlite:///other.db")
    (tmp_path / "server.toml").write_text(GOOD)
    assert settings.read(tmp_path / "server.toml").storage.url == "sqlite:///other.db"


@pytest.mark.requirement("R-SRV-12")
@pytest.mark.hazard("H-SRV-07")
@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[server", "TOML"),
        (GOOD + "[extra]\nx = 1\n", "extra"),
        (GOOD.replace("plain_port = 1", "plain_port = 99999"), "plain_port"),
        (GOOD.replace("[ward]", "[wart]"), "ward"),
        (GOOD + "[mqtt]\nprot = 1\n", "prot"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "server.toml").write_text(text)
    with pytest.raises(BadInputError, match=word):
        settings.read(tmp_path / "server.toml")
    with pytest.raises(BadInputError, match="cannot read"):
        settings.read(tmp_path / "none.toml")


@pytest.mark.requirement("R-SRV-12")
@pytest.mark.hazard("H-SRV-07")
@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('generation = "Demo"', 'generation = "Real"', "PIN"),
        ('pin = "2580"', "", "pin_hash"),
        ('zone = "Asia/Shanghai"', 'zone = "Mars/Olympus"', "zone"),
        ('beds = ["01"]\n', 'beds = ["77"]\n', "77"),
        ('name = "王丽"', 'nmae = "王丽"', "nmae|name"),
        ('form = "tablet"', 'form = "tablet"\nallergies = []', "allergies"),
        ('form = "tablet"', "", "MET25"),
        ("[ward]", "[ward", "TOML"),
    ],
)
def test_a_wrong_ward_file_is_named(tmp_path: Path, old: str, new: str, word: str) -> None:
    text = WARD_FILE.read_text()
    assert old in text
    file = tmp_path / "ward.toml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(BadInputError, match=word):
        seeds.products(seeds.read(file))


def test_a_policy_file_is_read_and_a_wrong_one_named(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('version = "ward-1"\n')
    assert seeds.read_policy(file).version == "ward-1"
    for text, word in (("x = 1", "x"), ("[", "TOML")):
        file.write_text(text)
        with pytest.raises(BadInputError, match=word):
            seeds.read_policy(file)
    with pytest.raises(BadInputError, match="cannot read"):
        seeds.read_policy(tmp_path / "none.toml")


def test_a_seed_is_planted_once_with_hashed_pins(ward: Any) -> None:
    from sqlalchemy import select

    from server import sites
    from server.storage import schema

    with ward.store.reading() as connection:
        hashes = connection.scalars(select(schema.credentials.c.pin_hash)).all()
        again = sites.load(connection)
    assert all(one.startswith("$argon2id$") for one in hashes)
    assert again == ward.site
