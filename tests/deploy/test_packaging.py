"""What is installed is what was locked, and the wheel is whole."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("clinical", "broker", "firmware_profiles", "edge_node", "server", "pda_app", "deploy")
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


@pytest.mark.requirement("R-SYS-02")
@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_locked_package_has_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    for entry in re.split(r"\n(?=[A-Za-z0-9])", text.strip()):
        assert re.match(r"^[A-Za-z0-9._-]+(\[[\w,-]+\])?==[^\s;]+", entry), entry[:60]
        assert "--hash=sha256:" in entry, entry[:60]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_smaller_sets_are_parts_of_the_whole(lock: Path) -> None:
    def pins(path: Path) -> set[str]:
        return set(
            re.findall(r"^([A-Za-z0-9._\[\],-]+==[^\s;]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        )

    assert pins(lock) <= pins(ROOT / "requirements" / "dev.txt")


def test_every_direct_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra, wanted in project["optional-dependencies"].items():
        locked = (ROOT / "requirements" / f"{extra}.txt").read_text(encoding="utf-8")
        for requirement in (*wanted, *project["dependencies"]):
            name = re.split(r"[\[>=<]", requirement)[0]
            assert re.search(rf"^{re.escape(name)}(\[[\w,-]+\])?==", locked, re.MULTILINE), f"{extra}: {name}"


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_loads_from_this_checkout(room: str) -> None:
    module = __import__(room)
    assert Path(str(module.__file__)).is_relative_to(ROOT)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True, capture_output=True, timeout=110,
    )  # fmt: skip
    return next(out.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_every_room(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", *ROOMS], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert [name for name in listed if name not in inside] == []


@pytest.mark.slow
def test_the_wheel_runs_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Its dependencies are lent from this environment, without the checkout's own path entry."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    site = next((tmp_path / "env" / "lib").glob("python*")) / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = tmp_path / "env" / "bin" / "python"
    script = (
        "import deploy.cli as cli, sys; print(cli.__file__); "
        "sys.exit(cli.main(['scan', '(01)06901234567892(17)271231(10)LOT42A']))"
    )
    ran = subprocess.run(
        [python, "-I", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert str(site) in ran.stdout
    assert "06901234567892" in ran.stdout
