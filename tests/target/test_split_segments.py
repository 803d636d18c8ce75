# SPDX-License-Identifier: MIT
"""Split files on a stock kernel: they run as before, are mapped in place, and cost what is
said."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from target.booting import (
    KERNELS,
    PAGES,
    TINYPROF,
    Demo,
    boot,
    leave_to_test_all,
    pattern_image,
)
from target.splitting import SEED, UNWINDS, add_unwinds, is_program, split_all
from tinyprof.cramfs.format import EntryKind
from tinyprof.cramfs.reading.reader import read_image
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image
from tinyprof.segments.split_tree import MAPPING_BYTES

CROSS_GCC = "arm-linux-gnueabihf-gcc"

PROGRAM_FOLDERS = ("bin", "sbin", "usr/bin", "usr/sbin")
LIBRARY_FOLDERS = ("lib", "usr/lib")

WORDS = {
    "busybox": "sha256sum /etc/passwd",
    "lua5.4": "-e 'print(math.pi, string.rep(\"x\", 20))'",
    "sqlite3": ":memory: 'select sum(value) from (select 1 as value union select 41)'",
    "python3.11": "-I -S -c 'import json, hashlib, re; print(hashlib.sha256(b\"x\").hexdigest())'",
    "openssl": "dgst -sha256 /etc/passwd",
    "tcpdump": "--version",
    "strace": "-V",
    "lighttpd": "-v",
    "dropbear": "-V",
    # An error of gdbserver is a C++ exception, thrown and caught through libstdc++ and libgcc_s.
    "gdbserver": ":1234 /bin/true",
}
"""The arguments of programs. Other programs get --version."""

RUN_ALL = """#!/bin/sh
export PATH=/sbin:/usr/sbin:/bin:/usr/bin HOME=/tmp
mount -t proc proc /proc
mount -t tmpfs tmpfs /tmp
cd /tmp
while read -r program words; do
	echo "== $program"
	eval "busybox timeout 20 $program $words" < /dev/null 2>&1 | head -n 20
done < /usr/share/programs
echo "== libraries"
python3.11 -I -S /usr/share/open.py 2>&1
echo "== unwinds"
/bin/unwinds
echo "== end"
reboot -f
"""

OPEN_ALL = """
import ctypes, gc
gc.disable()
kept = []
for path in open("/usr/share/libraries").read().split():
    try:
        kept.append(ctypes.CDLL(path))
        print("opened", path)
    except OSError as error:
        print(error)
"""


def add_tests(root: Path) -> None:
    """The init that runs every program, opens every library, and unwinds."""
    add_unwinds(root, CROSS_GCC, "lib/arm-linux-gnueabihf")
    found = [path for folder in PROGRAM_FOLDERS for path in sorted((root / folder).iterdir())]
    names = [
        path
        for path in found
        if is_program(path) and path.name not in ("unwinds", "tinyprof-agent")
    ]
    lines = [f"/{path.relative_to(root)} {WORDS.get(path.name, '--version')}" for path in names]
    (root / "usr/share/programs").write_text("\n".join(lines) + "\n")
    libraries = [path for folder in LIBRARY_FOLDERS for path in (root / folder).rglob("*.so*")]
    paths = sorted(f"/{path.relative_to(root)}" for path in libraries if is_program(path))
    (root / "usr/share/libraries").write_text("\n".join(paths) + "\n")
    (root / "usr/share/open.py").write_text(OPEN_ALL)
    (root / "sbin/run-all").write_text(RUN_ALL)
    (root / "sbin/run-all").chmod(0o755)


def run_all(image: Path, version: str) -> str:
    words = ["--stock", "--version", version, "--mem", "128", "--timeout", "600"]
    console = boot(image, *words, "--append", "init=/sbin/run-all")
    ran = console[console.index("== ") :].replace("\r", "")
    # Process numbers differ, and so do times of the kernel's own lines.
    return re.sub(r"^\[ *[\d.]+\].*\n|pid=\d+", "", ran, flags=re.MULTILINE)


@pytest.mark.parametrize("version", KERNELS)
def test_every_program_and_library_of_the_reference_runs_as_before(
    demo: Demo, tmp_path: Path, version: str
) -> None:
    leave_to_test_all(version)
    print(f"seed {SEED}")
    root = tmp_path / "rootfs"
    shutil.copytree(demo.folder / "rootfs", root, symlinks=True)
    add_tests(root)
    image = tmp_path / "image"
    image.write_bytes(
        write_image(Tree.from_directory(root), {}, WriteOptions(kernel="mainline")).image
    )
    before = run_all(image, version)
    plan, count = split_all(root)
    written = write_image(Tree.from_directory(root), plan, WriteOptions(kernel="mainline"))
    image.write_bytes(written.image)
    after = run_all(image, version)
    print(f"{count} files split, {written.xip_pages} pages in place")
    assert count >= 120
    assert "bad split segments are seen in memory" in before
    assert after.replace("good split", "bad split") == before
    assert len(re.findall("^good ", after, re.MULTILINE)) == UNWINDS
    assert len(re.findall("^opened ", after, re.MULTILINE)) >= 100
    assert "cannot resolve name: Temporary failure in name resolution\nExiting" in after
    assert after.rstrip().endswith("== end")


@pytest.fixture
def with_starts(demo: Demo, guest: Callable[[str], Path], tmp_path: Path) -> Callable[..., Path]:
    """Builds an image of the reference with a program that starts another many times."""
    root = tmp_path / "rootfs"
    shutil.copytree(demo.folder / "rootfs", root, symlinks=True)
    shutil.copy(guest("starts"), root / "sbin/starts")

    def build(name: str, *words: str | Path) -> Path:
        subprocess.run([*TINYPROF, "build", root, tmp_path / name, *words], check=True)
        return tmp_path / name

    return build


def figure(name: str, console: str) -> int:
    found = re.search(rf"^{name} (-?\d+)", console, re.MULTILINE)
    assert found, console[-500:]
    return int(found[1])


def test_a_program_starts_as_quickly_as_with_all_pages_in_place(
    demo: Demo, with_starts: Callable[..., Path]
) -> None:
    every = with_starts("every", "-X", "-X", "--kernel", "mainline")
    hot = with_starts("hot", "--profile", demo.folder / "boot.tprof", "--split-segments")
    times = [
        figure("start nanoseconds", boot(image, "--stock", "--append", "init=/sbin/starts"))
        for image in (every, hot)
    ]
    print(times)
    assert times[1] <= 1.05 * times[0]


def report_of(image: Path, version: str, *words: str) -> dict[str, int]:
    append = "WORKLOAD_PROCESSES=10 WORKLOAD_ROUNDS=2"
    console = boot(image, *words, "--version", version, "--append", append)
    assert "report workload done" in console
    return {
        name: int(value)
        for name, value in re.findall(r"^report (\w+) (\d+)\r?$", console, re.MULTILINE)
    }


def pages_in_place(image: bytes) -> dict[str, set[int]]:
    read = read_image(image)
    files = [entry for entry in read.entries if entry.kind is EntryKind.FILE]
    return {
        file.path: {page for page, block in enumerate(read.blocks(file)) if block.in_place}
        for file in files
    }


@pytest.mark.parametrize("version", KERNELS)
def test_ten_processes_more_cost_a_stock_kernel_little_memory(
    demo: Demo, tmp_path: Path, version: str
) -> None:
    """Against all pages in place, and against a patched kernel that has the same pages of unsplit
    files. That kernel's page cache is smaller, since it reads pages in place from flash."""
    leave_to_test_all(version)
    split_image = demo.folder / "hot-XIP-split.cramfs"
    unsplit = tmp_path / "unsplit"
    tree = Tree.from_directory(demo.folder / "rootfs")
    unsplit.write_bytes(
        write_image(tree, pages_in_place(split_image.read_bytes()), WriteOptions()).image
    )
    every, split_ = (
        report_of(image, version, "--stock")
        for image in (demo.folder / "all-XIP.cramfs", split_image)
    )
    patched = report_of(unsplit, version)
    print(every, split_, patched)
    assert split_["Free"] >= every["Free"] - 64
    left_without_cache = [report["Free"] + report["Cached"] for report in (split_, patched)]
    assert left_without_cache[0] >= left_without_cache[1] - 64
    assert split_["Cached"] <= every["Cached"] + 16
    assert split_["pgfault"] <= 1.10 * every["pgfault"]


def test_a_mapping_costs_what_the_plan_takes_it_for(
    tmp_path: Path, guest: Callable[[str], Path]
) -> None:
    image = pattern_image(tmp_path, guest("pieces"), range(PAGES - 1))
    console = boot(image, "--stock")
    cost = figure("cost bytes", console)
    print(cost, figure("cost nanoseconds", console))
    assert 0.7 * MAPPING_BYTES <= cost <= 1.3 * MAPPING_BYTES
