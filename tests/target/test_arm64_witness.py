# SPDX-License-Identifier: MIT
"""A recording by perf events on a stock arm64 kernel against what QEMU itself saw in flash."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from support.agent_program import agent_program
from support.debian_files import unpacked
from target.booting import BOARD, TIMEOUT, TINYPROF
from target.test_architectures import CROSS_GCC
from target.witness import build_witness, missed_and_wrong, touched_pages
from tinyprof.cli.opening import open_profile
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions, write_image

PACKAGES = (
    *("busybox", "libc6", "libgcc-s1", "libcrypt1", "lua5.4", "liblua5.4-0", "libreadline8"),
    *("libtinfo6", "sqlite3", "libsqlite3-0", "zlib1g"),
)
STOCK = ("--arch", "arm64", "--stock")
AGENT = "/sbin/tinyprof-agent"
INIT = """#!/bin/sh
busybox mount -t proc proc /proc
for time in 1 2 3; do
	lua5.4 -e 't = {} for i = 1, 2000 do t[i] = tostring(i) end
		table.sort(t) print(#table.concat(t))'
done
sqlite3 :memory: 'create table t(v); insert into t values (1), (41);
	select sum(v) from t order by 1'
busybox sleep 2
busybox reboot -f
"""


def root_of(folder: Path) -> Path:
    top = folder / "rootfs"
    shutil.copytree(unpacked("arm64", PACKAGES), top, symlinks=True)
    for name in ("dev", "proc", "sbin"):
        (top / name).mkdir(exist_ok=True)
    (top / "bin/sh").symlink_to("busybox")
    (top / "sbin/init").write_text(INIT)
    shutil.copy(agent_program(CROSS_GCC.removesuffix("gcc")), top / AGENT[1:])
    for name in ("sbin/init", AGENT[1:]):
        (top / name).chmod(0o755)
    return top


def recorded_pages(top: Path, folder: Path) -> set[tuple[str, int]]:
    """The pages that a recording of the image with nothing in place holds."""
    image, line, capture = folder / "plain", folder / "line", folder / "capture.tpcap"
    image.write_bytes(write_image(Tree.from_directory(top), {}, WriteOptions()).image)
    # The machine has one serial port: the agent's frames stand between the guest's words.
    words = f"init={AGENT} TINYPROF_EPOCH=500 TINYPROF_TTY=/dev/ttyAMA0"
    run: list[str | Path] = [BOARD, "run", image, "--icount", *TIMEOUT, *STOCK]
    with line.open("wb") as out:
        subprocess.run([*run, "--append", words], stdout=out, check=True)
    record: list[str | Path] = [*TINYPROF, "record", line, "-o", capture, "--image", image]
    subprocess.run(record, check=False)
    profile = open_profile([capture])
    return {(file.path, page) for file in profile.files for page in file.pages}


def test_what_a_boot_touches_is_recorded_on_a_stock_arm64_kernel(tmp_path: Path) -> None:
    top = root_of(tmp_path)
    recorded = {page for page in recorded_pages(top, tmp_path) if page[0] != AGENT}
    witness = build_witness(tmp_path / "witness", qemu="qemu-system-aarch64")
    tree = Tree.from_directory(top)
    touched = touched_pages(witness, tree, tmp_path / "uncompressed", *STOCK)
    missed, _ = missed_and_wrong(touched, recorded)
    assert len(touched) > 300
    assert len(missed) <= 0.01 * len(touched)
