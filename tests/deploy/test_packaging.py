"""What is installed is what was locked, and the wheel is whole."""

from __future__ import annotations

import json
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
        own = ROOT / "requirements" / f"{extra}.txt"  # optional hardware is locked with everything else
        locked = (own if own.exists() else ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
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


@pytest.fixture
def elsewhere(wheel: Path, tmp_path: Path) -> Path:
    """A Python with the wheel, outside the checkout; its dependencies are lent from this environment."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    site = next((tmp_path / "env" / "lib").glob("python*")) / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return tmp_path / "env" / "bin" / "python"


def run_elsewhere(python: Path, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "deploy.cli", *arguments],
        cwd=directory, capture_output=True, text=True, check=False, timeout=170,
    )  # fmt: skip


@pytest.mark.slow
def test_the_wheel_knows_a_barcode_outside_the_checkout(elsewhere: Path, tmp_path: Path) -> None:
    where = subprocess.run(
        [elsewhere, "-c", "import deploy; print(deploy.__file__)"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(tmp_path)
    ran = run_elsewhere(elsewhere, tmp_path, "scan", "(01)06901234567892(17)271231(10)LOT42A")
    assert ran.returncode == 0, ran.stderr
    assert "06901234567892" in ran.stdout


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.requirement("R-SYS-16")
def test_the_wheel_runs_the_whole_ward_outside_the_checkout(elsewhere: Path, tmp_path: Path) -> None:
    ran = run_elsewhere(elsewhere, tmp_path, "demo", "--headless", "--seconds", "5", "--json")
    assert ran.returncode == 0, ran.stderr[-2000:]
    report = json.loads(ran.stdout)
    assert (report["lost"], report["surprises"]) == (0, [])
    assert report["stops"] >= 2
    assert report["administrations"] >= 1
