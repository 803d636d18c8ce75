# SPDX-License-Identifier: MIT
"""examples/target/in-place.sh on /proc of booted guests (tests/corpus/in-place), by two shells."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from qemu_board.cache import cache_root

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "examples/target/in-place.sh"
GUESTS = ROOT / "tests/corpus/in-place"

SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    """A POSIX shell of this machine. PATH is empty for it: a target may have no other program."""
    name: str = request.param
    kept = sorted(cache_root().glob(f"elf-files/amd64-*/bin/{name}"))
    found = shutil.which(SHELLS[name][0]) or (str(kept[0]) if kept else "")
    if not found:
        pytest.skip(f"no {name} on this machine")
    return [found, *SHELLS[name][1:]]


def asked(shell: list[str], proc: Path) -> tuple[int, list[str]]:
    done = subprocess.run(
        [*shell, str(SCRIPT), str(proc)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/nowhere"},
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize(
    ("guest", "code", "cache", "mapped", "in_ram"),
    [
        ("split-on-stock", 0, 196, 8, 0),
        ("hot-on-stock", 0, 1196, 8, 716),
        ("plain-on-stock", 1, 1704, 0, 1296),
    ],
)
def test_a_guest_says_how_much_of_it_is_in_place(
    shell: list[str], guest: str, code: int, cache: int, mapped: int, in_ram: int
) -> None:
    ended, lines = asked(shell, GUESTS / guest)
    assert ended == code
    assert lines[0] == "root: cramfs on mtd0"
    assert lines[1].startswith(f"page cache: {cache} KiB")
    assert f"with pages in place: {mapped}; mapped from RAM: {in_ram} KiB" in lines[2]
    assert lines[3].startswith(f"in place: {'no' if code else 'yes'}: ")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A copy of a guest's /proc, to be changed."""
    return shutil.copytree(GUESTS / "split-on-stock", tmp_path / "proc")


def test_a_block_device_is_never_mapped(shell: list[str], proc: Path) -> None:
    (proc / "mounts").write_text("/dev/mtdblock0 / cramfs ro 0 0\n")
    code, lines = asked(shell, proc)
    assert code == 1
    assert "root=mtd0" in lines[-1]


def test_another_file_system_is_told(shell: list[str], proc: Path) -> None:
    (proc / "mounts").write_text("rootfs / rootfs rw 0 0\n/dev/ubi0 / ubifs rw 0 0\n")
    code, lines = asked(shell, proc)
    assert (code, lines[0]) == (1, "root: ubifs on /dev/ubi0")


def test_a_kernel_without_smaps_cannot_tell(shell: list[str], proc: Path) -> None:
    for smaps in proc.glob("*/smaps"):
        smaps.unlink()
    code, lines = asked(shell, proc)
    assert code == 2
    assert "CONFIG_PROC_PAGE_MONITOR" in lines[-1]


def test_mappings_of_other_file_systems_do_not_count(shell: list[str], proc: Path) -> None:
    for smaps in proc.glob("*/smaps"):
        smaps.write_text(smaps.read_text().replace(" 1f:00 ", " b3:01 "))
    code, lines = asked(shell, proc)
    assert code == 1
    assert "mappings of files in flash: 0" in lines[2]
