"""A machine with Bluetooth in its kernel, for proofs that need the real bluetoothd.

QEMU in software boots Debian's stock kernel with this machine's file system read-only as its root; a disk
image, a network, KVM and root rights are not needed. Run one command in it:
``python -m tests.support.vm_machine COMMAND ARG…``.
"""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMAGE = ROOT / "build" / "vm"
OUT = "/run/out"
"""Where the machine sees the directory of results, the only one it may write for us."""
PROGRAMS = {
    "qemu-system-x86": ("qemu-system-x86_64",),
    "busybox-static": ("busybox",),
    "bluez": ("/usr/libexec/bluetooth/bluetoothd", "bluetoothctl"),
    "dbus": ("dbus-daemon",),
}
"""Debian packages, and the programs by which they are recognised."""
BUMBLE = "bumble==0.0.236"
MODULES = """
9p 9pnet 9pnet_virtio netfs fscache virtio virtio_ring virtio_pci virtio_pci_legacy_dev virtio_pci_modern_dev
bluetooth hci_vhci uhid hid rfkill ecdh_generic ecc crc16 libaes cmac ecb aes_generic algif_hash
algif_skcipher af_alg drbg jitterentropy_rng hmac sha512_generic sha256_generic ctr seqiv
"""
LOADED = """
virtio_pci 9pnet_virtio 9p rfkill bluetooth hci_vhci uhid algif_hash algif_skcipher ecb cmac drbg ecdh_generic
"""
"""Pairing needs the last three: without them the kernel says that it has paired, and has not."""
SHARE = "trans=virtio,version=9p2000.L,msize=262144"
INIT = f"""#!/bin/busybox sh
/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin
/bin/busybox --install -s
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
depmod -a 2>/dev/null
for module in {LOADED.strip()}; do modprobe $module; done
mount -t 9p -o {SHARE},ro,cache=loose host /mnt || poweroff -f
mount -t proc proc /mnt/proc; mount -t sysfs sysfs /mnt/sys; mount -t devtmpfs dev /mnt/dev
mkdir -p /mnt/dev/pts; mount -t devpts devpts /mnt/dev/pts
mount -t tmpfs tmpfs /mnt/run; mkdir -p /mnt{OUT}; mount -t 9p -o {SHARE} out /mnt{OUT} || poweroff -f
mount -t tmpfs tmpfs /mnt/var/lib; mkdir -p /mnt/var/lib/bluetooth
ifconfig lo 127.0.0.1 up
chroot /mnt /bin/sh {OUT}/job.sh
dmesg > /mnt{OUT}/kernel.log
sync
poweroff -f
"""
ENVIRONMENT = (
    "HOME=/run TMPDIR=/run PYTHONDONTWRITEBYTECODE=1 PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
)


class MachineError(Exception):
    """The machine cannot be had, or a command in it failed; the text says what to do."""


def missing() -> str:
    """The command that installs what this proof needs and this computer lacks; empty when nothing."""
    packages = [name for name, programs in PROGRAMS.items() if not all(shutil.which(one) for one in programs)]
    commands = []
    if packages:
        commands.append(f"sudo apt-get install -y --no-install-recommends {' '.join(packages)}")
    if importlib.util.find_spec("bumble") is None:
        commands.append(f"{sys.executable} -m pip install {BUMBLE}")
    return " && ".join(commands)


def kernel_package() -> str:
    """Name of Debian's current stock kernel package."""
    listing = _output(["apt-cache", "depends", "linux-image-amd64"])
    names = [line.split()[-1] for line in listing.splitlines() if "Depends: linux-image" in line]
    if not names:
        raise MachineError("no kernel package is known here; run: sudo apt-get update")
    return names[0]


def prepare() -> None:
    """Unpack the kernel and pack the first file system, once; both stay in ``build/vm``."""
    recipe = MODULES + INIT
    made = IMAGE / "recipe.txt"
    if made.exists() and made.read_text() == recipe:
        return
    IMAGE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vm-", dir=IMAGE) as name:
        work = Path(name)
        _output(["apt-get", "download", "-qq", kernel_package()], work)
        package = next(work.glob("*.deb"))
        _output(["dpkg-deb", "-x", package.name, "kernel"], work)
        version = next((work / "kernel/lib/modules").iterdir()).name
        _first_files(work / "first", work / "kernel/lib/modules" / version)
        shutil.copy(work / f"kernel/boot/vmlinuz-{version}", IMAGE / "vmlinuz")
        (IMAGE / "kernel.txt").write_text(package.stem + "\n")
        pack = "cd first && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 > ../initrd.gz"
        _output(["sh", "-c", pack], work)
        (work / "initrd.gz").rename(IMAGE / "initrd.gz")
    made.write_text(recipe)


def _first_files(first: Path, modules: Path) -> None:
    for directory in ("bin", "proc", "sys", "dev", "mnt"):
        (first / directory).mkdir(parents=True, exist_ok=True)
    shutil.copy(shutil.which("busybox") or "", first / "bin/busybox")
    target = first / "lib/modules" / modules.name
    wanted = [path for path in modules.rglob("*.ko*") if path.name.split(".")[0] in MODULES.split()]
    for path in [*wanted, *modules.glob("modules.[ob]*")]:
        copy = target / path.relative_to(modules)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    (first / "init").write_text(INIT)
    (first / "init").chmod(0o755)


def run(commands: list[list[str]], out: Path, *, limit_s: float = 400.0) -> None:
    """Boot, run the commands one after another in the checkout, power off.

    Args:
        commands: Each one's output goes to ``N.out`` and ``N.err`` in ``out``, numbered from 0.
        out: An empty directory; the machine sees it as :data:`OUT`.
        limit_s: The machine is stopped after this long.

    Raises:
        MachineError: It cannot be started, took too long, or a command failed.
    """
    if command := missing():
        raise MachineError(f"the emulated machine needs more than is installed; run: {command}")
    prepare()
    lines = [f"export {ENVIRONMENT}", f"cd {shlex.quote(str(ROOT))}"]
    for number, words in enumerate(commands):
        files = f">{OUT}/{number}.out 2>{OUT}/{number}.err"
        lines.append(f"{shlex.join(words)} {files}; echo $? >{OUT}/{number}.code")
    (out / "job.sh").write_text("\n".join(lines) + "\n")
    try:
        subprocess.run(_qemu(out), check=True, timeout=limit_s, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as late:
        raise MachineError(f"the emulated machine was not done after {limit_s:.0f} s{_tail(out)}") from late
    except subprocess.CalledProcessError as error:
        raise MachineError(f"the emulated machine did not start{_tail(out)}") from error
    for number, words in enumerate(commands):
        code = out / f"{number}.code"
        if not code.exists() or code.read_text().strip() != "0":
            raise MachineError(f"{shlex.join(words)} failed{_tail(out)}")


def _qemu(out: Path) -> list[str]:
    share = "security_model=none,multidevs=remap"
    return [
        "qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-cpu", "max", "-m", "1024", "-smp", "1",
        "-display", "none", "-monitor", "none", "-serial", f"file:{out}/console.log", "-no-reboot",
        "-nic", "none", "-kernel", str(IMAGE / "vmlinuz"), "-initrd", str(IMAGE / "initrd.gz"),
        "-append", "console=ttyS0 quiet loglevel=3 panic=1",
        "-virtfs", f"local,path=/,mount_tag=host,readonly=on,{share}",
        "-virtfs", f"local,path={out},mount_tag=out,{share}",
    ]  # fmt: skip


def _tail(out: Path) -> str:
    texts = [
        f"\n--- {path.name}\n{path.read_text(errors='replace')[-2000:]}"
        for path in sorted([*out.glob("*.err"), out / "console.log"])
        if path.exists()
    ]
    return "".join(texts)


def _output(command: list[str], directory: Path | None = None) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MachineError(f"{shlex.join(command)} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def main() -> int:
    """Run the command line's words in the machine and print what they printed."""
    with tempfile.TemporaryDirectory(prefix="wl-vm-") as name:
        out = Path(name)
        try:
            run([sys.argv[1:]], out)
        except MachineError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        sys.stdout.write((out / "0.out").read_text())
        sys.stderr.write((out / "0.err").read_text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
