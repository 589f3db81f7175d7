from __future__ import annotations

from pathlib import Path

import pytest

from clinical.errors import BadInputError
from clinical.records import Generation
from edge_node.settings import EdgeSettings, SimulationSettings, ble_uid, load, serial_uid

GOOD = """
[node]
id = "node-1"
state_dir = "/var/lib/wardlink"
generation = "Demo"
[mqtt]
host = "broker.ward"
ca_file = "ca.crt"
cert_file = "node.crt"
key_file = "node.key"
[[devices]]
uid = "ble:c0-00-00-00-01-01"
profile = "wardlink_drip"
address = "c0:00:00:00:01:01"
"""


def read(tmp_path: Path, text: str) -> EdgeSettings:
    file = tmp_path / "node.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, EdgeSettings)


def test_a_good_file_is_read_and_addresses_are_spelled_one_way(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD)
    assert settings.devices[0].address == "C0:00:00:00:01:01"
    assert settings.node.generation is Generation.DEMO
    assert not settings.bluetooth.enabled
    assert settings.mqtt.port == 8883


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARD_EDGE__HEALTH__PORT", "9000")
    assert read(tmp_path, GOOD).health.port == 9000


@pytest.mark.requirement("R-EDGE-18")
@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('id = "node-1"', 'id = "Bed 5"', "node.id"),
        ('generation = "Demo"', 'generation = "Fake"', "node.generation"),
        ('host = "broker.ward"', 'host = "broker.ward"\npassword = "secret"', "mqtt.password"),
        ('address = "c0:00:00:00:01:01"', 'address = "c0"', "devices.0.address"),
        ('uid = "ble:c0-00-00-00-01-01"', 'uid = "usb:1"', "devices.0.uid"),
        ("[mqtt]", "[mqqt]", "mqqt"),
    ],
)
def test_a_wrong_key_is_named_and_its_value_is_not_repeated(
    tmp_path: Path, old: str, new: str, named: str
) -> None:
    with pytest.raises(BadInputError) as caught:
        read(tmp_path, GOOD.replace(old, new))
    assert named in caught.value.message
    assert "secret" not in caught.value.message


def test_one_device_cannot_be_bound_twice(tmp_path: Path) -> None:
    twice = GOOD + GOOD[GOOD.index("[[devices]]") :]
    with pytest.raises(BadInputError, match="two devices have the same uid"):
        read(tmp_path, twice)


@pytest.mark.parametrize("text", ["not = [toml", "\x00"])
def test_a_file_that_is_not_toml_is_said_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInputError) as caught:
        read(tmp_path, text)
    assert caught.value.code == "settings-syntax"


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as caught:
        load(tmp_path / "none.toml", SimulationSettings)
    assert caught.value.code == "settings-missing"


def test_devices_are_named_the_same_everywhere() -> None:
    assert ble_uid("C0:00:00:00:01:01") == "ble:c0-00-00-00-01-01"
    assert serial_uid("usb-FTDI-1") == "serial:usb-FTDI-1"
